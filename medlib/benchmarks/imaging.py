"""Quality and cost of the image classifiers on the MedMNIST sets.

Official splits; the epoch is chosen by validation AUC, never by test data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.images import ImageSet
from medlib.evaluation import metrics
from medlib.models import imaging

MODULES = ["models.imaging", "evaluation.metrics", "data.images", "benchmarks.imaging"]
METHODS: dict[str, Callable[..., keras.Model]] = {
    "first_cnn": imaging.first_cnn,
    "small_resnet": imaging.small_resnet,
}
# Chosen by validation AUC on BreastMNIST, over three seeds.
LEARNING_RATE = {"first_cnn": 3e-3, "small_resnet": 1e-3}
EPOCHS = {"breastmnist": 30, "retinamnist": 20, "pneumoniamnist": 8}
BATCH_SIZE = 32
SEEDS = (0, 1, 2, 3, 4)


def train(data: ImageSet, method: str, seed: int) -> dict[str, Any]:
    """Train one network and return its record."""
    runtime.seed_everything(seed)
    model = METHODS[method](data.train.images.shape[1:], data.n_classes)
    with runtime.Stopwatch() as training:
        imaging.fit(
            model,
            data.train,
            data.val,
            score=metrics.auc,
            epochs=EPOCHS[data.info.name],
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE[method],
        )
    with runtime.Stopwatch() as predicting:
        scores = imaging.predict(model, data.test.images)
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
    return {
        "dataset": data.info.name,
        "split": "official",
        "method": method,
        "seed": seed,
        **{name: round(value, 5) for name, value in values.items()},
        "parameters": model.count_params(),
        "epochs": EPOCHS[data.info.name],
        "train_seconds": round(training.seconds, 2),
        "inference_ms": round(1000 * predicting.seconds / len(labels), 4),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        **report.environment(),
        "data_sha256": data.provenance.sha256,
        "code_version": report.code_version(MODULES),
    }


def run(
    path: Path,
    datasets: Sequence[str] = tuple(EPOCHS),
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Train what the current code has not trained yet; write after each training.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    version = report.code_version(MODULES)
    records = [r for r in report.read(path) if r.get("code_version") == version]
    done = {(r["dataset"], r["method"], r["seed"]) for r in records}
    plan = [(d, m, s) for d in datasets for m in methods for s in seeds]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} trainings, {len(due)} to do", flush=True)
    for number, (dataset, method, seed) in enumerate(due, start=1):
        record = train(load(dataset, source="real"), method, seed)
        records.append(record)
        report.write(path, "imaging", records)
        print(
            f"{number}/{len(due)} {dataset}, {method}, seed {seed}: "
            f"AUC {record['auc']:.3f}, {record['train_seconds']:.0f} s",
            flush=True,
        )
