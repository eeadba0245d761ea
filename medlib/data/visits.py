"""Drugs visit by visit: what was given, and what the same patient had the time before.

A visit is a hospital stay. Two sets have several visits of a patient: the encounters of
Strack et al. (2014), doi:10.1155/2014/781670, with 23 diabetes drugs, and the
admissions of MIMIC-IV with all prescriptions (Johnson et al. 2023,
doi:10.1038/s41597-022-01899-x), which are read by ingredient.

**When a diagnosis is known.** In both sets diagnoses are codes that are assigned after
discharge. A model that uses them answers "which drugs go with these diagnoses?", as
published work on drug recommendation does (GAMENet, arXiv:1809.01852). It cannot be
used on the day of admission. The features of a visit therefore come in two tables:
`Visits.features` holds what is known when the patient arrives, `Visits.at_discharge`
what is known at the end alone. The drugs themselves are those of the whole visit.

>>> from medlib.data import load, visits
>>> data = visits.from_encounters(load("uci-diabetes-130"))  # doctest: +SKIP
>>> later = data.take(data.previous >= 0)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from medlib.data import cases, drug_classes, interactions, splits
from medlib.data.errors import DataUnavailable
from medlib.data.interactions import Interactions

if TYPE_CHECKING:
    from medlib.data.cases import CaseTable
    from medlib.data.records import Records

FIRST = -1  # stands for the previous visit of a first one
BUNDLES = 1_000  # at most that many groups are split, or it takes minutes
# What the encounters tell at arrival; the visits counted are those of the year before.
ARRIVAL = (
    "race",
    "gender",
    "age",
    "admission_type_id",
    "admission_source_id",
    "medical_specialty",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
)
END = (
    "time_in_hospital",
    "num_lab_procedures",
    "num_procedures",
    "number_diagnoses",
    "max_glu_serum",
    "A1Cresult",
    *cases.DIAGNOSES,
)
ADMISSION = ("admission_type", "admission_location", "insurance")


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits in order of patients, and of time within a patient.

    Attributes
    ----------
    drugs : Interactions, shape (n, m)
        1 where a drug was given in a visit; ``drugs.patients`` are the visits' keys.
    previous : ndarray of int64, shape (n,)
        The row of the same patient's visit before this one; -1 for a first visit, and
        where `take` left that visit out.
    patient : ndarray, shape (n,)
        The key of each visit's patient.
    before : csr_array of float32, shape (n, m)
        The drugs of the previous visit; none for a first visit. `take` keeps it, so a
        visit knows its past even where the visit before is in no row any more.
    number : ndarray of int64, shape (n,)
        0 for the patient's first visit that is in the data, 1 for the second, …
    features : DataFrame, shape (n, p)
        What is known when the patient arrives; the index is the visits' keys.
    at_discharge : DataFrame, shape (n, q)
        What is known at the end alone.
    conditions : tuple of frozenset of str, length n
        Of `medlib.data.drug_classes.CONDITIONS`, read from the diagnoses: known at the
        end alone.

    Raises
    ------
    ValueError
        If the parts do not fit together, or a previous visit is of another patient or
        comes later.
    """

    drugs: Interactions
    previous: np.ndarray
    patient: np.ndarray
    before: sparse.csr_array
    number: np.ndarray
    features: pd.DataFrame
    at_discharge: pd.DataFrame
    conditions: tuple[frozenset[str], ...]

    def __post_init__(self) -> None:
        count = len(self.drugs)
        for name in ("previous", "patient", "number", "conditions"):
            if len(getattr(self, name)) != count:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries for {count} visits"
                )
        for name in ("features", "at_discharge"):
            if not getattr(self, name).index.equals(self.drugs.patients):
                raise ValueError(f"the index of {name} is not that of the visits")
        if self.before.shape != self.drugs.shape:
            raise ValueError(
                f"before has the shape {self.before.shape}, drugs {self.drugs.shape}"
            )
        rows = np.flatnonzero(self.previous >= 0)
        past = self.previous[rows]
        wrong = (past >= rows) | (self.patient[past] != self.patient[rows])
        if wrong.any():
            row = rows[wrong][0]
            raise ValueError(
                f"previous of visit {row} is {self.previous[row]}, which is not an "
                "earlier visit of the same patient"
            )

    def __len__(self) -> int:
        """Return the number of visits."""
        return len(self.drugs)

    def __repr__(self) -> str:
        patients = len(np.unique(self.patient))
        again = int((self.number > 0).sum())
        return (
            f"<{len(self):,} visits of {patients:,} patients, {again:,} of them not "
            f"the first, {self.drugs.shape[1]:,} drugs>"
        )

    @property
    def items(self) -> pd.Index:
        """The names of the drugs, shape (m,)."""
        return self.drugs.items

    def take(self, rows: np.ndarray) -> Visits:
        """Return some of the visits, each once, by index or by a boolean mask."""
        rows = np.asarray(rows)
        if rows.dtype == bool:
            if rows.shape != (len(self),):
                raise ValueError(f"rows has the shape {rows.shape}, not ({len(self)},)")
            rows = np.flatnonzero(rows)
        rows = np.sort(rows)
        if len(rows) and not 0 <= rows[0] <= rows[-1] < len(self):
            raise ValueError(
                f"rows holds {rows[0]} to {rows[-1]}; the visits are 0 to "
                f"{len(self) - 1}"
            )
        place = np.full(len(self) + 1, FIRST)  # the last place stands for -1
        place[rows] = np.arange(len(rows))
        return Visits(
            self.drugs.take(rows),
            place[self.previous[rows]],
            self.patient[rows],
            self.before[rows],
            self.number[rows],
            self.features.iloc[rows],
            self.at_discharge.iloc[rows],
            tuple(self.conditions[row] for row in rows),
        )

    def split(
        self, *, parts: tuple[int, int, int] = (7, 1, 2), seed: int = 0
    ) -> np.ndarray:
        """Return the MEDS split of every visit, all visits of a patient in one.

        Balanced is whether a visit has one before it. See `medlib.data.splits.assign`,
        whose time grows with the groups: of many patients those of a bundle, drawn at
        random, stay together.
        """
        names, whose = np.unique(self.patient, return_inverse=True)
        bundle = np.arange(len(names)) % BUNDLES
        if len(names) > BUNDLES:
            bundle = np.random.default_rng(seed).permutation(bundle)
        again = (self.number > 0).astype(int)
        split = splits.assign(again, bundle[whose], parts=parts, seed=seed)
        splits.check(split, self.patient)
        return split


def from_encounters(table: CaseTable, *, drugs: Sequence[str] = cases.DRUGS) -> Visits:
    """Return the visits of the diabetes encounters.

    An encounter's number rises with time within a patient: it is the only order that
    the set gives (its dates were removed). A drug counts as given where its column says
    anything but ``No``: kept, raised or lowered.

    Parameters
    ----------
    table : CaseTable
        ``load("uci-diabetes-130")``.
    drugs : sequence of str
        The columns that become items. Of all 23, ``examide`` and ``citoglipton`` are
        names that `medlib.data.drug_classes` does not know; in the real set nobody is
        given either.

    Raises
    ------
    ValueError
        If the table has no patients or lacks a column, or no drug is named.
    """
    if table.groups is None:
        raise ValueError(f"{table.info.title} tells no patients, so no earlier visits")
    if not len(drugs):
        raise ValueError("drugs is empty; name at least one column")
    needed = [*drugs, *ARRIVAL, *END]
    if missing := [name for name in needed if name not in table.features]:
        raise ValueError(f"the table lacks {', '.join(missing)}; give the encounters")
    keys = table.features.index
    order = np.lexsort((keys.to_numpy(), table.groups.to_numpy()))
    ordered = table.features.iloc[order]
    given = (ordered[list(drugs)].astype(str) != "No").to_numpy(np.float32)
    matrix = sparse.csr_array(given)
    taken = Interactions(matrix, ordered.index, pd.Index(list(drugs), dtype=object))
    meanings: dict[str, frozenset[str]] = {}
    for name in cases.DIAGNOSES:
        for code in ordered[name].cat.categories:
            meanings[code] = drug_classes.conditions_of([code], 9)
    conditions = _joined(
        [ordered[name].astype(object) for name in cases.DIAGNOSES], meanings
    )
    return _build(
        taken,
        table.groups.to_numpy()[order],
        ordered[list(ARRIVAL)],
        ordered[list(END)],
        conditions,
    )


def from_prescriptions(records: Records, *, least: int = 5) -> Visits:
    """Return the visits of MIMIC-IV: admissions with their prescriptions.

    A prescription's name is read by `medlib.data.drug_classes`; its ingredients become
    the items, so ``Metoprolol Tartrate`` and ``Metoprolol Succinate XL`` are one.
    Supplies are left out, and so are local forms such as creams, catheter locks and eye
    drops. A name that is not known stays as it is, as an item of its own.

    Parameters
    ----------
    records : Records
        ``load("mimic-iv-demo")``, with ``prescriptions``, ``admissions``, ``patients``.
    least : int
        Drugs of fewer admissions are left out; 1 keeps all.

    Returns
    -------
    Visits
        Admissions without a prescription are left out, and none counts as a previous
        visit.

    Raises
    ------
    DataUnavailable
        If a table is absent.
    ValueError
        If ``least`` is below 1, or nothing is left.
    """
    from medlib.data.records import tables

    if least < 1:
        raise ValueError(f"least is {least}; at least 1 is needed")
    opened = records.tables()
    for name in ("prescriptions", "admissions", "patients"):
        if name not in opened:
            raise DataUnavailable(f"{records.info.title} has no table '{name}' here")
    rows = opened["prescriptions"]
    written = tables.execute(
        rows.select(
            hadm_id=tables.identifier(rows.hadm_id), drug=tables.clean(rows.drug)
        ).distinct()
    ).dropna()
    written["code"] = [_items(name) for name in written["drug"]]
    events = written.explode("code").dropna(subset="code")
    table = _admissions(records)
    table = table[table.index.isin(events["hadm_id"])]
    events = events[events["hadm_id"].isin(table.index)]
    if len(events) == 0:
        raise ValueError(f"{records.info.title} has no admission with a drug")
    frame = events[["hadm_id", "code"]].astype({"hadm_id": "int64", "code": str})
    drugs = interactions.from_events(
        frame, kinds=("",), by="hadm_id", patients=table.index
    )
    frequent = drugs.popularity >= least
    if not frequent.any():
        raise ValueError(f"no drug is in {least} admissions; lower least")
    drugs = drugs.with_items(drugs.items[frequent])
    at_discharge, conditions = _diagnoses(records, table)
    patient = table["subject_id"].to_numpy()
    arrival = table.drop(columns=["subject_id", "time", "offset"])
    return _build(drugs, patient, arrival, at_discharge, conditions)


def _items(name: str) -> list[str]:
    """Return the items that a prescription stands for."""
    found = drug_classes.recognise(name)
    if found.status == "unmatched":
        return [name]
    return [each.replace("_", " ") for each in drug_classes.acting(name)]


def _admissions(records: Records) -> pd.DataFrame:
    """Return admissions in order of patient and time, with what arrival tells."""
    from medlib.data.records import tables

    opened = records.tables()
    admissions, patients = opened["admissions"], opened["patients"]
    known = [name for name in ADMISSION if name in admissions.columns]
    table = admissions.select(
        subject_id=tables.identifier(admissions.subject_id),
        hadm_id=tables.identifier(admissions.hadm_id),
        time=tables.moment(admissions.admittime),
        **{name: tables.clean(admissions[name]) for name in known},
    )
    born = patients.select(
        subject_id=tables.identifier(patients.subject_id),
        gender=tables.clean(patients.gender),
        offset=tables.minutes(patients.anchor_age)
        - tables.minutes(patients.anchor_year),
    )
    joined = table.left_join(born, "subject_id").drop("subject_id_right")
    frame = tables.execute(joined).dropna(subset=["subject_id", "hadm_id", "time"])
    frame = frame.sort_values(["subject_id", "time", "hadm_id"], kind="stable")
    frame["age"] = frame["time"].dt.year + frame["offset"].astype(float)
    frame = frame.astype({"subject_id": "int64", "hadm_id": "int64"})
    for name in ("gender", *known):
        frame[name] = frame[name].astype("category")
    return frame.set_index("hadm_id")


def _diagnoses(
    records: Records, table: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[frozenset[str], ...]]:
    """Return indicators of three-character ICD categories, and conditions."""
    from medlib.data.records import tables

    opened = records.tables()
    if "diagnoses_icd" not in opened:
        return pd.DataFrame(index=table.index), (frozenset(),) * len(table)
    rows = opened["diagnoses_icd"]
    frame = tables.execute(
        rows.select(
            hadm_id=tables.identifier(rows.hadm_id),
            code=tables.clean(rows.icd_code),
            version=tables.identifier(rows.icd_version),
        )
    ).dropna()
    frame = frame[frame["hadm_id"].isin(table.index) & frame["version"].isin([9, 10])]
    meaning = {
        pair: drug_classes.conditions_of([pair[0]], int(pair[1]))
        for pair in set(zip(frame["code"], frame["version"], strict=True))
    }
    found: dict[int, set[str]] = {}
    for visit, code, version in frame.itertuples(index=False):
        found.setdefault(int(visit), set()).update(meaning[code, version])
    category = frame["version"].astype(int).astype(str) + "//" + frame["code"].str[:3]
    wide = pd.crosstab(frame["hadm_id"].astype("int64"), category).clip(upper=1)
    wide = wide.reindex(table.index, fill_value=0).astype(np.int8)
    wide.columns.name = None
    return wide, tuple(frozenset(found.get(visit, ())) for visit in table.index)


def _joined(
    columns: Sequence[pd.Series], meanings: dict[str, frozenset[str]]
) -> tuple[frozenset[str], ...]:
    """Return what the codes of each row mean together."""
    none: frozenset[str] = frozenset()
    rows = zip(*columns, strict=True)
    return tuple(
        none.union(*(meanings.get(code, none) for code in row)) for row in rows
    )


def _build(
    drugs: Interactions,
    patient: np.ndarray,
    features: pd.DataFrame,
    at_discharge: pd.DataFrame,
    conditions: tuple[frozenset[str], ...],
) -> Visits:
    """Return visits that are in order of patient and time, each with its past."""
    count = len(drugs)
    same = np.append(False, patient[1:] == patient[:-1])
    previous = np.where(same, np.arange(count) - 1, FIRST)
    begins = np.flatnonzero(~same)
    number = np.arange(count) - np.repeat(begins, np.diff(np.append(begins, count)))
    # One empty row at the end stands for the past of a first visit.
    padded = sparse.vstack(
        [drugs.matrix, sparse.csr_array((1, drugs.shape[1]), dtype=np.float32)],
        format="csr",
    )
    before = sparse.csr_array(padded[np.where(same, previous, count)])
    before.sort_indices()
    return Visits(
        drugs,
        previous.astype(np.int64),
        patient,
        before,
        number.astype(np.int64),
        features,
        at_discharge,
        conditions,
    )
