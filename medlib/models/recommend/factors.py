"""Linear models of interactions: matrix factorisation and EASE."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from medlib.models.recommend.lists import checked, popularity, with_fallback
from medlib.models.recommend.reasons import (
    Reason,
    by_popularity,
    checked_pair,
    of_basket,
)


def solve_factors(
    interactions: sparse.csr_array,
    others: np.ndarray,
    *,
    regularisation: float,
    alpha: float,
) -> np.ndarray:
    r"""Return the best factors of the rows while those of the columns stand still.

    One half-step of alternating least squares. For each row u the solution of
    :math:`(Y^\top C_u Y + \lambda I)\,x_u = Y^\top C_u p_u`, where p is 1 for what the
    row has, and the confidence is :math:`c = 1 + \alpha r`. :math:`Y^\top Y` is made
    once and each row adds only what it has. Hu, Koren and Volinsky (2008),
    doi:10.1109/ICDM.2008.22.

    Parameters
    ----------
    interactions : csr_array, shape (rows, columns)
        Counts r.
    others : ndarray, shape (columns, factors)
        Y.
    regularisation, alpha : float
        λ and α, above 0.

    Returns
    -------
    ndarray of float64, shape (rows, factors)
    """
    others = np.asarray(others, dtype=float)
    gram = others.T @ others + regularisation * np.eye(others.shape[1])
    solved = np.zeros((interactions.shape[0], others.shape[1]))
    bounds = zip(interactions.indptr[:-1], interactions.indptr[1:], strict=True)
    for row, (start, end) in enumerate(bounds):
        if start == end:
            continue
        mine = others[interactions.indices[start:end]]
        extra = alpha * interactions.data[start:end].astype(float)
        solved[row] = linalg.solve(
            gram + (mine.T * extra) @ mine, mine.T @ (1 + extra), assume_a="pos"
        )
    return solved


class AlternatingLeastSquares:
    """Matrix factorisation of implicit feedback, by alternating least squares.

    What a patient has counts as wanted, with a confidence that grows with the count;
    what they don't have counts as not wanted, with confidence 1. Hu, Koren and
    Volinsky (2008), doi:10.1109/ICDM.2008.22. A new patient's factors are solved for
    from the basket. An empty basket is scored by popularity.

    Parameters
    ----------
    factors, rounds : int
        Numbers per patient and item, and how often both sides are solved; at least 1.
    regularisation, alpha : float
        Above 0; see `solve_factors`.
    seed : int
        Of the start.

    Attributes
    ----------
    patients, items : ndarray, shapes (patients, factors) and (items, factors)
        The factors.
    """

    def __init__(
        self,
        factors: int = 32,
        *,
        regularisation: float = 0.1,
        alpha: float = 1.0,
        rounds: int = 15,
        seed: int = 0,
    ) -> None:
        for name, value in (("factors", factors), ("rounds", rounds)):
            if value < 1:
                raise ValueError(f"{name} is {value}; at least 1 is needed")
        for name, value in (("regularisation", regularisation), ("alpha", alpha)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name} is {value}; a number above 0 is needed")
        self.factors, self.rounds, self.seed = factors, rounds, seed
        self.how = {"regularisation": regularisation, "alpha": alpha}

    def fit(
        self, interactions: sparse.csr_array, start: np.ndarray | None = None
    ) -> AlternatingLeastSquares:
        """Factorise.

        Parameters
        ----------
        interactions : csr_array, shape (patients, items)
            At least one patient.
        start : ndarray, shape (items, factors), optional
            First factors of the items; by default small random numbers.
        """
        interactions = checked("interactions", interactions, empty=False)
        shape = (interactions.shape[1], self.factors)
        if start is None:
            start = np.random.default_rng(self.seed).normal(0, 0.01, shape)
        if np.shape(start) != shape or not np.isfinite(start).all():
            raise ValueError(
                f"start has shape {np.shape(start)}; finite numbers of shape {shape} "
                "are needed"
            )
        self.shares = popularity(interactions)
        self.items = np.array(start, dtype=float)
        turned = sparse.csr_array(interactions.T)
        for _ in range(self.rounds):
            self.patients = solve_factors(interactions, self.items, **self.how)
            self.items = solve_factors(turned, self.patients, **self.how)
        return self

    def objective(self, interactions: sparse.csr_array) -> float:
        """Return what the fit makes small, for the patients of the fit.

        The squared errors times their confidence, plus λ times the squared factors.
        """
        interactions = checked("interactions", interactions, len(self.items))
        # Σ (x·y)² over all pairs, then what the pairs that are there change.
        total = np.sum((self.patients.T @ self.patients) * (self.items.T @ self.items))
        rows, columns = interactions.nonzero()
        guesses = np.sum(self.patients[rows] * self.items[columns], axis=1)
        confidence = 1 + self.how["alpha"] * interactions.data.astype(float)
        total += np.sum(confidence * (1 - guesses) ** 2 - guesses**2)
        size = np.sum(self.patients**2) + np.sum(self.items**2)
        return float(total + self.how["regularisation"] * size)

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.items))
        scores = solve_factors(baskets, self.items, **self.how) @ self.items.T
        lost = np.diff(baskets.indptr) == 0
        return with_fallback(scores.astype(np.float32), self.shares, lost)

    def reasons(self, basket: sparse.csr_array, item: int) -> list[Reason]:
        r"""Return what each item of one basket adds to an item's score.

        The factors of a patient are :math:`x = W Y^\top C p`, with
        :math:`W = (Y^\top C Y + \lambda I)^{-1}`. So the score
        :math:`y_i \cdot x = \sum_j (y_i^\top W y_j)\,c_j` is a sum over the items j of
        the basket: a similarity in this patient's eyes, times the confidence. Section 5
        of Hu, Koren and Volinsky (2008), doi:10.1109/ICDM.2008.22. The largest size
        comes first; an item may speak against. An empty basket has popularity as its
        only reason.

        Raises
        ------
        ValueError
            If the basket has more or fewer than one row, or there is no such item.
        """
        basket = checked_pair(basket, item, len(self.items))
        if not basket.nnz:
            return by_popularity(self.shares, item)
        mine = self.items[basket.indices]
        extra = self.how["alpha"] * basket.data.astype(float)
        left = self.items.T @ self.items + (mine.T * extra) @ mine
        left += self.how["regularisation"] * np.eye(self.factors)
        seen = linalg.solve(left, self.items[item], assume_a="pos")  # W y_i
        return of_basket(basket, (mine @ seen) * (1 + extra))


class Ease:
    r"""Linear regression of every item on all the others, in closed form.

    :math:`\lVert X - XB\rVert^2 + \lambda\lVert B\rVert^2` is smallest, with zeros on
    the diagonal of B, at :math:`B_{ij} = -P_{ij}/P_{jj}` for
    :math:`P = (X^\top X + \lambda I)^{-1}`. Steck (2019), arXiv:1905.03375. An empty
    basket is scored by popularity.

    Parameters
    ----------
    regularisation : float
        λ, above 0.

    Attributes
    ----------
    weights : ndarray, shape (items, items)
        B.
    """

    def __init__(self, regularisation: float = 50.0) -> None:
        if not 0 < regularisation < np.inf:
            raise ValueError(
                f"regularisation is {regularisation}; a number above 0 is needed"
            )
        self.regularisation = regularisation

    def fit(self, interactions: sparse.csr_array) -> Ease:
        """Solve; interactions (patients, items)."""
        interactions = checked("interactions", interactions, empty=False)
        self.shares = popularity(interactions)
        wide = interactions.astype(float)
        gram = (wide.T @ wide).toarray()
        gram[np.diag_indices_from(gram)] += self.regularisation
        inverse = linalg.inv(gram)
        self.weights = -inverse / np.diag(inverse)
        np.fill_diagonal(self.weights, 0)
        return self

    def scores(self, baskets: sparse.csr_array) -> np.ndarray:
        """Return scores, float32, shape (patients, items)."""
        baskets = checked("baskets", baskets, len(self.weights))
        scores = (baskets @ self.weights).astype(np.float32)
        return with_fallback(scores, self.shares, np.diff(baskets.indptr) == 0)

    def reasons(self, basket: sparse.csr_array, item: int) -> list[Reason]:
        """Return what each item of one basket adds to an item's score.

        Its weight times its count; the largest size comes first, and a negative weight
        speaks against. They sum to the score. An empty basket has popularity as its
        only reason.

        Raises
        ------
        ValueError
            If the basket has more or fewer than one row, or there is no such item.
        """
        basket = checked_pair(basket, item, len(self.weights))
        if not basket.nnz:
            return by_popularity(self.shares, item)
        return of_basket(basket, basket.data * self.weights[basket.indices, item])
