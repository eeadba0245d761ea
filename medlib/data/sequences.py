"""From event tables to padded arrays of codes, times and ages.

An event table has the columns of MEDS (Medical Event Data Standard): ``subject_id``,
``time``, ``code`` and ``numeric_value``; other columns are left alone. A cohort has one
row for each history that is to be read: its subject, the index time and the age then.

A code may stand in a hierarchy that its own name spells out, with ``//`` or ``|``
between the levels: ``DIAGNOSIS//cardiovascular|shock|septic``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PADDING, UNKNOWN = 0, 1
HOURS_PER_YEAR = 24 * 365.25


def parent_code(code: str) -> str | None:
    """Return the code one level up, None for one at the top.

    >>> parent_code("DIAGNOSIS//cardiovascular|shock")
    'DIAGNOSIS//cardiovascular'
    >>> parent_code("DIAGNOSIS//cardiovascular")
    'DIAGNOSIS'
    """
    above = max(code.rfind("|"), code.rfind("//"))
    return code[:above] if above > 0 else None


@dataclass(frozen=True)
class Vocabulary:
    """The codes that a model knows, each with its number.

    Number 0 is padding and 1 an unknown code; the others follow from 2 on, in
    alphabetical order. Build it with `fit`, from training subjects alone.

    Attributes
    ----------
    numbers : mapping of str to int
        From token to number. A token is a code, or a code with a quantile of its value
        behind it: ``HEART RATE//Q5``.
    edges : mapping of str to ndarray
        For codes with values: the inner borders between the quantiles, rising.
    parent : callable
        Gives the code one level up, or None.
    """

    numbers: Mapping[str, int]
    edges: Mapping[str, np.ndarray] = field(default_factory=dict)
    parent: Callable[[str], str | None] = parent_code

    @classmethod
    def fit(
        cls,
        events: pd.DataFrame,
        subjects: Iterable,
        *,
        min_subjects: int = 5,
        bins: int = 0,
        by: str = "subject_id",
        parent: Callable[[str], str | None] = parent_code,
    ) -> Vocabulary:
        """Return the vocabulary of some subjects' events.

        A token that fewer than ``min_subjects`` subjects have is counted as its parent,
        and so on up; what is rare up to the top is unknown.

        Parameters
        ----------
        events : DataFrame
            An event table.
        subjects : iterable
            Values of the column ``by``: the *training* subjects. Events of others are
            not looked at.
        min_subjects : int
            At least 1.
        bins : int
            Into how many quantiles the values of a code are cut; 0 leaves values out.
        by : str
            The column that tells subjects apart, for example a stay's number.
        parent : callable
            Gives the code one level up, or None at the top.

        Raises
        ------
        ValueError
            If a column is missing, a number is out of range, or no event is of one of
            the subjects.
        """
        if min_subjects < 1:
            raise ValueError(f"min_subjects is {min_subjects}; at least 1 is needed")
        if bins < 0 or bins == 1:
            raise ValueError(f"bins is {bins}; 0, or at least 2, is needed")
        _need(events, "events", by, "code", *(["numeric_value"] if bins else []))
        chosen = events[events[by].isin(list(subjects))]
        if chosen.empty:
            raise ValueError(f"subjects: no event has one of them in column '{by}'")
        edges: dict[str, np.ndarray] = {}
        if bins:
            valued = chosen.dropna(subset="numeric_value")
            for code, values in valued.groupby("code", observed=True)["numeric_value"]:
                cuts = np.quantile(values, np.arange(1, bins) / bins)
                edges[str(code)] = np.unique(cuts)
        draft = cls({}, edges, parent)
        tokens = draft.tokens(chosen)
        owners: dict[str, set] = {
            token: set(whose) for token, whose in chosen.groupby(tokens)[by]
        }
        # From the deepest level up, so that a parent has all its rare children first.
        depth = {}
        for token in list(owners):
            for level, above in enumerate(reversed(list(draft._line(token)))):
                depth[above] = level
        known = []
        for token in sorted(depth, key=lambda name: (-depth[name], name)):
            whose = owners.get(token, set())
            if len(whose) >= min_subjects:
                known.append(token)
            elif (above := parent(token)) is not None:
                owners.setdefault(above, set()).update(whose)
        numbered = enumerate(sorted(known), UNKNOWN + 1)
        return cls({token: number for number, token in numbered}, edges, parent)

    def __len__(self) -> int:
        """Return how many numbers there are, with padding and unknown."""
        return len(self.numbers) + UNKNOWN + 1

    @property
    def names(self) -> list[str]:
        """The token of each number."""
        return ["(padding)", "(unknown)", *sorted(self.numbers, key=self.numbers.get)]

    def tokens(self, events: pd.DataFrame) -> np.ndarray:
        """Return each event's token: its code, with the quantile of its value."""
        codes = events["code"].astype(str).to_numpy(object)
        if not self.edges:
            return codes
        values = events["numeric_value"].to_numpy(float)
        tokens = codes.copy()
        rows = pd.Series(np.arange(len(codes))).groupby(codes).indices
        for code, places in rows.items():
            if code in self.edges:
                valued = places[np.isfinite(values[places])]
                quantile = np.searchsorted(self.edges[code], values[valued], "right")
                tokens[valued] = [f"{code}//Q{number + 1}" for number in quantile]
        return tokens

    def number(self, token: str) -> int:
        """Return a token's number, or that of the nearest code above it, or 1."""
        line = self._line(token)
        return next((self.numbers[x] for x in line if x in self.numbers), UNKNOWN)

    def encode(self, events: pd.DataFrame) -> np.ndarray:
        """Return each event's number, shape (events,)."""
        places, tokens = pd.factorize(self.tokens(events))
        return np.array([self.number(token) for token in tokens], np.int32)[places]

    def _line(self, token: str) -> Iterable[str]:
        """Yield a token, its parent and so on up."""
        name: str | None = token
        while name is not None:
            yield name
            name = self.parent(name)


@dataclass(frozen=True)
class Sequences:
    """Histories as arrays, padded at the end.

    Attributes
    ----------
    codes : ndarray of int32, shape (n, length)
        Numbers of a `Vocabulary`, the earliest first; 0 is padding.
    hours : ndarray of float32, shape (n, length)
        How long before the index time, in hours; 0 at padding.
    ages : ndarray of float32, shape (n, length)
        The subject's age at the event, in years; 0 at padding.
    total : ndarray of int64, shape (n,)
        How many events there were before the window cut the earliest off.
    """

    codes: np.ndarray
    hours: np.ndarray
    ages: np.ndarray
    total: np.ndarray

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.codes)

    @property
    def mask(self) -> np.ndarray:
        """True where there is an event, shape (n, length)."""
        return self.codes != PADDING

    def take(self, rows: np.ndarray) -> Sequences:
        """Return some of the histories, by index or by a boolean mask."""
        return Sequences(*(array[rows] for array in vars(self).values()))

    def latest(self, length: int) -> Sequences:
        """Return the latest events of each history, at most so many.

        Raises
        ------
        ValueError
            If ``length`` is below 1.
        """
        if length < 1:
            raise ValueError(f"length is {length}; at least 1 is needed")
        counts = self.mask.sum(axis=1)
        places = np.maximum(counts - length, 0)[:, None] + np.arange(length)
        inside = places < self.codes.shape[1]
        places = np.where(inside, places, 0)
        parts = [
            np.where(inside, np.take_along_axis(part, places, 1), 0).astype(part.dtype)
            for part in (self.codes, self.hours, self.ages)
        ]
        return Sequences(*parts, self.total)


def encode(
    events: pd.DataFrame,
    cohort: pd.DataFrame,
    vocabulary: Vocabulary,
    *,
    length: int,
    once: bool = False,
    by: str = "subject_id",
) -> Sequences:
    """Return the histories of a cohort, row by row.

    Parameters
    ----------
    events : DataFrame
        An event table with a column ``by``. An event without a time (sex, for example)
        is put at the beginning. Events of subjects outside the cohort are left alone.
    cohort : DataFrame
        Columns ``by`` (each value once), ``index_time`` and ``age``, in years at the
        index time. A subject without events gets an empty history: padding alone.
    vocabulary : Vocabulary
        From training subjects.
    length : int
        The window; of a longer history the latest events are kept.
    once : bool
        Keep of each code the latest event alone. Vital signs are charted every few
        minutes; they would fill the window with one hour.
    by : str
        The column that joins the two tables.

    Returns
    -------
    Sequences
        In the order of the cohort. Events of the same time stand in the order of their
        codes, whatever the order of the table.

    Raises
    ------
    ValueError
        If a column is missing, a key comes twice, an age or index time is missing, or
        an event lies after its index time: it would leak what a model must not know.
    """
    if length < 1:
        raise ValueError(f"length is {length}; at least 1 is needed")
    _need(events, "events", by, "time", "code")
    _need(cohort, "cohort", by, "index_time", "age")
    keys = cohort[by]
    if keys.duplicated().any():
        twice = keys[keys.duplicated()].iloc[0]
        raise ValueError(
            f"cohort has {by} {twice} more than once; one row for each is needed"
        )
    for column in (by, "index_time", "age"):
        if cohort[column].isna().any():
            row = int(np.argmax(cohort[column].isna()))
            raise ValueError(f"cohort has no '{column}' in row {row}; fill or drop it")
    row_of = pd.Series(np.arange(len(cohort)), index=pd.Index(keys))
    rows = events[by].map(row_of)
    inside = rows.notna().to_numpy()
    chosen, rows = events[inside], rows[inside].to_numpy(int)
    index_times = cohort["index_time"].to_numpy()[rows]
    times = chosen["time"].to_numpy()
    hours = (index_times - times) / np.timedelta64(1, "h")
    if (hours < 0).any():
        late = int(np.argmax(hours < 0))
        event, limit = chosen.iloc[late], cohort["index_time"].iloc[rows[late]]
        raise ValueError(
            f"events holds code '{event['code']}' at {event['time']} for {by} "
            f"{event[by]}, after the index time {limit}; keep what is known by then"
        )
    numbers = vocabulary.encode(chosen)
    timeless = np.isnan(hours)
    order = np.lexsort((numbers, -np.where(timeless, np.inf, hours), rows))
    if once:
        # The first of each pair in the reversed order is the latest event.
        pairs = rows.astype(np.int64) * len(vocabulary) + numbers
        latest = np.unique(pairs[order[::-1]], return_index=True)[1]
        order = order[np.sort(len(order) - 1 - latest)]
    rows, numbers, hours = rows[order], numbers[order], hours[order]
    total = np.bincount(rows, minlength=len(cohort)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(total)[:-1]]) if len(total) else total
    # A timeless event gets the time of its history's earliest event, or the index time.
    earliest = np.zeros(len(cohort))
    np.maximum.at(earliest, rows, np.nan_to_num(hours))
    hours = np.where(np.isnan(hours), earliest[rows], hours)
    place = np.arange(len(rows)) - first[rows] - np.maximum(total - length, 0)[rows]
    kept = place >= 0
    at = rows[kept], place[kept]
    codes = np.zeros((len(cohort), length), np.int32)
    before, ages = np.zeros(codes.shape, np.float32), np.zeros(codes.shape, np.float32)
    codes[at], before[at] = numbers[kept], hours[kept]
    years = cohort["age"].to_numpy(float)[rows[kept]]
    ages[at] = years - hours[kept] / HOURS_PER_YEAR
    return Sequences(codes, before, ages, total)


def code_counts(sequences: Sequences, size: int) -> np.ndarray:
    """Return how often each code occurs in each history, shape (n, size).

    Times and order are lost. Column 0 (padding) is zero.

    Parameters
    ----------
    sequences : Sequences
        Histories.
    size : int
        Of the vocabulary: ``len(vocabulary)``.

    Raises
    ------
    ValueError
        If a code lies outside the vocabulary.
    """
    if len(sequences) and sequences.codes.max() >= size:
        raise ValueError(
            f"size is {size}; the histories hold code number {sequences.codes.max()}"
        )
    counts = np.zeros((len(sequences), size), np.float32)
    rows = np.repeat(np.arange(len(sequences)), sequences.mask.sum(axis=1))
    np.add.at(counts, (rows, sequences.codes[sequences.mask]), 1)
    return counts


def _need(table: pd.DataFrame, name: str, *columns: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name} lacks the column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table.columns))}"
        )
