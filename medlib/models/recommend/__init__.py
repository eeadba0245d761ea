"""Recommenders: from what patients have had, score every item of a catalogue.

Interactions are sparse arrays, patients × items, of 0 and 1 or of counts. A model has
``fit(interactions)`` and ``scores(baskets)``; a basket is a row of the same kind, also
of a patient who was not there at the fit. `recommend` makes lists of scores.
"""

from medlib.models.recommend.content import Content
from medlib.models.recommend.factors import AlternatingLeastSquares, Ease, solve_factors
from medlib.models.recommend.hybrid import Blend, fit, predict, two_tower
from medlib.models.recommend.lists import (
    Copy,
    Popularity,
    UnitPopularity,
    recommend,
)
from medlib.models.recommend.neighbours import (
    ItemNeighbours,
    UserNeighbours,
    co_occurrence,
    nearest,
    similarity,
)

__all__ = [
    "AlternatingLeastSquares",
    "Blend",
    "Content",
    "Copy",
    "Ease",
    "ItemNeighbours",
    "Popularity",
    "UnitPopularity",
    "UserNeighbours",
    "co_occurrence",
    "fit",
    "nearest",
    "predict",
    "recommend",
    "similarity",
    "solve_factors",
    "two_tower",
]
