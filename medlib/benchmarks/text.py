"""Which section of the note does a dialogue belong to? MTS-Dialog, official splits.

Both test sets together are 400 dialogues; each is reported alone too, because their
challenges published results. Settings and epochs are chosen on the validation
dialogues. Class weights are the square root of the inverse frequency.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn import metrics as sk
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.text import TextSet, Vocabulary, words
from medlib.evaluation import metrics
from medlib.models import training
from medlib.models.text import text_cnn, text_transformer

SEEDS = (0, 1, 2, 3, 4)
BASELINE = "tfidf_logistic"
METHODS = ("majority", BASELINE, "text_cnn", "text_transformer")
NETWORKS = {"text_cnn": text_cnn, "text_transformer": text_transformer}
MODULES = [
    "benchmarks.text",
    "data.text",
    "models.text",
    "models.training",
    "evaluation.metrics",
]
LENGTH = 160  # words of a dialogue that the networks read
GRID = (0.3, 1.0, 3.0, 10.0)  # inverse strength of the penalty, chosen on validation
SETTINGS: dict[str, dict[str, Any]] = {
    "majority": {},
    BASELINE: {"grid": list(GRID), "ngrams": [1, 2]},
    "text_cnn": {
        "dropout": 0.3, "epochs": 40, "learning_rate": 1e-3, "patience": 4,
    },
    "text_transformer": {
        "dropout": 0.2, "epochs": 10, "learning_rate": 1e-3, "patience": 3,
    },
}  # fmt: skip
RESAMPLES = 300


def macro_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the unweighted mean over all classes of their F1.

    A class that is never named and never right counts as zero.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class indices.
    scores : ndarray, shape (n, k)
        Probabilities.
    """
    called, classes = scores.argmax(axis=1), np.arange(scores.shape[1])
    return float(
        sk.f1_score(labels, called, labels=classes, average="macro", zero_division=0)
    )


METRICS = {"accuracy": metrics.accuracy, "macro_f1": macro_f1}


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the square root of the inverse frequency, mean one over the cases."""
    counts = np.bincount(labels, minlength=n_classes)
    weights = 1 / np.sqrt(np.maximum(counts, 1))
    return weights * counts.sum() / (weights * counts).sum()


def baseline(data: TextSet) -> tuple[Any, float]:
    """Fit TF-IDF and logistic regression; the penalty is chosen on validation data.

    Vocabulary and document frequencies come from the training dialogues.
    """
    fitted = {}
    for strength in GRID:
        model = make_pipeline(
            TfidfVectorizer(analyzer=pairs, sublinear_tf=True, min_df=2),
            LogisticRegression(C=strength, class_weight="balanced", max_iter=500),
        ).fit(data.train.dialogues, data.train.labels)
        score = macro_f1(data.val.labels, model.predict_proba(data.val.dialogues))
        fitted[strength] = (score, model)
    best = max(fitted, key=lambda strength: fitted[strength][0])
    return fitted[best][1], best


def pairs(text: str) -> list[str]:
    """Return the words of a text and its pairs of neighbours."""
    found = words(text)
    return found + [f"{a} {b}" for a, b in itertools.pairwise(found)]


def train(data: TextSet, method: str, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Train one model; return its record and its probabilities, both test sets."""
    n_classes, extra = len(data.info.classes), {}
    tests = {"test1": data.test1, "test2": data.test2}
    with runtime.Stopwatch() as watch:
        if method == "majority":
            shares = np.bincount(data.train.labels, minlength=n_classes)
            scores = {n: np.tile(shares / shares.sum(), (len(t), 1))
                      for n, t in tests.items()}  # fmt: skip
        elif method == BASELINE:
            model, strength = baseline(data)
            scores = {n: model.predict_proba(t.dialogues) for n, t in tests.items()}
            extra = {"penalty": strength, "parameters": int(model[-1].coef_.size)}
        else:
            model, history, vocabulary = fit_network(data, method, seed)
            scores = {
                name: training.predict(model, vocabulary.encode(t.dialogues, LENGTH))
                for name, t in tests.items()
            }
            extra = {
                "parameters": model.count_params(),
                "kept_epoch": history.best_epoch + 1,
            }
    # What is stored is what is measured.
    scores = {name: found.astype(np.float16) for name, found in scores.items()}
    labels = {n: t.labels for n, t in tests.items()}
    labels["both"] = np.concatenate([*labels.values()])
    measured = scores | {"both": np.concatenate([*scores.values()])}
    values = {
        f"{metric}_{name}": round(function(labels[name], measured[name]), 5)
        for name in measured
        for metric, function in METRICS.items()
    }
    record = {
        "dataset": data.info.name,
        "split": "official",
        "method": method,
        "seed": seed,
        **values,
        **extra,
        "settings": SETTINGS[method],
        "seconds": round(watch.seconds, 2),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        **report.environment(),
        "data_sha256": data.provenance.sha256,
        "code_version": report.code_version(MODULES),
    }
    return record, measured["both"]


def fit_network(
    data: TextSet, method: str, seed: int
) -> tuple[keras.Model, training.History, Vocabulary]:
    """Train a network on the training dialogues; return what prediction needs."""
    vocabulary = Vocabulary.of(data.train.dialogues)
    how = dict(SETTINGS[method])
    runtime.seed_everything(seed)
    n_classes = len(data.info.classes)
    model = NETWORKS[method](
        len(vocabulary), LENGTH, n_classes, dropout=how.pop("dropout")
    )
    sets = [
        (vocabulary.encode(part.dialogues, LENGTH), part.labels)
        for part in (data.train, data.val)
    ]
    weights = class_weights(data.train.labels, n_classes)
    history = training.fit(model, *sets, class_weight=weights, **how)
    return model, history, vocabulary


def seeds_of(method: str) -> Sequence[int]:
    """Return the seeds of a method; what knows no chance is trained once."""
    return SEEDS if method in NETWORKS else SEEDS[:1]


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code."""
    return record.get("code_version") == report.code_version(MODULES)


def run(path: Path) -> None:
    """Train what the current code has not trained yet; write after each training.

    Beside the records stand the paired differences from the baseline, over dialogues
    and seeds, and the F1 of each class.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    data = load("mts-dialog", source="real")
    scores = report.read_arrays(report.scores_path(path))
    records = [
        record
        for record in report.read(path)
        if is_current(record) and key(record["method"], record["seed"]) in scores
    ]
    done = {(record["method"], record["seed"]) for record in records}
    plan = [(method, seed) for method in METHODS for seed in seeds_of(method)]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} trainings, {len(due)} to do", flush=True)
    if not due and report.has_comparisons(path):
        return
    for number, (method, seed) in enumerate(due, start=1):
        record, scores[key(method, seed)] = train(data, method, seed)
        records.append(record)
        records.sort(key=lambda r: plan.index((r["method"], r["seed"])))
        report.write_arrays(report.scores_path(path), scores)
        report.write(path, "text", records)
        print(
            f"{number}/{len(due)} {method}, seed {seed}: accuracy "
            f"{record['accuracy_both']:.3f}, macro-F1 {record['macro_f1_both']:.3f}, "
            f"{record['seconds']:.0f} s",
            flush=True,
        )
    labels = np.concatenate([data.test1.labels, data.test2.labels])
    runs = {m: [scores[key(m, seed)] for seed in seeds_of(m)] for m in METHODS}
    comparisons = [
        compare(labels, runs[method], runs[BASELINE], method, metric)
        for method in NETWORKS
        for metric in METRICS
    ]
    classes = per_class(data, labels, runs)
    report.write(path, "text", records, comparisons=comparisons, classes=classes)


def key(method: str, seed: int) -> str:
    """Return the name of a run's scores in the file of scores."""
    return f"{method}/{seed}"


def compare(
    labels: np.ndarray,
    ours: list[np.ndarray],
    theirs: list[np.ndarray],
    method: str,
    metric: str,
) -> dict[str, Any]:
    """Return how far a method is ahead of the baseline on the same dialogues."""
    found = metrics.paired_runs(
        METRICS[metric], labels, ours, theirs, n_resamples=RESAMPLES
    )
    about = {"method": method, "against": BASELINE, "metric": metric}
    return report.difference(found, **about)


def per_class(
    data: TextSet, labels: np.ndarray, runs: dict[str, list[np.ndarray]]
) -> list[dict[str, Any]]:
    """Return for each class its sizes and each method's F1, mean over the seeds."""
    classes = np.arange(len(data.info.classes))
    scores = {
        method: np.mean(
            [
                sk.f1_score(
                    labels, run.argmax(axis=1), labels=classes, average=None,
                    zero_division=0,
                )
                for run in runs[method]
            ],
            axis=0,
        )
        for method in METHODS
    }  # fmt: skip
    return [
        {
            "class": name,
            "train": int((data.train.labels == place).sum()),
            "test": int((labels == place).sum()),
            **{method: round(float(scores[method][place]), 4) for method in METHODS},
        }
        for place, name in enumerate(data.info.classes)
    ]
