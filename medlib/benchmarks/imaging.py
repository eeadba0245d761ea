"""Quality and cost of the image classifiers on the MedMNIST sets.

Official splits. Single networks keep the epoch with the best validation AUC. The
ensemble's recipe was chosen by cross-validation on training and validation images; it
trains on the training images for a fixed number of epochs. So was the recipe of the
hand-made features, on RetinaMNIST alone; with it fixed, nothing is left to choose, and
they learn from training and validation images together. Test data choose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.duplicates import near_duplicates
from medlib.data.images import ImageSet, Split
from medlib.evaluation import metrics
from medlib.models import ensemble, features, imaging

# What a record depends on, beside the settings that it holds itself.
SHARED = ["models.imaging", "evaluation.metrics", "data.images", "data.duplicates"]
MODULES = {
    "first_cnn": SHARED,
    "functional_cnn": SHARED,
    "small_resnet": SHARED,
    "ensemble": [*SHARED, "models.ensemble"],
    "features": [*SHARED, "models.features"],
}
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "first_cnn": imaging.first_cnn,
    "functional_cnn": imaging.functional_cnn,
    "small_resnet": imaging.small_resnet,
}
BASELINE = "first_cnn"  # every other method is compared with it, case by case
# Chosen by validation AUC on BreastMNIST, over three seeds.
LEARNING_RATE = {"first_cnn": 3e-3, "functional_cnn": 1e-3, "small_resnet": 1e-3}
EPOCHS = {"breastmnist": 30, "retinamnist": 20, "pneumoniamnist": 8}
BATCH_SIZE = 32
# Chosen by cross-validation; an X-ray and an ultrasound image have an upper end, a
# fundus photograph has none.
RECIPES = {
    "breastmnist": ensemble.Recipe(epochs=60),
    "retinamnist": ensemble.Recipe(
        epochs=25,
        members=4,
        balance=0.5,
        rotation=180.0,
        shift=1.0,
        mirror_vertical=True,
    ),
    "pneumoniamnist": ensemble.Recipe(epochs=6),
}
FEATURES = features.Recipe()
SEEDS = (0, 1, 2, 3, 4)
METRICS = {"auc": metrics.auc, "accuracy": metrics.accuracy}

Predictor = Callable[[np.ndarray], np.ndarray]


def settings(dataset: str, method: str) -> dict[str, Any]:
    """Return what a method is trained with on a dataset.

    Raises
    ------
    KeyError
        If there is no such method or dataset.
    """
    if method == "ensemble":
        return asdict(RECIPES[dataset])
    if method == "features":
        return {"learns_from": ["train", "val"], **asdict(FEATURES)}
    return {
        "epochs": EPOCHS[dataset],
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE[method],
    }


def learned_from(data: ImageSet, method: str) -> Split:
    """Return the images that a method's weights are fitted to."""
    if method != "features":
        return data.train
    return Split(
        np.concatenate([data.train.images, data.val.images]),
        np.concatenate([data.train.labels, data.val.labels]),
    )


def fit(data: ImageSet, method: str, seed: int) -> tuple[Predictor, int]:
    """Train; return what predicts, and its number of parameters."""
    how = settings(data.info.name, method)
    if method == "ensemble":
        recipe = ensemble.Recipe(**how)
        trained = ensemble.fit_ensemble(data.train, data.n_classes, recipe, seed)
        return trained.predict, trained.count_params()
    if method == "features":
        seen = learned_from(data, method)
        learned = features.fit(seen, data.n_classes, FEATURES, seed)
        return learned.predict, learned.count_params()
    runtime.seed_everything(seed)
    model = NETWORKS[method](data.train.images.shape[1:], data.n_classes)
    imaging.fit(model, data.train, data.val, score=metrics.auc, **how)
    return lambda images: imaging.predict(model, images), model.count_params()


def train(data: ImageSet, method: str, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Train one model; return its record and its probabilities for the test images."""
    with runtime.Stopwatch() as training:
        predict, parameters = fit(data, method, seed)
    with runtime.Stopwatch() as predicting:
        scores = predict(data.test.images)
    labels, disease = data.test.labels, data.info.disease
    called = metrics.predictions(scores)
    new = new_cases(data, method)
    values = {
        "auc": metrics.auc(labels, scores),
        "accuracy": metrics.accuracy(labels, scores),
        "sensitivity": metrics.sensitivity(labels, called, disease),
        "specificity": metrics.specificity(labels, called, disease),
        "brier": metrics.brier(labels, scores),
        "ece": metrics.expected_calibration_error(labels, scores),
        "auc_without_duplicates": metrics.auc(labels[new], scores[new]),
        "accuracy_without_duplicates": metrics.accuracy(labels[new], scores[new]),
    }
    record = {
        "dataset": data.info.name,
        "split": "official",
        "method": method,
        "seed": seed,
        **{name: round(value, 5) for name, value in values.items()},
        "duplicates_left_out": int((~new).sum()),
        "parameters": parameters,
        "settings": settings(data.info.name, method),
        "train_seconds": round(training.seconds, 2),
        "inference_ms": round(1000 * predicting.seconds / len(labels), 4),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        **report.environment(),
        "data_sha256": data.provenance.sha256,
        "code_version": report.code_version(MODULES[method]),
    }
    return record, scores


def new_cases(data: ImageSet, method: str) -> np.ndarray:
    """Tell which test images have no near-duplicate among those learned from.

    Shape (n,) of bool.
    """
    new = np.ones(len(data.test), dtype=bool)
    seen = learned_from(data, method)
    pairs = near_duplicates(seen.images, data.test.images)
    new[[pair.second for pair in pairs]] = False
    return new


def compare(
    data: ImageSet, method: str, scores: dict[str, np.ndarray], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return how far a method is ahead of `BASELINE` on the same test cases."""
    ours, theirs = (
        [scores[key(data.info.name, name, seed)] for seed in seeds]
        for name in (method, BASELINE)
    )
    rows = []
    for name, metric in METRICS.items():
        found = metrics.paired_runs(metric, data.test.labels, ours, theirs)
        about = {"method": method, "against": BASELINE, "metric": name}
        about |= {"dataset": data.info.name, "seeds": len(seeds)}
        rows.append(report.difference(found, **about))
    return rows


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code with the current settings."""
    dataset, method = record["dataset"], record["method"]
    return (
        dataset in EPOCHS
        and method in MODULES
        and record.get("settings") == settings(dataset, method)
        and record["code_version"] == report.code_version(MODULES[method])
    )


def key(dataset: str, method: str, seed: int) -> str:
    """Return the name of a run's scores in the file of scores."""
    return f"{dataset}/{method}/{seed}"


def run(
    path: Path,
    datasets: Sequence[str] = tuple(EPOCHS),
    methods: Sequence[str] = tuple(MODULES),
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Train what the current code has not trained yet; write after each training.

    Beside the records, the test scores are kept, so that methods can be compared on
    the same cases without training again.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    scores = report.read_arrays(report.scores_path(path))
    records = [
        record
        for record in report.read(path)
        if is_current(record)
        and key(record["dataset"], record["method"], record["seed"]) in scores
    ]
    done = {(r["dataset"], r["method"], r["seed"]) for r in records}
    plan = [(d, m, s) for d in datasets for m in methods for s in seeds]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} trainings, {len(due)} to do", flush=True)
    if not due:
        return
    for number, (dataset, method, seed) in enumerate(due, start=1):
        record, found = train(load(dataset, source="real"), method, seed)
        records.append(record)
        scores[key(dataset, method, seed)] = found.astype(np.float32)
        report.write_arrays(report.scores_path(path), scores)
        report.write(path, "imaging", in_order(records))
        print(
            f"{number}/{len(due)} {dataset}, {method}, seed {seed}: "
            f"AUC {record['auc']:.3f}, {record['train_seconds']:.0f} s",
            flush=True,
        )
    comparisons = []
    for dataset in EPOCHS:
        for method in MODULES:
            trained = [
                {r["seed"] for r in records if (r["dataset"], r["method"]) == pair}
                for pair in ((dataset, method), (dataset, BASELINE))
            ]
            both = sorted(set.intersection(*trained))
            if both and method != BASELINE:
                data = load(dataset, source="real")
                comparisons += compare(data, method, scores, both)
    report.write(path, "imaging", in_order(records), comparisons=comparisons)


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records by dataset, method and seed."""
    rank = [*EPOCHS, *MODULES]
    return sorted(
        records,
        key=lambda r: (rank.index(r["dataset"]), rank.index(r["method"]), r["seed"]),
    )
