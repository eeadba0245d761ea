"""From scores to decisions: probabilities that can be trusted, and thresholds.

Probabilities of several classes have shape (n, k); of the disease alone, shape (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

SMALLEST = 1e-12  # below it a probability counts as this, so that logarithms are finite


def _probabilities(name: str, values: np.ndarray, ndim: int) -> np.ndarray:
    """Return an array of probabilities, or raise `ValueError`."""
    values = np.asarray(values, dtype=float)
    if values.ndim != ndim or values.size == 0:
        shape = "(n,)" if ndim == 1 else "(n, k)"
        raise ValueError(
            f"{name} has shape {values.shape}; {shape} with n ≥ 1 is needed"
        )
    if not np.all((values >= 0) & (values <= 1)):  # NaN fails too
        raise ValueError(f"{name} holds values outside 0 to 1, or NaN")
    return values


def _labels(labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Return class indices of shape (n,), or raise `ValueError`."""
    labels = np.asarray(labels).reshape(-1)
    if len(labels) != count:
        raise ValueError(f"labels has {len(labels)} values for {count} scores")
    if not np.issubdtype(labels.dtype, np.integer) and labels.dtype != bool:
        raise ValueError(f"labels has dtype {labels.dtype}; class indices are needed")
    labels = labels.astype(int)
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels lie in {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
        )
    return labels


def _cost(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}; a number above 0 is needed")
    return float(value)


def soften(scores: np.ndarray, temperature: float) -> np.ndarray:
    r"""Divide the logits by a temperature.

    .. math:: q_c = \frac{p_c^{1/T}}{\sum_j p_j^{1/T}}

    The softmax of :math:`z/T` in terms of the softmax :math:`p` of :math:`z` (Guo et
    al. 2017, arXiv:1706.04599, section 4.2). The order of the classes stays.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Probabilities.
    temperature : float
        Above 0; above 1 makes less sure, below 1 surer.

    Returns
    -------
    ndarray, shape (n, k)

    Raises
    ------
    ValueError
        If the shape does not fit, a value is no probability or the temperature is not
        above 0.
    """
    scores = _probabilities("scores", scores, 2)
    logits = np.log(np.maximum(scores, SMALLEST)) / _cost("temperature", temperature)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the temperature with the lowest cross-entropy.

    Fit it on validation data. Guo et al. 2017, arXiv:1706.04599, section 4.2.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class indices.
    scores : ndarray, shape (n, k)
        Probabilities.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is no probability, or there is no best
        temperature between 0.01 and 100, because every case is right, say.
    """
    scores = _probabilities("scores", scores, 2)
    labels = _labels(labels, len(scores), scores.shape[1])

    def loss(log_temperature: float) -> float:
        chosen = soften(scores, np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, SMALLEST)).mean())

    reach = np.log(100)
    found = minimize_scalar(loss, bounds=(-reach, reach), method="bounded")
    perfect = np.all(scores.argmax(axis=1) == labels)
    if perfect or abs(found.x) > 0.99 * reach:
        raise ValueError(
            "there is no best temperature: the scores separate the classes perfectly "
            "or tell nothing about them; fit it on more or other cases"
        )
    return float(np.exp(found.x))


@dataclass(frozen=True)
class Reliability:
    """Mean confidence against accuracy, bin by bin; empty bins are left out.

    Attributes
    ----------
    confidence, observed : ndarray, shape (bins,)
        Mean probability, and share of cases where it came true.
    count : ndarray of int, shape (bins,)
        Cases in the bin.
    """

    confidence: np.ndarray
    observed: np.ndarray
    count: np.ndarray


def reliability(
    happened: np.ndarray, probability: np.ndarray, bins: int = 10
) -> Reliability:
    """Set predicted probabilities beside what happened, in bins of equal width.

    A probability on the border between two bins belongs to the upper one, up to the
    rounding of the border.

    Parameters
    ----------
    happened : ndarray of bool or 0/1, shape (n,)
        Whether the case is diseased, or whether the prediction was right.
    probability : ndarray, shape (n,)
        Its probability.
    bins : int
        How many; at least one.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is no probability.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least 1 is needed")
    probability = _probabilities("probability", probability, 1)
    happened = _labels(happened, len(probability), 2)
    place = np.minimum((probability * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    full = count > 0
    confidence = np.bincount(place, probability, bins)[full] / count[full]
    observed = np.bincount(place, happened, bins)[full] / count[full]
    return Reliability(confidence, observed, count[full])


def bayes_threshold(cost_miss: float, cost_alarm: float) -> float:
    """Return the probability above which calling the disease costs less.

    Calling costs ``(1 - p) * cost_alarm`` on average, not calling ``p * cost_miss``;
    they are equal at ``cost_alarm / (cost_alarm + cost_miss)``. It holds for calibrated
    probabilities only; `best_threshold` does not need them.

    Raises
    ------
    ValueError
        If a cost is not above 0.
    """
    cost_miss, cost_alarm = (
        _cost("cost_miss", cost_miss),
        _cost("cost_alarm", cost_alarm),
    )
    return cost_alarm / (cost_alarm + cost_miss)


def best_threshold(
    diseased: np.ndarray, probability: np.ndarray, cost_miss: float, cost_alarm: float
) -> float:
    """Return the threshold with the lowest cost on these cases.

    A case is called diseased when its probability is above the threshold. Candidates
    lie halfway between neighbouring probabilities; of equally good ones the middle one
    is taken. Choose it on validation data.

    Parameters
    ----------
    diseased : ndarray of bool or 0/1, shape (n,)
        The truth.
    probability : ndarray, shape (n,)
        Probability of disease, calibrated or not.
    cost_miss, cost_alarm : float
        Cost of a missed case and of a false alarm, in one unit, above 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is no probability or a cost is not above 0.
    """
    probability = _probabilities("probability", probability, 1)
    diseased = _labels(diseased, len(probability), 2).astype(bool)
    cost_miss, cost_alarm = (
        _cost("cost_miss", cost_miss),
        _cost("cost_alarm", cost_alarm),
    )
    values = np.unique(probability)
    candidates = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])
    if values[0] == 0:
        candidates[0] = -1.0  # also a case of probability 0 can be called
    # Diseased at or below a candidate are missed, healthy above it are false alarms.
    missed = np.searchsorted(np.sort(probability[diseased]), candidates, "right")
    quiet = np.searchsorted(np.sort(probability[~diseased]), candidates, "right")
    costs = cost_miss * missed + cost_alarm * ((~diseased).sum() - quiet)
    best = np.flatnonzero(np.isclose(costs, costs.min(), rtol=1e-12, atol=0))
    return float(candidates[best[len(best) // 2]])


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> tuple[float, float]:
    """Return the positive and the negative predictive value by Bayes' theorem.

    Parameters
    ----------
    sensitivity, specificity, prevalence : float
        Shares from 0 to 1.

    Returns
    -------
    tuple of float
        Share of the called who are diseased, and of the not called who are healthy; NaN
        where nobody is called or everybody is.

    Raises
    ------
    ValueError
        If a share lies outside 0 to 1.
    """
    for name, value in (
        ("sensitivity", sensitivity),
        ("specificity", specificity),
        ("prevalence", prevalence),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; a share from 0 to 1 is needed")
    hit, miss = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarm = (1 - specificity) * (1 - prevalence)
    quiet = specificity * (1 - prevalence)
    positive = hit / (hit + alarm) if hit + alarm else float("nan")
    negative = quiet / (quiet + miss) if quiet + miss else float("nan")
    return positive, negative


def shift_prevalence(
    probability: np.ndarray, trained: float, present: float
) -> np.ndarray:
    r"""Carry probabilities over to a ward with another prevalence.

    .. math:: \frac{q}{1-q} = \frac{p}{1-p}
              \cdot \frac{\pi'}{1-\pi'} \cdot \frac{1-\pi}{\pi}

    It holds where only the prevalence changes, not how patients with and without the
    disease look (Saerens et al. 2002, doi:10.1162/089976602753284446).

    Parameters
    ----------
    probability : ndarray, shape (n,)
        Probability of disease.
    trained, present : float
        Prevalence where the model was trained and where it is used, between 0 and 1.

    Raises
    ------
    ValueError
        If a value is no probability, or a prevalence is not between 0 and 1.
    """
    probability = _probabilities("probability", probability, 1)
    for name, value in (("trained", trained), ("present", present)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}; a prevalence between 0 and 1")
    ratio = present / (1 - present) * (1 - trained) / trained
    return probability * ratio / (probability * ratio + 1 - probability)


def referral_curve(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy on the cases kept against the share referred to a person.

    The least confident are referred first, one more at each point; the last point
    keeps a single case. Equally confident cases go in the order in which they stand.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class indices.
    scores : ndarray, shape (n, k)
        Probabilities; confidence is the largest of a row.

    Returns
    -------
    referred, accuracy : ndarray, shape (n,)
        Shares.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is no probability.
    """
    scores = _probabilities("scores", scores, 2)
    labels = _labels(labels, len(scores), scores.shape[1])
    order = np.argsort(-scores.max(axis=1), kind="stable")
    right = (scores.argmax(axis=1) == labels)[order]
    kept = np.arange(1, len(labels) + 1)
    accuracy = np.cumsum(right) / kept
    return 1 - kept[::-1] / len(labels), accuracy[::-1]
