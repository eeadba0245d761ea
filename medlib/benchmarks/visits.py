"""Which drugs does a visit get? From the visit before, on two open sets.

Five folds by patient. Learned from are all visits of the other folds but one; on that
one the threshold above which a drug is proposed is chosen, by the mean Jaccard. Judged
are the visits that are not a patient's first. `logistic_end` also reads what is known
only when the visit ends, its diagnoses among them, so it is no forecast. The safety
filter sees the diagnoses of the visit before and the drugs proposed together.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from medlib import runtime
from medlib.benchmarks import report
from medlib.benchmarks.readmission import folds
from medlib.data import cases, load, visits
from medlib.data.visits import Visits
from medlib.evaluation import drugs, ranking
from medlib.models import recommend as models
from medlib.models.recommend.safety import SafetyAlarm, SafetyFilter, interaction_rate

MODULES = [
    "benchmarks.visits",
    "data.cases",
    "data.drug_classes",
    "data.visits",
    "evaluation.drugs",
    "evaluation.ranking",
    "models.recommend.factors",
    "models.recommend.lists",
    "models.recommend.neighbours",
    "models.recommend.safety",
]
DATASETS = ("uci-diabetes-130", "mimic-iv-demo")
BASELINE = "copy"
METHODS = (
    "popularity",
    BASELINE,
    "item_cosine",
    "ease",
    "copy_then_items",
    "logistic",
    "logistic_end",
)
FOLDS = 5
STRENGTH = {"uci-diabetes-130": 1.0, "mimic-iv-demo": 0.1}  # C, set once, not searched
NEIGHBOURS = 20
MEASURES = ("jaccard", "f1", "pr_auc")
RESAMPLES = 500


def opened(name: str) -> tuple[Visits, str]:
    """Return the visits of a set, and the hash of its data."""
    data = load(name, source="real")
    if name == "mimic-iv-demo":
        return visits.from_prescriptions(data), data.provenance.sha256
    return visits.from_encounters(data), data.provenance.sha256


def table(data: Visits, *, end: bool) -> pd.DataFrame:
    """Return what is known on arrival or, if ``end``, at the end too."""
    if not end:
        return data.features
    late = data.at_discharge
    if set(cases.DIAGNOSES) <= set(late):  # hundreds of codes become nine groups
        grouped = {n: cases.diagnosis_group(late[n]) for n in cases.DIAGNOSES}
        late = late.assign(**grouped)
    return pd.concat([data.features, late], axis=1)


def logistic(train: Visits, ask: Visits, strength: float, *, end: bool) -> np.ndarray:
    """Return probabilities of one regression for each drug, with the past's drugs."""
    first, second = table(train, end=end), table(ask, end=end)
    numbers = first.select_dtypes("number").columns.tolist()
    levels = [name for name in first if name not in numbers]
    encoder = ColumnTransformer(
        [
            ("levels", OneHotEncoder(handle_unknown="ignore", min_frequency=5), levels),
            ("numbers", StandardScaler(), numbers),
        ]
    ).fit(first)
    learned, asked = (
        sparse.csr_matrix(sparse.hstack([encoder.transform(part), data.before]))
        for part, data in ((first, train), (second, ask))
    )
    given = train.drugs.matrix.toarray().astype(int)
    made = np.tile(given.mean(axis=0), (len(ask), 1))
    both = np.flatnonzero((given.sum(axis=0) >= 2) & (given.mean(axis=0) < 1))
    model = OneVsRestClassifier(
        LogisticRegression(C=strength, max_iter=2000, solver="liblinear")
    )
    made[:, both] = model.fit(learned, given[:, both]).predict_proba(asked)
    return made


def scores(method: str, train: Visits, ask: Visits, strength: float) -> np.ndarray:
    """Return a method's scores of every drug; a higher one is likelier."""
    if method not in METHODS:
        raise ValueError(f"method is '{method}'; use one of {', '.join(METHODS)}")
    given, before = train.drugs.matrix, ask.before
    if method == "popularity":
        return models.Popularity().fit(given).scores(before)
    if method == BASELINE:
        return models.Copy().fit(given).scores(before)
    if method == "item_cosine":
        return models.ItemNeighbours(NEIGHBOURS).fit(given).scores(before)
    if method == "ease":
        return models.Ease().fit(given).scores(before)
    if method == "copy_then_items":
        items = scores("item_cosine", train, ask, strength)
        highest = np.maximum(items.max(axis=1, keepdims=True, initial=0), 1e-9)
        return before.toarray() + 0.5 * items / highest
    return logistic(train, ask, strength, end=method == "logistic_end")


def proposals(data: Visits, method: str, strength: float) -> tuple[np.ndarray, Any]:
    """Return scores, and the sets proposed, for every visit that is not a first one."""
    fold, later = folds(data.patient, FOLDS), data.number > 0
    found = np.zeros(data.drugs.shape)
    sets = np.zeros(data.drugs.shape, bool)
    for number in range(FOLDS):
        held, aside = fold == number, fold == (number + 1) % FOLDS
        train = data.take(np.flatnonzero(~held & ~aside))
        tuning = data.take(np.flatnonzero(aside & later))
        rows = np.flatnonzero(held & later)
        level = drugs.best_threshold(
            tuning.drugs.matrix, scores(method, train, tuning, strength)
        )
        level = max(level, 1e-12)  # nothing that scores zero is proposed
        found[rows] = scores(method, train, data.take(rows), strength)
        sets[rows] = found[rows] >= level
    return found[later], sets[later]


def rate_of(sets: np.ndarray, items: pd.Index) -> dict[str, Any]:
    """Return the interaction rate of sets, or the alarm that it raised."""
    try:
        rate = interaction_rate(sparse.csr_array(sets.astype(np.float32)), items)
    except SafetyAlarm as alarm:
        return {"interaction_rate": None, "alarm": str(alarm).split(".")[0]}
    return {"interaction_rate": round(rate.rate, 5), "alarm": None}


def filtered(
    sets: np.ndarray, found: np.ndarray, items: pd.Index, conditions: list[frozenset]
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the proposals that the safety filter lets through, and what it took."""
    guard = SafetyFilter(list(items), unchecked="show")
    open_scores = np.where(sets, found, -np.inf)
    lists = guard.lists(
        open_scores, drugs_now=None, conditions=conditions, n=len(items)
    )
    guard.verify(lists, drugs_now=None, conditions=conditions)
    left = np.zeros_like(sets)
    rows, places = np.nonzero(lists.ranked >= 0)
    left[rows, lists.ranked[rows, places]] = True
    changed = int((left != sets).any(axis=1).sum())
    return left, {"removed": int(sets.sum() - left.sum()), "visits_changed": changed}


def past_conditions(data: Visits) -> list[frozenset[str]]:
    """Return the conditions of the visit before, for visits that are not the first."""
    return [data.conditions[row] for row in data.previous[data.number > 0]]


def measure(
    data: Visits,
    method: str,
    strength: float,
    guarded: Callable[..., tuple[np.ndarray, dict[str, int]]] = filtered,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return a record, and the measures of each judged visit."""
    judged = data.take(np.flatnonzero(data.number > 0))
    given = judged.drugs.matrix
    with runtime.Stopwatch() as watch:
        found, sets = proposals(data, method, strength)
    values = drugs.evaluate(given, sparse.csr_array(sets.astype(np.float32)), found)
    safe, taken = guarded(sets, found, data.items, past_conditions(data))
    after = drugs.evaluate(given, sparse.csr_array(safe.astype(np.float32)), found)
    record: dict[str, Any] = {"visits": len(judged)}
    for name in MEASURES:
        interval = _interval(values[name], judged)
        record[name] = [round(v, 4) for v in interval]
    record |= {
        "size": round(float(values["size"].mean()), 2),
        **rate_of(sets, data.items),
        "jaccard_filtered": round(float(after["jaccard"].mean()), 4),
        **taken,
        "seconds": round(watch.seconds, 1),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
    }
    return record, values


def _interval(values: pd.Series, judged: Visits) -> tuple[float, float, float]:
    found = ranking.mean_interval(
        values.to_numpy(), groups=judged.patient, n_resamples=RESAMPLES
    )
    return found.estimate, found.low, found.high


def run(path: Path) -> None:
    """Measure both sets and write the records.

    Raises
    ------
    DataUnavailable
        If real data cannot be had: a benchmark never uses a practice set.
    """
    records, comparisons, summaries = [], [], []
    for name in DATASETS:
        data, digest = opened(name)
        judged = data.take(np.flatnonzero(data.number > 0))
        prescribed = interaction_rate(data.drugs.matrix, data.items)
        summaries.append(
            {
                "dataset": name,
                "visits": len(data),
                "judged": len(judged),
                "drugs": len(data.items),
                "interaction_rate": round(prescribed.rate, 5),
                "pairs": prescribed.pairs,
                "clashing": prescribed.clashing,
            }
        )
        tables = {}
        for method in METHODS:
            record, tables[method] = measure(data, method, STRENGTH[name])
            records.append(
                {
                    "dataset": name,
                    "split": "folds",
                    "method": method,
                    **record,
                    **report.environment(),
                    "data_sha256": digest,
                    "code_version": report.code_version(MODULES),
                }
            )
            print(f"{name}, {method}: Jaccard {record['jaccard'][0]:.3f}", flush=True)
        for method in METHODS:
            if method == BASELINE:
                continue
            for measure_name in MEASURES:
                found = ranking.mean_interval(
                    (tables[method] - tables[BASELINE])[measure_name].to_numpy(),
                    groups=judged.patient,
                    n_resamples=RESAMPLES,
                )
                about = {"dataset": name, "method": method, "against": BASELINE}
                comparisons.append(
                    report.difference(found, **about, metric=measure_name)
                )
    report.write(path, "visits", records, summaries=summaries, comparisons=comparisons)
