"""Sentences with measured numbers for the pages *Questions* and *What comes next*.

Each sentence is made of one stored benchmark. What it concludes (ahead, behind, no
difference shown) follows from the stored interval, so a new measurement changes the
numbers and the words together.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from sphinx.errors import ExtensionError

from course_book.measurements import (
    DATASETS,
    SOURCES,
    Record,
    column,
    grouped,
    load,
    missing,
    spread,
)
from course_book.treatments import interval as spaced

Stored = dict[str, Any]
NO_BREAK = "\N{NO-BREAK SPACE}"


def answer(root: Path, name: str) -> str:
    """Return one answer's measured sentences, or how to measure them.

    Raises
    ------
    ExtensionError
        If the benchmark is stored and lacks what the sentence is about.
    """
    benchmark, maker = ANSWERS[name]
    stored = load(root, benchmark)
    if not stored["records"]:
        return missing(benchmark)
    return f"**Measured** ([Results](results.md)). {maker(stored)}\n"


def interval(numbers: list[float]) -> str:
    """Return an estimate with its interval, in one piece."""
    return spaced(numbers).replace(" ", NO_BREAK)


def find(rows: list[Record], **where: Any) -> list[Record]:
    """Return the rows that hold all given values; there must be one."""
    found = [r for r in rows if all(r.get(k) == v for k, v in where.items())]
    if not found:
        raise ExtensionError(
            f"no stored measurement has {where}: measure it again with "
            "python -m medlib.benchmarks, or mend course_book/answers.py"
        )
    return found


def values(stored: Stored, name: str, **where: Any) -> str:
    """Return the mean and spread of one field over the records of a method."""
    return spread([r[name] for r in find(stored["records"], **where)])


def verdict(row: Record) -> str:
    """Return a paired difference, its interval, and what follows from it."""
    said = "no difference shown"
    if row["low"] > 0:
        said = "ahead"
    elif row["high"] < 0:
        said = "behind"
    numbers = "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row)
    return f"{numbers.replace(' ', NO_BREAK)}, {said}"


def paired(stored: Stored, **where: Any) -> str:
    """Return the verdict on the one comparison with the given values."""
    return verdict(find(stored["comparisons"], **where)[0])


def compared(stored: Stored, **where: Any) -> str:
    """Return the same for a table, silent where no difference is shown."""
    return paired(stored, **where).removesuffix(", no difference shown")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table below the words that introduce it."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n\n" + "\n".join(lines) + "\n"


def tables(stored: Stored) -> str:
    """Compare line, trees and network on one hospital table."""
    means = {
        name: values(stored, "auc", split="by patient", method=method)
        for method, name in (
            ("logistic", "logistic regression"),
            ("boosting", "boosted trees"),
            ("mlp", "the network"),
        )
    }
    said = ", ".join(f"{name} {value}" for name, value in means.items())
    versus = paired(stored, method="mlp", against="boosting", metric="auc")
    counts = paired(stored, method="logistic_counts", against="boosting", metric="auc")
    return (
        f"Readmission within 30 days, AUC over five folds by patient: {said}. Network "
        f"minus trees {versus}. Logistic regression on the eight counts alone, minus "
        f"trees on every column: {counts}."
    )


def deaths(stored: Stored) -> str:
    """Compare sequence models with a bag of codes and the score in use."""
    record = stored["records"][0]
    names = {
        "apache_iva": "APACHE IVa",
        "bag_logistic": "bag of codes, logistic regression",
        "gradient_boosting": "boosted trees",
        "lstm": "LSTM",
        "transformer": "Transformer",
        "pretrained_transformer": "Transformer, pretrained",
    }
    rows = []
    for method, name in names.items():
        own = find(stored["summaries"], method=method, metric="auc")[0]
        auc = interval([own[key] for key in ("mean", "low", "high")])
        less = "–"
        if method != "apache_iva":
            less = compared(stored, method=method, against="apache_iva", metric="auc")
        rows.append([name, auc, less])
    return (
        f"Death in hospital, {record['stays']:,} stays with {record['deaths']} deaths, "
        "tested in other hospitals:"
        + table(["method", "AUC [95 %]", "minus APACHE IVa"], rows)
    )


def score(stored: Stored) -> str:
    """Say what the clinicians' score reaches, and how common the outcome is."""
    record = find(stored["records"], method="apache_iva")[0]
    auc, precision = (
        interval([record[name], *record[f"{name}_interval"]])
        for name in ("auc", "average_precision")
    )
    return (
        f"On our intensive care stays APACHE IVa reaches an AUC of {auc} and an "
        f"average precision of {precision}, where {record['deaths']} of "
        f"{record['stays']:,} die, so that a score without any knowledge has an "
        f"average precision of {record['deaths'] / record['stays']:.3f}."
    )


def few(stored: Stored) -> str:
    """Say how wide an interval few deaths leave."""
    record = find(stored["records"], method="apache_iva")[0]
    where = {"method": "bag_logistic", "against": "apache_iva", "metric": "auc"}
    auc = interval([record["auc"], *record["auc_interval"]])
    return (
        f"{record['stays']:,} stays in intensive care hold {record['deaths']} deaths. "
        f"They leave APACHE IVa with an AUC of {auc}, and the bag of codes minus "
        f"APACHE IVa with {paired(stored, **where)}."
    )


def pretrained(stored: Stored) -> str:
    """Say what pretraining gave to the Transformer, and what it did not."""
    where = {"method": "pretrained_transformer", "metric": "auc"}
    return (
        "Death in hospital, AUC of the pretrained Transformer minus the same without "
        f"pretraining: {paired(stored, against='transformer', **where)}. Minus APACHE "
        f"IVa: {paired(stored, against='apache_iva', **where)}."
    )


def images(stored: Stored) -> str:
    """Show the first network beside the best method on each set of images."""
    rows = []
    for dataset, name in DATASETS.items():
        own = find(stored["records"], dataset=dataset, split="official")
        groups = grouped(own)
        best = max(groups, key=lambda m: mean(r["auc"] for r in groups[m]))
        less = "–"
        if best != "first_cnn":
            less = compared(stored, dataset=dataset, method=best, metric="auc")
        rows.append(
            [
                name,
                spread([r["auc"] for r in groups["first_cnn"]]),
                f"`{best}` " + spread([r["auc"] for r in groups[best]]),
                less,
            ]
        )
    return (
        "AUC on the official test images, mean ± sd over seeds. The best is picked "
        "by these same images, so its lead is a little optimistic:"
    ) + table(["images", "`first_cnn`", "our best", "best minus first"], rows)


def labels(stored: Stored) -> str:
    """Say what pretraining gave, for each number of labels of the ultrasound."""
    where = {"dataset": "breastmnist", "method": "fine-tuned"}
    counts = {r["share"]: r["labels"] for r in find(stored["records"], **where)}
    sources = ("breastmnist", "pneumoniamnist", "noise")
    rows = [
        [
            f"{counts[share]:,}",
            *(compared(stored, share=share, source=one, **where) for one in sources),
        ]
        for share in sorted(counts)
    ]
    return (
        "Breast ultrasound, pretrained on three kinds of image and fine-tuned: AUC "
        "minus training from scratch on the same labels and test images:"
        + table(["labels", *(SOURCES[one] for one in sources)], rows)
    )


def few_labels(stored: Stored) -> str:
    """Compare a line on pixels with a network where labels are few."""
    where = {"dataset": "breastmnist", "method": "pixels"}
    counts = {r["share"]: r["labels"] for r in find(stored["records"], **where)}
    rows = [
        [f"{counts[share]:,}", compared(stored, share=share, **where)]
        for share in sorted(counts)
    ]
    return (
        "Breast ultrasound, AUC of logistic regression on pixels minus a network "
        "trained from scratch:" + table(["labels", "pixels minus network"], rows)
    )


def oversampling(stored: Stored) -> str:
    """Show the same oversampling before and inside the split."""
    honest = values(stored, "auc", split="by patient", method="boosting")
    rows = []
    for kind, model in (("duplicates", "forest"), ("synthetic", "boosting")):
        cells = [
            values(stored, "auc", method=f"{model}, {kind} {where} the split")
            for where in ("before", "inside")
        ]
        rows.append([f"{kind}, {model}", *cells])
    return (
        "Readmission, AUC on test encounters:"
        + table(["oversampling", "before the split", "inside the split"], rows)
        + f"\nBoosted trees without any oversampling reach {honest}."
    )


def copies(stored: Stored) -> str:
    """Say how the AUC moves when near-copies leave the test set."""
    own = find(stored["records"], dataset="breastmnist", split="official")
    said = [
        f"`{method}` {spread([r['auc'] for r in runs])} with and "
        f"{spread([r['auc_without_duplicates'] for r in runs])} without"
        for method, runs in grouped(own).items()
    ]
    return (
        f"{own[0]['duplicates_left_out']} test images of BreastMNIST have a near-copy "
        f"in its training set. AUC with and without them: {'; '.join(said)}."
    )


def accuracy(stored: Stored) -> str:
    """Set the accuracy of a constant answer beside that of models."""
    said = [
        f"{name} {values(stored, 'accuracy', split='by patient', method=method)} "
        f"(AUC {values(stored, 'auc', split='by patient', method=method)})"
        for method, name in (
            ("always_no", "*no* to everyone"),
            ("mlp", "the network"),
            ("boosting", "boosted trees"),
        )
    ]
    return f"Readmission, accuracy: {'; '.join(said)}."


def half(stored: Stored) -> str:
    """Say what a threshold of one half gives on two sets of images."""
    said = []
    for dataset in ("pneumoniamnist", "breastmnist"):
        where = {"dataset": dataset, "split": "official", "method": "first_cnn"}
        numbers = (
            f"{name} {values(stored, field, **where)}"
            for field, name in (
                ("auc", "AUC"),
                ("sensitivity", "sensitivity"),
                ("specificity", "specificity"),
            )
        )
        said.append(f"{DATASETS[dataset]}: {', '.join(numbers)}")
    return f"`first_cnn` at one half, for the disease. {'. '.join(said)}."


def seeds(stored: Stored) -> str:
    """Say how far seeds and cases move one comparison."""
    where = {"dataset": "breastmnist", "method": "small_resnet"}
    runs = [r["auc"] for r in find(stored["records"], split="official", **where)]
    return (
        f"`small_resnet` on BreastMNIST, {len(runs)} seeds: AUC from {min(runs):.3f} "
        f"to {max(runs):.3f}. Minus `first_cnn`, over test cases and seeds: "
        f"{paired(stored, metric='auc', **where)}."
    )


def groups(stored: Stored) -> str:
    """Say how one model does by age and by recorded ethnic group."""
    rows = [
        [
            f"{row['column']}: {row['group']}",
            f"{row['cases']:,}",
            interval([row[key] for key in ("auc", "low", "high")]),
            f"{row['flagged']:.1%}",
            f"{row['sensitivity']:.1%}",
        ]
        for row in find(stored["subgroups"])
        if row["column"] in ("age", "race")
    ]
    head = ["group", "encounters", "AUC [95 %]", "called", "readmitted found"]
    return (
        "Readmission; the fifth of all encounters with the highest risk is called:"
        + table(head, rows)
    )


def cost_images(stored: Stored) -> str:
    """Say what training costs on one set of images."""
    own = find(stored["records"], dataset="pneumoniamnist", split="official")
    said = [
        f"`{method}` {column(runs, 'train_seconds', 0)} s "
        f"({column(runs, 'parameters', 0)} parameters)"
        for method, runs in grouped(own).items()
        if method in ("first_cnn", "small_resnet", "ensemble")
    ]
    return f"PneumoniaMNIST, training on two CPU cores: {', '.join(said)}."


def cost_tables(stored: Stored) -> str:
    """Say what fitting costs on the hospital table."""
    honest = find(stored["records"], split="by patient")
    said = [
        f"{name} {column(find(honest, method=method), 'seconds', 0)} s"
        for method, name in (
            ("logistic", "logistic regression"),
            ("boosting", "boosted trees"),
            ("mlp", "the network"),
        )
    ]
    return f"Readmission, one fold: {', '.join(said)}."


def cost_memory(stored: Stored) -> str:
    """Say what one step of training holds in memory at 224 pixels."""
    said = []
    for method, name in (("flat", "large dense layer"), ("pooled", "average instead")):
        step = find(
            stored["steps"], method=method, optimiser="adam", precision="float32"
        )[0]
        size = find(stored["records"], method=method)[0]["parameters"]
        said.append(f"{name}: {size:,} parameters, {step['peak_memory_mb']:,} MB")
    return f"One step with Adam at 224 pixels, peak memory: {'; '.join(said)}."


def cost_records(stored: Stored) -> str:
    """Say what the largest run from tables to events cost."""
    row = max(stored["records"], key=lambda r: r["subjects"])
    return (
        f"From tables to {row['events']:,} events of {row['subjects']:,} subjects: "
        f"{row['seconds']:.0f} s, at most {row['peak_memory_mb']:,} MB."
    )


def words(stored: Stored) -> str:
    """Compare word counts with networks on dialogues."""
    said = [
        f"{name} {paired(stored, method=method, metric='accuracy')}"
        for method, name in (
            ("text_cnn", "text CNN"),
            ("text_transformer", "Transformer"),
        )
    ]
    return (
        f"Dialogues, accuracy minus TF-IDF with logistic regression: {'; '.join(said)}."
    )


def protocols(stored: Stored) -> str:
    """Show one recommender under kinder and harder questions."""
    rows = []
    for protocol, name in (
        ("random", "a random fifth hidden"),
        ("time", "later treatments, other patients"),
        ("hospitals", "the same, other hospitals"),
    ):
        cells = [
            interval(
                find(stored["summaries"], protocol=protocol, method=m)[0]["ndcg@10"]
            )
            for m in ("fusion", "hospital_popularity")
        ]
        rows.append([name, *cells])
    return "Treatments of intensive care stays, nDCG@10:" + table(
        ["question", "fusion", "popular in the hospital"], rows
    )


def drugs(stored: Stored) -> str:
    """Compare a learned proposal with *the same again*."""
    said = [
        f"{name} {paired(stored, dataset=dataset, method='logistic', metric='jaccard')}"
        for dataset, name in (
            ("uci-diabetes-130", "diabetes encounters"),
            ("mimic-iv-demo", "MIMIC-IV demo"),
        )
    ]
    return (
        "Drugs of a visit, Jaccard index of a logistic regression for each drug minus "
        f"*the same as last time*: {'; '.join(said)}."
    )


# What each answer is made of: the benchmark and its sentences.
ANSWERS: dict[str, tuple[str, Callable[[Stored], str]]] = {
    "tables": ("readmission", tables),
    "deaths": ("records", deaths),
    "score": ("records", score),
    "few": ("records", few),
    "pretrained": ("records", pretrained),
    "images": ("imaging", images),
    "labels": ("pretraining", labels),
    "few_labels": ("pretraining", few_labels),
    "oversampling": ("readmission", oversampling),
    "copies": ("imaging", copies),
    "accuracy": ("readmission", accuracy),
    "half": ("imaging", half),
    "seeds": ("imaging", seeds),
    "groups": ("readmission", groups),
    "cost_images": ("imaging", cost_images),
    "cost_tables": ("readmission", cost_tables),
    "cost_memory": ("full_size", cost_memory),
    "cost_records": ("records_etl", cost_records),
    "words": ("text", words),
    "protocols": ("recommendation", protocols),
    "drugs": ("visits", drugs),
}
