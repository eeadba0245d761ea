"""Neighbours: items that the same patients have, patients who have the same items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from medlib.models.recommend.lists import checked, popularity, with_fallback
from medlib.models.recommend.reasons import (
    Reason,
    by_popularity,
    checked_pair,
    of_basket,
    strongest_first,
)

try:
    import numba
except ImportError:  # SciPy counts instead, more slowly
    numba = None

METRICS = ("cosine", "jaccard", "adjusted")
BLOCK = 512


def similarity(
    rows: sparse.csr_array,
    others: sparse.csr_array | None = None,
    *,
    metric: str = "cosine",
) -> np.ndarray:
    r"""Return the similarity of every row to every row of another array.

    Rows are patients; transpose the interactions to compare items.

    - cosine: :math:`x\cdot y/(\lVert x\rVert\lVert y\rVert)`;
    - jaccard: what both have over what either has; counts are taken as 0 and 1;
    - adjusted: the cosine after the mean of each column, over ``others``, has been
      taken away. Between items the columns are patients, so that one who has
      everything counts for less: Sarwar et al. (2001), doi:10.1145/371920.372071.
      There the mean is over what a user has rated; without ratings that is 1 for
      everyone, so here what was not given counts as 0.

    Parameters
    ----------
    rows, others : csr_array, shapes (n, features) and (m, features)
        Finite, at least 0; ``others`` is ``rows`` if left out.
    metric : {"cosine", "jaccard", "adjusted"}
        Which one.

    Returns
    -------
    ndarray of float64, shape (n, m)
        0 where a row has nothing to compare.

    Raises
    ------
    ValueError
        If the metric is unknown or an array is not as needed.
    """
    _check_metric(metric)
    rows = checked("rows", rows).astype(float)
    others = rows if others is None else checked("others", others, rows.shape[1])
    others = others.astype(float)
    if metric == "jaccard":
        rows, others = _binary(rows), _binary(others)
    products = (rows @ others.T).toarray()
    squares, other_squares = (a.power(2).sum(axis=1) for a in (rows, others))
    if metric == "adjusted":
        # (x - m)·(y - m), without making the sparse arrays dense.
        means = others.sum(axis=0) / max(others.shape[0], 1)
        along, other_along = rows @ means, others @ means
        length = means @ means
        products += length - along[:, None] - other_along
        squares = squares - 2 * along + length
        other_squares = other_squares - 2 * other_along + length
        # What is left of a constant row after the subtraction is rounding.
        small = 1e-12 * max(length, 1)
        squares[squares < small] = 0
        other_squares[other_squares < small] = 0
    return _normalised(products, squares, other_squares, metric)


def _normalised(
    products: np.ndarray, squares: np.ndarray, others: np.ndarray, metric: str
) -> np.ndarray:
    """Return similarities from inner products and squared lengths."""
    if metric == "jaccard":
        below = squares[:, None] + others - products
    else:
        below = np.sqrt(np.multiply.outer(squares, others))
    return np.divide(products, below, out=np.zeros(below.shape), where=below > 0)


def nearest(similarities: np.ndarray, k: int) -> sparse.csr_array:
    """Return the k largest similarities of each row; the others become zero.

    Only similarities above zero are kept. Of equal ones those with the smaller index
    are, so that the choice never depends on the machine.

    Parameters
    ----------
    similarities : ndarray, shape (n, m)
        No NaN.
    k : int
        At least 1; it may be larger than m.

    Raises
    ------
    ValueError
        If k is below 1, or an argument is not as needed.
    """
    similarities = np.asarray(similarities)
    if similarities.ndim != 2:
        raise ValueError(
            f"similarities has shape {similarities.shape}; two dimensions are needed"
        )
    if np.isnan(similarities).any():
        raise ValueError("similarities holds NaN; numbers are needed")
    _check_k(k)
    if k < similarities.shape[1]:
        place = similarities.shape[1] - k
        least = np.partition(similarities, place, axis=1)[:, place, None]
        above, tied = similarities > least, similarities == least
        room = k - above.sum(axis=1, keepdims=True)
        keep = above | (tied & (np.cumsum(tied, axis=1) <= room))
    else:
        keep = np.ones(similarities.shape, dtype=bool)
    return sparse.csr_array(np.where(keep & (similarities > 0), similarities, 0))


def co_occurrence(interactions: sparse.csr_array, threads: int = 2) -> np.ndarray:
    """Return how many patients have both of two items; on the diagonal, one.

    Items are few and patients many, so the result is dense, and the pairs of each
    basket are counted straight into it. With numba each thread counts a part of the
    patients; without it SciPy multiplies the sparse arrays.

    Parameters
    ----------
    interactions : csr_array, shape (patients, items)
        Above zero: the patient has the item.
    threads : int
        At least 1; each needs 4 bytes × items².

    Returns
    -------
    ndarray of int32, shape (items, items)

    Raises
    ------
    ValueError
        If ``threads`` is below 1 or the interactions are not as needed.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; at least 1 is needed")
    return _counts(checked("interactions", interactions), threads)


def _counts(interactions: sparse.csr_array, threads: int = 2) -> np.ndarray:
    if numba is None:
        ones = _binary(interactions).astype(np.int32)
        return (ones.T @ ones).toarray()
    # The parts hold as many pairs as each other, roughly: as many interactions.
    goals = np.linspace(0, interactions.nnz, threads + 1)
    starts = np.searchsorted(interactions.indptr, goals).astype(np.int64)
    starts[0], starts[-1] = 0, interactions.shape[0]
    upper = _count_pairs(
        interactions.indptr, interactions.indices, starts, interactions.shape[1]
    ).sum(axis=0, dtype=np.int32)
    return upper + np.triu(upper, 1).T


if numba is not None:

    @numba.njit(parallel=True, cache=True)
    def _count_pairs(
        indptr: np.ndarray, indices: np.ndarray, starts: np.ndarray, items: int
    ) -> np.ndarray:  # pragma: no cover - compiled
        """Return counts, upper triangle, for each part (indices are sorted)."""
        parts = len(starts) - 1
        counts = np.zeros((parts, items, items), dtype=np.int32)
        for part in numba.prange(parts):
            mine = counts[part]
            for patient in range(starts[part], starts[part + 1]):
                end = indptr[patient + 1]
                for first in range(indptr[patient], end):
                    row = mine[indices[first]]
                    for second in range(first, end):
                        row[indices[second]] += 1
        return counts


class ItemNeighbours:
    """Item-based collaborative filtering.

    The score of an item is the sum, over its k most similar items, of their similarity
    times the patient's count: Sarwar et al. (2001), doi:10.1145/371920.372071. A
    basket that is empty, or in which nothing is a neighbour of anything, is scored by
    popularity.

    Parameters
    ----------
    k : int
        Neighbours of each item, at least 1.
    metric : {"cosine", "jaccard", "adjusted"}
        As in `similarity`.
    mean : bool
        Whether the sum is divided by the similarities of all k neighbours, as for
        ratings.

    Attributes
    ----------
    weights : csr_array, shape (items, items)
        Row j: the similarities of item j's neighbours.
    """

    def __init__(
        self, k: int = 50, metric: str = "cosine", *, mean: bool = False
    ) -> None:
        _check_k(k)
        _check_metric(metric)
        self.k, self.metric, self.mean = k, metric, mean

    def fit(self, interactions: sparse.csr_array) -> ItemNeighbours:
        """Find each item's neighbours; interactions (patients, items)."""
        interactions = checked("interactions", interactions, empty=False)
        counted = self.metric == "jaccard" or (
            self.metric == "cosine" and (interactions.data == 1).all()
        )
        if counted:
            counts = _counts(interactions)
            own = np.diag(counts).astype(float)
            self.shares = (own / interactions.shape[0]).astype(np.float32)
            similarities = _normalised(counts, own, own, self.metric)
        else:
            self.shares = popularity(interactions)
            similarities = similarity(
                sparse.csr_array(interactions.T), metric=self.metric
            )
        np.fill_diagonal(similarities, 0)
        self.weights = nearest(similarities, self.k)
        # Kept turned, so that the scores of one basket touch its own rows alone.
        turned = self.weights
        if self.mean:
            total = turned.sum(axis=1)
            scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
            turned = sparse.csr_array(sparse.diags_array(scale) @ turned)
        self._turned = sparse.csr_array(turned.T)
        return self

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.shares))
        scores = (baskets @ self._turned).toarray().astype(np.float32)
        return with_fallback(scores, self.shares)

    def reasons(self, basket: sparse.csr_array, item: int) -> list[Reason]:
        """Return which items of one basket speak for an item, with what they add.

        The strongest comes first; what they add sums to the score. The list is empty
        where the score is zero. Where the basket says nothing about any item,
        popularity is the only reason.

        Raises
        ------
        ValueError
            If the basket has more or fewer than one row, or there is no such item.
        """
        basket = checked_pair(basket, item, len(self.shares))
        if not (basket @ self._turned).astype(np.float32).count_nonzero():
            return by_popularity(self.shares, item)
        weights = self._turned[:, [item]].toarray()[:, 0]
        return of_basket(basket, basket.data * weights[basket.indices])


class UserNeighbours:
    """User-based collaborative filtering.

    The score of an item is the mean, over the k patients with the most similar baskets,
    of their counts, weighted by similarity. Where the baskets are the fit's own rows,
    pass ``same=True``, so that no patient is their own neighbour. A basket that is
    empty, or like no other, is scored by popularity.

    Parameters
    ----------
    k : int
        Neighbours of each patient, at least 1.
    metric : {"cosine", "jaccard", "adjusted"}
        As in `similarity`.
    """

    def __init__(self, k: int = 50, metric: str = "cosine") -> None:
        _check_k(k)
        _check_metric(metric)
        self.k, self.metric = k, metric

    def fit(self, interactions: sparse.csr_array) -> UserNeighbours:
        """Remember the patients; interactions (patients, items)."""
        self.patients = checked("interactions", interactions, empty=False)
        self.shares = popularity(self.patients)
        return self

    def neighbours(
        self, baskets: sparse.csr_array, *, same: bool = False
    ) -> sparse.csr_array:
        """Return similarities of the chosen patients, shape (baskets, patients)."""
        baskets = checked("baskets", baskets, len(self.shares))
        if same and baskets.shape != self.patients.shape:
            raise ValueError(
                f"baskets has shape {baskets.shape}; with same=True that of the fit, "
                f"{self.patients.shape}, is needed"
            )
        blocks = [sparse.csr_array((0, self.patients.shape[0]))]
        for start in range(0, baskets.shape[0], BLOCK):
            some = baskets[start : start + BLOCK]
            alike = similarity(some, self.patients, metric=self.metric)
            if same:
                alike[np.arange(len(alike)), start + np.arange(len(alike))] = 0
            alike[np.diff(some.indptr) == 0] = 0
            blocks.append(nearest(alike, self.k))
        return sparse.csr_array(sparse.vstack(blocks))

    def scores(self, baskets: sparse.csr_array, *, same: bool = False) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        weights = self.neighbours(baskets, same=same)
        total = weights.sum(axis=1)
        scores = (weights @ self.patients).toarray()
        scores /= np.where(total > 0, total, 1)[:, None]
        return with_fallback(scores.astype(np.float32), self.shares)

    def reasons(
        self, basket: sparse.csr_array, item: int, *, row: int | None = None
    ) -> list[Reason]:
        """Return the similar patients, with what each adds and which items they share.

        Patients who did not have the item are named too: they add nothing, but the
        score is a mean over all neighbours. What they add sums to the score. Where the
        neighbours say nothing about any item, popularity is the only reason.

        Parameters
        ----------
        basket : csr_array, shape (1, items)
            Of one patient.
        item : int
            The suggestion.
        row : int, optional
            Of the fit, whose basket it is: no patient is their own neighbour.

        Raises
        ------
        ValueError
            If the basket has more or fewer than one row, or there is no such item or
            row.
        """
        basket = checked_pair(basket, item, len(self.shares))
        alike = similarity(basket, self.patients, metric=self.metric)
        if row is not None:
            if not 0 <= row < alike.shape[1]:
                raise ValueError(
                    f"row is {row}; one from 0 to {alike.shape[1] - 1} is needed"
                )
            alike[0, row] = 0
        weights = nearest(alike, self.k)
        if not basket.nnz or not (weights @ self.patients).count_nonzero():
            return by_popularity(self.shares, item)
        counts = self.patients[:, [item]].toarray()[weights.indices, 0]
        added = weights.data / weights.sum() * counts
        return strongest_first(
            Reason("patient", int(who), float(adds), self._shared(basket, who))
            for who, adds in zip(weights.indices, added, strict=True)
        )

    def _shared(self, basket: sparse.csr_array, who: int) -> tuple[int, ...]:
        start, end = self.patients.indptr[who : who + 2]
        both = np.intersect1d(basket.indices, self.patients.indices[start:end])
        return tuple(both.tolist())


def _binary(array: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(
        (np.ones_like(array.data), array.indices, array.indptr), shape=array.shape
    )


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; at least 1 neighbour is needed")


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"metric is '{metric}'; use one of {', '.join(METRICS)}")
