"""Interactions: which patient had which treatment, as a sparse matrix.

A row is a patient or, as here mostly, one stay; a column is an item: a treatment or a
drug. Feedback is implicit (Hu, Koren & Volinsky 2008, doi:10.1109/ICDM.2008.22): a pair
that is not there was not given, whether or not it would have been right to give it.

>>> from medlib.data import interactions, load
>>> records = load("eicu-demo")  # doctest: +SKIP
>>> events = interactions.select(records, ("TREATMENT//",))  # doctest: +SKIP
>>> data = interactions.keep(interactions.from_events(events))  # doctest: +SKIP
>>> known, hidden = interactions.hold_out(data, seed=0)  # doctest: +SKIP
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from medlib.data import splits
from medlib.data.errors import DataUnavailable
from medlib.data.sequences import parent_code

if TYPE_CHECKING:
    from medlib.data.records import Records

TREATMENTS = ("TREATMENT//",)
DRUGS = ("MEDICATION//",)
# What is known of a patient beside the treatments; age comes from the cohort.
PATIENT_KINDS = ("GENDER//", "ICU_ADMISSION//", "ADMISSION_DIAGNOSIS//")
OLDEST = 90  # years; eICU publishes no age above 89
_WORD = re.compile(r"[a-z][a-z0-9-]+")


@dataclass(frozen=True, eq=False)
class Interactions:
    """Who had what.

    Attributes
    ----------
    matrix : csr_array of float32, shape (n, m)
        1 where a patient had an item, or how often; what is not stored is 0.
    patients : Index, shape (n,)
        The key of each row, for example a stay's number; each once.
    items : Index of str, shape (m,)
        The name of each column; each once.
    hours : ndarray of float32, shape (matrix.nnz,), or None
        When each stored pair first occurred, in the order of ``matrix.data``.

    Raises
    ------
    ValueError
        If the parts do not fit together, a key or name comes twice, a value is not
        above zero, or a pair is stored twice.
    """

    matrix: sparse.csr_array
    patients: pd.Index
    items: pd.Index
    hours: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.matrix, sparse.csr_array):
            raise ValueError(
                f"matrix is a {type(self.matrix).__name__}; give a "
                "scipy.sparse.csr_array"
            )
        if self.matrix.shape != (len(self.patients), len(self.items)):
            raise ValueError(
                f"matrix has the shape {self.matrix.shape} for {len(self.patients)} "
                f"patients and {len(self.items)} items"
            )
        for name, index in (("patients", self.patients), ("items", self.items)):
            _unique(index, name)
        data = self.matrix.data
        if not self.matrix.has_canonical_format:
            raise ValueError(
                "matrix stores a pair twice or out of order; call its sum_duplicates()"
            )
        if not (np.isfinite(data).all() and (data > 0).all()):
            raise ValueError(
                "matrix stores a value that is not above zero; call its "
                "eliminate_zeros() and drop what is negative or NaN"
            )
        if self.hours is not None and self.hours.shape != data.shape:
            raise ValueError(
                f"hours has the shape {self.hours.shape} for {len(data)} pairs"
            )

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patients)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<{rows:,} patients × {columns:,} items, {self.matrix.nnz:,} pairs>"

    @property
    def shape(self) -> tuple[int, int]:
        """Patients, items."""
        return len(self.patients), len(self.items)

    @property
    def basket_sizes(self) -> np.ndarray:
        """How many different items each patient had, shape (n,)."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    @property
    def popularity(self) -> np.ndarray:
        """How many patients had each item, shape (m,)."""
        return np.bincount(self.matrix.indices, minlength=len(self.items))

    def take(self, rows: np.ndarray) -> Interactions:
        """Return some of the patients, each once, by index or by a boolean mask."""
        rows = _chosen(rows, len(self))
        sizes = self.basket_sizes[rows]
        starts = self.matrix.indptr[rows].astype(np.int64)
        first = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) - np.repeat(first - starts, sizes)
        return _build(
            np.repeat(np.arange(len(rows)), sizes),
            self.matrix.indices[places],
            self.matrix.data[places],
            None if self.hours is None else self.hours[places],
            self.patients[rows],
            self.items,
        )

    def where(self, pairs: np.ndarray) -> Interactions:
        """Return some of the pairs, by a boolean mask in the order of ``matrix.data``.

        All patients and items stay; what loses its last pair becomes a zero row or
        column.

        Raises
        ------
        ValueError
            If the mask is none, or not of one value a pair.
        """
        pairs = np.asarray(pairs)
        if pairs.dtype != bool or pairs.shape != self.matrix.data.shape:
            raise ValueError(
                f"pairs has the type {pairs.dtype} and the shape {pairs.shape}; a "
                f"boolean mask of the {self.matrix.nnz} pairs is needed"
            )
        return _build(
            self._rows()[pairs],
            self.matrix.indices[pairs],
            self.matrix.data[pairs],
            None if self.hours is None else self.hours[pairs],
            self.patients,
            self.items,
        )

    def with_items(self, items: pd.Index) -> Interactions:
        """Return the same patients with another catalogue of items.

        Items that the new catalogue lacks are left out; its further ones get zero
        columns. Use it to bring other patients to the columns of the training ones.
        """
        _unique(items, "items")
        columns = items.get_indexer(self.items)[self.matrix.indices]
        kept = columns >= 0
        rows, columns = self._rows()[kept], columns[kept]
        order = np.lexsort((columns, rows))
        return _build(
            rows[order],
            columns[order],
            self.matrix.data[kept][order],
            None if self.hours is None else self.hours[kept][order],
            self.patients,
            items,
        )

    def _rows(self) -> np.ndarray:
        """Return the row of each stored pair."""
        return np.repeat(np.arange(len(self)), self.basket_sizes)


def select(records: Records, kinds: Sequence[str] = TREATMENTS) -> pd.DataFrame:
    """Return all events whose codes begin with one of some words, of the whole stays.

    Parameters
    ----------
    records : Records
        As `medlib.data.load` gives them.
    kinds : sequence of str
        What the codes begin with; `TREATMENTS`, `DRUGS` or both.

    Returns
    -------
    DataFrame
        The four MEDS columns, sorted. They reach to the end of the stay, so they are
        no features: `split_by_time` tells what was known when.

    Raises
    ------
    DataUnavailable
        If there is no such event, for example because a table is absent.
    """
    from medlib.data.records import streams, tables

    kinds, schema = _kinds(kinds), records.schema
    # Reading every table takes most of the time, and few tables hold such codes.
    needed = {schema.REQUIRED, *schema.COHORT}
    needed |= {s.table for s in schema.SOURCES if _may_begin(s.code, kinds)}
    paths = {name: path for name, path in records.paths.items() if name in needed}
    few = replace(records, paths=paths, _own={})
    try:
        stream = few.events()
        wanted = reduce(or_, (stream.code.startswith(kind) for kind in kinds))
        found = tables.execute(streams.in_order(stream.filter(wanted)))
    finally:
        few.connection().disconnect()
    if found.empty:
        raise DataUnavailable(
            f"{records.info.title} has no event of the kinds {', '.join(kinds)}; "
            f"absent tables: {', '.join(records.absent) or 'none'}"
        )
    return found


def _may_begin(template: str, kinds: tuple[str, ...]) -> bool:
    """Tell whether a code made from a template can begin with one of some words."""
    fixed = template.partition("{")[0]
    return any(fixed.startswith(kind) or kind.startswith(fixed) for kind in kinds)


def drug_names(records: Records) -> dict[str, str]:
    """Return a name for each drug code of eICU: the one that is written most often.

    eICU codes a drug by its HICL number, ``MEDICATION//4006``, where it has one. Of
    names that are as frequent the first in alphabetical order is taken.

    Raises
    ------
    DataUnavailable
        If the table ``medication`` is absent or is not eICU's.
    """
    from medlib.data.records import tables

    sources = [s for s in records.schema.SOURCES if s.table == "medication"]
    opened = records.tables()
    if not sources or "medication" not in opened:
        raise DataUnavailable(f"{records.info.title} has no table 'medication' here")
    rows = opened["medication"]
    named = rows.select(
        code=tables.label(rows, sources[0].code, sources[0].drop),
        name=tables.clean(rows.drugname).upper(),
    ).filter(lambda t: t.name.notnull())
    counted = named.group_by(["code", "name"]).aggregate(times=named.count())
    frame = tables.execute(counted).sort_values(
        ["code", "times", "name"], ascending=[True, False, True]
    )
    return dict(frame.drop_duplicates("code")[["code", "name"]].itertuples(index=False))


def admission(records: Records, stays: Iterable[int]) -> pd.DataFrame:
    """Return what was known of eICU stays at admission.

    Parameters
    ----------
    records : Records
        The eICU demo.
    stays : iterable of int
        The rows, in their order: ``patientunitstayid``.

    Returns
    -------
    DataFrame
        One row per stay: ``patient`` (whose it is), ``hospital``, ``ward``, ``unit``
        (its type), ``diagnosis`` (APACHE's at admission), ``diagnosis_group`` (that up
        to the first comma or bracket), all text or missing; ``age`` in years, 90 where
        it is above 89.

    Raises
    ------
    DataUnavailable
        If the records are not eICU's.
    ValueError
        If a stay is not in the table ``patient``.
    """
    from medlib.data.records import eicu, tables

    if records.schema is not eicu:
        raise DataUnavailable(f"{records.info.title} has no eICU table 'patient'")
    rows = records.tables()[eicu.REQUIRED]
    columns = {
        "patient": "uniquepid",
        "hospital": "hospitalid",
        "ward": "wardid",
        "unit": "unittype",
        "diagnosis": "apacheadmissiondx",
    }
    found = tables.execute(
        rows.select(
            stay_id=tables.identifier(rows[eicu.SUBJECT]),
            **{name: tables.clean(rows[column]) for name, column in columns.items()},
            age=eicu.age(rows.age),
        )
    ).set_index("stay_id")
    stays = pd.Index(stays, name="stay_id")
    if not (is_known := stays.isin(found.index)).all():
        raise ValueError(f"stay {stays[~is_known][0]} is not in the table 'patient'")
    found = found.loc[stays]
    group = found["diagnosis"].str.replace(r"\s*[,(].*", "", regex=True)
    found.insert(found.columns.get_loc("age"), "diagnosis_group", group)
    return found


def from_events(
    events: pd.DataFrame,
    *,
    kinds: Sequence[str] = TREATMENTS,
    by: str | None = None,
    patients: pd.Index | None = None,
    items: pd.Index | None = None,
    since: pd.Series | None = None,
    counts: bool = False,
) -> Interactions:
    """Return the pairs of patient and item that an event table holds.

    Parameters
    ----------
    events : DataFrame
        With ``code``, the column ``by`` and, for ``since``, ``time``.
    kinds : sequence of str
        Codes that begin with one of these become items.
    by : str, optional
        The column that becomes the rows: ``stay_id`` or, where there is none,
        ``subject_id`` if left out.
    patients : Index, optional
        The rows. Who has no event gets an all-zero row; events of others are left out.
        In rising order of those who occur if left out.
    items : Index of str, optional
        The columns; events with other codes are left out. In alphabetical order of
        those that occur if left out.
    since : Series of timestamps, optional
        Indexed by patient; gives ``hours``, from then to the first event of each pair.
    counts : bool
        Store how many events a pair has, not 1.

    Raises
    ------
    ValueError
        If a column is missing, an event has no patient or code, a key comes twice, or
        ``since`` is given and a time is missing.
    """
    by = by or ("stay_id" if "stay_id" in events else "subject_id")
    needed = [by, "code", *(["time"] if since is not None else [])]
    if missing := [name for name in needed if name not in events.columns]:
        raise ValueError(
            f"events lacks the column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, events.columns))}"
        )
    for name in (by, "code"):
        if events[name].isna().any():
            row = int(np.argmax(events[name].isna()))
            raise ValueError(f"events has no '{name}' in row {row}; fill or drop it")
    chosen = events[events["code"].str.startswith(_kinds(kinds)).to_numpy(bool)]
    if patients is None:
        patients = pd.Index(np.sort(chosen[by].unique()), name=by)
    if items is None:
        items = pd.Index(np.sort(chosen["code"].unique()), name="item")
    _unique(patients, "patients")
    _unique(items, "items")
    rows = patients.get_indexer(chosen[by])
    columns = items.get_indexer(chosen["code"])
    kept = (rows >= 0) & (columns >= 0)
    chosen, rows, columns = chosen[kept], rows[kept], columns[kept]
    pairs, inverse, times = np.unique(
        rows.astype(np.int64) * max(len(items), 1) + columns,
        return_inverse=True,
        return_counts=True,
    )
    hours = None
    if since is not None:
        wait = _hours(chosen, by, since)
        hours = np.full(len(pairs), np.inf)
        np.minimum.at(hours, inverse, wait)
    return _build(
        pairs // max(len(items), 1),
        pairs % max(len(items), 1),
        times if counts else np.ones(len(pairs)),
        hours,
        patients,
        items,
    )


def keep(
    interactions: Interactions, *, min_patients: int = 5, min_items: int = 5
) -> Interactions:
    """Leave out rare items first, then patients with few of the items that are left.

    Once each, in this order: an item can end with fewer than ``min_patients`` patients.
    Items that nobody is left with are dropped.

    Parameters
    ----------
    interactions : Interactions
        All pairs.
    min_patients : int
        Patients whom an item needs.
    min_items : int
        Items that a patient then needs.

    Raises
    ------
    ValueError
        If a number is negative.
    """
    for name, value in (("min_patients", min_patients), ("min_items", min_items)):
        if value < 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
    common = interactions.with_items(
        interactions.items[interactions.popularity >= min_patients]
    )
    kept = common.take(common.basket_sizes >= min_items)
    return kept.with_items(kept.items[kept.popularity > 0])


def hold_out(
    interactions: Interactions, *, share: float = 0.2, seed: int = 0
) -> tuple[Interactions, Interactions]:
    r"""Hide a random part of each patient's items, at least one.

    Of :math:`b` items :math:`\max(1, \lfloor b \cdot \text{share} \rfloor)` are hidden.
    Mind what this leaves out: time. A recommender may use what came later to tell what
    came before; `split_by_time` does not allow it.

    Parameters
    ----------
    interactions : Interactions
        All pairs.
    share : float
        Above 0 and below 1.
    seed : int
        The same seed hides the same items.

    Returns
    -------
    known, hidden : Interactions
        Of the same shape. Of a patient with a single item nothing is known; an empty
        basket stays empty in both.

    Raises
    ------
    ValueError
        If ``share`` is out of range.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; it must lie between 0 and 1")
    rows, sizes = interactions._rows(), interactions.basket_sizes
    drawn = np.random.default_rng(seed).random(len(rows))
    place = np.empty(len(rows), np.int64)
    place[np.lexsort((drawn, rows))] = np.arange(len(rows))
    place -= (np.cumsum(sizes) - sizes)[rows]
    # The small number keeps 0.29 · 100 from becoming 28.
    many = np.maximum(1, np.floor(share * sizes + 1e-9))
    hidden = place < many[rows]
    return interactions.where(~hidden), interactions.where(hidden)


@dataclass(frozen=True, eq=False)
class TimeSplit:
    """What patients had by the index time, what came newly after, and who is who.

    Attributes
    ----------
    known : Interactions, shape (n, m)
        By the index time: what a recommender may see of a patient.
    later : Interactions, shape (n, m)
        First given after it: what it should find. No pair is in both.
    everything : Interactions, shape (n, m)
        Both; of training patients a recommender may see it.
    split : ndarray of str, shape (n,)
        ``"train"``, ``"tuning"`` or ``"held_out"``.
    outside : ndarray of int64, shape (n,)
        How many new items each patient got that the catalogue lacks, because too few
        training patients had them. Nobody can recommend them: report them.
    """

    known: Interactions
    later: Interactions
    everything: Interactions
    split: np.ndarray
    outside: np.ndarray

    def rows(self, name: str) -> np.ndarray:
        """Return the rows of ``"train"``, ``"tuning"`` or ``"held_out"``."""
        if name not in splits.NAMES:
            raise ValueError(f"name is '{name}'; there are {', '.join(splits.NAMES)}")
        return np.flatnonzero(self.split == name)


def split_by_time(
    events: pd.DataFrame,
    cohort: pd.DataFrame,
    *,
    kinds: Sequence[str] = TREATMENTS,
    by: str = "stay_id",
    groups: Sequence[str] = ("patient_id",),
    parts: tuple[int, int, int] = (7, 1, 2),
    min_patients: int = 5,
    seed: int = 0,
    split: np.ndarray | None = None,
) -> TimeSplit:
    """Split by time within each stay, and by patient between stays.

    What was first given by the index time is known; what was first given after it is to
    be found. An item that goes on is not new. Rows are all stays of the cohort, in its
    order; some are empty on either side.

    Parameters
    ----------
    events : DataFrame
        Of whole stays, as `select` gives them, with the column ``by`` or, where every
        subject is one stay as in eICU, ``subject_id``.
    cohort : DataFrame
        One row per stay: ``by``, ``index_time`` and the columns of ``groups``.
    kinds : sequence of str
        Codes that begin with one of these become items.
    by : str
        The column that tells stays apart.
    groups : sequence of str
        What must not be parted: ``("patient_id",)``, or with ``"hospital_id"`` where
        the claim is about other hospitals.
    parts : (int, int, int)
        For train, tuning and held_out; see `medlib.data.splits.assign`.
    min_patients : int
        Training stays that an item needs to be in the catalogue.
    seed : int
        Of the split.
    split : ndarray of str, shape (n,), optional
        A split made before, instead of ``parts`` and ``seed``; see `folds_by_time`.

    Raises
    ------
    ValueError
        If a column is missing, a stay comes twice or has no index time, there are too
        few patients for the parts, ``split`` parts a group or has other names, or no
        item is frequent enough.
    """
    pairs, tied = _around_index(events, cohort, kinds, by, groups)
    is_new = pairs.hours > 0
    if split is None:
        found = pairs.where(is_new).basket_sizes > 0
        assigned = splits.assign(found, *tied, parts=parts, seed=seed)
    else:
        assigned = np.asarray(split)
        splits.check(assigned, *tied)
        if strange := sorted(set(assigned.tolist()) - set(splits.NAMES)):
            raise ValueError(
                f"split holds {', '.join(map(repr, strange))}; use "
                f"{', '.join(map(repr, splits.NAMES))}"
            )
    common = pairs.take(assigned == splits.TRAIN).popularity >= min_patients
    if not common.any():
        raise ValueError(
            f"min_patients is {min_patients}, but no item was given in so many of "
            f"{np.sum(assigned == splits.TRAIN)} training stays; lower it"
        )
    everything = pairs.with_items(pairs.items[common])
    new = everything.hours > 0
    later = everything.where(new)
    outside = pairs.where(is_new).basket_sizes - later.basket_sizes
    return TimeSplit(everything.where(~new), later, everything, assigned, outside)


def folds_by_time(
    events: pd.DataFrame,
    cohort: pd.DataFrame,
    *,
    count: int = 5,
    kinds: Sequence[str] = TREATMENTS,
    by: str = "stay_id",
    groups: Sequence[str] = ("patient_id",),
    min_patients: int = 5,
    seed: int = 0,
) -> list[TimeSplit]:
    """Split by time within each stay, so that each stay is held out once.

    In the eICU demo only about every fifth stay gets something new after its first day:
    a single held-out part is too small to tell recommenders apart. In split f the fold
    f is held out, the next one is for tuning, the others train. The catalogue is that
    of the training stays, so it differs between the splits.

    Parameters
    ----------
    count : int
        Number of folds, at least 3.
    events, cohort, kinds, by, groups, min_patients, seed
        As in `split_by_time`.

    Raises
    ------
    ValueError
        As in `split_by_time`, or if there are fewer than three folds.
    """
    if count < 3:
        raise ValueError(f"count is {count}; train, tuning and held_out need 3 folds")
    pairs, tied = _around_index(events, cohort, kinds, by, groups)
    found = pairs.where(pairs.hours > 0).basket_sizes > 0
    fold = splits.folds(found, *tied, count=count, seed=seed)
    made = []
    for number in range(count):
        chosen = [fold == number, fold == (number + 1) % count]
        split = np.select(chosen, [splits.HELD_OUT, splits.TUNING], splits.TRAIN)
        made.append(
            split_by_time(
                events,
                cohort,
                kinds=kinds,
                by=by,
                groups=groups,
                min_patients=min_patients,
                split=split,
            )
        )
    return made


def _around_index(
    events: pd.DataFrame,
    cohort: pd.DataFrame,
    kinds: Sequence[str],
    by: str,
    groups: Sequence[str],
) -> tuple[Interactions, list[np.ndarray]]:
    """Return all pairs, with hours from the index time, and what must stay together."""
    if not groups:
        raise ValueError("groups is empty; name at least the column of the patient")
    for name in (by, "index_time", *groups):
        if name not in cohort.columns:
            raise ValueError(
                f"cohort lacks the column '{name}'; it has "
                f"{', '.join(map(repr, cohort.columns))}"
            )
        if cohort[name].isna().any():
            row = int(np.argmax(cohort[name].isna()))
            raise ValueError(f"cohort has no '{name}' in row {row}; fill or drop it")
    stays = pd.Index(cohort[by])
    _unique(stays, f"cohort's {by}")
    pairs = from_events(
        events,
        kinds=kinds,
        by=by if by in events else "subject_id",
        patients=stays,
        since=pd.Series(cohort["index_time"].to_numpy(), stays),
    )
    return pairs, [cohort[name].to_numpy() for name in groups]


@dataclass(frozen=True, eq=False)
class Content:
    """What is known of items or patients beside their interactions.

    Attributes
    ----------
    matrix : csr_array of float32, shape (n, f)
        One row each; a row without any known feature is all zero.
    features : Index of str, shape (f,)
        The names of the columns, in alphabetical order.
    """

    matrix: sparse.csr_array
    features: pd.Index

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.matrix.shape[0]


def item_terms(item: str, text: str = "") -> list[str]:
    """Return what describes an item: its levels from the top, and the words.

    Parameters
    ----------
    item : str
        A code whose name spells out its hierarchy.
    text : str
        More words, for example the name of a drug whose code is a number.

    Examples
    --------
    >>> item_terms("TREATMENT//cardiovascular|shock|vasopressors")
    ... # doctest: +NORMALIZE_WHITESPACE
    ['cardiovascular', 'cardiovascular|shock', 'cardiovascular|shock|vasopressors',
     'word: cardiovascular', 'word: shock', 'word: vasopressors']
    """
    path = item.partition("//")[2] or item
    levels = path.split("|")
    paths = ["|".join(levels[: depth + 1]) for depth in range(len(levels))]
    words = dict.fromkeys(_WORD.findall(f"{path} {text}".lower()))
    return [*paths, *(f"word: {word}" for word in words)]


def item_content(
    items: Iterable[str],
    *,
    texts: Mapping[str, str] | None = None,
    fit: np.ndarray | None = None,
    min_items: int = 2,
) -> Content:
    r"""Describe items by their hierarchy and words, weighted by TF-IDF.

    Rows have length 1 (or 0), so that a product of two rows is their cosine. A term's
    weight grows as fewer items have it (Spärck Jones 1972, doi:10.1108/eb026526), with
    scikit-learn's smoothing: :math:`1 + \ln((1 + m) / (1 + m_t))` for a term that
    :math:`m_t` of :math:`m` items have.

    Parameters
    ----------
    items : iterable of str
        Codes.
    texts : mapping of str to str, optional
        More words for some of the items; see `drug_names`.
    fit : ndarray, optional
        The items, by index or by a boolean mask, that terms and weights are learnt
        from; all if left out. Leave items out of it that are to be new.
    min_items : int
        Items that a term needs; what a single item has likens it to no other.

    Raises
    ------
    ValueError
        If no term is frequent enough or ``fit`` is empty.
    """
    texts = texts or {}
    terms = [item_terms(item, texts.get(item, "")) for item in items]
    return _describe(terms, fit, "fit", min_items, "min_items", tfidf=True)


def patient_content(
    cohort: pd.DataFrame,
    events: pd.DataFrame,
    *,
    train: np.ndarray,
    kinds: Sequence[str] = PATIENT_KINDS,
    min_patients: int = 5,
    tfidf: bool = False,
) -> Content:
    """Describe patients by what was known of them at the index time.

    Parameters
    ----------
    cohort : DataFrame
        The stays in the order of the rows: ``stay_id`` (or ``subject_id``),
        ``index_time`` and ``age`` in years, which becomes a decade.
    events : DataFrame
        As `Records.features` gives them. Codes of ``kinds`` and every level above them
        become features.
    train : ndarray
        The training patients, by index or by a boolean mask: the vocabulary and the
        weights come from them alone.
    kinds : sequence of str
        What the codes begin with.
    min_patients : int
        Training patients that a feature needs.
    tfidf : bool
        Weight features by TF-IDF and give rows the length 1, as `item_content` does;
        1 where a patient has the feature if false.

    Raises
    ------
    Leakage
        If an event is later than its stay's index time.
    ValueError
        If a column is missing, an event belongs to nobody in the cohort, ``train`` is
        empty, or no feature is frequent enough.
    """
    from medlib.data.records import refuse_later

    key = "stay_id" if "stay_id" in events else "subject_id"
    for name in (key, "index_time", "age"):
        if name not in cohort.columns:
            raise ValueError(f"cohort lacks the column '{name}'")
    chosen = events[events["code"].str.startswith(_kinds(kinds)).to_numpy(bool)]
    refuse_later(chosen, cohort)
    terms: list[list[str]] = [_age_terms(years) for years in cohort["age"]]
    rows = pd.Index(cohort[key]).get_indexer(chosen[key])
    for row, code in zip(rows, chosen["code"], strict=True):
        terms[row].extend(_lineage(code))
    return _describe(terms, train, "train", min_patients, "min_patients", tfidf=tfidf)


def _age_terms(years: float) -> list[str]:
    if pd.isna(years):
        return []
    low = min(int(years // 10) * 10, OLDEST)
    return [f"AGE//{low}+" if low == OLDEST else f"AGE//{low}-{low + 9}"]


def _lineage(code: str) -> list[str]:
    """Return a code and the levels above it, without the word for its kind."""
    line: list[str] = []
    above: str | None = code
    while above is not None and "//" in above:
        line.append(above)
        above = parent_code(above)
    return line


def _describe(
    terms: list[list[str]],
    fit: np.ndarray | None,
    fit_name: str,
    least: int,
    least_name: str,
    *,
    tfidf: bool,
) -> Content:
    """Return a matrix of terms, vocabulary and weights from the rows ``fit``."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    if fit is None:
        fit = np.arange(len(terms))
    elif np.asarray(fit).dtype == bool and len(fit) != len(terms):
        raise ValueError(f"{fit_name} has {len(fit)} values for {len(terms)} rows")
    chosen = _chosen(fit, len(terms))
    if len(chosen) == 0:
        raise ValueError(f"{fit_name} chooses no row; the terms need at least one")
    if least < 1:
        raise ValueError(f"{least_name} is {least}; at least 1 is needed")
    among = [set(terms[row]) for row in chosen]
    common = pd.Series([term for row in among for term in row], dtype=object)
    often = common.value_counts()
    vocabulary = sorted(often.index[often >= least])
    if not vocabulary:
        raise ValueError(
            f"{least_name} is {least}, but no term is in so many of {len(chosen)} "
            "rows; lower it"
        )
    make = TfidfVectorizer if tfidf else CountVectorizer
    vectoriser = make(
        analyzer=lambda row: sorted(set(row)),
        vocabulary=vocabulary,
        lowercase=False,
        dtype=np.float32,
    )
    vectoriser.fit([terms[row] for row in chosen])
    matrix = sparse.csr_array(vectoriser.transform(terms))
    matrix.sum_duplicates()
    return Content(matrix, pd.Index(vocabulary, name="feature"))


def _build(
    rows: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    hours: np.ndarray | None,
    patients: pd.Index,
    items: pd.Index,
) -> Interactions:
    """Return interactions from pairs sorted by row, then column, each once."""
    starts = np.zeros(len(patients) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(patients)), out=starts[1:])
    # 32 bits, because scikit-learn takes no others.
    matrix = sparse.csr_array(
        (
            np.asarray(values, np.float32),
            np.asarray(columns, np.int32),
            starts.astype(np.int32),
        ),
        shape=(len(patients), len(items)),
    )
    hours = None if hours is None else np.asarray(hours, np.float32)
    return Interactions(matrix, patients, items, hours)


def _hours(events: pd.DataFrame, by: str, since: pd.Series) -> np.ndarray:
    """Return the hours from each patient's start to each event."""
    _unique(since.index, "since")
    for name, times in (("time", events["time"]), ("since", events[by].map(since))):
        if times.isna().any():
            row = events.iloc[int(np.argmax(times.isna()))]
            whose = f"code '{row['code']}' of {by} {row[by]}"
            lacks = "events has no time" if name == "time" else "since has no start"
            raise ValueError(f"{lacks} for {whose}; fill or drop it")
    starts = events[by].map(since).to_numpy("datetime64[us]")
    waits = events["time"].to_numpy("datetime64[us]") - starts
    return waits / np.timedelta64(1, "h")


def _chosen(rows: np.ndarray, count: int) -> np.ndarray:
    """Return indices for indices or a mask; an empty list chooses nobody."""
    rows = np.asarray(rows)
    return np.arange(count)[rows] if rows.size else np.arange(0)


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    if isinstance(kinds, str) or not kinds:
        raise ValueError(f"kinds is {kinds!r}; give a tuple such as {TREATMENTS}")
    return tuple(kinds)


def _unique(index: pd.Index, name: str) -> None:
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise ValueError(f"{name} holds '{twice}' more than once; each once is needed")
