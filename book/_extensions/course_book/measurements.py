"""Tables and pictures of the stored measurements in ``results/*.json``."""

from __future__ import annotations

import io
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from sphinx.errors import ExtensionError

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
        return {"records": [], "comparisons": []}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {
            "date": stored["date"],
            "records": stored["records"],
            "comparisons": stored.get("comparisons", []),
        }
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
    against = rows[0]["against"]
    lines = [
        f"Minus `{against}` on the same test cases, with 95 % intervals over cases and "
        "seeds:",
        "",
        "| method | AUC | accuracy |",
        "|---|--:|--:|",
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [f"`{method}`"]
        for metric in ("auc", "accuracy"):
            row = next(
                r for r in rows if (r["method"], r["metric"]) == (method, metric)
            )
            cells.append(
                f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
            )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


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
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text stays text and ids are fixed, so the same numbers give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "course"}):
        figure = Figure(figsize=(6.4, 2.9 * len(shown)), layout="constrained")
        for axes, dataset in zip(
            figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True
        ):
            draw_panel(axes, by_method(records, dataset), published, dataset)
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


def cell(value: Any) -> str:
    """Return a value as people write it: three figures are enough."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
