"""Readmission within 30 days on `uci-diabetes-130`, and how to be fooled about it.

Five folds by patient: every encounter is tested once, by models that saw none of its
patient. Settings were chosen on validation patients of one split and are the same
for all. The traps use random fifths, as those who fall into them do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sk
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from medlib import runtime
from medlib.benchmarks import report
from medlib.data import load
from medlib.data.cases import COUNTS, DEATHS, DIAGNOSES, CaseTable, diagnosis_group
from medlib.evaluation import metrics
from medlib.evaluation.grouped import grouped_bootstrap
from medlib.models import training
from medlib.models.cases import mlp

FOLDS = 5
DISEASE = 2  # readmitted within 30 days
# What a record depends on, beside the settings that it holds itself.
MODULES = [
    "data.cases",
    "models.cases",
    "models.training",
    "evaluation.metrics",
    "evaluation.grouped",
]
METHODS = (
    "always_no",
    "logistic_counts",
    "logistic",
    "boosting",
    "boosting_averaged",
    "mlp",
)
AVERAGES = {"average": ("logistic", "boosting", "mlp")}
BASELINE = "boosting"
BEST = "boosting_averaged"
TRAPS = (
    "boosting, split by row",
    "forest, duplicates before the split",
    "forest, duplicates inside the split",
    "boosting, synthetic before the split",
    "boosting, synthetic inside the split",
)
MIN_FREQUENCY = 50  # rarer levels share one column
VALIDATION_SHARE = 0.15
LOGISTIC = {"C": 0.03, "max_iter": 300, "min_frequency": MIN_FREQUENCY}
BOOSTING = {"max_iter": 300, "learning_rate": 0.04, "max_features": 0.3}
FOREST = {"n_estimators": 40}
TRAP_BOOSTING = {"max_iter": 60, "learning_rate": 0.2}
SETTINGS: dict[str, dict[str, Any]] = {
    "always_no": {},
    "logistic_counts": LOGISTIC,
    "logistic": LOGISTIC,
    "boosting": BOOSTING,
    "boosting_averaged": {**BOOSTING, "members": 5},
    "mlp": {
        "epochs": 10,
        "batch_size": 32,
        "learning_rate": 3e-4,
        "weight_decay": 0.1,
        "patience": 2,
        "min_frequency": MIN_FREQUENCY,
        "validation_share": VALIDATION_SHARE,
    },
    "boosting, split by row": BOOSTING,
    "forest, duplicates before the split": FOREST,
    "forest, duplicates inside the split": FOREST,
    "boosting, synthetic before the split": TRAP_BOOSTING,
    "boosting, synthetic inside the split": TRAP_BOOSTING,
}
# An average is another one when a part is.
SETTINGS |= {
    name: {"of": {part: SETTINGS[part] for part in parts}}
    for name, parts in AVERAGES.items()
}
SUBGROUPS = ("age", "gender", "race")
AGES = {"under 50": range(5), "50 to 69": range(5, 7), "70 and over": range(7, 10)}
RESAMPLES = 200


def folds(groups: np.ndarray, count: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Return the fold of each case, shape (n,): whole patients, about equal parts."""
    names, member = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    return (rng.permutation(len(names)) % count)[member]


def with_groups(features: pd.DataFrame) -> pd.DataFrame:
    """Add the group of each of the three diagnoses; that looks at single rows only."""
    added = {f"{name} group": diagnosis_group(features[name]) for name in DIAGNOSES}
    return features.assign(**added)


def one_hot(features: pd.DataFrame) -> ColumnTransformer:
    """Return the encoder for linear models and networks, to be fitted on train."""
    levels = [name for name in features if name not in COUNTS]
    encoder = OneHotEncoder(
        min_frequency=MIN_FREQUENCY,
        handle_unknown="infrequent_if_exist",
        dtype=np.float32,
    )
    counts = make_pipeline(FunctionTransformer(np.log1p), StandardScaler())
    return ColumnTransformer(
        [("counts", counts, list(COUNTS)), ("levels", encoder, levels)]
    )


def ordinal(features: pd.DataFrame) -> ColumnTransformer:
    """Return the encoder for trees, to be fitted on train; missing stays missing."""
    levels = [name for name in features if name not in COUNTS]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [("counts", "passthrough", list(COUNTS)), ("levels", encoder, levels)]
    )


def classical(method: str, features: pd.DataFrame) -> Pipeline:
    """Return an unfitted pipeline of encoder and classifier."""
    if method.startswith("boosting"):
        # Each split looks at some columns only, so that members differ by their seed.
        members = [
            (
                str(seed),
                HistGradientBoostingClassifier(
                    early_stopping=False, random_state=seed, **BOOSTING
                ),
            )
            for seed in range(SETTINGS[method].get("members", 1))
        ]
        model = VotingClassifier(members, voting="soft")
        return make_pipeline(ordinal(features), model)
    model = LogisticRegression(C=LOGISTIC["C"], max_iter=LOGISTIC["max_iter"])
    if method == "logistic_counts":
        columns = features.columns.isin(COUNTS)
        kept = FunctionTransformer(lambda table: np.log1p(table.loc[:, columns]))
        return make_pipeline(kept, StandardScaler(), model)
    return make_pipeline(one_hot(features), model)


def network(
    features: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[Callable[[pd.DataFrame], np.ndarray], int]:
    """Train the given MLP; return what predicts, and its number of parameters."""
    parts = round(1 / VALIDATION_SHARE)
    held = folds(groups, parts, seed + 1) == 0
    encoder = one_hot(features).fit(features[~held])

    def encode(table: pd.DataFrame) -> np.ndarray:
        return encoder.transform(table).toarray().astype(np.float32)

    runtime.seed_everything(seed)
    train, val = ((encode(features[m]), labels[m]) for m in (~held, held))
    model = mlp(train[0].shape[1])
    how = {
        name: value
        for name, value in SETTINGS["mlp"].items()
        if name not in ("min_frequency", "validation_share")
    }
    training.fit(model, train, val, **how)
    return lambda table: training.predict(model, encode(table)), model.count_params()


def evaluate(
    data: CaseTable, features: pd.DataFrame, fold: int, method: str
) -> tuple[dict[str, Any], np.ndarray]:
    """Train on four folds; return the record and the risks of the fifth fold."""
    groups = data.groups.to_numpy()
    labels = (data.target == DISEASE).to_numpy(int)
    test = folds(groups) == fold
    parameters = None
    with runtime.Stopwatch() as watch:
        if method == "always_no":
            scores = np.zeros(test.sum())
        elif method == "mlp":
            predict, parameters = network(
                features[~test], labels[~test], groups[~test], fold
            )
            scores = predict(features[test])[:, 1]
        else:
            model = classical(method, features).fit(features[~test], labels[~test])
            scores = model.predict_proba(features[test])[:, 1]
    alive = ~features["discharge_disposition_id"].isin(DEATHS).to_numpy()[test]
    record = record_of(labels[test], scores, alive, watch.seconds)
    return record | {"parameters": parameters}, scores


def record_of(
    labels: np.ndarray, scores: np.ndarray, alive: np.ndarray, seconds: float
) -> dict[str, Any]:
    """Return the metrics of one fold; ``alive`` marks who left hospital alive."""
    values = {
        "auc": metrics.auc(labels, scores),
        "average_precision": sk.average_precision_score(labels, scores),
        "brier": metrics.brier(labels, scores),
        "accuracy": metrics.accuracy(labels, scores),
        "auc_alive": metrics.auc(labels[alive], scores[alive]),
        "average_precision_alive": sk.average_precision_score(
            labels[alive], scores[alive]
        ),
    }
    return {
        **{name: round(float(value), 5) for name, value in values.items()},
        "prevalence": round(float(labels.mean()), 5),
        "cases": len(labels),
        "seconds": round(seconds, 2),
    }


def average(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Return the probability whose log-odds are the mean of the models' log-odds."""
    clipped = np.clip(np.stack(scores), 1e-4, 1 - 1e-4)
    return 1 / (1 + np.exp(-np.log(clipped / (1 - clipped)).mean(axis=0)))


def duplicated(
    table: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Repeat random rows of class 1 until both classes are as large."""
    rare = np.flatnonzero(labels == 1)
    more = rng.choice(rare, (labels == 0).sum() - len(rare))
    return np.vstack([table, table[more]]), np.append(labels, np.ones(len(more), int))


def synthetic(
    table: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add points between neighbours of class 1 until both classes are as large.

    The idea of SMOTE (Chawla et al. 2002, doi:10.1613/jair.953), on scaled columns.
    """
    rare = table[labels == 1]
    scaled = rare / (table.std(axis=0) + 1e-9)
    near = NearestNeighbors(n_neighbors=6).fit(scaled)
    neighbours = near.kneighbors(scaled, return_distance=False)[:, 1:]
    count = (labels == 0).sum() - len(rare)
    first = rng.integers(0, len(rare), count)
    second = neighbours[first, rng.integers(0, neighbours.shape[1], count)]
    new = rare[first] + rng.random((count, 1)) * (rare[second] - rare[first])
    return np.vstack([table, new]), np.append(labels, np.ones(count, int))


def trap(
    data: CaseTable, features: pd.DataFrame, fold: int, method: str
) -> dict[str, Any]:
    """Evaluate in one of the ways of `TRAPS`."""
    labels = (data.target == DISEASE).to_numpy(int)
    with runtime.Stopwatch() as watch:
        if method == "boosting, split by row":
            rows = train_test_split(
                np.arange(len(labels)), test_size=1 / FOLDS, random_state=fold
            )
            model = classical("boosting", features)
            model.fit(features.iloc[rows[0]], labels[rows[0]])
            truth = labels[rows[1]]
            scores = model.predict_proba(features.iloc[rows[1]])[:, 1]
        else:
            truth, scores = oversampled(data, features, fold, method)
    everybody = np.ones(len(truth), bool)
    return record_of(truth, scores, everybody, watch.seconds) | {"parameters": None}


def oversampled(
    data: CaseTable, features: pd.DataFrame, fold: int, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Oversample before or inside the split; return the test truth and risks."""
    labels = (data.target == DISEASE).to_numpy(int)
    rng = np.random.default_rng(fold)
    grow = duplicated if "duplicates" in method else synthetic
    table = np.nan_to_num(
        ordinal(features).fit_transform(features).astype(float), nan=-1
    )
    if "before" in method:
        table, labels = grow(table, labels, rng)
        test = rng.random(len(labels)) < 1 / FOLDS
        train_x, train_y = table[~test], labels[~test]
    else:
        test = folds(data.groups.to_numpy()) == fold
        train_x, train_y = grow(table[~test], labels[~test], rng)
    if method.startswith("forest"):
        model = RandomForestClassifier(random_state=fold, **FOREST)
    else:
        model = HistGradientBoostingClassifier(
            early_stopping=False, random_state=0, **TRAP_BOOSTING
        )
    model.fit(train_x, train_y)
    return labels[test], model.predict_proba(table[test])[:, 1]


def compare(data: CaseTable, scores: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return how far each method is ahead of `BASELINE`, mean over the folds.

    Patients are drawn within each fold; each fold's metric is its own.
    """
    groups, place = data.groups.to_numpy(), folds(data.groups.to_numpy())
    labels = (data.target == DISEASE).to_numpy(int)

    def over_folds(metric: metrics.Metric) -> metrics.Metric:
        # Labels carry the fold beside the class, so that a resample keeps both.
        def mean(coded: np.ndarray, risks: np.ndarray) -> float:
            return float(
                np.mean(
                    [
                        metric(coded[coded // 2 == f] % 2, risks[coded // 2 == f])
                        for f in range(FOLDS)
                    ]
                )
            )

        return mean

    rows = []
    for method in (*METHODS, *AVERAGES):
        for name, metric in (
            ("auc", sk.roc_auc_score),
            ("average_precision", sk.average_precision_score),
        ):
            if method in (BASELINE, "always_no"):
                continue
            found = grouped_bootstrap(
                over_folds(metric), 2 * place + labels, scores[method], groups,
                scores[BASELINE], n_resamples=RESAMPLES,
            )  # fmt: skip
            about = {"method": method, "against": BASELINE, "metric": name}
            rows.append(report.difference(found, **about))
    return rows


def subgroups(data: CaseTable, scores: np.ndarray) -> list[dict[str, Any]]:
    """Return AUC, calibration and who is flagged, by age, sex and ethnic group.

    A fifth of all encounters is flagged, those with the highest risk.
    """
    labels = (data.target == DISEASE).to_numpy(int)
    flagged = scores >= np.quantile(scores, 0.8)
    groups = data.groups.to_numpy()
    rows = []
    for column in SUBGROUPS:
        values = data.features[column]
        if column == "age":
            parts = {n: values.cat.codes.isin(list(codes)) for n, codes in AGES.items()}
        else:
            parts = {str(n): values == n for n in values.cat.categories}
            parts |= {"missing": values.isna()}
        for name, mask in parts.items():
            member = mask.to_numpy()
            if labels[member].sum() < 10:
                continue  # too few for any statement
            found = grouped_bootstrap(
                sk.roc_auc_score, labels[member], scores[member], groups[member],
                n_resamples=RESAMPLES,
            )  # fmt: skip
            ill = member & (labels == 1)
            rows.append(
                {
                    "method": BEST,
                    "column": column,
                    "group": name,
                    "cases": int(member.sum()),
                    "prevalence": round(float(labels[member].mean()), 4),
                    "mean_risk": round(float(scores[member].mean()), 4),
                    "auc": round(found.estimate, 4),
                    "low": round(found.low, 4),
                    "high": round(found.high, 4),
                    "sensitivity": round(float(flagged[ill].mean()), 4),
                    "flagged": round(float(flagged[member].mean()), 4),
                }
            )
    return rows


def is_current(record: dict[str, Any]) -> bool:
    """Tell whether a record comes from the current code with the current settings."""
    return record.get("settings") == SETTINGS.get(record["method"]) and record[
        "code_version"
    ] == report.code_version(MODULES)


def read_scores(path: Path) -> dict[str, np.ndarray]:
    """Return the stored risks, shape (n,) each; none without a file.

    They are stored as 16-bit fractions; NaN stands for a fold that is still to do.
    """
    return {
        name: np.where(values == 0xFFFF, np.nan, values / 0xFFFE)
        for name, values in report.read_arrays(path).items()
    }


def write_scores(path: Path, scores: dict[str, np.ndarray]) -> None:
    """Store risks as 16-bit fractions; see `read_scores`."""
    whole = {
        name: np.where(np.isnan(values), 0xFFFF, np.round(values * 0xFFFE))
        for name, values in scores.items()
    }
    report.write_arrays(path, {n: v.astype(np.uint16) for n, v in whole.items()})


def run(path: Path, chosen: Sequence[int] = tuple(range(FOLDS))) -> None:
    """Train what the current code has not trained yet; write after each training.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    data = load("uci-diabetes-130", source="real")
    features = with_groups(data.features)
    place = folds(data.groups.to_numpy())
    records = [record for record in report.read(path) if is_current(record)]
    scores = read_scores(report.scores_path(path)) if records else {}
    for name in (*METHODS, *AVERAGES):
        scores.setdefault(name, np.full(len(data), np.nan))
    done = {(r["method"], r["fold"]) for r in records}
    plan = [(m, fold) for fold in chosen for m in SETTINGS]
    due = [job for job in plan if job not in done]
    print(f"{len(plan)} trainings, {len(due)} to do", flush=True)
    if not due and report.has_comparisons(path):
        return
    for number, (method, fold) in enumerate(due, start=1):
        if method in TRAPS:
            record = trap(data, features, fold, method)
        elif method in AVERAGES:
            test = place == fold
            risks = average([scores[name][test] for name in AVERAGES[method]])
            alive = ~features["discharge_disposition_id"].isin(DEATHS).to_numpy()[test]
            labels = (data.target == DISEASE).to_numpy(int)[test]
            record = record_of(labels, risks, alive, 0.0) | {"parameters": None}
            scores[method][test] = risks
        else:
            record, risks = evaluate(data, features, fold, method)
            scores[method][place == fold] = risks
        split = "other" if method in TRAPS else "by patient"
        records.append(
            {
                "dataset": data.info.name,
                "split": split,
                "method": method,
                "fold": fold,
                **record,
                "settings": SETTINGS[method],
                "peak_memory_mb": round(runtime.peak_memory_mb()),
                **report.environment(),
                "data_sha256": data.provenance.sha256,
                "code_version": report.code_version(MODULES),
            }
        )
        write_scores(report.scores_path(path), scores)
        report.write(path, "readmission", in_order(records))
        print(
            f"{number}/{len(due)} {method}, fold {fold}: AUC {record['auc']:.3f}, "
            f"AP {record['average_precision']:.3f}, {record['seconds']:.0f} s",
            flush=True,
        )
    complete = not any(np.isnan(values).any() for values in scores.values())
    others = {}
    if complete:
        others = {
            "comparisons": compare(data, scores),
            "subgroups": subgroups(data, scores[BEST]),
        }
    report.write(path, "readmission", in_order(records), **others)


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records by method and fold."""
    rank = list(SETTINGS)
    return sorted(records, key=lambda r: (rank.index(r["method"]), r["fold"]))
