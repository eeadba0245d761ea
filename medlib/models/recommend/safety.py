"""A filter between scores and lists, and an alarm for what was prescribed.

Scores know nothing of harm. `SafetyFilter` makes lists of the scores of any model, and
of no other way: an item that a rule forbids is left out whatever its score, two items
that clash are never in one list, and every removal is reported with its rule and the
rule's source. `SafetyFilter.verify` checks lists that came from anywhere.

A rule works between classes of drugs, and of a class in a condition
(`medlib.data.drug_classes`). The rules are few; a list that passes them is not safe, it
has only not failed these. Dose, route, duration, kidney function as measured, allergy
and the reason for a treatment are not looked at, and neither is whether two items are
one drug.

Silence is the danger of any such filter: when names or codes do not match, nothing
clashes, and the interaction rate is a perfect 0. So an item that the table does not
know is withheld, and `interaction_rate` raises an alarm at 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from medlib.data import drug_classes
from medlib.data.drug_classes import CONTRAINDICATION, INTERACTION, Rule
from medlib.models.recommend.lists import checked

UNCHECKED = "unchecked"
REMOVED = (
    "patient",
    "item",
    "name",
    "why",
    "rule",
    "with",
    "place",
    "severity",
    "reason",
    "source",
)
Drugs = sparse.sparray | Sequence[Iterable[str]] | None
_MADE_HERE = object()  # only this module can make a SafeLists


class SafetyAlarm(RuntimeError):
    """A rate that is too good to be true, or codes that are not known."""


class UnsafeList(RuntimeError):
    """A list breaks a rule."""


@dataclass(frozen=True, eq=False)
class SafeLists:
    """Lists that a filter made; nothing else can make them.

    Attributes
    ----------
    ranked : ndarray of int64, shape (patients, n)
        Column numbers of items, best first; -1 where no item is left. Read-only.
    removed : DataFrame
        What was passed over while a list was filled, in the order of the scores:
        ``patient`` (row), ``item`` (column), ``name``, ``why`` (``interaction``,
        ``contraindication`` or ``unchecked``), ``rule``, ``with`` (what it clashed
        with), ``place`` (``item``, ``drugs now``, ``condition`` or ``list``),
        ``severity``, ``reason``, ``source``. An item can stand there for several rules.
    standing : DataFrame
        Clashes among the drugs that a patient already takes, and of these with the
        conditions, in the same columns (``item`` is -1). They are reported alone:
        whether a drug is stopped is not a recommender's to decide. A drug of now that
        the table does not know stands there as ``unchecked``.
    unchecked : DataFrame
        ``patient``, ``item``, ``name`` of listed items that the table does not know:
        none, unless the filter was told to show them.
    """

    ranked: np.ndarray
    removed: pd.DataFrame
    standing: pd.DataFrame
    unchecked: pd.DataFrame
    made: InitVar[object] = None

    def __post_init__(self, made: object) -> None:
        if made is not _MADE_HERE:
            raise TypeError(
                "SafeLists come from SafetyFilter.lists alone; check lists of your own "
                "with SafetyFilter.verify"
            )
        # A view of bytes: unlike a flag, nobody can set this back to writeable.
        frozen = np.ndarray(self.ranked.shape, self.ranked.dtype, self.ranked.tobytes())
        object.__setattr__(self, "ranked", frozen)

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.ranked)

    def __repr__(self) -> str:
        patients, places = self.ranked.shape
        return (
            f"<{patients:,} safe lists of up to {places}, {len(self.removed):,} "
            "removals>"
        )


@dataclass(frozen=True)
class Finding:
    """One rule that speaks against a drug.

    Attributes
    ----------
    rule : Rule or None
        None for a drug that the table does not know.
    drug, other : str
        The ingredient, and the ingredient or condition it clashes with.
    place : {"item", "drugs now", "condition", "list", ""}
        Where the other stands; ``"item"`` is a mixture of two that clash.
    """

    rule: Rule | None
    drug: str
    other: str = ""
    place: str = ""

    @property
    def why(self) -> str:
        """The kind of the rule, or ``unchecked``."""
        return UNCHECKED if self.rule is None else self.rule.kind


class _Book:
    """The rules, asked by ingredient."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        if not self.rules:
            raise ValueError("rules is empty, so nothing would ever be found")
        drug_classes.check_rules(self.rules)
        self.between = [rule for rule in self.rules if rule.kind == INTERACTION]
        self.within = [rule for rule in self.rules if rule.kind == CONTRAINDICATION]
        self._pairs: dict[tuple[str, str], tuple[Rule, ...]] = {}

    def pair(self, one: str, other: str) -> tuple[Rule, ...]:
        """Return the rules between two ingredients; none of one with itself."""
        key = (one, other) if one < other else (other, one)
        if key not in self._pairs:
            first, second = (drug_classes.classes_of_ingredient(each) for each in key)
            self._pairs[key] = tuple(
                rule
                for rule in self.between
                if one != other
                and (
                    (rule.first in first and rule.second in second)
                    or (rule.first in second and rule.second in first)
                )
            )
        return self._pairs[key]

    def inside(self, drugs: Iterable[str]) -> list[tuple[Rule, str, str]]:
        """Return the rules between ingredients of one item, each with the two."""
        return [
            (rule, one, other)
            for one, other in combinations(drugs, 2)
            for rule in self.pair(one, other)
        ]

    def condition(self, drug: str, condition: str) -> tuple[Rule, ...]:
        """Return the rules against an ingredient in a condition."""
        classes = drug_classes.classes_of_ingredient(drug)
        return tuple(
            rule
            for rule in self.within
            if rule.second == condition and rule.first in classes
        )


class SafetyFilter:
    """Make lists from scores, without what the rules forbid.

    Parameters
    ----------
    items : sequence of str, length m
        The name of each column of the scores, as a hospital writes it. For codes that
        do not say the drug, give the names that belong to them
        (`medlib.data.interactions.drug_names`).
    rules : iterable of Rule, optional
        `medlib.data.drug_classes.rules` if left out.
    unchecked : {"withhold", "show"}
        What happens to an item whose name the table does not know. Withheld items are
        reported as removed; shown ones are listed in `SafeLists.unchecked`.

    Raises
    ------
    ValueError
        If there is no item or no rule, a name is no text, a rule names a class or
        condition that does not exist, or ``unchecked`` is neither.
    """

    def __init__(
        self,
        items: Sequence[str],
        rules: Iterable[Rule] | None = None,
        *,
        unchecked: Literal["withhold", "show"] = "withhold",
    ) -> None:
        self.items = pd.Index(_several("items", items))
        if len(self.items) == 0:
            raise ValueError("items is empty; give the name of each column of scores")
        if unchecked not in ("withhold", "show"):
            raise ValueError(f"unchecked is {unchecked!r}; 'withhold' or 'show'")
        self.unchecked = unchecked
        self.recognised = [drug_classes.recognise(name) for name in self.items]
        self._book = _Book(drug_classes.rules() if rules is None else rules)
        self._unknown = np.array([r.status == "unmatched" for r in self.recognised])
        self._acting = [drug_classes.acting(name) for name in self.items]
        torn = [bool(self._book.inside(drugs)) for drugs in self._acting]
        self._never = np.array(torn) | (self._unknown & (unchecked == "withhold"))
        self._walls: dict[tuple[str, bool], np.ndarray] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in use."""
        return self._book.rules

    def __repr__(self) -> str:
        return (
            f"<{len(self.items):,} items, {len(self.rules)} rules, "
            f"{int(self._unknown.sum())} items unknown>"
        )

    @cached_property
    def _clashes(self) -> np.ndarray:
        """Which items clash, bool, shape (m, m)."""
        named = {each for drugs in self._acting for each in drugs}
        names = sorted(n for n in named if drug_classes.classes_of_ingredient(n))
        place = {name: i for i, name in enumerate(names)}
        held = np.zeros((len(self.items), len(names)), dtype=np.float32)
        for item, drugs in enumerate(self._acting):
            held[item, [place[each] for each in drugs if each in place]] = 1
        between = np.array(
            [[bool(self._book.pair(one, two)) for two in names] for one in names],
            dtype=np.float32,
        ).reshape(len(names), len(names))
        return (held @ between @ held.T) > 0

    def findings(
        self,
        item: str,
        *,
        drugs_now: Iterable[str] = (),
        conditions: Iterable[str] = (),
        listed: Iterable[str] = (),
    ) -> list[Finding]:
        """Return everything that speaks against one item for one patient.

        Parameters
        ----------
        item : str
            A drug's name; it need not be in the catalogue.
        drugs_now, listed : iterable of str
            Names of the drugs that the patient takes, and of the list so far.
        conditions : iterable of str
            Keys of `medlib.data.drug_classes.CONDITIONS`.

        Returns
        -------
        list of Finding
            In the order: unknown, the item itself, drugs now, conditions, list. A drug
            of now that the table does not know is passed over.

        Raises
        ------
        ValueError
            If a condition has no such key, or a text is given where a list of names
            belongs.
        """
        known = _known_conditions(conditions)
        others = {
            place: sorted(
                {each for name in names for each in drug_classes.acting(name)}
            )
            for place, names in (
                ("drugs now", _several("drugs_now", drugs_now)),
                ("list", _several("listed", listed)),
            )
        }
        if drug_classes.recognise(item).status == "unmatched":
            return [Finding(None, item)]
        drugs = drug_classes.acting(item)

        def with_drugs(place: str) -> list[Finding]:
            return [
                Finding(rule, drug, other, place)
                for drug in drugs
                for other in others[place]
                for rule in self._book.pair(drug, other)
            ]

        return [
            *(Finding(*each, "item") for each in self._book.inside(drugs)),
            *with_drugs("drugs now"),
            *(
                Finding(rule, drug, condition, "condition")
                for drug in drugs
                for condition in known
                for rule in self._book.condition(drug, condition)
            ),
            *with_drugs("list"),
        ]

    def lists(
        self,
        scores: np.ndarray,
        *,
        drugs_now: Drugs,
        conditions: Sequence[Iterable[str]] | None,
        known: sparse.sparray | None = None,
        n: int = 10,
    ) -> SafeLists:
        """Return the best items for each patient that no rule forbids.

        Items are taken from the best score on, of equal scores the smaller column
        first, as in `recommend`. An item that clashes with one already taken is passed
        over, so the better of the two stays.

        Parameters
        ----------
        scores : ndarray, shape (patients, m)
            No NaN. An item with the score -inf is never listed; one with +inf only if
            no rule forbids it.
        drugs_now : csr_array (patients, m), or one iterable of names a patient, or None
            What each patient takes. It has no default, so that it cannot be forgotten;
            None means that nobody takes anything, or, where ``known`` is given, that
            these are the drugs of now. One that the table does not know blocks nothing;
            `SafeLists.standing` reports it.
        conditions : one iterable of keys a patient, or None
            Of `medlib.data.drug_classes.CONDITIONS`; see `conditions_of` there. None
            means that nobody has any.
        known : csr_array, shape (patients, m), optional
            Items to leave out because the patient has had them: those above zero.
        n : int
            Length of a list, at least 1; it may be longer than the catalogue.

        Raises
        ------
        ValueError
            If the shapes do not fit, a score is NaN, a condition is unknown, a name is
            no text, or n is below 1.
        """
        scores = np.array(scores, dtype=float)
        if scores.ndim != 2 or scores.shape[1] != len(self.items):
            raise ValueError(
                f"scores has shape {scores.shape}; patients × {len(self.items)} items "
                "is needed"
            )
        if np.isnan(scores).any():
            raise ValueError("scores holds NaN; numbers are needed")
        if n < 1:
            raise ValueError(f"n is {n}; at least 1 is needed")
        patients = len(scores)
        had = self._matrix("known", known, patients)
        now = self._names(had if drugs_now is None else drugs_now, patients)
        states = _conditions(conditions, patients)
        if had is not None:
            scores[had.nonzero()] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")
        ranked = np.full((patients, n), -1, dtype=np.int64)
        removed: list[tuple] = []
        standing: list[tuple] = []
        shown: list[tuple] = []
        for row in range(patients):
            blocked = self._blocked(now[row], states[row])
            taken: list[int] = []
            for item in order[row]:
                if len(taken) == n or scores[row, item] == -np.inf:
                    break
                if not blocked[item] and not self._clashes[item, taken].any():
                    taken.append(int(item))
                    continue
                removed += self._rows(row, int(item), now[row], states[row], taken)
            ranked[row, : len(taken)] = taken
            standing += self._standing(row, now[row], states[row])
            shown += [
                (row, item, self.items[item]) for item in taken if self._unknown[item]
            ]
        return SafeLists(
            ranked,
            pd.DataFrame(removed, columns=list(REMOVED)),
            pd.DataFrame(standing, columns=list(REMOVED)),
            pd.DataFrame(shown, columns=["patient", "item", "name"]),
            _MADE_HERE,
        )

    def verify(
        self,
        ranked: np.ndarray | SafeLists,
        *,
        drugs_now: Drugs,
        conditions: Sequence[Iterable[str]] | None,
    ) -> int:
        """Check lists from anywhere, rule by rule; return how many items were checked.

        The check is written on its own, by name, and shares nothing with the way that
        lists are filled but the table of rules. A drug of now that the table does not
        know is passed over, as in `lists`.

        Parameters
        ----------
        ranked : SafeLists or ndarray of int, shape (patients, places)
            Column numbers; -1 for an empty place.
        drugs_now, conditions
            As in `lists`.

        Raises
        ------
        UnsafeList
            At the first item that a rule forbids, that clashes within its list, or that
            the table does not know and the filter withholds; the message names the
            patient, the item, the rule and its source.
        ValueError
            If the shapes do not fit or an item is not in the catalogue.
        """
        lists = np.asarray(ranked.ranked if isinstance(ranked, SafeLists) else ranked)
        if lists.ndim != 2 or not np.issubdtype(lists.dtype, np.integer):
            raise ValueError(
                f"ranked has the shape {lists.shape} and the type {lists.dtype}; whole "
                "numbers of the shape (patients, places) are needed"
            )
        if lists.size and not -1 <= lists.min() <= lists.max() < len(self.items):
            raise ValueError(
                f"ranked holds items from {lists.min()} to {lists.max()}; the "
                f"catalogue has 0 to {len(self.items) - 1}, and -1 is an empty place"
            )
        now = self._names(drugs_now, len(lists))
        states = _conditions(conditions, len(lists))
        count = 0
        for row, items in enumerate(lists):
            names = [self.items[item] for item in items if item >= 0]
            for place, name in enumerate(names):
                self._refuse(row, name, names[:place], now[row], states[row])
            count += len(names)
        return count

    def _refuse(
        self,
        row: int,
        name: str,
        listed: list[str],
        now: list[str],
        states: tuple[str, ...],
    ) -> None:
        """Raise if a rule forbids a name; every rule is tried."""
        mine = drug_classes.recognise(name)
        if mine.status == "unmatched" and self.unchecked == "withhold":
            raise UnsafeList(
                f"patient {row}: '{name}' is not known to the table of drug names, so "
                "nothing was checked; leave it out, or add it to drug_classes"
            )
        for rule in self.rules:
            if not {rule.first, rule.second} & mine.classes:
                continue
            if rule.kind == CONTRAINDICATION:
                broken = rule.first in mine.classes and rule.second in states
                other = rule.second
            else:
                broken, other = False, ""
                for candidate in (name, *now, *listed):
                    if _between(rule, name, candidate):
                        broken, other = True, candidate
                        break
            if broken:
                raise UnsafeList(
                    f"patient {row}: '{name}' breaks the rule '{rule.id}' with "
                    f"'{other}'. {rule.reason} Source: {rule.source}. Make lists with "
                    "SafetyFilter.lists."
                )

    def _matrix(
        self, name: str, given: object, patients: int
    ) -> sparse.csr_array | None:
        if given is None:
            return None
        array = checked(name, given, len(self.items))
        if array.shape[0] != patients:
            raise ValueError(
                f"{name} has {array.shape[0]} rows; one for each of the {patients} "
                "patients is needed"
            )
        return array

    def _names(self, given: Drugs, patients: int) -> list[list[str]]:
        """Return the names of each patient's drugs, sorted, each once."""
        if given is None:
            return [[] for _ in range(patients)]
        if sparse.issparse(given) or isinstance(given, np.ndarray):
            array = self._matrix("drugs_now", given, patients)
            parts = np.split(array.indices, array.indptr[1:-1])
            return [sorted({self.items[i] for i in part}) for part in parts][:patients]
        _count("drugs_now", given, patients)
        return [sorted(_texts("drugs_now", names)) for names in given]

    def _against(self, what: str, *, condition: bool) -> np.ndarray:
        """Return which items clash with one ingredient or condition, shape (m,)."""
        if (what, condition) not in self._walls:
            ask = self._book.condition if condition else self._book.pair
            self._walls[what, condition] = np.array(
                [any(ask(drug, what) for drug in drugs) for drugs in self._acting]
            )
        return self._walls[what, condition]

    def _blocked(self, now: list[str], states: tuple[str, ...]) -> np.ndarray:
        """Return which items no list of this patient can hold, shape (m,)."""
        blocked = self._never
        for drug in {each for name in now for each in drug_classes.acting(name)}:
            blocked = blocked | self._against(drug, condition=False)
        for state in states:
            blocked = blocked | self._against(state, condition=True)
        return blocked

    def _rows(
        self,
        row: int,
        item: int,
        now: list[str],
        states: tuple[str, ...],
        taken: list[int],
    ) -> list[tuple]:
        """Return the lines of the report for one item that was passed over."""
        name = self.items[item]
        found = self.findings(
            name,
            drugs_now=now,
            conditions=states,
            listed=[self.items[other] for other in taken],
        )
        return [_line(row, item, name, finding) for finding in found]

    def _standing(
        self, row: int, now: list[str], states: tuple[str, ...]
    ) -> list[tuple]:
        """Return the lines for what a patient already takes."""
        lines = []
        for place, name in enumerate(now):
            found = self.findings(name, drugs_now=now[:place], conditions=states)
            lines += [_line(row, -1, name, finding) for finding in found]
        return lines


@dataclass(frozen=True)
class InteractionRate:
    """How often drugs that are given together clash.

    Attributes
    ----------
    rate : float
        ``clashing / pairs``.
    clashing, pairs : int
        Pairs of different drugs in one basket, over all baskets.
    drugs : int
        Drugs in baskets, each once a basket; supplies are not counted.
    unmatched : int
        Those among them that the table does not know.
    by_rule : Series of int
        Clashing pairs by rule; a pair that breaks two rules counts for both.
    """

    rate: float
    clashing: int
    pairs: int
    drugs: int
    unmatched: int
    by_rule: pd.Series

    def __float__(self) -> float:
        return self.rate


def interaction_rate(
    baskets: sparse.sparray | Sequence[Iterable[str]],
    items: Sequence[str] | None = None,
    rules: Iterable[Rule] | None = None,
    *,
    most_unmatched: float = 0.01,
) -> InteractionRate:
    """Return the share of pairs of drugs given together that clash, or raise an alarm.

    As GAMENet (arXiv:1809.01852) and SafeDrug (arXiv:2105.02711) count: in every basket
    every unordered pair of its drugs is one, all pairs of all baskets are thrown
    together, and the clashing ones are divided by all. Large baskets so count more.
    (Their pairs are of ATC classes, and clash where a public table of side effects of
    drug pairs names them; these are of names, and clash where a rule does. The rates
    are not comparable.) Where their code returns 0 for no pair at all, this one raises.

    A rate of exactly zero is an alarm, not a success: in hospital baskets some drugs
    always clash, so zero says that names did not match. For lists that a filter made,
    zero is right; they are not checked by a rate, but by `SafetyFilter.verify`.

    Parameters
    ----------
    baskets : csr_array (baskets, m), or one iterable of names a basket
        What was given together, such as in one visit.
    items : sequence of str, length m
        The names of the columns; needed for an array.
    rules : iterable of Rule, optional
        As in `SafetyFilter`.
    most_unmatched : float
        The largest share of unknown drugs that is borne, from 0 to below 1.

    Raises
    ------
    SafetyAlarm
        If more drugs than that are unknown, no basket holds two drugs, or no pair
        clashes; the message counts, gives examples and says what to do.
    ValueError
        If there is no basket, an array comes without names, or a number is out of
        range.
    """
    if not 0 <= most_unmatched < 1:
        raise ValueError(f"most_unmatched is {most_unmatched}; from 0 to below 1")
    book = _Book(drug_classes.rules() if rules is None else rules)
    found = Counter(_named(baskets, items))
    if not found:
        raise ValueError("baskets is empty; give at least one basket")
    unknown: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    drugs = pairs = clashing = 0
    for basket, times in found.items():
        names = sorted(
            name for name in basket if drug_classes.recognise(name).status != "supply"
        )
        drugs += times * len(names)
        pairs += times * (len(names) * (len(names) - 1) // 2)
        for place, name in enumerate(names):
            if drug_classes.recognise(name).status == "unmatched":
                unknown[name] += times
            for other in names[:place]:
                broken = {
                    rule.id
                    for one in drug_classes.acting(name)
                    for two in drug_classes.acting(other)
                    for rule in book.pair(one, two)
                }
                clashing += times * bool(broken)
                by_rule.update(dict.fromkeys(broken, times))
    missed = sum(unknown.values())
    _alarm_unmatched(unknown, missed, drugs, most_unmatched)
    if pairs == 0:
        raise SafetyAlarm(
            f"{sum(found.values())} baskets hold {drugs} drugs and no two together, so "
            "there is no pair to count. Was one row a prescription, not a visit?"
        )
    if clashing == 0:
        examples = [name for basket in found for name in sorted(basket)][:5]
        raise SafetyAlarm(
            f"none of {pairs:,} pairs of drugs clashes. That is an alarm, not a "
            "success: names or codes probably did not match the rules. Look at "
            f"drug_classes.recognise of {', '.join(map(repr, examples))}; lists that a "
            "filter made are checked by SafetyFilter.verify instead."
        )
    counted = pd.Series(by_rule, dtype="int64", name="pairs").sort_values(
        ascending=False, kind="stable"
    )
    return InteractionRate(clashing / pairs, clashing, pairs, drugs, missed, counted)


def _alarm_unmatched(
    unknown: Counter[str], missed: int, drugs: int, most: float
) -> None:
    """Raise if too many drugs are unknown."""
    if missed <= most * drugs:
        return
    examples = ", ".join(
        f"'{name}' ({count})" for name, count in unknown.most_common(5)
    )
    raise SafetyAlarm(
        f"{missed:,} of {drugs:,} drugs in baskets ({missed / drugs:.1%}) are unknown, "
        f"{len(unknown):,} different names; at most {most:.1%} is borne. Most "
        f"frequent: {examples}. If these are codes, give their names; if they are "
        "drugs, add them to medlib.data.drug_classes. Pairs with them cannot clash, so "
        "the rate would be too low."
    )


def _named(
    baskets: sparse.sparray | Sequence[Iterable[str]], items: Sequence[str] | None
) -> list[frozenset[str]]:
    """Return each basket as a set of names."""
    if sparse.issparse(baskets) or isinstance(baskets, np.ndarray):
        if items is None:
            raise ValueError("items is missing: give the names of the columns")
        array = checked("baskets", baskets, len(items))
        names = pd.Index(items)
        parts = np.split(array.indices, array.indptr[1:-1])[: array.shape[0]]
        return [frozenset(names[part]) for part in parts]
    return [_texts("baskets", basket) for basket in _several("baskets", baskets)]


def _between(rule: Rule, name: str, other: str) -> bool:
    """Return whether an interaction rule holds between two names."""
    for one in drug_classes.acting(name):
        for two in drug_classes.acting(other):
            mine = drug_classes.classes_of_ingredient(one)
            its = drug_classes.classes_of_ingredient(two)
            if one != two and (
                (rule.first in mine and rule.second in its)
                or (rule.second in mine and rule.first in its)
            ):
                return True
    return False


def _known_conditions(conditions: Iterable[str]) -> tuple[str, ...]:
    """Return conditions in order, each once."""
    found = tuple(sorted(_texts("conditions", conditions)))
    if wrong := [name for name in found if name not in drug_classes.CONDITIONS]:
        raise ValueError(
            f"conditions holds '{wrong[0]}', which no rule knows; the keys are "
            f"{', '.join(drug_classes.CONDITIONS)} (drug_classes.conditions_of gives "
            "those of ICD codes)"
        )
    return found


def _conditions(
    given: Sequence[Iterable[str]] | None, patients: int
) -> list[tuple[str, ...]]:
    if given is None:
        return [()] * patients
    _count("conditions", given, patients)
    return [_known_conditions(each) for each in given]


def _several(name: str, given: object) -> Iterable[str]:
    """Refuse what is no list; of one text every letter would be taken for a name."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(f"{name} holds {given!r}; a list of names is needed")
    return given


def _texts(name: str, given: object) -> frozenset[str]:
    """Return the names of a list, each once; refuse any that is no text."""
    found = frozenset(_several(name, given))
    for each in found:
        if not isinstance(each, str):
            raise ValueError(f"{name} holds {each!r}; names as text are needed")
    return found


def _count(name: str, given: Sequence, patients: int) -> None:
    """Refuse what has not one entry a patient."""
    if len(given) != patients:
        raise ValueError(
            f"{name} has {len(given)} entries; one for each of the {patients} patients "
            "is needed"
        )
    if any(isinstance(each, str) for each in given):
        raise ValueError(
            f"{name} holds text; each patient needs a list of names: [['…', '…'], []]"
        )


def _line(row: int, item: int, name: str, finding: Finding) -> tuple:
    """Return a line of a report, in the order of `REMOVED`."""
    rule = finding.rule
    if rule is None:
        why = "the table does not know this name, so nothing was checked"
        return (row, item, name, UNCHECKED, "", "", "", "", why, "")
    return (
        row,
        item,
        name,
        rule.kind,
        rule.id,
        finding.other,
        finding.place,
        rule.severity,
        rule.reason,
        rule.source,
    )
