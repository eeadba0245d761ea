"""Tables and pictures of the stored measurements in ``results/*.json``."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import yaml
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATASETS = {
    "pneumoniamnist": "PneumoniaMNIST",
    "breastmnist": "BreastMNIST",
    "retinamnist": "RetinaMNIST",
}
# What the course set itself to reach: test AUC and accuracy, at most so many parameters
# and seconds. Each is a published result at 28 pixels (book/published.yml), AUC and
# accuracy not always of the same row.
MARKS = {
    "pneumoniamnist": (0.973, 0.884),
    "breastmnist": (0.919, 0.865),
    "retinamnist": (0.754, 0.542),
}
MOST_PARAMETERS, MOST_SECONDS = 1_100_000, 900
MOST_MEMORY_MB = 4000  # of the event streams
# Readmission: what the best of our models reaches, and the network comes near to.
READMISSION_MARKS = {"auc": 0.682, "average_precision": 0.234}
NEAR = 0.01
FIELDS = ("summaries", "records", "comparisons", "steps", "subgroups", "classes")
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#595959"
# The columns of a convolution record that are the same for a whole file.
COMMON = {"device", "backend", "versions", "code_version", "data_sha256", "date"}

Record = dict[str, Any]


def write_if_changed(path: Path, text: str) -> None:
    """Write a text file unless it already holds the text."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


def load(root: Path, name: str) -> dict[str, Any]:
    """Return a stored benchmark; one without records where there is none.

    Raises
    ------
    ExtensionError
        If the file is not a results file.
    """
    path = root / "results" / f"{name}.json"
    if not path.is_file():
        return {field: [] for field in FIELDS}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        needed = {"date": stored["date"], "records": stored["records"]}
        return {field: stored.get(field, []) for field in FIELDS} | needed
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ExtensionError(
            f"results/{name}.json is not a results file ({error!r}); measure it again: "
            f"python -m medlib.benchmarks {name}"
        ) from error


def missing(name: str) -> str:
    """Return what the page says where nothing was measured."""
    return (
        f"Nothing is stored here yet. `python -m medlib.benchmarks {name}` measures it "
        f"and writes `results/{name}.json`.\n"
    )


def made_with(stored: dict[str, Any]) -> str:
    """Return the line that says where the measurements come from."""
    record = stored["records"][0]
    versions = record.get("versions", {})
    names = ("python", "numpy", record.get("backend", ""))
    codes = dict.fromkeys(r["code_version"] for r in stored["records"])
    facts = [f"Measured {stored['date']}", f"code {', '.join(codes)}"]
    facts += [f"{record['device']}"]
    facts += [f"{name} {versions[name]}" for name in names if name in versions]
    return "; ".join(facts) + "."


def spread(values: list[float], digits: int = 3) -> str:
    """Return mean ± standard deviation, or the one value."""
    text = f"{mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {stdev(values):.{digits}f}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def by_method(records: list[Record], dataset: str) -> dict[str, list[Record]]:
    """Return a dataset's records on the official split by method, in stored order."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record["dataset"] == dataset and record["split"] == "official":
            groups.setdefault(record["method"], []).append(record)
    return groups


def imaging(root: Path, generated: Path) -> str:
    """Return our imaging results beside the published ones, with the picture."""
    stored = load(root, "imaging")
    published = yaml.safe_load((root / "book/published.yml").read_text("utf-8"))
    shown = [d for d in DATASETS if by_method(stored["records"], d)]
    lines = ["## Images: MedMNIST, official test sets", ""]
    if shown:
        picture(stored["records"], published, shown, generated / "quality.svg")
        lines += [figure_block(stored["records"], shown), made_with(stored), ""]
    else:
        lines += [missing("imaging")]
    for dataset in shown:
        lines += [f"### {DATASETS[dataset]}: ours", "", *our_rows(stored, dataset), ""]
        lines += [verdict(stored["records"], dataset), ""]
        lines += [*differences(stored["comparisons"], dataset), ""]
    lines += ["### Published, AUC / accuracy", ""]
    for group in published:
        lines += [f"Source: {group['source']}.", "", *published_rows(group), ""]
    return "\n".join(lines)


def our_rows(stored: dict[str, Any], dataset: str) -> list[str]:
    """Return the table of our methods on one dataset, what matters most first."""
    lines = [
        "| method | seeds | AUC | accuracy | parameters | training, s | sensitivity "
        "| specificity | AUC without copies |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    columns = {"auc": 3, "accuracy": 3, "parameters": 0, "train_seconds": 0}
    columns |= {"sensitivity": 3, "specificity": 3, "auc_without_duplicates": 3}
    for method, records in by_method(stored["records"], dataset).items():
        cells = [f"`{method}`", str(len(records))]
        cells += [column(records, name, digits) for name, digits in columns.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def verdict(records: list[Record], dataset: str) -> str:
    """Return the sentence that says which mark our best method reaches or misses."""
    groups = by_method(records, dataset)
    best = max(groups, key=lambda method: mean(r["auc"] for r in groups[method]))
    said = []
    for name, mark in zip(("auc", "accuracy"), MARKS[dataset], strict=True):
        short = mark - round(mean(r[name] for r in groups[best]), 3)
        how = "reached" if short <= 0 else f"missed by {short:.3f}"
        said.append(f"{name.replace('auc', 'AUC')} {mark:.3f}: {how}")
    parameters = max(r["parameters"] for r in groups[best])
    seconds = max(r["train_seconds"] for r in groups[best])
    for value, most, text in (
        (
            parameters,
            MOST_PARAMETERS,
            f"{MOST_PARAMETERS / 1e6:.1f} million parameters",
        ),
        (seconds, MOST_SECONDS, f"{MOST_SECONDS // 60} minutes of training"),
    ):
        said.append(f"at most {text}: {'kept' if value <= most else 'exceeded'}")
    return f"The marks we set ourselves, for `{best}`: {'; '.join(said)}."


def differences(comparisons: list[Record], dataset: str) -> list[str]:
    """Return the table of paired differences on one dataset, none without any."""
    rows = [row for row in comparisons if row["dataset"] == dataset]
    if not rows:
        return []
    return [
        f"Minus `{rows[0]['against']}` on the same test cases, with 95 % intervals "
        "over cases and seeds:",
        "",
        *paired_rows(rows, {"auc": "AUC", "accuracy": "accuracy"}),
    ]


def column(records: list[Record], name: str, digits: int) -> str:
    """Return one cell: a spread of measurements or a plain count."""
    values = [r[name] for r in records if isinstance(r.get(name), int | float)]
    if not values:
        return "–"
    return spread(values, digits) if digits else f"{mean(values):,.0f}"


def published_rows(group: dict[str, Any]) -> list[str]:
    """Return the table of one source's results."""
    lines = [
        "| method | " + " | ".join(DATASETS.values()) + " |",
        "|---" + "|--:" * len(DATASETS) + "|",
    ]
    for row in group["rows"]:
        cells = ["{:.3f} / {:.3f}".format(*row[name]) for name in DATASETS]
        lines.append(f"| {row['method']} | " + " | ".join(cells) + " |")
    return lines


def figure_block(records: list[Record], shown: list[str]) -> str:
    """Return the picture's directive, with alternative text that gives its values."""
    said = []
    for dataset in shown:
        parts = [
            f"{method} {mean(r['auc'] for r in runs):.3f}"
            for method, runs in by_method(records, dataset).items()
        ]
        said.append(f"{DATASETS[dataset]}: " + ", ".join(parts))
    alt = (
        "Test AUC against number of parameters, one panel for each dataset, ours as "
        f"dots, published results as lines and squares. {'. '.join(said)}."
    )
    return (
        f"```{{figure}} _generated/quality.svg\n:alt: {alt}\n:width: 640px\n\n"
        "Quality against size. Dots are ours: mean over seeds, bars one standard "
        "deviation. The square is the published ResNet-18, the only published row "
        "whose number of parameters its source gives. The dashed line is the best "
        "published result at 28 pixels.\n```\n"
    )


def picture(
    records: list[Record], published: list[Any], shown: list[str], path: Path
) -> None:
    """Draw quality against parameters, one panel for each dataset."""
    with drawing(path, (6.4, 2.9 * len(shown))) as figure:
        for axes, dataset in zip(
            figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True
        ):
            draw_panel(axes, by_method(records, dataset), published, dataset)


@contextmanager
def drawing(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """Give a figure and write it as SVG: the same numbers give the same file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text stays text and ids are fixed.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "course"}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_if_changed(path, buffer.getvalue())


def draw_panel(
    axes: Any, groups: dict[str, list[Record]], published: list[Any], dataset: str
) -> None:
    """Draw one dataset's panel."""
    rows = [row for group in published for row in group["rows"]]
    best = max(
        (r for r in rows if "224" not in r["method"]), key=lambda r: r[dataset][0]
    )
    axes.axhline(best[dataset][0], color=GREY, linestyle="--", linewidth=1)
    axes.annotate(
        f"{best['method']}, published", (0.99, best[dataset][0]),
        xycoords=("axes fraction", "data"), xytext=(0, 3), ha="right",
        textcoords="offset points", fontsize=8, color=GREY,
    )  # fmt: skip
    for row in rows:
        if "parameters" in row:
            axes.plot(row["parameters"], row[dataset][0], "s", color=ORANGE)
            label(axes, row["method"], row["parameters"], row[dataset][0], ORANGE)
    for method, runs in groups.items():
        size = mean(run["parameters"] for run in runs)
        scores = [run["auc"] for run in runs]
        error = stdev(scores) if len(scores) > 1 else 0
        axes.errorbar(size, mean(scores), yerr=error, fmt="o", color=BLUE, capsize=3)
        label(axes, method, size, mean(scores), BLUE)
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.25)
    ours = max(mean(r["auc"] for r in runs) for runs in groups.values())
    title = f"our best {ours:.3f}, best published {best[dataset][0]:.3f}"
    axes.set_title(f"{DATASETS[dataset]}: {title}", fontsize=10, loc="left")
    axes.set_xlabel("parameters")
    axes.set_ylabel("test AUC")
    axes.spines[["top", "right"]].set_visible(False)


def label(axes: Any, text: str, x: float, y: float, colour: str) -> None:
    """Write a point's name beside it."""
    axes.annotate(
        text,
        (x, y),
        xytext=(7, -3),
        textcoords="offset points",
        fontsize=8,
        color=colour,
    )


SOURCES = {
    "": "nothing",
    "pneumoniamnist": "chest X-rays",
    "breastmnist": "ultrasound",
    "noise": "noise",
}


def pretraining(root: Path, generated: Path) -> str:
    """Return what pretraining gives for each share of labels, with the picture."""
    stored = load(root, "pretraining")
    lines = ["## Pretraining: how many labels it saves", ""]
    records = stored["records"]
    if not records:
        return "\n".join([*lines, missing("pretraining")])
    shown = [d for d in DATASETS if any(r["dataset"] == d for r in records)]
    label_curves(records, shown, generated / "labels.svg")
    said = [
        f"{DATASETS[d]}: "
        + ", ".join(
            f"{named(*pair)} {mean(r['auc'] for r in runs[min(runs)]):.3f} to "
            f"{mean(r['auc'] for r in runs[max(runs)]):.3f}"
            for pair, runs in by_share(records, d).items()
        )
        for d in shown
    ]
    alt = (
        "Test AUC against number of labels, one panel for each dataset, one line for "
        f"each method. From the fewest to all labels, {'. '.join(said)}."
    )
    lines += [
        f"```{{figure}} _generated/labels.svg\n:alt: {alt}\n:width: 640px\n\n"
        "Test AUC against the number of labels. Means over seeds; bars are 95 % "
        "intervals of the mean (Student's t).\n```\n",
        made_with(stored),
        "",
    ]
    for dataset in shown:
        lines += [f"### {DATASETS[dataset]}: test AUC by number of labels", ""]
        lines += [*label_rows(records, dataset), ""]
        lines += [*label_differences(stored["comparisons"], records, dataset), ""]
    return "\n".join(lines)


def named(method: str, source: str) -> str:
    """Return how the page calls a method."""
    if method == "pixels":
        return "pixels, logistic regression"
    return f"{method}, {SOURCES[source]}" if source else f"from {method}"


def by_share(
    records: list[Record], dataset: str
) -> dict[tuple[str, str], dict[int, list[Record]]]:
    """Return a dataset's records by method and source, then by number of labels."""
    groups: dict[tuple[str, str], dict[int, list[Record]]] = {}
    for record in records:
        if record["dataset"] == dataset:
            runs = groups.setdefault((record["method"], record["source"]), {})
            runs.setdefault(record["labels"], []).append(record)
    return groups


def label_rows(records: list[Record], dataset: str) -> list[str]:
    """Return the table of AUCs, one row for each method, one column for each share."""
    groups = by_share(records, dataset)
    counts = sorted({count for runs in groups.values() for count in runs})
    lines = [
        "| method | " + " | ".join(f"{count:,} labels" for count in counts) + " |",
        "|---" + "|--:" * len(counts) + "|",
    ]
    for pair, runs in groups.items():
        cells = [
            spread([r["auc"] for r in runs[count]]) if count in runs else "–"
            for count in counts
        ]
        lines.append(f"| {named(*pair)} | " + " | ".join(cells) + " |")
    return lines


def label_differences(
    comparisons: list[Record], records: list[Record], dataset: str
) -> list[str]:
    """Return the table of paired differences, none without any."""
    rows = [row for row in comparisons if row["dataset"] == dataset]
    if not rows:
        return []
    counts = {r["share"]: r["labels"] for r in records if r["dataset"] == dataset}
    shares = sorted({row["share"] for row in rows})
    lines = [
        f"AUC minus `{rows[0]['against']}` on the same labels and test cases, with "
        "95 % intervals over cases and seeds:",
        "",
        "| method | " + " | ".join(f"{counts[s]:,} labels" for s in shares) + " |",
        "|---" + "|--:" * len(shares) + "|",
    ]
    for pair in dict.fromkeys((row["method"], row["source"]) for row in rows):
        found = {
            row["share"]: row for row in rows if (row["method"], row["source"]) == pair
        }
        cells = [
            "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**found[share])
            for share in shares
        ]
        lines.append(f"| {named(*pair)} | " + " | ".join(cells) + " |")
    return lines


# Student's t for a two-sided 95 % interval, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365,
           8: 2.306, 9: 2.262}  # fmt: skip


def label_curves(records: list[Record], shown: list[str], path: Path) -> None:
    """Draw AUC against number of labels, one panel for each dataset."""
    looks = {
        ("pixels", ""): (GREY, ":", "s"),
        ("scratch", ""): ("#000000", "--", "o"),
        ("frozen", "pneumoniamnist"): ("#009e73", ":", "^"),
        ("fine-tuned", "pneumoniamnist"): ("#009e73", "-", "^"),
        ("frozen", "breastmnist"): (BLUE, ":", "v"),
        ("fine-tuned", "breastmnist"): (BLUE, "-", "v"),
        ("frozen", "noise"): ("#cc79a7", ":", "x"),
        ("fine-tuned", "noise"): ("#cc79a7", "-", "x"),
    }
    with drawing(path, (6.4, 3.4 * len(shown))) as figure:
        for axes, dataset in zip(
            figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True
        ):
            groups = by_share(records, dataset)
            for number, (pair, runs) in enumerate(groups.items()):
                colour, line, marker = looks[pair]
                counts = sorted(runs)
                scores = [[r["auc"] for r in runs[count]] for count in counts]
                axes.errorbar(
                    # Side by side, so that the bars do not hide one another.
                    [count * 1.05 ** (number - len(groups) / 2) for count in counts],
                    [mean(values) for values in scores],
                    yerr=[half_interval(values) for values in scores],
                    color=colour, linestyle=line, marker=marker, markersize=4,
                    capsize=2, linewidth=1.2, label=named(*pair),
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_xticks(counts, [f"{count:,}" for count in counts])
            axes.minorticks_off()
            few = min(counts)
            best = max(groups, key=lambda p: mean(r["auc"] for r in groups[p][few]))
            title = f"with {few} labels, {named(*best)} has the highest mean"
            axes.set_title(f"{DATASETS[dataset]}: {title}", fontsize=10, loc="left")
            axes.set_xlabel("labels")
            axes.set_ylabel("test AUC")
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(fontsize=7, loc="lower right", frameon=False)


def half_interval(values: list[float]) -> float:
    """Return half of the 95 % interval of a mean, zero for one value."""
    if len(values) < 2:
        return 0.0
    freedom = len(values) - 1
    return STUDENT.get(freedom, 1.96) * stdev(values) / len(values) ** 0.5


def grouped(records: list[Record], by: str = "method") -> dict[str, list[Record]]:
    """Return records by one of their fields, in stored order."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record[by], []).append(record)
    return groups


def method_rows(
    groups: dict[str, list[Record]], columns: dict[str, str], runs: str
) -> list[str]:
    """Return a table of methods; ``columns`` gives each field its heading."""
    lines = [
        f"| method | {runs} | " + " | ".join(columns.values()) + " |",
        "|---|--:" + "|--:" * len(columns) + "|",
    ]
    for method, records in groups.items():
        cells = [f"`{method}`", str(len(records))]
        for name in columns:
            whole = name in ("parameters", "seconds")
            cells.append(column(records, name, 0 if whole else 3))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def paired_rows(
    comparisons: list[Record], headings: dict[str, str], by: str = "method"
) -> list[str]:
    """Return the table of paired differences, a row for each ``by``.

    ``headings`` names the metrics.
    """
    if not comparisons:
        return []
    lines = [
        f"| {by} | " + " | ".join(headings.values()) + " |",
        "|---" + "|--:" * len(headings) + "|",
    ]
    for name_of_row, rows in grouped(comparisons, by).items():
        by_metric = {row["metric"]: row for row in rows}
        cells = [
            "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**by_metric[name])
            for name in headings
        ]
        lines.append(f"| `{name_of_row}` | " + " | ".join(cells) + " |")
    return lines


def mortality(root: Path) -> str:
    """Return death in hospital beside APACHE IVa: methods and paired differences."""
    stored = load(root, "records")
    lines = ["## Death in hospital, from the first day in intensive care", ""]
    if not stored["summaries"]:  # the methods have not been compared yet
        return "\n".join([*lines, missing("records")])
    headings = {
        "auc": "AUC",
        "average_precision": "average precision",
        "brier": "Brier",
        "calibration_error": "calibration error",
    }
    lines += [
        "| method | seeds | " + " | ".join(headings.values()) + " |",
        "|---|--:" + "|--:" * len(headings) + "|",
    ]
    for method, rows in grouped(stored["summaries"]).items():
        by_metric = {row["metric"]: row for row in rows}
        cells = [f"`{method}`", str(rows[0]["seeds"])]
        for name in headings:
            digits = 4 if name == "brier" else 3
            values = (
                f"{by_metric[name][k]:.{digits}f}" for k in ("mean", "low", "high")
            )
            cells.append("{} [{}, {}]".format(*values))
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", made_with(stored), ""]
    for against in dict.fromkeys(row["against"] for row in stored["comparisons"]):
        lines += [
            f"Minus `{against}` on the same stays, with 95 % intervals:",
            "",
            *paired_rows(
                [row for row in stored["comparisons"] if row["against"] == against],
                headings,
            ),
            "",
        ]
    return "\n".join(lines)


def readmission(root: Path) -> str:
    """Return the readmission benchmark: methods, differences, groups and traps."""
    stored = load(root, "readmission")
    lines = ["## Readmission within 30 days: all encounters, five folds by patient", ""]
    if not stored["records"]:
        return "\n".join([*lines, missing("readmission")])
    honest = grouped([r for r in stored["records"] if r["split"] == "by patient"])
    columns = {
        "auc": "AUC",
        "average_precision": "average precision",
        "brier": "Brier",
        "accuracy": "accuracy",
        "auc_alive": "AUC, left alive",
        "parameters": "parameters",
        "seconds": "seconds",
    }
    lines += [*method_rows(honest, columns, "folds"), ""]
    lines += [readmission_verdict(honest), "", made_with(stored), ""]
    headings = {"auc": "AUC", "average_precision": "average precision"}
    if stored["comparisons"]:
        against = stored["comparisons"][0]["against"]
        lines += [
            f"Minus `{against}` on the same patients, mean over the folds, with 95 % "
            "intervals over patients:",
            "",
            *paired_rows(stored["comparisons"], headings),
            "",
        ]
    lines += subgroup_rows(stored["subgroups"])
    traps = grouped([r for r in stored["records"] if r["split"] != "by patient"])
    if traps:
        shown = {"auc": "AUC", "average_precision": "average precision"}
        lines += ["### The same data, evaluated wrongly and rightly", ""]
        lines += [*method_rows(traps, shown, "runs"), ""]
    return "\n".join(lines)


def readmission_verdict(groups: dict[str, list[Record]]) -> str:
    """Return the sentence that says which marks are reached, and by what."""
    said = []
    for name, mark in READMISSION_MARKS.items():
        means = {m: mean(r[name] for r in runs) for m, runs in groups.items()}
        best = max(means, key=lambda method: means[method])
        short = mark - round(means[best], 3)
        how = f"reached by `{best}`" if short <= 0 else f"missed by {short:.3f}"
        said.append(f"{name.replace('auc', 'AUC').replace('_', ' ')} {mark}: {how}")
    if "mlp" in groups:
        mark = READMISSION_MARKS["auc"]
        network = round(mean(r["auc"] for r in groups["mlp"]), 3)
        near = "yes" if round(mark - network, 3) <= NEAR else "no"
        said.append(f"`mlp` within {NEAR} of that AUC: {near}")
    return f"The marks we set ourselves: {'; '.join(said)}."


def subgroup_rows(subgroups: list[Record]) -> list[str]:
    """Return the table of results by age, sex and ethnic group, none without any."""
    if not subgroups:
        return []
    lines = [
        f"### `{subgroups[0]['method']}` by age, sex and ethnic group",
        "",
        "A fifth of all encounters is flagged, those with the highest risk; *found* is "
        "the share of the readmitted among them. Intervals are over patients.",
        "",
        "| | group | encounters | readmitted | mean risk | AUC | flagged | found |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in subgroups:
        lines.append(
            f"| {row['column']} | {row['group']} | {row['cases']:,} "
            f"| {row['prevalence']:.1%} | {row['mean_risk']:.1%} "
            f"| {row['auc']:.3f} [{row['low']:.3f}, {row['high']:.3f}] "
            f"| {row['flagged']:.1%} | {row['sensitivity']:.1%} |"
        )
    return [*lines, ""]


def text(root: Path) -> str:
    """Return the text benchmark: methods, differences and classes."""
    stored = load(root, "text")
    lines = ["## Dialogues: which section of the note?", ""]
    if not stored["records"]:
        return "\n".join([*lines, missing("text")])
    columns = {
        "accuracy_test1": "accuracy, test 1",
        "macro_f1_test1": "macro-F1, test 1",
        "accuracy_test2": "accuracy, test 2",
        "macro_f1_test2": "macro-F1, test 2",
        "parameters": "parameters",
        "seconds": "seconds",
    }
    groups = grouped(stored["records"])
    lines += [*method_rows(groups, columns, "seeds"), "", made_with(stored), ""]
    if stored["comparisons"]:
        against = stored["comparisons"][0]["against"]
        lines += [
            f"Minus `{against}` on the same 400 dialogues, with 95 % intervals over "
            "dialogues and seeds:",
            "",
            *paired_rows(
                stored["comparisons"], {"accuracy": "accuracy", "macro_f1": "macro-F1"}
            ),
            "",
        ]
    if stored["classes"]:
        lines += ["### F1 of each section, both test sets", ""]
        heads = [f"`{method}`" for method in groups]
        lines += ["| section | in train | in test | " + " | ".join(heads) + " |"]
        lines += ["|---|--:|--:" + "|--:" * len(heads) + "|"]
        for row in stored["classes"]:
            cells = [f"{row[method]:.2f}" for method in groups]
            lines.append(
                f"| {row['class']} | {row['train']} | {row['test']} | "
                + " | ".join(cells)
                + " |"
            )
        lines.append("")
    return "\n".join(lines)


def convolution(root: Path) -> str:
    """Return the convolution benchmark as a table of its records."""
    stored = load(root, "convolution")
    lines = ["## Convolution: from scratch beside libraries", ""]
    records = stored["records"]
    if not records:
        return "\n".join([*lines, missing("convolution")])
    names = [
        name for name, value in records[0].items()
        if name not in COMMON and isinstance(value, str | int | float)
    ]  # fmt: skip
    lines.append("| " + " | ".join(name.replace("_", " ") for name in names) + " |")
    lines.append("|" + "---|" * len(names))
    for record in records:
        cells = [cell(record.get(name, "–")) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", made_with(stored), ""])


def records_etl(root: Path) -> str:
    """Return time and memory from hospital tables to event streams."""
    stored = load(root, "records_etl")
    lines = ["## Health records: from tables to an event stream", ""]
    records = stored["records"]
    if not records:
        return "\n".join([*lines, missing("records_etl")])
    lines += [
        "| database | copies | subjects | events | time, s | processor time, s "
        "| peak memory, MB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for record in records:
        cells = [f"`{record['dataset']}`"]
        cells += [f"{record[name]:,}" for name in ("copies", "subjects", "events")]
        cells += [f"{record[name]:.1f}" for name in ("seconds", "cpu_seconds")]
        cells += [f"{record['peak_memory_mb']:,}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", growth(records), "", made_with(stored), ""]
    return "\n".join(lines)


def growth(records: list[Record]) -> str:
    """Return the sentence that says whether time and memory stay within the marks."""
    most = max(record["peak_memory_mb"] for record in records)
    said = [
        f"at most {MOST_MEMORY_MB // 1000} GB of memory: "
        f"{'kept' if most <= MOST_MEMORY_MB else 'exceeded'}"
    ]
    copied = sorted(
        (r for r in records if r["dataset"] == "mimic-iv-demo"),
        key=lambda record: record["copies"],
    )
    for small, large in itertools.pairwise(copied):
        times = large["copies"] / small["copies"]
        slower = large["cpu_seconds"] / small["cpu_seconds"]
        said.append(
            f"{times:.0f} times the patients take {slower:.1f} times the processor "
            f"time ({'kept' if slower <= times else 'missed'})"
        )
    return (
        "The marks we set ourselves are 4 GB and a time that grows at most as the "
        f"patients do: {'; '.join(said)}."
    )


def cell(value: Any) -> str:
    """Return a value as people write it: three figures are enough."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def full_size(root: Path) -> str:
    """Return lesson 2.4's networks at 224 pixels: quality, then one step's cost."""
    stored = load(root, "full_size")
    lines = ["## Images of 224 pixels: the given network and what replaces it", ""]
    records = stored["records"]
    if not records:
        return "\n".join([*lines, missing("full_size")])
    for data in dict.fromkeys(r["data"] for r in records):
        runs = [r for r in records if r["data"] == data]
        how = next(r["settings"] for r in runs)
        what = "the practice set" if data == "practice" else "BreastMNIST"
        lines += [
            f"Trained on {how['train_images']} images of {what}, {how['epochs']} "
            "epochs, tested on its whole test set:",
            "",
            *full_size_rows(runs),
            "",
            *full_size_differences(stored["comparisons"], data),
            "",
        ]
    if stored["steps"]:
        batch = stored["steps"][0]["batch_size"]
        lines += [
            f"One step of training with {batch} images, each in a process of its own. "
            "*Counted* is weights, gradients, optimiser state and activations; "
            "*measured* is the process' peak, libraries and temporary buffers "
            "included:",
            "",
            *step_rows(stored["steps"]),
            "",
        ]
    return "\n".join([*lines, made_with(stored), ""])


def full_size_rows(runs: list[Record]) -> list[str]:
    """Return the table of trainings by method, what matters most first."""
    lines = [
        "| method | seeds | AUC | AUC on its training images | parameters "
        "| s per epoch | peak memory, MB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    columns = {"auc": 3, "train_auc": 3, "parameters": 0}
    columns |= {"seconds_per_epoch": 1, "peak_memory_mb": 0}
    for method in dict.fromkeys(r["method"] for r in runs):
        same = [r for r in runs if r["method"] == method]
        cells = [f"`{method}`", str(len(same))]
        cells += [column(same, name, digits) for name, digits in columns.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def full_size_differences(comparisons: list[Record], data: str) -> list[str]:
    """Return the paired differences of the AUC on one dataset as a table."""
    rows = [row for row in comparisons if row["data"] == data]
    if not rows:
        return []
    lines = [
        "Differences on the same test cases, with 95 % intervals over cases and seeds:",
        "",
        "| methods | AUC |",
        "|---|--:|",
    ]
    for row in rows:
        value = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        lines.append(f"| `{row['method']}` minus `{row['against']}` | {value} |")
    return lines


def step_rows(steps: list[Record]) -> list[str]:
    """Return the table of single steps: memory counted and measured, time."""
    lines = [
        "| network | optimiser | precision | counted, MB | measured, MB "
        "| s per step [quartiles] |",
        "|---|---|---|--:|--:|--:|",
    ]
    for step in steps:
        seconds = "{step_seconds:.2f} [{step_seconds_low:.2f}, {step_seconds_high:.2f}]"
        lines.append(
            f"| `{step['method']}` | {step['optimiser']} | {step['precision']} "
            f"| {step['estimated_mb']:,} | {step['peak_memory_mb']:,} "
            f"| {seconds.format(**step)} |"
        )
    return lines
