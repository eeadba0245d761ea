"""Recommendation from what items and patients are, not from who had what."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from medlib.models.recommend.lists import checked, popularity, with_fallback
from medlib.models.recommend.neighbours import similarity
from medlib.models.recommend.reasons import (
    Reason,
    by_popularity,
    checked_pair,
    strongest_first,
)


class Content:
    """Score items by the likeness of their profiles to the patient.

    Two cosines are added: of an item's profile with the sum of the profiles in the
    basket, and, times a weight, of the patient's own features with the mean features
    of the patients who had the item. An item that nobody has had is reached by the
    first alone; an empty basket by the second alone. With neither, popularity scores.

    Parameters
    ----------
    profiles : csr_array, shape (items, features)
        What each item is, such as TF-IDF of its words and of its place in a hierarchy.
    weight : float
        Of the patient's own features, from 0.
    """

    def __init__(self, profiles: sparse.csr_array, weight: float = 1.0) -> None:
        if not 0 <= weight < np.inf:
            raise ValueError(f"weight is {weight}; a number from 0 is needed")
        self.profiles, self.weight = checked("profiles", profiles, empty=False), weight

    def fit(
        self, interactions: sparse.csr_array, patients: sparse.csr_array | None = None
    ) -> Content:
        """Learn which patients have an item.

        Parameters
        ----------
        interactions : csr_array, shape (patients, items)
            At least one patient.
        patients : csr_array, shape (patients, features), optional
            What each patient is, such as diagnoses, age group and unit.
        """
        items = self.profiles.shape[0]
        interactions = checked("interactions", interactions, items, empty=False)
        self.shares = popularity(interactions)
        self.typical = None
        if patients is not None:
            patients = checked("patients", patients)
            _check_rows(patients, interactions)
            # A cosine asks for no division: the sum points where the mean does.
            self.typical = sparse.csr_array((interactions > 0).T @ patients)
        return self

    def scores(
        self, baskets: sparse.csr_array, patients: sparse.csr_array | None = None
    ) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.shares))
        if (patients is None) != (self.typical is None):
            raise ValueError(
                "patients is needed in fit and in scores, or in neither of them"
            )
        scores = similarity(sparse.csr_array(baskets @ self.profiles), self.profiles)
        if patients is not None:
            patients = checked("patients", patients, self.typical.shape[1])
            _check_rows(patients, baskets)
            scores += self.weight * similarity(patients, self.typical)
        return with_fallback(scores.astype(np.float32), self.shares)

    def reasons(
        self,
        basket: sparse.csr_array,
        item: int,
        patients: sparse.csr_array | None = None,
    ) -> list[Reason]:
        """Return what each shared term, and each feature of the patient, adds.

        A cosine is a sum over terms. The largest comes first; together they sum to the
        score. The list is empty where the score is zero. Where nothing is shared with
        any item, popularity is the only reason.

        Parameters
        ----------
        basket : csr_array, shape (1, items)
            Of one patient.
        item : int
            The suggestion.
        patients : csr_array, shape (1, features), optional
            What the patient is; needed where the fit had it.

        Raises
        ------
        ValueError
            If the basket has more or fewer than one row, there is no such item, or the
            patients are not as needed.
        """
        basket = checked_pair(basket, item, len(self.shares))
        self.scores(basket, patients)  # refuses patients that do not fit
        profile = sparse.csr_array(basket @ self.profiles)
        spoken = (profile @ self.profiles.T).count_nonzero()
        if patients is not None and self.weight:
            patients = checked("patients", patients, self.typical.shape[1])
            spoken += (patients @ self.typical.T).count_nonzero()
        if not spoken:
            return by_popularity(self.shares, item)
        added = _products(profile, self.profiles[[item]])
        mine = self.profiles[basket.indices].toarray() > 0
        reasons = [
            Reason("term", int(t), float(added[t]), tuple(map(int, who)))
            for t in np.flatnonzero(added)
            for who in [basket.indices[mine[:, t]]]
        ]
        if patients is not None and self.weight:
            added = self.weight * _products(patients, self.typical[[item]])
            reasons += [
                Reason("feature", int(f), float(added[f])) for f in added.nonzero()[0]
            ]
        return strongest_first(reasons)


def _products(one: sparse.csr_array, other: sparse.csr_array) -> np.ndarray:
    """Return the terms whose sum is the cosine of two rows, shape (features,)."""
    one, other = (row.toarray()[0].astype(float) for row in (one, other))
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return one * other / length if length else np.zeros(len(one))


def _check_rows(patients: sparse.csr_array, baskets: sparse.csr_array) -> None:
    if patients.shape[0] != baskets.shape[0]:
        raise ValueError(
            f"patients has {patients.shape[0]} rows; one for each of the "
            f"{baskets.shape[0]} baskets is needed"
        )
