"""What pretraining without labels gives when labels are few.

For each seed one backbone is pretrained on the training images of each source, without
their labels. A share of a dataset's labels is drawn; every method gets the same ones.
Nothing is chosen on test data: recipe, steps, rates and strengths were chosen by AUC on
validation images, with seeds that are not used here, and no epoch is picked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.images import ImageSet, Split
from medlib.evaluation import metrics
from medlib.models import imaging, pretraining

MODULES = [
    "models.pretraining",
    "models.imaging",
    "models.ensemble",
    "evaluation.metrics",
    "data.images",
]
SHARES = (0.01, 0.05, 0.1, 1.0)
SEEDS = (0, 1, 2, 3, 4)
NOISE = "noise"
RECIPES = {
    "pneumoniamnist": pretraining.Recipe(epochs=5),
    "breastmnist": pretraining.Recipe(epochs=30),
    NOISE: pretraining.Recipe(epochs=3),
}
NOISE_IMAGES = 1000
# Where the backbones of each dataset come from.
SOURCES = {
    "breastmnist": ("pneumoniamnist", "breastmnist", NOISE),
    "pneumoniamnist": ("pneumoniamnist",),
}
BASELINE = "scratch"  # every other method is compared with it, seed by seed
TRAINING = {"steps": 120, "batch_size": 32}
RATES = {"scratch": 3e-3, "fine-tuned": 3e-4}
STRENGTHS = {"pixels": 0.1, "frozen": 0.1}  # of logistic regression


def methods(dataset: str) -> list[tuple[str, str]]:
    """Return the pairs of method and source that a dataset is measured with."""
    pretrained = [
        (method, source)
        for method in ("frozen", "fine-tuned")
        for source in SOURCES[dataset]
    ]
    return [("pixels", ""), (BASELINE, ""), *pretrained]


def settings(method: str, source: str) -> dict[str, Any]:
    """Return what a method is trained with."""
    how: dict[str, Any] = {}
    if source:
        how["pretraining"] = asdict(RECIPES[source])
    if method in ("pixels", "frozen"):
        return how | {"strength": STRENGTHS[method]}
    if method == "fine-tuned":
        how["head_strength"] = STRENGTHS["frozen"]
    return how | TRAINING | {"learning_rate": RATES[method]}


def noise_images(seed: int) -> np.ndarray:
    """Return images without any content, uint8 of shape (n, 28, 28, 1)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (NOISE_IMAGES, 28, 28, 1), dtype=np.uint8)


def source_images(source: str, seed: int) -> np.ndarray:
    """Return what is pretrained on: training images, without labels."""
    if source == NOISE:
        return noise_images(seed)
    return load(source, source="real").train.images


def pixels(train: Split, images: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities of logistic regression on the standardised pixels."""
    flat = imaging.to_float(train.images).reshape(len(train), -1)
    mean, deviation = flat.mean(axis=0), flat.std(axis=0)
    deviation[deviation < 1e-6] = 1
    model = LogisticRegression(C=STRENGTHS["pixels"], max_iter=1000)
    model.fit((flat - mean) / deviation, train.labels)
    asked = imaging.to_float(images).reshape(len(images), -1)
    scores = np.zeros((len(images), n_classes))
    scores[:, model.classes_] = model.predict_proba((asked - mean) / deviation)
    return scores


def network(
    method: str, base: keras.Model | None, train: Split, n_classes: int, seed: int
) -> keras.Model:
    """Return a trained classifier; ``base`` is what was pretrained, if anything."""
    if base is None:
        runtime.seed_everything(seed)
        fresh = pretraining.backbone(train.images.shape[1:])
        model = pretraining.classifier(fresh, n_classes)
    else:
        how = {"strength": STRENGTHS["frozen"]}
        model = pretraining.probe(base, train, n_classes, **how)
    if method == "frozen":
        return model
    if base is not None:
        pretraining.thaw(model)
    pretraining.fine_tune(
        model, train, seed=seed, learning_rate=RATES[method], **TRAINING
    )
    return model


def measure(
    data: ImageSet,
    method: str,
    source: str,
    share: float,
    seed: int,
    base: keras.Model | None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Train one model; return its record and its probabilities for the test images."""
    train = pretraining.few_labels(data.train, share, seed)
    with runtime.Stopwatch() as watch:
        if method == "pixels":
            scores = pixels(train, data.test.images, data.n_classes)
            parameters = train.images[0].size + 1
        else:
            model = network(method, base, train, data.n_classes, seed)
            scores = imaging.predict(model, data.test.images)
            parameters = model.count_params()
    labels, disease = data.test.labels, data.info.disease
    called = metrics.predictions(scores)
    values = {
        "auc": metrics.auc(labels, scores),
        "accuracy": metrics.accuracy(labels, scores),
        "sensitivity": metrics.sensitivity(labels, called, disease),
        "specificity": metrics.specificity(labels, called, disease),
        "brier": metrics.brier(labels, scores),
        "ece": metrics.expected_calibration_error(labels, scores),
    }
    record = {
        "dataset": data.info.name,
        "split": "official",
        "method": method,
        "source": source,
        "share": share,
        "labels": len(train),
        "seed": seed,
        **{name: round(value, 5) for name, value in values.items()},
        "parameters": parameters,
        "settings": settings(method, source),
        "train_seconds": round(watch.seconds, 2),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        **report.environment(),
        "data_sha256": data.provenance.sha256,
        "code_version": report.code_version(MODULES),
    }
    return record, scores


def identity(record: dict[str, Any]) -> tuple[str, str, str, float, int]:
    """Return what tells a record from all others."""
    return tuple(
        record[name] for name in ("dataset", "method", "source", "share", "seed")
    )


def key(dataset: str, method: str, source: str, share: float, seed: int) -> str:
    """Return the name of a run's scores in the file of scores."""
    return f"{dataset}/{method}/{source or 'none'}/{share:g}/{seed}"


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code with the current settings."""
    dataset, method, source = (record[n] for n in ("dataset", "method", "source"))
    return (
        dataset in SOURCES
        and (method, source) in methods(dataset)
        and record.get("settings") == settings(method, source)
        and record["code_version"] == report.code_version(MODULES)
    )


def aucs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the AUC of each run, shape (runs,), for scores of shape (runs, n).

    Mann and Whitney's sum of ranks, far quicker than one call for each run.
    """
    positive = labels == 1
    wins = stats.rankdata(scores, axis=1)[:, positive].sum(axis=1)
    count = positive.sum()
    return (wins - count * (count + 1) / 2) / (count * (~positive).sum())


def paired_difference(
    labels: np.ndarray, ours: np.ndarray, theirs: np.ndarray, n_resamples: int = 1000
) -> metrics.Interval:
    """Return the mean difference in AUC over seeds, with its bootstrap interval.

    Both methods had the same labels for the same seed, so seeds are drawn for both at
    once, and so are test cases, within their class.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Two classes.
    ours, theirs : ndarray, shape (seeds, n)
        Scores of class 1, seed by seed.
    n_resamples : int
        How many samples to draw.
    """
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(labels == k) for k in (0, 1)]
    drawn = []
    for _ in range(n_resamples):
        cases = np.concatenate([rng.choice(group, len(group)) for group in groups])
        seeds = rng.integers(0, len(ours), len(ours))
        gain = aucs(labels[cases], ours[:, cases]) - aucs(
            labels[cases], theirs[:, cases]
        )
        drawn.append(gain[seeds].mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    estimate = float(np.mean(aucs(labels, ours) - aucs(labels, theirs)))
    return metrics.Interval(estimate, float(low), float(high))


def compare(
    data: ImageSet, scores: dict[str, np.ndarray], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return how far each method is ahead of `BASELINE`, for each share of labels."""
    name, labels, rows = data.info.name, data.test.labels, []

    def stacked(method: str, source: str, share: float) -> np.ndarray:
        return np.stack([scores[key(name, method, source, share, s)] for s in seeds])

    for share in SHARES:
        theirs = stacked(BASELINE, "", share)
        for method, source in methods(name):
            if method == BASELINE:
                continue
            found = paired_difference(labels, stacked(method, source, share), theirs)
            rows.append(
                report.difference(
                    found,
                    dataset=name,
                    method=method,
                    source=source,
                    share=share,
                    against=BASELINE,
                    metric="auc",
                    seeds=len(seeds),
                )
            )
    return rows


def run(
    path: Path,
    datasets: Sequence[str] = tuple(SOURCES),
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Measure what the current code has not measured yet.

    Written after each seed of a dataset, so that a run that was stopped goes on. Beside
    the records, the test scores of class 1 are kept.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    scores = report.read_arrays(report.scores_path(path))
    records = [
        record
        for record in report.read(path)
        if is_current(record) and key(*identity(record)) in scores
    ]
    done = {identity(record) for record in records}
    plan = [
        (dataset, method, source, share, seed)
        for seed in seeds
        for dataset in datasets
        for share in SHARES
        for method, source in methods(dataset)
    ]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} trainings, {len(due)} to do", flush=True)
    if not due:
        return
    for seed in dict.fromkeys(job[4] for job in due):
        bases: dict[str, tuple[keras.Model, float]] = {}
        for dataset in dict.fromkeys(job[0] for job in due if job[4] == seed):
            data = load(dataset, source="real")
            for _, method, source, share, _ in (
                job for job in due if (job[0], job[4]) == (dataset, seed)
            ):
                if source and source not in bases:
                    with runtime.Stopwatch() as watch:
                        images = source_images(source, seed)
                        base, _ = pretraining.pretrain(images, RECIPES[source], seed)
                    bases[source] = base, round(watch.seconds, 2)
                    print(f"pretrained on {source}: {watch.seconds:.0f} s", flush=True)
                base, seconds = bases.get(source, (None, 0.0))
                record, found = measure(data, method, source, share, seed, base)
                records.append(record | {"pretrain_seconds": seconds})
                name = key(dataset, method, source, share, seed)
                scores[name] = found[:, 1].astype(np.float32)
            report.write_arrays(report.scores_path(path), scores)
            report.write(path, "pretraining", in_order(records))
            print(f"seed {seed}, {dataset}: done", flush=True)
    write_comparisons(path, records, scores)


def write_comparisons(
    path: Path, records: list[dict[str, Any]], scores: dict[str, np.ndarray]
) -> None:
    """Compare the methods over the seeds that all of them have; write the document."""
    comparisons = []
    for dataset in SOURCES:
        found = {identity(record) for record in records}
        complete = [
            seed
            for seed in sorted({identity[4] for identity in found})
            if all(
                (dataset, method, source, share, seed) in found
                for method, source in methods(dataset)
                for share in SHARES
            )
        ]
        if complete:
            comparisons += compare(load(dataset, source="real"), scores, complete)
    report.write(path, "pretraining", in_order(records), comparisons=comparisons)


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records by dataset, share, method and seed."""
    return sorted(
        records,
        key=lambda r: (
            list(SOURCES).index(r["dataset"]),
            r["share"],
            methods(r["dataset"]).index((r["method"], r["source"])),
            r["seed"],
        ),
    )
