"""Metrics with intervals. The numbers come from scikit-learn.

AUC and accuracy follow MedMNIST's evaluator (Yang et al. 2023,
doi:10.1038/s41597-022-01721-8), so that results can stand beside its table.

Scores are probabilities: shape (n,) of class 1 for two classes, (n, k) for several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sk

Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and scores (n,) or (n, k), or raise `ValueError`."""
    labels, scores = np.asarray(labels).reshape(-1), np.asarray(scores, dtype=float)
    if scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1]
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if len(labels) == 0 or scores.ndim not in (1, 2) or len(labels) != len(scores):
        raise ValueError(
            f"scores has shape {scores.shape}; for {len(labels)} labels it must be "
            "(n,) for two classes or (n, k) for k classes, with n at least 1"
        )
    if not np.all(np.isfinite(scores)):
        raise ValueError("scores holds NaN or infinity; did the training diverge?")
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels lie in {labels.min()} to {labels.max()}; scores are for the "
            f"classes 0 to {classes - 1}"
        )
    return labels, scores


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve.

    Two classes: the ROC AUC of the score of class 1. Several: the unweighted mean of
    the one-against-rest AUCs.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class indices.
    scores : ndarray of float, shape (n,) or (n, k)
        Probabilities.

    Raises
    ------
    ValueError
        If the shapes do not fit, a score is not finite, or a class has no case.
    """
    labels, scores = _checked(labels, scores)
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if missing:
        raise ValueError(f"labels has no case of class {missing}: AUC is not defined")
    if classes == 2:
        return float(sk.roc_auc_score(labels, scores))
    return float(
        np.mean([sk.roc_auc_score(labels == k, scores[:, k]) for k in range(classes)])
    )


def predictions(scores: np.ndarray) -> np.ndarray:
    """Return class indices, shape (n,): class 1 above one half, or the best score."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim == 1 or scores.shape[1] == 1:
        return (scores.reshape(-1) > 0.5).astype(int)
    if scores.shape[1] == 2:
        return (scores[:, 1] > 0.5).astype(int)
    return scores.argmax(axis=1)


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of right answers; parameters as in `auc`."""
    labels, scores = _checked(labels, scores)
    return float(sk.accuracy_score(labels, predictions(scores)))


def sensitivity(
    labels: np.ndarray, predicted: np.ndarray, disease: Sequence[int]
) -> float:
    """Return the share of the diseased that are called diseased.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (n,)
        True and predicted class indices.
    disease : sequence of int
        The classes that mean disease, whatever their index.

    Raises
    ------
    ValueError
        If nobody is diseased, or the shapes differ.
    """
    return _recall(np.isin(labels, disease), np.isin(predicted, disease), "diseased")


def specificity(
    labels: np.ndarray, predicted: np.ndarray, disease: Sequence[int]
) -> float:
    """Return the share of the healthy that are called healthy; see `sensitivity`."""
    return _recall(~np.isin(labels, disease), ~np.isin(predicted, disease), "healthy")


def _recall(truth: np.ndarray, called: np.ndarray, whom: str) -> float:
    """Return the share of ``truth`` that is called so."""
    if truth.shape != called.shape:
        raise ValueError(f"labels has shape {truth.shape}, predicted {called.shape}")
    if not truth.any():
        raise ValueError(f"labels has no {whom} case: the share is not defined")
    return float(sk.recall_score(truth, called))


def brier(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the Brier score: the mean squared error of the probabilities.

    Two classes: of the probability of class 1. Several: summed over the classes, as
    Brier defined it. Parameters as in `auc`.
    """
    labels, scores = _checked(labels, scores)
    if scores.ndim == 1:
        return float(sk.brier_score_loss(labels, scores, pos_label=1))
    return float(
        np.mean(np.sum((scores - np.eye(scores.shape[1])[labels]) ** 2, axis=1))
    )


def expected_calibration_error(
    labels: np.ndarray, scores: np.ndarray, bins: int = 15
) -> float:
    """Return how far confidence and accuracy are apart (Guo et al. 2017).

    Cases fall into bins of equal width by the confidence in their predicted class; the
    error is the mean distance of accuracy and confidence, weighted by the bins' sizes
    (arXiv:1706.04599, equation 3). Parameters as in `auc`.
    """
    labels, scores = _checked(labels, scores)
    if scores.ndim == 1:
        scores = np.stack([1 - scores, scores], axis=1)
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = [
        abs(right[place == b].mean() - confidence[place == b].mean())
        * np.mean(place == b)
        for b in np.unique(place)
    ]
    return float(np.sum(gaps))


def _resamples(
    labels: np.ndarray, n_resamples: int, seed: int
) -> Callable[[], np.ndarray]:
    """Return a function that draws indices, each class as often as it occurs.

    Drawing within classes keeps every class present, so that AUC is always defined.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}; at least 1 is needed")
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    return lambda: np.concatenate([rng.choice(g, size=len(g)) for g in groups])


def bootstrap_interval(
    metric: Metric,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a metric with its percentile bootstrap interval over cases.

    Cases are drawn within each class (a stratified bootstrap). The interval tells what
    another sample of patients would give, not what another training would.

    Parameters
    ----------
    metric : callable
        Takes labels and scores, for example `auc`.
    labels, scores : ndarray
        As in `auc`.
    n_resamples : int
        How many samples to draw.
    confidence : float
        Between 0 and 1.
    seed : int
        Of the resampling.

    Raises
    ------
    ValueError
        If the shapes do not fit or ``confidence`` is out of range.
    """
    options = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    return paired_bootstrap(metric, labels, scores, None, **options)


def paired_bootstrap(
    metric: Metric,
    labels: np.ndarray,
    scores_a: np.ndarray,
    scores_b: np.ndarray | None,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the difference of a metric between two models on the same cases.

    The same cases are drawn for both, so that hard patients count against both. Without
    ``scores_b`` it is the metric of ``scores_a`` itself. Parameters as in
    `bootstrap_interval`.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    labels, first = _checked(labels, scores_a)
    second = None if scores_b is None else _checked(labels, scores_b)[1]

    def value(chosen: np.ndarray | slice) -> float:
        result = metric(labels[chosen], first[chosen])
        return result - (
            metric(labels[chosen], second[chosen]) if second is not None else 0
        )

    draw = _resamples(labels, n_resamples, seed)
    drawn = [value(draw()) for _ in range(n_resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value(slice(None)), float(low), float(high))


def paired_runs(
    metric: Metric,
    labels: np.ndarray,
    runs_a: Sequence[np.ndarray],
    runs_b: Sequence[np.ndarray],
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the difference of a metric's mean over trainings between two methods.

    Each resample draws test cases within their class, the same for both methods, and
    trainings of each method. So the interval tells what other patients *and* other
    seeds would give.

    Parameters
    ----------
    metric : callable
        Takes labels and scores, for example `auc`.
    labels : ndarray of int, shape (n,)
        Class indices of the test cases.
    runs_a, runs_b : sequence of ndarray
        Scores of each training, as in `auc`.
    n_resamples, confidence, seed
        As in `bootstrap_interval`.

    Raises
    ------
    ValueError
        If a method has no training, the shapes do not fit or ``confidence`` is out of
        range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    if len(runs_a) == 0 or len(runs_b) == 0:
        raise ValueError("runs_a or runs_b is empty; at least one training is needed")
    labels = np.asarray(labels).reshape(-1)
    both = [
        [_checked(labels, scores)[1] for scores in runs] for runs in (runs_a, runs_b)
    ]
    rng = np.random.default_rng(seed + 1)
    draw = _resamples(labels, n_resamples, seed)

    def difference(cases: np.ndarray | slice, chosen: Sequence[Sequence[int]]) -> float:
        values = [
            # A training that was drawn twice is scored once and counted twice.
            np.dot(
                [metric(labels[cases], runs[i][cases]) for i in np.unique(of)],
                np.unique(of, return_counts=True)[1],
            )
            / len(of)
            for runs, of in zip(both, chosen, strict=True)
        ]
        return float(values[0] - values[1])

    drawn = [
        difference(draw(), [rng.integers(0, len(runs), len(runs)) for runs in both])
        for _ in range(n_resamples)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    everything = [range(len(runs)) for runs in both]
    return Interval(difference(slice(None), everything), float(low), float(high))
