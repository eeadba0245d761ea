r"""How good a ranked list of items is, patient by patient.

A list is right in part: it is judged by which of its first :math:`k` places hold
relevant items. In every formula :math:`r_i` is 1 where the item at place :math:`i` is
relevant and 0 elsewhere, :math:`R` is the number of the patient's relevant items and
:math:`m` that of the catalogue's; a :math:`k` above :math:`m` is taken as :math:`m`.

A patient without a relevant item has no value: NaN. `evaluate` leaves such patients out
and counts them. Values per patient make paired differences possible: `mean_interval`
of ``first - second``.

Relevant is what was given. That does not make it right, nor all else wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse

from medlib.evaluation.grouped import grouped_bootstrap
from medlib.evaluation.metrics import Interval

EMPTY = -1  # a place of a list that holds no item
Relevant = sparse.sparray | sparse.spmatrix | np.ndarray


def recall(ranked: np.ndarray, relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the share of each patient's relevant items that the list finds.

    .. math:: \frac{1}{R} \sum_{i=1}^{k} r_i

    With more relevant items than places no list reaches 1 (Manning, Raghavan & Schütze,
    Introduction to Information Retrieval, 2008, chapter 8).

    Parameters
    ----------
    ranked : ndarray of int, shape (n, places)
        Each patient's items from the best on, as column numbers of ``relevant``; -1 in
        the places at the end that hold none. At least min(k, m) places.
    relevant : csr_array or ndarray, shape (n, m)
        Not zero where an item is relevant for a patient.
    k : int
        How many places count.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN for a patient without a relevant item.

    Raises
    ------
    ValueError
        If the shapes do not fit, ``k`` is below 1 or above the number of places, an
        item is not in the catalogue, a list holds an item twice, or an empty place
        comes before an item.
    """
    hits, count = _hits(ranked, relevant, k)
    return _per_patient(hits.sum(axis=1), count, count)


def precision(ranked: np.ndarray, relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the share of the first k places that hold a relevant item.

    .. math:: \frac{1}{k} \sum_{i=1}^{k} r_i

    An empty place counts as wrong (Manning et al. 2008, chapter 8). Parameters, values
    and errors as in `recall`.
    """
    hits, count = _hits(ranked, relevant, k)
    return _per_patient(hits.sum(axis=1), max(hits.shape[1], 1), count)


def ndcg(ranked: np.ndarray, relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the normalised discounted cumulative gain.

    .. math::
        \frac{\sum_{i=1}^{k} r_i / \log_2(i + 1)}
             {\sum_{i=1}^{\min(k, R)} 1 / \log_2(i + 1)}

    The idea is Järvelin & Kekäläinen's (2002, doi:10.1145/582415.582418), who begin
    to discount at place 2 with :math:`\log_2 i`. The discount above, from the first
    place on, is that of Burges et al. (2005, doi:10.1145/1102351.1102363), and of
    scikit-learn's ``ndcg_score``. Parameters, values and errors as in `recall`.
    """
    hits, count = _hits(ranked, relevant, k)
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    best = ideal[np.minimum(count, hits.shape[1])]
    return _per_patient(hits @ discount, best, count)


def average_precision(ranked: np.ndarray, relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the mean of the precisions at the places of the relevant items.

    .. math:: \frac{1}{\min(k, R)} \sum_{i=1}^{k} r_i \frac{1}{i} \sum_{j=1}^{i} r_j

    Its mean over patients is MAP (Buckley & Voorhees 2000, doi:10.1145/345508.345543,
    with :math:`R` as the divisor, which is the same where :math:`k = m`; the minimum
    gives a list of :math:`k` relevant items 1). Parameters, values and errors as in
    `recall`.
    """
    hits, count = _hits(ranked, relevant, k)
    places = np.arange(1, hits.shape[1] + 1)
    summed = (hits * np.cumsum(hits, axis=1) / places).sum(axis=1)
    return _per_patient(summed, np.minimum(count, max(hits.shape[1], 1)), count)


def coverage(ranked: np.ndarray, items: int, k: int) -> float:
    """Return the share of the catalogue that is in the first k places of some list.

    Catalogue coverage (Herlocker et al. 2004, doi:10.1145/963770.963772): a recommender
    that gives everybody the same list has k / m.

    Parameters
    ----------
    ranked, k
        As in `recall`.
    items : int
        How many the catalogue has, at least 1.

    Raises
    ------
    ValueError
        As in `recall`, or if ``items`` is below 1.
    """
    if items < 1:
        raise ValueError(f"items is {items}; the catalogue needs at least 1")
    lists = _lists(ranked, items, k)
    return len(np.unique(lists[lists != EMPTY])) / items


def novelty(
    ranked: np.ndarray, popularity: np.ndarray, patients: int, k: int
) -> np.ndarray:
    r"""Return how rare the items in each list are, in bits.

    The mean of :math:`\log_2 (n / n_i)` over the items in the first k places, where
    :math:`n_i` of :math:`n` training patients had item i: its self-information (Zhou et
    al. 2010, doi:10.1073/pnas.1000488107). An item that nobody had counts as if one
    patient had had it.

    Parameters
    ----------
    ranked, k
        As in `recall`.
    popularity : ndarray of int, shape (m,)
        Training patients who had each item.
    patients : int
        All training patients.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN for an empty list.

    Raises
    ------
    ValueError
        As in `recall`, or if more patients had an item than there are.
    """
    popularity = np.asarray(popularity)
    if patients < 1 or (len(popularity) and popularity.max() > patients):
        raise ValueError(
            f"patients is {patients}; it must be at least 1, and at least the largest "
            "popularity"
        )
    lists = _lists(ranked, len(popularity), k)
    filled = lists != EMPTY
    bits = np.append(np.log2(patients / np.maximum(popularity, 1)), 0.0)
    count = filled.sum(axis=1)
    return _per_patient(bits[lists].sum(axis=1), count, count)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What lists are worth.

    Attributes
    ----------
    values : DataFrame
        A row for each patient with a relevant item, indexed by its number in the lists;
        columns such as ``ndcg@10``.
    coverage : dict of int to float
        For each k, over the same patients.
    left_out : int
        Patients without a relevant item.
    """

    values: pd.DataFrame
    coverage: dict[int, float] = field(default_factory=dict)
    left_out: int = 0


def evaluate(
    ranked: np.ndarray,
    relevant: Relevant,
    *,
    at: Sequence[int] = (5, 10),
    popularity: np.ndarray | None = None,
    patients: int = 0,
) -> Evaluation:
    """Return every measure for every patient who has a relevant item.

    Parameters
    ----------
    ranked, relevant
        As in `recall`.
    at : sequence of int
        The values of k.
    popularity : ndarray of int, shape (m,), optional
        Gives `novelty` too, with ``patients``, the number of training patients.
    patients : int
        As in `novelty`.

    Raises
    ------
    ValueError
        As in `recall`, or if no patient has a relevant item.
    """
    relevant = _matrix(relevant)
    ranked = np.asarray(ranked)
    if not at:
        raise ValueError("at is empty; name at least one k")
    _hits(ranked, relevant, max(at))  # refuses what is wrong before anything is dropped
    has = np.flatnonzero(np.diff(relevant.indptr))
    if len(has) == 0:
        raise ValueError(
            f"relevant has no relevant item for any of {relevant.shape[0]} patients; "
            "was the right part of the split given?"
        )
    lists, truth = ranked[has], relevant[has]
    columns: dict[str, np.ndarray] = {}
    for k in at:
        columns[f"ndcg@{k}"] = ndcg(lists, truth, k)
        columns[f"recall@{k}"] = recall(lists, truth, k)
        columns[f"precision@{k}"] = precision(lists, truth, k)
        columns[f"map@{k}"] = average_precision(lists, truth, k)
        if popularity is not None:
            columns[f"novelty@{k}"] = novelty(lists, popularity, patients, k)
    values = pd.DataFrame(columns, index=pd.Index(has, name="patient"))
    covered = {k: coverage(lists, relevant.shape[1], k) for k in at}
    return Evaluation(values, covered, relevant.shape[0] - len(has))


def mean_interval(
    values: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean over patients with its percentile bootstrap interval.

    For the difference between two recommenders on the same patients give
    ``first - second``: a patient whom both find hard then counts against neither.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        One a patient; NaN is left out.
    groups : ndarray, shape (n,), optional
        Whom a row belongs to, where a patient has several: whole groups are drawn.
    n_resamples, confidence, seed
        As in `medlib.evaluation.grouped.grouped_bootstrap`.

    Raises
    ------
    ValueError
        If fewer than two patients have a value, the shapes do not fit, or a number is
        out of range.
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if values.ndim != 1 or groups.shape != values.shape:
        raise ValueError(
            f"values has the shape {values.shape}, groups {groups.shape}; both need "
            "one value a patient"
        )
    told = ~np.isnan(values)
    if len(np.unique(groups[told])) < 2:
        raise ValueError(
            f"values holds {told.sum()} values that are no NaN, of "
            f"{len(np.unique(groups[told]))} patients; an interval needs two patients"
        )
    return grouped_bootstrap(
        lambda _, drawn: float(drawn.mean()),
        np.zeros(told.sum()),
        values[told],
        groups[told],
        n_resamples=n_resamples,
        confidence=confidence,
        seed=seed,
    )


def _per_patient(
    summed: np.ndarray, divisor: np.ndarray | int, count: np.ndarray
) -> np.ndarray:
    """Return the quotient, NaN where there is nothing to find."""
    found = np.full(len(summed), np.nan)
    np.divide(summed, divisor, out=found, where=count > 0)
    return found


def _matrix(relevant: Relevant) -> sparse.csr_array:
    """Return a matrix that stores the relevant pairs alone, in order."""
    matrix = sparse.csr_array(relevant, copy=True)
    if matrix.ndim != 2:
        raise ValueError(f"relevant has the shape {matrix.shape}; (n, m) is needed")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _hits(
    ranked: np.ndarray, relevant: Relevant, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return 1.0 at places with a relevant item, and how many items are relevant."""
    matrix = _matrix(relevant)
    patients, items = matrix.shape
    lists = _lists(ranked, items, k)
    if len(lists) != patients:
        raise ValueError(f"ranked has {len(lists)} lists for {patients} patients")
    count = np.diff(matrix.indptr).astype(np.int64)
    # Each pair becomes one number; a patient has one more column, for empty places.
    pairs = np.repeat(np.arange(patients), count) * (items + 1) + matrix.indices
    asked = np.arange(patients)[:, None] * (items + 1) + np.where(
        lists == EMPTY, items, lists
    )
    return np.isin(asked, pairs).astype(float), count


def _lists(ranked: np.ndarray, items: int, k: int) -> np.ndarray:
    """Return the first min(k, items) places of checked lists."""
    ranked = np.asarray(ranked)
    if ranked.ndim != 2 or not np.issubdtype(ranked.dtype, np.integer):
        raise ValueError(
            f"ranked has the shape {ranked.shape} and the type {ranked.dtype}; whole "
            "numbers of the shape (n, places) are needed"
        )
    if k < 1:
        raise ValueError(f"k is {k}; at least 1 is needed")
    places = min(k, items)
    if ranked.shape[1] < places:
        raise ValueError(
            f"ranked has {ranked.shape[1]} places; k is {k}, so rank at least {places} "
            f"items and fill up with {EMPTY}"
        )
    lists = ranked[:, :places].astype(np.int64)
    wrong = (lists < EMPTY) | (lists >= items)
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise ValueError(
            f"ranked holds item {lists[row, place]} in row {row}; the catalogue has "
            f"the items 0 to {items - 1}"
        )
    empty = lists == EMPTY
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        row = int(np.argwhere(empty[:, :-1] & ~empty[:, 1:])[0, 0])
        raise ValueError(
            f"ranked holds an empty place before an item in row {row}; put {EMPTY} last"
        )
    ordered = np.sort(lists, axis=1)
    twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] != EMPTY)
    if twice.any():
        row, place = np.argwhere(twice)[0]
        raise ValueError(
            f"ranked holds item {ordered[row, place]} twice in row {row}; each item "
            "once is needed"
        )
    return lists
