"""Death in hospital from the first day in intensive care, beside APACHE IVa.

The eICU demo's stays with a valid APACHE IVa prediction, features known by 24 hours
after admission or, where the stay is shorter, by the minute before its end: the score
covers the same time. Cross-validated over hospitals; a patient is on one side only.
Hyperparameters are fixed beforehand or chosen inside the training hospitals, and every
stay's probability comes from models that saw neither its hospital nor its patient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedGroupKFold

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.sequences import Sequences, Vocabulary, code_counts, encode
from medlib.evaluation import calibration, metrics
from medlib.models import records

DATASET = "eicu-demo"
FOLDS = 5
LENGTH = 160
VOCABULARY = {"min_subjects": 10, "bins": 5}
PHYSIOLOGY = ("APACHE//", "VITAL//", "AGE", "admissionweight", "admissionheight")
BASELINE = "apache_iva"  # every method is compared with it, stay by stay
SEEDS = (0, 1, 2, 3, 4)
# Equal weights: no weight is fitted. Neither member has several seeds.
MEMBERS = {
    "combination": ("bag_logistic", "gradient_boosting"),
    "combination_with_apache": ("bag_logistic", "gradient_boosting", "apache_iva"),
}

_ENCODER = {"features": 32, "heads": 2, "blocks": 1, "dropout": 0.3}
_TRAINING = {"epochs": 8, "batch_size": 32, "learning_rate": 2e-3}
SETTINGS: dict[str, dict[str, Any]] = {
    "apache_iva": {},
    "bag_logistic": {"penalties": [0.01, 0.03, 0.1], "inner_folds": 3},
    "gradient_boosting": {
        "max_iter": 150,
        "learning_rate": 0.04,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
    },
    "lstm": {"cell": "lstm", **_TRAINING, "learning_rate": 1e-3},
    "gru": {"cell": "gru", "times": True, "dropout": 0.3, **_TRAINING}
    | {"learning_rate": 1e-3},
    "transformer": {**_ENCODER, **_TRAINING},
    "pretrained_transformer": {**_ENCODER, **_TRAINING, "pretraining_epochs": 30},
}
# A combination is another one when a member is.
SETTINGS |= {
    name: {"members": {m: SETTINGS[m] for m in members}, "mean_of": "log-odds"}
    for name, members in MEMBERS.items()
}
SHARED = [
    "data.sequences",
    "data.records.eicu",
    "data.records.cohorts",
    "data.records.streams",
    "evaluation.metrics",
]
# What pretraining gives is asked beside the same network from scratch.
AGAINST_EACH_OTHER = [("pretrained_transformer", "transformer")]
NETWORKS = ("lstm", "gru", "transformer", "pretrained_transformer")
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": metrics.auc,
    "average_precision": lambda y, p: float(average_precision_score(y, p)),
    "brier": metrics.brier,
    "calibration_error": lambda y, p: calibration_error(y, p),
}


def calibration_error(died: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean distance of probability and share over bins, weighted by size."""
    bins = calibration.reliability(died == 1, scores)
    return float(
        np.average(np.abs(bins.confidence - bins.observed), weights=bins.count)
    )


def groups_of(cohort: pd.DataFrame) -> np.ndarray:
    """Return a group for each stay: hospitals that share a patient are one group."""
    parts = [pd.factorize(cohort[name])[0] for name in ("hospital_id", "patient_id")]
    hospitals = parts[0].max() + 1
    size = hospitals + parts[1].max() + 1
    links = sparse.coo_array(
        (np.ones(len(cohort)), (parts[0], hospitals + parts[1])), shape=(size, size)
    )
    return csgraph.connected_components(links, directed=False)[1][parts[0]]


class Task:
    """The cohort, its events and the outer folds.

    Attributes
    ----------
    cohort, events : DataFrame
        As `medlib.data.records.Records` gives them; a missing age is the median's.
    died : ndarray of int, shape (stays,)
    groups : ndarray of int, shape (stays,)
        What must not be divided.
    folds : list of (train, test)
        Rows.
    """

    def __init__(self) -> None:
        self.data = load(DATASET, source="real")
        self.cohort = self.data.cohort(apache_set=True).execute()
        self.cohort["age"] = self.cohort["age"].fillna(self.cohort["age"].median())
        self.events = self.data.features(self.cohort)
        self.died = self.cohort["died"].to_numpy().astype(int)
        self.groups = groups_of(self.cohort)
        self.folds = list(self.divide(np.arange(len(self.cohort)), FOLDS, 0))
        self._encoded: dict[int, tuple[Vocabulary, Sequences]] = {}

    def divide(
        self, rows: np.ndarray, count: int, seed: int
    ) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Return some rows in folds that divide no group, each with its rest."""
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        divided = folds.split(rows, self.died[rows], self.groups[rows])
        return [(rows[rest], rows[fold]) for rest, fold in divided]

    def histories(self, fold: int) -> tuple[Vocabulary, Sequences]:
        """Return the vocabulary of a fold's training stays and everyone's codes."""
        if fold not in self._encoded:
            train = self.cohort["subject_id"].iloc[self.folds[fold][0]]
            vocabulary = Vocabulary.fit(self.events, train, **VOCABULARY)
            longest = int(self.events.groupby("subject_id").size().max())
            encoded = encode(
                self.events, self.cohort, vocabulary, length=longest, once=True
            )
            self._encoded[fold] = vocabulary, encoded.latest(int(encoded.total.max()))
        return self._encoded[fold]

    def physiology(self) -> pd.DataFrame:
        """Return last, lowest and highest value of each measurement, NaN if none."""
        chosen = self.events["code"].str.startswith(PHYSIOLOGY)
        valued = self.events[chosen].dropna(subset="numeric_value")
        table = valued.groupby(["subject_id", "code"])["numeric_value"]
        wide = table.agg(["last", "min", "max"]).unstack()
        return wide.reindex(self.cohort["subject_id"])


def bag_logistic(task: Task, fold: int, seed: int, how: dict[str, Any]) -> np.ndarray:
    """Return test probabilities of logistic regression on which codes are there."""
    train, test = task.folds[fold]
    vocabulary, histories = task.histories(fold)
    present = (code_counts(histories, len(vocabulary)) > 0).astype(np.float32)

    def fitted(rows: np.ndarray, penalty: float) -> LogisticRegression:
        model = LogisticRegression(C=penalty, max_iter=1000)
        return model.fit(present[rows], task.died[rows])

    losses = [
        np.mean(
            [
                log_loss(
                    task.died[check],
                    fitted(rows, penalty).predict_proba(present[check])[:, 1],
                )
                for rows, check in task.divide(train, how["inner_folds"], seed)
            ]
        )
        for penalty in how["penalties"]
    ]
    chosen = how["penalties"][int(np.argmin(losses))]
    return fitted(train, chosen).predict_proba(present[test])[:, 1]


def gradient_boosting(
    task: Task, fold: int, seed: int, how: dict[str, Any]
) -> np.ndarray:
    """Return test probabilities of boosted trees on the physiology."""
    train, test = task.folds[fold]
    values = task.physiology().to_numpy()
    model = HistGradientBoostingClassifier(random_state=seed, **how)
    return model.fit(values[train], task.died[train]).predict_proba(values[test])[:, 1]


def network(
    task: Task, fold: int, seed: int, how: dict[str, Any], method: str
) -> tuple[np.ndarray, int]:
    """Return test probabilities of a network, and its number of parameters.

    A fifth of the training stays, whole groups, chooses the epoch by its cross-entropy.
    """
    train, test = task.folds[fold]
    vocabulary, histories = task.histories(fold)
    histories, size = histories.latest(LENGTH), len(vocabulary)
    rows, check = task.divide(train, 5, seed)[0]
    form = {k: v for k, v in how.items() if k not in _TRAINING}
    epochs = form.pop("pretraining_epochs", 0)
    runtime.seed_everything(seed)
    if method in records.CELLS:
        model = records.recurrent(size, **form)
    else:
        encoder = records.encoder(size, **form)
        if epochs:
            # Of the training stays alone, without their labels.
            seen = histories.take(rows)
            records.pretrain(encoder, seen, size, epochs=epochs, seed=seed)
        model = records.classifier(encoder, dropout=form["dropout"])
    records.fit(
        model,
        histories.take(rows),
        task.died[rows],
        histories.take(check),
        task.died[check],
        score=lambda died, scores: -log_loss(died, scores, labels=[0, 1]),
        **{name: how[name] for name in _TRAINING},
    )
    return records.predict(model, histories.take(test)), model.count_params()


def scores_of(task: Task, method: str, seed: int) -> tuple[np.ndarray, int | None]:
    """Return every stay's probability, out of fold, and the number of parameters."""
    if method == BASELINE:
        return task.cohort["apache"].to_numpy(), None
    how, found, parameters = SETTINGS[method], np.zeros(len(task.died)), None
    for fold, (_, test) in enumerate(task.folds):
        if method == "bag_logistic":
            found[test] = bag_logistic(task, fold, seed, how)
        elif method == "gradient_boosting":
            found[test] = gradient_boosting(task, fold, seed, how)
        else:
            found[test], parameters = network(task, fold, seed, how, method)
    return found, parameters


def combined(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return the probability whose log-odds are the mean of the members'."""
    odds = [logit(np.clip(p.astype(float), 1e-6, 1 - 1e-6)) for p in members]
    return expit(np.mean(odds, axis=0))


def seeds_of(method: str, seeds: Sequence[int]) -> Sequence[int]:
    """Return the seeds that change a method's result."""
    return seeds if method in NETWORKS else (0,)


def modules(method: str) -> list[str]:
    """Return what a method's record depends on."""
    return [*SHARED, "models.records"] if method in NETWORKS else SHARED


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code with the current settings."""
    method = record["method"]
    return record.get("settings") == SETTINGS.get(method) and record[
        "code_version"
    ] == report.code_version(modules(method))


def record_of(
    task: Task,
    method: str,
    seed: int,
    scores: np.ndarray,
    *,
    parameters: int | None,
    seconds: float,
) -> dict[str, Any]:
    """Return what a run measured, each metric with its bootstrap interval."""
    values: dict[str, Any] = {}
    for name, metric in METRICS.items():
        found = metrics.bootstrap_interval(metric, task.died, scores)
        values[name] = round(found.estimate, 5)
        values[f"{name}_interval"] = [round(found.low, 5), round(found.high, 5)]
    return {
        "dataset": DATASET,
        "split": f"{FOLDS} folds over hospitals",
        "stays": len(task.died),
        "deaths": int(task.died.sum()),
        "method": method,
        "seed": seed,
        **values,
        "parameters": parameters,
        "settings": SETTINGS[method],
        "train_seconds": round(seconds, 2),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        **report.environment(),
        "data_sha256": task.data.provenance.sha256,
        "code_version": report.code_version(modules(method)),
    }


def compare(
    died: np.ndarray, runs: dict[str, list[np.ndarray]], method: str, against: str
) -> list[dict[str, Any]]:
    """Return how far a method is ahead of another on the same stays."""
    rows = []
    for name, metric in METRICS.items():
        found = metrics.paired_runs(metric, died, runs[method], runs[against])
        about = {"method": method, "against": against, "metric": name}
        about |= {"dataset": DATASET, "seeds": len(runs[method])}
        rows.append(report.difference(found, **about))
    return rows


def summarise(
    died: np.ndarray, runs: dict[str, list[np.ndarray]], method: str
) -> list[dict[str, Any]]:
    """Return each metric's mean over seeds; the interval is over stays and seeds."""
    # Each resample holds as many deaths as the cohort, so that one probability for all
    # has the same value in every one of them, and the difference from it varies as the
    # metric does.
    same = np.full(len(died), died.mean())
    rows = []
    for name, metric in METRICS.items():
        found = metrics.paired_runs(metric, died, runs[method], [same])
        level = metric(died, same)
        rows.append(
            {
                "method": method,
                "metric": name,
                "mean": round(level + found.estimate, 5),
                "low": round(level + found.low, 5),
                "high": round(level + found.high, 5),
                "sd": round(float(np.std([metric(died, p) for p in runs[method]])), 5),
                "seeds": len(runs[method]),
            }
        )
    return rows


def run(
    path: Path,
    methods: Sequence[str] = tuple(SETTINGS),
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Train what the current code has not trained yet; write after each method.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    scores = report.read_arrays(report.scores_path(path))
    kept = [
        record
        for record in report.read(path)
        if is_current(record) and f"{record['method']}/{record['seed']}" in scores
    ]
    done = {(record["method"], record["seed"]) for record in kept}
    scores = {f"{method}/{seed}": scores[f"{method}/{seed}"] for method, seed in done}
    plan = [(m, s) for s in seeds for m in methods if s in seeds_of(m, seeds)]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} cross-validations, {len(due)} to do", flush=True)
    if not due and report.has_comparisons(path):
        return
    task = Task()
    for number, (method, seed) in enumerate(due, start=1):
        with runtime.Stopwatch() as watch:
            if method in MEMBERS:
                names = [f"{member}/0" for member in MEMBERS[method]]
                if not all(name in scores for name in names):
                    print(f"{method}: its members are not run yet")
                    continue
                found, parameters = combined([scores[name] for name in names]), None
            else:
                found, parameters = scores_of(task, method, seed)
        made = {"parameters": parameters, "seconds": watch.seconds}
        kept.append(record_of(task, method, seed, found, **made))
        scores[f"{method}/{seed}"] = found.astype(np.float64)
        report.write_arrays(report.scores_path(path), scores)
        report.write(path, "records", in_order(kept))
        print(
            f"{number}/{len(due)} {method}, seed {seed}: AUC {kept[-1]['auc']:.3f}, "
            f"AP {kept[-1]['average_precision']:.3f}, Brier {kept[-1]['brier']:.4f}, "
            f"{watch.seconds:.0f} s",
            flush=True,
        )
    runs: dict[str, list[np.ndarray]] = {}
    for record in in_order(kept):
        name = record["method"]
        runs.setdefault(name, []).append(scores[f"{name}/{record['seed']}"])
    pairs = [(name, BASELINE) for name in runs if name != BASELINE] + AGAINST_EACH_OTHER
    report.write(
        path,
        "records",
        in_order(kept),
        summaries=[row for name in runs for row in summarise(task.died, runs, name)],
        comparisons=[
            row
            for method, against in pairs
            if {method, against} <= set(runs)
            for row in compare(task.died, runs, method, against)
        ],
    )


def in_order(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records by method and seed."""
    rank = list(SETTINGS)
    return sorted(kept, key=lambda r: (rank.index(r["method"]), r["seed"]))
