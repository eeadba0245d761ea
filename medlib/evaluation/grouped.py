"""Intervals for cases that belong together: encounters of one patient, say."""

from __future__ import annotations

import numpy as np

from medlib.evaluation.metrics import Interval, Metric


def grouped_bootstrap(
    metric: Metric,
    labels: np.ndarray,
    scores_a: np.ndarray,
    groups: np.ndarray,
    scores_b: np.ndarray | None = None,
    *,
    n_resamples: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a metric, or a difference between two models, with its interval.

    Whole groups are drawn with replacement, so that the interval tells what other
    *patients* would give. Drawing single encounters would take several stays of one
    patient for independent and make the interval too narrow. With ``scores_b`` it is
    the difference on the same groups.

    Parameters
    ----------
    metric : callable
        Takes labels and scores, for example `medlib.evaluation.metrics.auc`.
    labels : ndarray of int, shape (n,)
        Class indices.
    scores_a, scores_b : ndarray, shape (n,) or (n, k)
        What the metric takes.
    groups : ndarray, shape (n,)
        To whom a case belongs.
    n_resamples, confidence, seed
        How many samples, which interval, and the seed of the drawing.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is only one group, or a number is out of range.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}; at least 1 is needed")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    sizes = {len(labels), len(groups), len(scores_a)}
    if len(sizes | ({len(scores_b)} if scores_b is not None else set())) != 1:
        raise ValueError(
            f"labels has {len(labels)} cases, groups {len(groups)}, scores_a "
            f"{len(scores_a)}; all must be as many"
        )
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.append(True, groups[order][1:] != groups[order][:-1]))
    lengths = np.diff(np.append(starts, len(groups)))
    if len(starts) < 2:
        raise ValueError("groups has a single group; its uncertainty cannot be told")

    def value(rows: np.ndarray) -> float:
        found = metric(labels[rows], scores_a[rows])
        return found - (
            metric(labels[rows], scores_b[rows]) if scores_b is not None else 0
        )

    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n_resamples):
        chosen = rng.integers(0, len(starts), len(starts))
        counts = lengths[chosen]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        drawn.append(value(order[np.repeat(starts[chosen], counts) + within]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(value(np.arange(len(labels)))), float(low), float(high))
