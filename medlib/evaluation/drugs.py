r"""How well a set of drugs is proposed for a visit, visit by visit.

For a visit let :math:`G` be the drugs that were given and :math:`P` those that a model
proposes. Values per visit make paired differences possible:
`medlib.evaluation.ranking.mean_interval` of ``first - second``, with the patients as
its groups.

Published work on drug recommendation means the following (code of GAMENet,
arXiv:1809.01852, and of SafeDrug, arXiv:2105.02711):

- Jaccard and F1 are taken per visit and averaged, not pooled over visits;
- a drug is proposed where its probability is at least one half;
- what is called the area under the precision-recall curve is scikit-learn's average
  precision per visit, not a trapezoid under a curve;
- a precision without a proposed drug, a recall without a given one, and F1 where both
  are zero are 0. Jaccard of two empty sets is not defined there: the code divides by
  zero, as its visits always have drugs;
- the networks' visits are averaged within a patient first and patients then, so that a
  patient of ten visits counts as much as one of two; see `per_patient`. GAMENet's
  logistic regression is averaged over visits, so its row of the table is another mean.

Given is not right: a set that agrees with what was prescribed agrees with what was
prescribed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

Sets = sparse.sparray | sparse.spmatrix | np.ndarray
HALF = 0.5


def jaccard(given: Sets, proposed: Sets, *, empty: float = 1.0) -> np.ndarray:
    r"""Return the overlap of each visit's sets.

    .. math:: \frac{|G \cap P|}{|G \cup P|}

    Parameters
    ----------
    given, proposed : csr_array or ndarray, shape (visits, drugs)
        Not zero where a drug is in the set.
    empty : float
        The value of a visit where neither set holds a drug: 1, because nothing was
        given and nothing proposed; 0 as scikit-learn has it by default; or NaN to
        leave such visits out.

    Returns
    -------
    ndarray of float, shape (visits,)

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN.
    """
    both, has, wants = _counts(given, proposed)
    return _share(both, has + wants - both, empty)


def f1(given: Sets, proposed: Sets, *, empty: float = 1.0) -> np.ndarray:
    r"""Return the harmonic mean of precision and recall of each visit.

    .. math:: \frac{2 |G \cap P|}{|G| + |P|}

    Parameters, values and errors as in `jaccard`.
    """
    both, has, wants = _counts(given, proposed)
    return _share(2 * both, has + wants, empty)


def precision(given: Sets, proposed: Sets) -> np.ndarray:
    r"""Return the share of the proposed drugs that were given; 0 if none was proposed.

    .. math:: \frac{|G \cap P|}{|P|}

    Parameters and errors as in `jaccard`.
    """
    both, _, wants = _counts(given, proposed)
    return _share(both, wants, 0.0)


def recall(given: Sets, proposed: Sets) -> np.ndarray:
    r"""Return the share of the given drugs that were proposed; 0 if none was given.

    .. math:: \frac{|G \cap P|}{|G|}

    Parameters and errors as in `jaccard`.
    """
    both, has, _ = _counts(given, proposed)
    return _share(both, has, 0.0)


def pr_auc(given: Sets, scores: np.ndarray) -> np.ndarray:
    r"""Return the average precision of each visit's scores.

    .. math:: \sum_{t} (R_t - R_{t-1}) P_t

    over the distinct scores :math:`t` from the highest on, with :math:`P_t` and
    :math:`R_t` the precision and recall of the drugs that score at least :math:`t`. It
    is scikit-learn's ``average_precision_score`` for every row.

    Parameters
    ----------
    given : csr_array or ndarray, shape (visits, drugs)
        Not zero where a drug was given.
    scores : ndarray, shape (visits, drugs)
        Higher for what is rather given; no NaN.

    Returns
    -------
    ndarray of float, shape (visits,)
        NaN for a visit without a drug.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN.
    """
    truth = _binary("given", given)
    scores = np.asarray(scores, dtype=float)
    if scores.shape != truth.shape:
        raise ValueError(f"scores has shape {scores.shape}; given has {truth.shape}")
    if np.isnan(scores).any():
        raise ValueError("scores holds NaN; numbers are needed")
    visits, drugs = truth.shape
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    hits = np.take_along_axis(truth.toarray(), order, axis=1)
    # Of equal scores all count together: each place looks at the last of its equals.
    last = np.full((visits, drugs), drugs - 1)
    if drugs > 1:
        ends = ordered[:, :-1] != ordered[:, 1:]
        last[:, :-1] = np.where(ends, np.arange(drugs - 1), drugs - 1)
        last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    at = np.cumsum(hits, axis=1) / np.arange(1, drugs + 1)
    summed = (hits * np.take_along_axis(at, last, axis=1)).sum(axis=1)
    return _share(summed, hits.sum(axis=1), np.nan)


def propose(scores: np.ndarray, threshold: float = HALF) -> sparse.csr_array:
    """Return the set of drugs that score at least a threshold.

    Parameters
    ----------
    scores : ndarray, shape (visits, drugs)
        No NaN.
    threshold : float
        A half for probabilities, as published; `best_threshold` finds another.

    Raises
    ------
    ValueError
        If a score or the threshold is NaN, or the scores are no matrix.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2:
        raise ValueError(f"scores has shape {scores.shape}; visits × drugs is needed")
    if np.isnan(scores).any() or np.isnan(threshold):
        raise ValueError("scores or threshold is NaN; numbers are needed")
    return sparse.csr_array((scores >= threshold).astype(np.float32))


def best_threshold(
    given: Sets, scores: np.ndarray, candidates: int = 50, *, empty: float = 1.0
) -> float:
    """Return the threshold with the highest mean Jaccard.

    Choose it on other visits than those that are judged. Of equally good ones the
    lowest is taken.

    Parameters
    ----------
    given, empty
        As in `jaccard`.
    scores : ndarray, shape (visits, drugs)
        No NaN.
    candidates : int
        How many quantiles of the scores are tried, at least 1.

    Raises
    ------
    ValueError
        As in `jaccard` and `propose`, or if ``candidates`` is below 1.
    """
    if candidates < 1:
        raise ValueError(f"candidates is {candidates}; at least 1 is needed")
    scores = np.asarray(scores, dtype=float)
    if scores.size == 0:
        raise ValueError("scores is empty; give the visits to choose on")
    # Most drugs are rarely given, so the quantiles crowd near the top.
    shares = 1 - np.geomspace(1 / max(scores.shape[1], 2) / 4, 1, candidates)
    tried = np.unique(np.quantile(scores, np.append(shares, 0.5)))
    values = [
        np.nanmean(jaccard(given, propose(scores, level), empty=empty))
        for level in tried
    ]
    return float(tried[int(np.argmax(values))])


def evaluate(
    given: Sets,
    proposed: Sets,
    scores: np.ndarray | None = None,
    *,
    index: pd.Index | None = None,
    empty: float = 1.0,
) -> pd.DataFrame:
    """Return every measure of every visit.

    Parameters
    ----------
    given, proposed, empty
        As in `jaccard`.
    scores : ndarray, shape (visits, drugs), optional
        Gives ``pr_auc`` too.
    index : Index, optional
        Of the visits.

    Returns
    -------
    DataFrame, shape (visits, 6)
        ``jaccard``, ``f1``, ``precision``, ``recall``, ``size`` (drugs proposed) and
        ``pr_auc`` (NaN for a visit without a drug, or without scores).

    Raises
    ------
    ValueError
        As in `jaccard` and `pr_auc`.
    """
    _, has, wants = _counts(given, proposed)
    return pd.DataFrame(
        {
            "jaccard": jaccard(given, proposed, empty=empty),
            "f1": f1(given, proposed, empty=empty),
            "precision": precision(given, proposed),
            "recall": recall(given, proposed),
            "size": wants.astype(np.int64),
            "pr_auc": np.full(len(has), np.nan)
            if scores is None
            else pr_auc(given, scores),
        },
        index=index,
    )


def per_patient(values: pd.DataFrame, patient: np.ndarray) -> pd.DataFrame:
    """Return the means over each patient's visits, as published results average.

    Parameters
    ----------
    values : DataFrame, shape (visits, k)
        As `evaluate` gives it; NaN is left out.
    patient : ndarray, shape (visits,)
        Whose visit each is.

    Raises
    ------
    ValueError
        If there is not one patient a visit.
    """
    patient = np.asarray(patient)
    if patient.shape != (len(values),):
        raise ValueError(
            f"patient has shape {patient.shape}; one for each of the {len(values)} "
            "visits is needed"
        )
    return values.groupby(patient).mean()


def _binary(name: str, sets: Sets) -> sparse.csr_array:
    """Return sets as 1.0 where a drug is in, nothing else stored."""
    if np.ndim(sets) != 2:
        raise ValueError(f"{name} has shape {np.shape(sets)}; visits × drugs is needed")
    array = sparse.csr_array(sets, dtype=float, copy=True)
    if np.isnan(array.data).any():
        raise ValueError(f"{name} holds NaN; say for every drug whether it is in")
    array.sum_duplicates()
    array.eliminate_zeros()
    array.data[:] = 1
    return array


def _counts(given: Sets, proposed: Sets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many drugs are in both sets, in the first and in the second."""
    first, second = _binary("given", given), _binary("proposed", proposed)
    if first.shape != second.shape:
        raise ValueError(
            f"given has shape {first.shape}, proposed {second.shape}; they must agree"
        )
    both = np.asarray((first * second).sum(axis=1), dtype=float)
    return both, np.diff(first.indptr), np.diff(second.indptr)


def _share(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    """Return the quotient, or another value where there is nothing to divide by."""
    found = np.full(len(part), empty, dtype=float)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
