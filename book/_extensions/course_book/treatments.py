"""What the results page shows of treatment recommendation."""

from __future__ import annotations

from pathlib import Path

from course_book.measurements import (
    BLUE,
    GREY,
    ORANGE,
    Record,
    drawing,
    grouped,
    load,
    made_with,
    missing,
    paired_rows,
)

GREEN = "#009e73"
PROTOCOLS = {
    "random": "A random fifth hidden",
    "time": "First day known, later treatments to be found, other patients",
    "hospitals": "The same, in hospitals that were not learned from",
    "admission": "Cold patients: nothing known but what stands at admission",
    "new_items": "Cold items: a fifth of the treatments is in no training stay",
    "going_on": "All that is charted after the first day, old or new",
}
COLUMNS = {
    "ndcg@10": "nDCG@10",
    "ndcg@5": "nDCG@5",
    "recall@10": "recall@10",
    "map@10": "MAP@10",
    "coverage@10": "coverage@10",
    "novelty@10": "novelty@10, bits",
}
LEADS = {name: COLUMNS[name] for name in ("ndcg@10", "recall@10")}
MARK = 0.257  # nDCG@10 of EASE in the reference run, random hold-out
AIM = 0.30
BEST = "fusion_averaged"
PART = "fusion without "
DATASETS = {
    "uci-diabetes-130": "Diabetes encounters",
    "mimic-iv-demo": "MIMIC-IV demo",
}
SETS = {"jaccard": "Jaccard", "f1": "F1", "pr_auc": "PR-AUC"}
MOST_SECONDS = 1.0
MOST_MEMORY_MB = 4000
MOST_WAIT_MS = 5.0
COLOURS = {"ours": BLUE, "scipy": GREY, "implicit": ORANGE, "similaripy": GREEN}


def interval(values: list[float], digits: int = 3) -> str:
    """Return an estimate with its interval."""
    middle, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{middle} [{low}, {high}]"


def recommendation(root: Path) -> str:
    """Return each protocol's methods and the lead of the fusion over them."""
    stored = load(root, "recommendation")
    lines = ["## Treatments of an intensive care stay", ""]
    if not stored["summaries"]:
        return "\n".join([*lines, missing("recommendation")])
    for protocol, title in PROTOCOLS.items():
        rows = [r for r in stored["summaries"] if r["protocol"] == protocol]
        whole = [r for r in rows if " without " not in r["method"]]
        if not whole:
            continue
        lines += [f"### {title}", "", *method_rows(whole), ""]
        if protocol == "random":
            lines += [mark(whole), ""]
        ahead = [r for r in stored["comparisons"] if r["protocol"] == protocol]
        parts = [r for r in ahead if r["against"].startswith(PART)]
        lines += lead_rows([r for r in ahead if r not in parts], "{} minus the others")
        lines += lead_rows(parts, "What each part gives: {} minus it without")
    return "\n".join([*lines, made_with(stored), ""])


def method_rows(rows: list[Record]) -> list[str]:
    """Return the table of one protocol, best first."""
    lines = [
        "| method | stays | " + " | ".join(COLUMNS.values()) + " |",
        "|---|--:" + "|--:" * len(COLUMNS) + "|",
    ]
    for row in sorted(rows, key=lambda r: -r["ndcg@10"][0]):
        cells = [f"`{row['method']}`", f"{row['stays']:,}", interval(row["ndcg@10"])]
        for name in list(COLUMNS)[1:]:
            value = row[name][0] if isinstance(row[name], list) else row[name]
            digits = 2 if name.startswith(("coverage", "novelty")) else 3
            cells.append(f"{value:.{digits}f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def mark(rows: list[Record]) -> str:
    """Return the sentence that says whether the mark and the aim are reached."""
    found = next((r["ndcg@10"][0] for r in rows if r["method"] == BEST), None)
    if found is None:
        return f"`{BEST}` was not measured."
    said = []
    for name, level in (("more than", MARK), ("the aim of", AIM)):
        reached = found > level if name == "more than" else round(found, 3) >= level
        how = "reached" if reached else f"missed by {level - found:.3f}"
        said.append(f"{name} {level:.3f}: {how}")
    return f"The marks we set ourselves, nDCG@10 of `{BEST}`: {'; '.join(said)}."


def lead_rows(rows: list[Record], title: str) -> list[str]:
    """Return the table of paired differences, none without any."""
    if not rows:
        return []
    named = [row | {"against": row["against"].removeprefix(PART)} for row in rows]
    said = title.format(f"`{rows[0]['method']}`")
    return [
        f"{said}, with 95 % intervals over patients:",
        "",
        *paired_rows(named, LEADS, "against"),
        "",
    ]


def visits(root: Path) -> str:
    """Return drugs per visit: sets, interaction rates and what the filter costs."""
    stored = load(root, "visits")
    lines = ["## Drugs of a visit", ""]
    if not stored["records"]:
        return "\n".join([*lines, missing("visits")])
    about = {row["dataset"]: row for row in stored["summaries"]}
    for name, title in DATASETS.items():
        rows = [r for r in stored["records"] if r["dataset"] == name]
        if not rows:
            continue
        facts = about[name]
        lines += [
            f"### {title}",
            "",
            f"{facts['judged']:,} visits that are not a patient's first, "
            f"{facts['drugs']:,} drugs. Of {facts['pairs']:,} pairs of drugs that were "
            f"given together {facts['clashing']:,} clash with a rule: an interaction "
            f"rate of {facts['interaction_rate']:.4f}.",
            "",
            "| method | " + " | ".join(SETS.values()) + " | drugs proposed "
            "| interaction rate | Jaccard, filtered | drugs removed |",
            "|---" + "|--:" * (len(SETS) + 4) + "|",
        ]
        for row in rows:
            rate = row["interaction_rate"]
            cells = [f"`{row['method']}`", *(interval(row[m]) for m in SETS)]
            cells += [
                f"{row['size']:.1f}",
                "alarm" if rate is None else f"{rate:.4f}",
                f"{row['jaccard_filtered']:.3f}",
                f"{row['removed']:,}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *visit_differences(stored["comparisons"], name)]
    return "\n".join([*lines, made_with(stored), ""])


def visit_differences(comparisons: list[Record], dataset: str) -> list[str]:
    """Return the table of paired differences on one set, none without any."""
    rows = [r for r in comparisons if r["dataset"] == dataset]
    if not rows:
        return []
    return [
        f"Minus `{rows[0]['against']}` on the same visits, with 95 % intervals over "
        "patients:",
        "",
        *paired_rows(rows, SETS),
        "",
    ]


def neighbours(root: Path, generated: Path) -> str:
    """Return time and memory of item neighbours against the number of patients."""
    stored = load(root, "neighbours")
    lines = ["## Neighbours of items: cost against size", ""]
    records = stored["records"]
    if not records:
        return "\n".join([*lines, missing("neighbours")])
    draw(records, generated / "neighbours.svg")
    largest = max(r["patients"] for r in records)
    said = "; ".join(
        f"{r['method']} {r['seconds']:.2f} s"
        for r in records
        if r["patients"] == largest
    )
    lines += [
        "```{figure} _generated/neighbours.svg",
        f":alt: Time against the number of patients, both on logarithmic axes, one "
        f"line for each method. At {largest:,} patients: {said}.",
        ":width: 560px",
        "",
        "Time to find the neighbours of all items, best of three runs.",
        "```",
        "",
        "| method | version | patients | interactions | seconds | slowest run "
        "| peak memory, MB |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in records:
        library = {"ours": "numba "}.get(row["method"], "") + row["library_version"]
        lines.append(
            f"| `{row['method']}` | {library} | {row['patients']:,} "
            f"| {row['interactions']:,} | {row['seconds']:.2f} | {row['slowest']:.2f} "
            f"| {row['peak_memory_mb']:,} |"
        )
    return "\n".join([*lines, "", cost(records, largest), "", made_with(stored), ""])


def cost(records: list[Record], largest: int) -> str:
    """Return the sentence that says which marks our neighbours keep."""
    found = {r["method"]: r for r in records if r["patients"] == largest}
    ours = found.get("ours")
    if ours is None:
        return "Ours was not measured."
    said = []
    for name in ("similaripy", "implicit"):
        if name in found:
            kept = ours["seconds"] <= found[name]["seconds"]
            said.append(f"no slower than {name}: {'kept' if kept else 'missed'}")
        else:
            said.append(f"no slower than {name}: not measured")
    for value, most, text in (
        (ours["seconds"], MOST_SECONDS, "below one second"),
        (ours["peak_memory_mb"], MOST_MEMORY_MB, "at most 4 GB of memory"),
        (ours["one_patient_ms"], MOST_WAIT_MS, "one patient's list in under 5 ms"),
    ):
        said.append(f"{text}: {'kept' if value < most else 'missed'}")
    return (
        f"The marks we set ourselves, at {largest:,} patients: {'; '.join(said)}. One "
        f"patient's list takes {ours['one_patient_ms']:.1f} ms (median of 200, slowest "
        f"{ours['one_patient_slowest_ms']:.1f} ms)."
    )


def draw(records: list[Record], path: Path) -> None:
    """Draw time against size."""
    with drawing(path, (5.6, 3.4)) as figure:
        axes = figure.subplots()
        for method, rows in grouped(records).items():
            sizes = [r["patients"] for r in rows]
            seconds = [r["seconds"] for r in rows]
            colour = COLOURS.get(method, GREY)
            axes.loglog(sizes, seconds, "o-", color=colour, label=method)
        axes.legend(frameon=False)
        axes.set(xlabel="patients (about 20 items each)", ylabel="seconds")
        axes.set_title("Counting pairs pays where patients are many", fontsize=10)
