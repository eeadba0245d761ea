"""Recommenders: from what patients have had, score every item of a catalogue.

Interactions are sparse arrays, patients × items, of 0 and 1 or of counts. A model has
``fit(interactions)`` and ``scores(baskets)``; a basket is a row of the same kind, also
of a patient who was not there at the fit. `recommend` makes lists of scores.
"""

from medlib.models.recommend.content import Content
from medlib.models.recommend.factors import AlternatingLeastSquares, Ease, solve_factors
from medlib.models.recommend.fusion import Evidence, Fusion, Stays
from medlib.models.recommend.lists import (
    Copy,
    LaterPopularity,
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
from medlib.models.recommend.reasons import Reason, explain
from medlib.models.recommend.safety import SafetyFilter, interaction_rate

__all__ = [
    "AlternatingLeastSquares",
    "Blend",
    "Content",
    "Copy",
    "Ease",
    "Evidence",
    "Fusion",
    "ItemNeighbours",
    "LaterPopularity",
    "Popularity",
    "Reason",
    "SafetyFilter",
    "Stays",
    "UnitPopularity",
    "UserNeighbours",
    "co_occurrence",
    "explain",
    "fit",
    "interaction_rate",
    "nearest",
    "predict",
    "recommend",
    "similarity",
    "solve_factors",
    "two_tower",
]

_WITH_KERAS = ("Blend", "fit", "predict", "two_tower")


def __getattr__(name: str) -> object:
    """Import what needs Keras when it is asked for: that takes seconds and memory."""
    if name in _WITH_KERAS:
        from medlib.models.recommend import hybrid

        return getattr(hybrid, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
