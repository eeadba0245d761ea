"""Lists of items from scores, and the recommenders that learn next to nothing."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def checked(
    name: str, values: object, columns: int | None = None, *, empty: bool = True
) -> sparse.csr_array:
    """Return a sparse array as float32, sorted, duplicates added up, no stored zero.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    values : sparse or dense array, shape (rows, columns)
        Finite, at least 0.
    columns : int, optional
        How many are needed.
    empty : bool
        Whether no row at all is allowed.

    Raises
    ------
    ValueError
        If the shape or a value is not what is needed.
    """
    if not sparse.issparse(values) and np.ndim(values) != 2:
        raise ValueError(
            f"{name} has {np.ndim(values)} dimensions; two are needed, rows × columns"
        )
    array = sparse.csr_array(values, dtype=np.float32)
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{name} has {array.shape[1]} columns; {columns} are needed")
    if array.shape[1] == 0 or (not empty and array.shape[0] == 0):
        raise ValueError(
            f"{name} has shape {array.shape}; at least one row and one column are "
            "needed"
        )
    if not np.isfinite(array.data).all():
        raise ValueError(f"{name} holds NaN or infinity; finite numbers are needed")
    if array.data.size and array.data.min() < 0:
        raise ValueError(f"{name} holds a negative value; numbers from 0 are needed")
    if array.has_canonical_format and array.data.all():
        return array
    array = array.copy()  # the caller's array may share its memory
    array.sum_duplicates()
    array.eliminate_zeros()
    return array


def popularity(interactions: sparse.csr_array) -> np.ndarray:
    """Return the share of patients who have each item, float32, shape (items,)."""
    counts = np.bincount(interactions.indices, minlength=interactions.shape[1])
    return (counts / max(interactions.shape[0], 1)).astype(np.float32)


def with_fallback(
    scores: np.ndarray, shares: np.ndarray, lost: np.ndarray | None = None
) -> np.ndarray:
    """Return scores with popularity in the lost rows; those of zeros, if none given."""
    lost = ~scores.any(axis=1) if lost is None else lost
    scores[lost] = shares
    return scores


def recommend(
    scores: np.ndarray, known: sparse.csr_array | None = None, n: int = 10
) -> np.ndarray:
    """Return the items with the highest scores, best first.

    Of equal scores the item with the smaller index comes first.

    Parameters
    ----------
    scores : ndarray, shape (patients, items)
        No NaN. An item with the score -inf is never recommended.
    known : csr_array, shape (patients, items), optional
        Items to leave out: those above zero.
    n : int
        Length of a list, at least 1; it may be longer than the catalogue.

    Returns
    -------
    ndarray of int64, shape (patients, n)
        Item indices; -1 where no item is left.

    Raises
    ------
    ValueError
        If the shapes do not fit, a score is NaN, or n is below 1.
    """
    scores = np.array(scores, dtype=float)
    if scores.ndim != 2:
        raise ValueError(f"scores has shape {scores.shape}; patients × items is needed")
    if np.isnan(scores).any():
        raise ValueError("scores holds NaN; numbers are needed")
    if n < 1:
        raise ValueError(f"n is {n}; at least 1 is needed")
    if known is not None:
        known = checked("known", known, scores.shape[1])
        if known.shape[0] != len(scores):
            raise ValueError(
                f"known has {known.shape[0]} rows; one for each of the {len(scores)} "
                "rows of scores is needed"
            )
        scores[known.nonzero()] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    order[np.take_along_axis(scores, order, axis=1) == -np.inf] = -1
    lists = np.full((len(scores), n), -1, dtype=np.int64)
    lists[:, : order.shape[1]] = order
    return lists


class Popularity:
    """Score every item by the share of patients who have it: the same for everyone."""

    def fit(self, interactions: sparse.csr_array) -> Popularity:
        """Count; interactions (patients, items), at least one patient."""
        self.shares = popularity(checked("interactions", interactions, empty=False))
        return self

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.shares))
        return np.tile(self.shares, (baskets.shape[0], 1))


class LaterPopularity:
    """Score every item by how often it came later, where it was not there yet.

    Where the question is what comes next, this is the popularity to beat: items that
    nearly everybody has from the start are popular, but seldom come later.
    """

    def fit(
        self, baskets: sparse.csr_array, later: sparse.csr_array
    ) -> LaterPopularity:
        """Count.

        Parameters
        ----------
        baskets, later : csr_array, shape (patients, items)
            What they had, and what they newly got then; no pair is in both.

        Raises
        ------
        ValueError
            If the shapes differ, or a pair is in both.
        """
        baskets = checked("baskets", baskets, empty=False)
        later = checked("later", later, baskets.shape[1])
        if later.shape != baskets.shape:
            raise ValueError(f"baskets has {baskets.shape}, later {later.shape}")
        if (both := (baskets > 0).multiply(later > 0)).nnz:
            row, item = (int(index[0]) for index in both.nonzero())
            raise ValueError(f"patient {row} has item {item} in baskets and in later")
        open_ = baskets.shape[0] - np.bincount(
            baskets.indices, minlength=baskets.shape[1]
        )
        got = np.bincount(later.indices, minlength=baskets.shape[1])
        self.shares = (got / np.maximum(open_, 1)).astype(np.float32)
        return self

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.shares))
        return np.tile(self.shares, (baskets.shape[0], 1))


class UnitPopularity:
    """Score an item by its share among the patients of the same unit.

    Parameters
    ----------
    prior : float
        How many patients with the overall shares are added to each unit, from 0, so
        that a small unit is not taken at its word. A unit that was not there at the
        fit gets the overall shares.
    """

    def __init__(self, prior: float = 1.0) -> None:
        if not 0 <= prior < np.inf:
            raise ValueError(f"prior is {prior}; a number from 0 is needed")
        self.prior = prior

    def fit(self, interactions: sparse.csr_array, units: np.ndarray) -> UnitPopularity:
        """Count; interactions (patients, items), units (patients,)."""
        interactions = checked("interactions", interactions, empty=False)
        units = _checked_units(units, interactions.shape[0])
        self.overall = popularity(interactions)
        self.shares = {}
        for unit in np.unique(units):
            members = interactions[np.flatnonzero(units == unit)]
            count = members.shape[0]
            shares = count * popularity(members) + self.prior * self.overall
            self.shares[unit] = (shares / (count + self.prior)).astype(np.float32)
        return self

    def scores(self, baskets: sparse.csr_array, units: np.ndarray) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.overall))
        units = _checked_units(units, baskets.shape[0])
        rows = [self.shares.get(unit, self.overall) for unit in units]
        return np.array(rows, dtype=np.float32).reshape(baskets.shape)


class Copy:
    """Score what a patient already has, by its count: the same again.

    It is a baseline where the same item may come again, as from visit to visit.
    """

    def fit(self, interactions: sparse.csr_array) -> Copy:
        """Remember the number of items alone."""
        self.items = checked("interactions", interactions).shape[1]
        return self

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items); empty baskets give zeros."""
        return checked("baskets", baskets, self.items).toarray()


def _checked_units(units: np.ndarray, count: int) -> np.ndarray:
    units = np.asarray(units)
    if units.shape != (count,):
        raise ValueError(
            f"units has shape {units.shape}; one for each of the {count} patients is "
            "needed"
        )
    return units
