"""Cost and quality of lesson 2.4's networks on images of 224 × 224 pixels.

The given network (``flat``), the same convolutions with global average pooling
(``pooled``), and pooling after two more convolutions, so that each place of the last
map sees a larger part of the image (``deeper``). Equal images, batches, epochs, seeds
and learning rate, no choice of any kind, so the test images choose nothing. Every
training and every measured step has a process of its own, so that its peak memory is
its own. Logistic regression on the same images, shrunk to 28 pixels, is the baseline.

The images are the practice set's; the official 224-pixel BreastMNIST is measured too
where it can be had.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import DataUnavailable, load
from medlib.data.images import ImageSet
from medlib.evaluation import efficiency, metrics
from medlib.models import imaging

MODULES = ["models.imaging", "evaluation.metrics", "benchmarks.full_size"]
STEP_MODULES = ["models.imaging", "evaluation.efficiency", "benchmarks.full_size"]
SIDE = 224
# Channels of the convolutions; whether the image is averaged away before the softmax.
NETWORKS = {
    "flat": ((32, 64, 128), False),
    "pooled": ((32, 64, 128), True),
    "deeper": ((32, 64, 128, 128, 128), True),
}
BASELINE = "logistic"
TRAIN_IMAGES, EPOCHS, BATCH_SIZE, LEARNING_RATE = 300, 5, 16, 1e-3
SEEDS = (0, 1, 2)
# One step of training, measured alone: network, optimiser, precision.
STEPS = (
    ("flat", "sgd", "float32"),
    ("flat", "adam", "float32"),
    ("flat", "adam", "mixed_bfloat16"),
    ("pooled", "sgd", "float32"),
    ("pooled", "adam", "float32"),
    ("pooled", "adam", "mixed_bfloat16"),
    ("deeper", "adam", "float32"),
)
PAIRS = (
    ("pooled", "flat"),
    ("deeper", "flat"),
    ("deeper", "pooled"),
    ("flat", BASELINE),
    ("deeper", BASELINE),
)
STEP_BATCH, STEP_REPEATS = 32, 3


class Batches(keras.utils.PyDataset):
    """8-bit images as shuffled float32 batches with three channels."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return rgb(self.images[chosen]), self.labels[chosen]

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self.order = self.rng.permutation(len(self.labels))


def rgb(images: np.ndarray) -> np.ndarray:
    """Return grey 8-bit images as float32 from 0 to 1 with three equal channels."""
    return np.repeat(imaging.to_float(images), 3, axis=-1)


def settings() -> dict[str, Any]:
    """Return what every training is done with."""
    return {
        "side": SIDE,
        "train_images": TRAIN_IMAGES,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
    }


def arrays_of(data: ImageSet) -> dict[str, np.ndarray]:
    """Return the images and labels that are used, the same for every training."""
    chosen = np.random.default_rng(0).permutation(len(data.train))[:TRAIN_IMAGES]
    found = {"train_images": data.train.images[chosen]}
    found["train_labels"] = data.train.labels[chosen]
    for name, split in (("val", data.val), ("test", data.test)):
        found[f"{name}_images"], found[f"{name}_labels"] = split.images, split.labels
    return found


def available() -> list[tuple[str, ImageSet]]:
    """Return the practice set and, where it can be had, the real set, by name."""
    found = [("practice", load("breastmnist", source="practice", size=SIDE))]
    try:
        found.append(("real", load("breastmnist", source="real", size=SIDE)))
    except DataUnavailable as error:
        print(f"no real images of {SIDE} pixels: {str(error).split('. ')[0]}")
    return found


def build(method: str, side: int, optimiser: str, rate: float) -> keras.Model:
    """Return a network that is ready to be trained."""
    channels, pooled = NETWORKS[method]
    if len(channels) == 3:
        model = imaging.full_size_cnn((side, side, 3), 2, pooled=pooled)
    else:
        inputs = x = keras.Input((side, side, 3))
        for count in channels:
            x = keras.layers.Conv2D(count, 3, activation="relu")(x)
            x = keras.layers.MaxPooling2D(2)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    kinds = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
    model.compile(kinds[optimiser](rate), keras.losses.SparseCategoricalCrossentropy())
    return model


def train_here(
    data: str, method: str, seed: int, how: dict[str, Any], target: str
) -> None:
    """Train in this process; leave scores and times in the file ``target``."""
    with np.load(data, allow_pickle=False) as stored:
        arrays = dict(stored)
    runtime.seed_everything(seed)
    model = build(method, how["side"], "adam", how["learning_rate"])
    size = how["batch_size"]
    batches = Batches(arrays["train_images"], arrays["train_labels"], size, seed)
    seconds = []
    for _ in range(how["epochs"]):
        with runtime.Stopwatch() as watch:
            model.fit(batches, epochs=1, verbose=0)
        seconds.append(watch.seconds)
    scores = {"seconds": np.array(seconds)}
    for split in ("train", "val", "test"):
        images = arrays[f"{split}_images"]
        parts = [
            imaging.predict(model, rgb(images[i : i + size]))
            for i in range(0, len(images), size)
        ]
        scores[split] = np.concatenate(parts)
    report.write_arrays(Path(target), scores)


def logistic(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the baseline's scores by split; the penalty is fixed beforehand."""
    blocks = {
        split: imaging.to_float(arrays[f"{split}_images"])
        .reshape(-1, 28, SIDE // 28, 28, SIDE // 28)
        .mean(axis=(2, 4))
        .reshape(-1, 28 * 28)
        for split in ("train", "val", "test")
    }
    with runtime.Stopwatch() as watch:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=1e-3, max_iter=300)
        )
        model.fit(blocks["train"], arrays["train_labels"])
    scores = {split: model.predict_proba(x) for split, x in blocks.items()}
    return scores | {"seconds": np.array([watch.seconds])}


def train(
    arrays: dict[str, np.ndarray], data: Path, method: str, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Train one model; return what was measured and the test scores."""
    if method == BASELINE:
        found, parameters, peak = logistic(arrays), 28 * 28 + 1, None
    else:
        target = data.with_name("trained.npz")
        arguments = f"{str(data)!r}, {method!r}, {seed}, {settings()}, {str(target)!r}"
        peak = efficiency.peak_memory(
            f"full_size.train_here({arguments})",
            "from medlib.benchmarks import full_size",
            timeout=3600,
        ).peak
        with np.load(target, allow_pickle=False) as stored:
            found = dict(stored)
        parameters = parameters_of(method, SIDE)
    record = {
        f"{split}_auc".replace("test_", ""): round(
            metrics.auc(arrays[f"{split}_labels"], found[split]), 5
        )
        for split in ("train", "val", "test")
    }
    record |= {
        "parameters": parameters,
        "seconds_per_epoch": round(float(np.median(found["seconds"])), 2),
        "train_seconds": round(float(found["seconds"].sum()), 2),
        "peak_memory_mb": None if peak is None else round(peak),
    }
    return record, found["test"]


def parameters_of(method: str, side: int) -> int:
    """Return a network's parameters without allocating the large layer."""
    channels, pooled = NETWORKS[method]
    total, before = 0, 3
    for count in channels:
        total += count * (9 * before + 1)
        side, before = (side - 2) // 2, count
    if pooled:
        return total + 2 * (before + 1)
    return total + 1024 * (side * side * before + 1) + 2 * 1025


def step_here(method: str, name: str, precision: str, side: int, target: str) -> None:
    """Time steps of training in this process; leave what was found in ``target``."""
    keras.config.set_dtype_policy(precision)
    model = build(method, side, name, LEARNING_RATE)
    images = np.random.default_rng(0).random((STEP_BATCH, side, side, 3), np.float32)
    labels = np.arange(STEP_BATCH) % 2
    found = efficiency.timing(
        lambda: float(model.train_on_batch(images, labels)), repeats=STEP_REPEATS
    )
    estimate = efficiency.training_memory(model, STEP_BATCH, name)
    document = {
        "estimated_mb": round(estimate.total / 1e6),
        "step_seconds": round(found.median, 3),
        "step_seconds_low": round(found.low, 3),
        "step_seconds_high": round(found.high, 3),
    }
    Path(target).write_text(json.dumps(document), encoding="utf-8")


def step(method: str, name: str, precision: str, folder: Path) -> dict[str, Any]:
    """Measure a step of training in a fresh process; return its record."""
    target = folder / "step.json"
    arguments = f"{method!r}, {name!r}, {precision!r}, {SIDE}, {str(target)!r}"
    used = efficiency.peak_memory(
        f"full_size.step_here({arguments})",
        "from medlib.benchmarks import full_size",
        timeout=1800,
    )
    return {
        "method": method,
        "optimiser": name,
        "precision": precision,
        "batch_size": STEP_BATCH,
        **json.loads(target.read_text(encoding="utf-8")),
        "added_mb": round(used.added),
        "peak_memory_mb": round(used.peak),
        **report.environment(),
        "code_version": report.code_version(STEP_MODULES),
    }


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a training's record comes from current code and settings."""
    version = report.code_version(MODULES)
    return record["settings"] == settings() and record["code_version"] == version


def key(record: dict[str, Any]) -> str:
    """Return the name of a training's scores in the file of scores."""
    return "{data}/{method}/{seed}".format(**record)


def compare(
    labels: np.ndarray, data: str, scores: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return paired differences of the test AUC on the same cases, over seeds."""
    runs = {
        method: [
            scores[name]
            for name in sorted(scores)
            if name.startswith(f"{data}/{method}/")
        ]
        for method in (*NETWORKS, BASELINE)
    }
    rows = []
    for ours, theirs in PAIRS:
        if runs[ours] and runs[theirs]:
            found = metrics.paired_runs(metrics.auc, labels, runs[ours], runs[theirs])
            rows.append(
                {
                    "data": data,
                    "method": ours,
                    "against": theirs,
                    "metric": "auc",
                    "difference": round(found.estimate, 5),
                    "low": round(found.low, 5),
                    "high": round(found.high, 5),
                    "seeds": len(runs[ours]),
                }
            )
    return rows


def run(path: Path, seeds: Sequence[int] = SEEDS) -> None:
    """Measure what the current code has not measured yet; write after each part."""
    scores_path = path.with_name(path.stem + "_scores.npz")
    scores: dict[str, np.ndarray] = {}
    if scores_path.exists():
        with np.load(scores_path, allow_pickle=False) as stored:
            scores = dict(stored)
    records = [r for r in report.read(path) if is_current(r) and key(r) in scores]
    scores = {key(r): scores[key(r)] for r in records}
    steps: list[dict[str, Any]] = []
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8")).get("steps", [])
        version = report.code_version(STEP_MODULES)
        steps = [s for s in kept if s["code_version"] == version]
    comparisons: list[dict[str, Any]] = []

    def save() -> None:
        report.write_arrays(scores_path, scores)
        report.write(path, "full_size", records, steps=steps, comparisons=comparisons)

    with tempfile.TemporaryDirectory() as folder:
        measured = {(s["method"], s["optimiser"], s["precision"]) for s in steps}
        for case in STEPS:
            if case not in measured:
                steps.append(step(*case, Path(folder)))
                save()
                said = steps[-1]
                print(
                    f"{' '.join(case)}: {said['peak_memory_mb']} MB, "
                    f"{said['step_seconds']:.2f} s a step",
                    flush=True,
                )
        for name, data in available():
            arrays = arrays_of(data)
            stored = Path(folder) / f"{name}.npz"
            np.savez(stored, **arrays)
            plan = [(BASELINE, 0)] + [(m, s) for s in seeds for m in NETWORKS]
            for method, seed in plan:
                head = {"data": name, "method": method, "seed": seed}
                if key(head) in scores:
                    continue
                found, test = train(arrays, stored, method, seed)
                records.append(
                    {
                        **head,
                        **found,
                        "settings": settings(),
                        **report.environment(),
                        "data_sha256": data.provenance.sha256,
                        "code_version": report.code_version(MODULES),
                    }
                )
                scores[key(head)] = test.astype(np.float32)
                save()
                print(f"{key(head)}: AUC {found['auc']:.3f}", flush=True)
            comparisons += compare(arrays["test_labels"], name, scores)
    save()
