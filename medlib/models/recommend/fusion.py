"""A hybrid that fuses what every part says of a pair of patient and item.

Each part is told about one pair a number or a few: how common the item is, how common
in the patient's hospital, what neighbours and EASE score, how close its profile is to
the basket. Boosted trees learn from those numbers whether the patient gets the item.
Parts that learn from interactions must be asked about patients they have not seen, here
as later; so the trees learn from parts of other patients (stacking: Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier

from medlib.models.recommend.factors import Ease
from medlib.models.recommend.lists import checked, popularity
from medlib.models.recommend.neighbours import ItemNeighbours, UserNeighbours

PARTS = (
    "popularity",
    "groups",
    "ease",
    "items",
    "users",
    "content",
    "hierarchy",
    "patient",
)
PRIOR = 3  # stays' worth of the overall share in that of a group
RULE_PRIOR = 5  # stays' worth of zero in the share of those who had an item


@dataclass(frozen=True)
class Stays:
    """What a hybrid is told of some patients.

    Attributes
    ----------
    baskets : csr_array, shape (n, items)
        What they have.
    groups : DataFrame, shape (n, g)
        What they belong to, such as hospital, unit, admission diagnosis; a missing
        value is a group of its own.
    numbers : ndarray, shape (n, f)
        More about them, such as the age; NaN where unknown.

    Raises
    ------
    ValueError
        If the parts do not have one row for each patient.
    """

    baskets: sparse.csr_array
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    numbers: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = self.baskets.shape[0]
        object.__setattr__(self, "baskets", checked("baskets", self.baskets))
        if self.groups.shape[1] == 0:
            object.__setattr__(self, "groups", pd.DataFrame(index=range(count)))
        numbers = np.empty((count, 0)) if self.numbers is None else self.numbers
        object.__setattr__(self, "numbers", np.asarray(numbers, np.float32))
        for name in ("groups", "numbers"):
            part = getattr(self, name)
            if part.ndim != 2 or len(part) != count:
                raise ValueError(
                    f"{name} has the shape {part.shape}; one row for each of the "
                    f"{count} baskets is needed"
                )

    def __len__(self) -> int:
        """Return the number of patients."""
        return self.baskets.shape[0]

    def take(self, rows: np.ndarray) -> Stays:
        """Return some of the patients, by index."""
        return Stays(self.baskets[rows], self.groups.iloc[rows], self.numbers[rows])


Example = tuple[Stays, sparse.csr_array]


class Evidence:
    """What each part says of pairs, learned from some patients' complete histories.

    Parameters
    ----------
    items : sequence of str
        The catalogue; names spell out a hierarchy, ``KIND//a|b|c``, or have one level.
    profiles : csr_array, shape (items, features), optional
        What each item is, rows of length 1; needed for ``content``.
    parts : sequence of str
        Some of `PARTS`.
    """

    def __init__(
        self,
        items: Sequence[str],
        profiles: sparse.csr_array | None = None,
        parts: Sequence[str] = PARTS,
    ) -> None:
        if strange := sorted(set(parts) - set(PARTS)):
            raise ValueError(
                f"parts names {', '.join(strange)}; use some of {', '.join(PARTS)}"
            )
        if not parts:
            raise ValueError("parts is empty; name at least one")
        if "content" in parts and profiles is None:
            raise ValueError(
                "profiles is needed for content; give it or leave that out"
            )
        self.items, self.parts = list(items), tuple(parts)
        self.levels = _levels(self.items)
        if profiles is not None:
            profiles = checked("profiles", profiles)
            if profiles.shape[0] != len(self.items):
                raise ValueError(
                    f"profiles has {profiles.shape[0]} rows for {len(self.items)} items"
                )
            self.alike = (profiles @ profiles.T).toarray()
            np.fill_diagonal(self.alike, 0)

    def fit(self, examples: Sequence[Example], complete: sparse.csr_array) -> Evidence:
        """Learn from patients.

        Parameters
        ----------
        examples : sequence of (Stays, csr_array)
            What was known of them, and what they got then, (patients, items). Several,
            of the same patients in the same order, where what is hidden was drawn
            several times.
        complete : csr_array, shape (patients, items)
            All that they had, from which the recommenders learn.
        """
        complete = checked("complete", complete, len(self.items), empty=False)
        self.groups = examples[0][0].groups
        self.complete = _ones(complete)
        self.targets = sum(_ones(targets) for _, targets in examples)
        self.open = sum(1 - _ones(stays.baskets) for stays, _ in examples)
        self.shares = popularity(complete)
        # Of those who did not have an item yet, how many then got it?
        self.rates = (self.targets.sum(axis=0) + PRIOR * self.shares) / (
            self.open.sum(axis=0) + PRIOR
        )
        models = {"ease": Ease, "items": ItemNeighbours, "users": UserNeighbours}
        self.models = {
            name: model().fit(complete)
            for name, model in models.items()
            if name in self.parts
        }
        counts = self.complete.T @ self.complete
        self.rules = counts / (np.diag(counts)[:, None] + RULE_PRIOR)
        np.fill_diagonal(self.rules, 0)
        return self

    def of(self, stays: Stays) -> dict[str, np.ndarray]:
        """Return the evidence on every pair: arrays of shape (patients, items)."""
        if stays.baskets.shape[1] != len(self.items):
            raise ValueError(
                f"baskets has {stays.baskets.shape[1]} columns; {len(self.items)} are "
                "needed"
            )
        made: dict[str, np.ndarray] = {}
        for part in self.parts:
            made |= getattr(self, f"_{part}", self._model(part))(stays)
        shape = stays.baskets.shape
        return {
            name: np.broadcast_to(np.asarray(values, np.float32), shape)
            for name, values in made.items()
        }

    def _model(self, part: str) -> Callable[[Stays], dict[str, np.ndarray]]:
        return lambda stays: {part: self.models[part].scores(stays.baskets)}

    def _popularity(self, _: Stays) -> dict[str, np.ndarray]:
        return {"popularity": self.shares[None], "rate": self.rates[None]}

    def _groups(self, stays: Stays) -> dict[str, np.ndarray]:
        made = {}
        for column in self.groups:
            mine = stays.groups[column].astype("string").fillna("?")
            codes, names = pd.factorize(
                self.groups[column].astype("string").fillna("?")
            )
            member = sparse.csr_array(
                (np.ones(len(codes)), (codes, np.arange(len(codes)))),
                shape=(len(names) + 1, len(codes)),  # the last one: a new group
            )
            size = np.asarray(member.sum(axis=1))[:, None]
            place = names.get_indexer(mine)
            place[place < 0] = len(names)
            had = (member @ self.complete + PRIOR * self.shares) / (size + PRIOR)
            got = (member @ self.targets + PRIOR * self.rates) / (
                member @ self.open + PRIOR
            )
            made[f"{column}: share"] = had[place]
            made[f"{column}: rate"] = got[place]
            made[f"{column}: size"] = size[place]
        return made

    def _items(self, stays: Stays) -> dict[str, np.ndarray]:
        baskets = stays.baskets
        strongest = np.tile(self.shares, (len(stays), 1))
        for row in np.flatnonzero(np.diff(baskets.indptr)):
            had = baskets.indices[baskets.indptr[row] : baskets.indptr[row + 1]]
            strongest[row] = self.rules[had].max(axis=0)
        scores = self.models["items"].scores(baskets)
        return {"items": scores, "items: strongest": strongest}

    def _content(self, stays: Stays) -> dict[str, np.ndarray]:
        return {"content": _ones(stays.baskets) @ self.alike}

    def _hierarchy(self, stays: Stays) -> dict[str, np.ndarray]:
        basket = _ones(stays.baskets)
        made = {"depth": self.levels["depth"][None]}
        for name, related in self.levels.items():
            if name != "depth":
                made[f"in basket: {name}"] = basket @ related
        return made

    def _patient(self, stays: Stays) -> dict[str, np.ndarray]:
        made = {"basket size": np.diff(stays.baskets.indptr)[:, None]}
        for column in range(stays.numbers.shape[1]):
            made[f"number {column}"] = stays.numbers[:, [column]]
        return made


class Fusion:
    """Boosted trees on the evidence.

    Parameters
    ----------
    items, profiles, parts
        As in `Evidence`.
    folds : int
        Into how many parts patients are cut, so that those who learn from the evidence
        are not those whom it was learned from; at least 2.
    rounds : int
        Number of trees, at least 1.
    learning_rate : float
        Above 0.
    negatives : float
        Share of the pairs without a target that the trees see, drawn anew for each
        example; above 0, at most 1. A small share saves time; scores then rank as well,
        but are too high as log-odds.
    seed : int
        Of the folds.

    Attributes
    ----------
    evidence : Evidence
        Of all patients of the fit.
    """

    def __init__(
        self,
        items: Sequence[str],
        profiles: sparse.csr_array | None = None,
        *,
        parts: Sequence[str] = PARTS,
        folds: int = 5,
        rounds: int = 150,
        learning_rate: float = 0.05,
        negatives: float = 1.0,
        seed: int = 0,
    ) -> None:
        if folds < 2:
            raise ValueError(f"folds is {folds}; at least 2 are needed")
        if rounds < 1:
            raise ValueError(f"rounds is {rounds}; at least 1 is needed")
        if not learning_rate > 0:
            raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")
        if not 0 < negatives <= 1:
            raise ValueError(f"negatives is {negatives}; it must be in (0, 1]")
        self.evidence = Evidence(items, profiles, parts)
        self.count, self.negatives, self.seed = folds, negatives, seed
        self.trees = HistGradientBoostingClassifier(
            max_iter=rounds,
            learning_rate=learning_rate,
            max_leaf_nodes=15,
            min_samples_leaf=50,
            l2_regularization=10,
            early_stopping=False,
            random_state=seed,
        )

    def fit(
        self,
        examples: Sequence[Example],
        complete: sparse.csr_array,
        patients: np.ndarray,
    ) -> Fusion:
        """Learn; stays without a target teach the parts, not the trees.

        Parameters
        ----------
        examples, complete
            As in `Evidence.fit`; what is to be found is in no basket.
        patients : ndarray, shape (stays,)
            Whose each stay is; a patient's stays are never parted.

        Raises
        ------
        ValueError
            If there is no example or target, the shapes do not fit, or there are fewer
            patients than folds.
        """
        if not examples:
            raise ValueError("examples is empty; give at least one")
        examples = [(stays, checked("targets", t)) for stays, t in examples]
        shapes = {part.shape for stays, t in examples for part in (stays.baskets, t)}
        if shapes != {complete.shape}:
            raise ValueError(
                f"baskets, targets and complete have the shapes {sorted(shapes)} and "
                f"{complete.shape}; one is needed"
            )
        if not any(targets.nnz for _, targets in examples):
            raise ValueError("targets is empty; there is nothing to learn")
        fold = self._folded(patients, complete.shape[0])
        rng = np.random.default_rng(self.seed)
        tables, answers = [], []
        for number, teach in enumerate(self._teachers(examples, complete, fold)):
            for stays, targets in examples:
                rows = np.flatnonzero((fold == number) & (np.diff(targets.indptr) > 0))
                if len(rows):
                    asked = stays.take(rows)
                    wanted = targets[rows].toarray() > 0
                    chosen = (_ones(asked.baskets) == 0) & (
                        wanted | (rng.random(wanted.shape) < self.negatives)
                    )
                    tables.append(_table(teach.of(asked), chosen))
                    answers.append(wanted[chosen])
        self.trees.fit(np.concatenate(tables), np.concatenate(answers))
        self.evidence.fit(examples, complete)
        return self

    def scores(self, stays: Stays) -> np.ndarray:
        """Return log-odds, shape (patients, items); -inf for what is in the basket."""
        return self._score(self.evidence, stays)

    def _folded(self, patients: np.ndarray, stays: int) -> np.ndarray:
        patients = np.asarray(patients)
        if patients.shape != (stays,):
            raise ValueError(
                f"patients has the shape {patients.shape} for {stays} stays"
            )
        names, member = np.unique(patients, return_inverse=True)
        if len(names) < self.count:
            raise ValueError(
                f"patients holds {len(names)} patients; {self.count} folds need as many"
            )
        drawn = np.random.default_rng(self.seed).permutation(len(names))
        return (drawn % self.count)[member]

    def _teachers(
        self, examples: Sequence[Example], complete: sparse.csr_array, fold: np.ndarray
    ) -> Iterator[Evidence]:
        for number in range(self.count):
            rows = np.flatnonzero(fold != number)
            others = [(stays.take(rows), targets[rows]) for stays, targets in examples]
            yield copy(self.evidence).fit(others, complete[rows])

    def _score(self, evidence: Evidence, stays: Stays) -> np.ndarray:
        chosen = _ones(stays.baskets) == 0
        scores = np.full(chosen.shape, -np.inf)
        if chosen.any():
            table = _table(evidence.of(stays), chosen)
            scores[chosen] = self.trees.decision_function(table)
        return scores


def _table(evidence: dict[str, np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return a row of evidence for each chosen pair."""
    return np.stack([values[pairs] for values in evidence.values()], axis=1)


def _ones(array: sparse.csr_array) -> np.ndarray:
    return (array > 0).toarray().astype(np.float32)


def _levels(items: Sequence[str]) -> dict[str, np.ndarray]:
    """Return which items share their first levels, or lie above or below each other."""
    split = [(item.partition("//")[2] or item).split("|") for item in items]
    made = {"depth": np.array([len(levels) for levels in split], np.float32)}
    for depth in (1, 2, 3):
        start = np.array(["|".join(levels[:depth]) for levels in split])
        made[f"same level {depth}"] = _same(start)
    made["same parent"] = _same(np.array(["|".join(levels[:-1]) for levels in split]))
    place = {tuple(levels): row for row, levels in enumerate(split)}
    above = np.zeros((len(split), len(split)), np.float32)
    for row, levels in enumerate(split):
        for depth in range(1, len(levels)):
            if (other := place.get(tuple(levels[:depth]))) is not None:
                above[other, row] = 1
    return made | {"above": above, "below": above.T}


def _same(names: np.ndarray) -> np.ndarray:
    same = (names[:, None] == names[None]).astype(np.float32)
    np.fill_diagonal(same, 0)
    return same
