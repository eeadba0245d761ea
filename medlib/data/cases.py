"""Tables of cases: those that ship with scikit-learn, and hospital encounters.

The encounters are those of Strack et al. (2014), doi:10.1155/2014/781670. Nothing is
imputed, encoded or scaled here: that belongs inside the split.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medlib.data import provenance, store
from medlib.data.errors import CorruptData
from medlib.data.provenance import Provenance

if TYPE_CHECKING:
    from medlib.data.catalogue import Dataset

# scikit-learn names the columns of the diabetes data in short.
DIABETES_COLUMNS = {
    "age": "age (years)",
    "sex": "sex (coded 1 or 2)",
    "bmi": "body mass index (kg/m²)",
    "bp": "mean blood pressure (mmHg)",
    "s1": "total serum cholesterol (mg/dL)",
    "s2": "low-density lipoproteins (mg/dL)",
    "s3": "high-density lipoproteins (mg/dL)",
    "s4": "cholesterol ratio (total/HDL)",
    "s5": "log serum triglycerides (log mg/dL)",
    "s6": "blood sugar (mg/dL)",
}

ENCOUNTERS_CSV = "diabetic_data.csv"
# Of the file inside the archive, because the archive itself is packed anew at times.
ENCOUNTERS_MD5 = "502f0cc004e4cf71536ec2e61596e42f"
ENCOUNTER, PATIENT, READMITTED = "encounter_id", "patient_nbr", "readmitted"
# Whole numbers; the visits are those of the year before, the stay is in days.
COUNTS = (
    "time_in_hospital",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
    "number_diagnoses",
)
DIAGNOSES = ("diag_1", "diag_2", "diag_3")
DRUGS = (
    "metformin",
    "repaglinide",
    "nateglinide",
    "chlorpropamide",
    "glimepiride",
    "acetohexamide",
    "glipizide",
    "glyburide",
    "tolbutamide",
    "pioglitazone",
    "rosiglitazone",
    "acarbose",
    "miglitol",
    "troglitazone",
    "tolazamide",
    "examide",
    "citoglipton",
    "insulin",
    "glyburide-metformin",
    "glipizide-metformin",
    "glimepiride-pioglitazone",
    "metformin-rosiglitazone",
    "metformin-pioglitazone",
)
AGES = tuple(f"[{low}-{low + 10})" for low in range(0, 100, 10))
WEIGHTS = (*(f"[{low}-{low + 25})" for low in range(0, 200, 25)), ">200")  # kg
# The columns whose levels are known; "None" means that no test was made.
LEVELS: dict[str, tuple[str, ...]] = {
    "race": ("AfricanAmerican", "Asian", "Caucasian", "Hispanic", "Other"),
    "gender": ("Female", "Male", "Unknown/Invalid"),
    "age": AGES,
    "weight": WEIGHTS,
    "max_glu_serum": ("None", "Norm", ">200", ">300"),
    "A1Cresult": ("None", "Norm", ">7", ">8"),
    **dict.fromkeys(DRUGS, ("No", "Down", "Steady", "Up")),
    "change": ("No", "Ch"),
    "diabetesMed": ("No", "Yes"),
}
# Columns with a long list of levels: codes of the hospitals' systems.
CODES = (
    "admission_type_id",
    "discharge_disposition_id",
    "admission_source_id",
    "payer_code",
    "medical_specialty",
    *DIAGNOSES,
)
FEATURES = (*LEVELS, *COUNTS, *CODES)
OUTCOMES = ("NO", ">30", "<30")
# Codes of `discharge_disposition_id` (IDS_mapping.csv in the archive).
DEATHS = ("11", "19", "20", "21")
HOSPICE = ("13", "14")
# Strack et al. 2014, table 2: three-digit ICD-9-CM codes, both ends included.
DIAGNOSIS_GROUPS: dict[str, tuple[tuple[int, int], ...]] = {
    "circulatory": ((390, 459), (785, 785)),
    "respiratory": ((460, 519), (786, 786)),
    "digestive": ((520, 579), (787, 787)),
    "diabetes": ((250, 250),),
    "injury": ((800, 999),),
    "musculoskeletal": ((710, 739),),
    "genitourinary": ((580, 629), (788, 788)),
    "neoplasms": ((140, 239),),
}
OTHER = "other"
_CODE = re.compile(r"(\d{1,3})(\.\d{1,2})?|[EV]\d{2,3}(\.\d{1,2})?")


@dataclass(frozen=True)
class CaseTable:
    """One row per case.

    Attributes
    ----------
    info : Dataset
        The catalogue's entry.
    features : DataFrame, shape (n, p)
        Measurements; the column names carry the units where they are known.
    target : Series, shape (n,)
        Class index, or the value to predict.
    provenance : Provenance
        Where the cases came from.
    groups : Series, shape (n,), or None
        The patient of each case, where a patient can have several: split by it.
    truth : Series, shape (n,), or None
        Practice sets: the probability of the disease from which it was drawn.
    """

    info: Dataset
    features: pd.DataFrame
    target: pd.Series
    provenance: Provenance
    groups: pd.Series | None = None
    truth: pd.Series | None = None

    def __len__(self) -> int:
        return len(self.target)

    def __repr__(self) -> str:
        rows, columns = self.features.shape
        of = "" if self.groups is None else f" of {self.groups.nunique():,} patients"
        return f"<{self.info.title}: {rows:,} cases{of} × {columns}>"


def load_bundled(info: Dataset) -> CaseTable:
    """Load a table that ships with scikit-learn; see `medlib.data.load`."""
    from sklearn import datasets

    if info.name == "wisconsin":
        source = datasets.load_breast_cancer(as_frame=True)
        features, target = source.data, source.target.rename("diagnosis")
    else:
        source = datasets.load_diabetes(as_frame=True, scaled=False)
        features = source.data.rename(columns=DIABETES_COLUMNS)
        target = source.target.rename("progression after one year")
    origin = provenance.record(
        Provenance(
            info.name, info.title, "real", "as shipped with scikit-learn", info.licence
        )
    )
    return CaseTable(info, features, target, origin)


def load_real(info: Dataset) -> CaseTable:
    """Load the real encounters; see `medlib.data.load`."""
    found = store.obtain(info, info.files[0])
    content = read_member(found.path, ENCOUNTERS_CSV)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != ENCOUNTERS_MD5:
        raise CorruptData(
            f"{ENCOUNTERS_CSV} in {found.path} has the MD5 {digest}, not "
            f"{ENCOUNTERS_MD5}. Delete the archive and load again; if that does not "
            "help, the publisher changed the table: report it."
        )
    raw = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    features, target, groups = tidy(raw, f"{ENCOUNTERS_CSV} in {found.path}")
    detail = f"{ENCOUNTERS_CSV} of the official archive"
    origin = provenance.record(
        Provenance(info.name, info.title, "real", detail, info.licence, found.sha256)
    )
    return CaseTable(info, features, target, origin, groups)


def load_practice(info: Dataset, *, seed: int) -> CaseTable:
    """Make the practice encounters; see `medlib.data.load`."""
    from medlib.data import simulate

    arrays = simulate.practice(info.name, seed=seed)
    truth = arrays.pop("truth")
    features, target, groups = tidy(pd.DataFrame(arrays), "the practice set")
    origin = provenance.record(
        Provenance(
            info.name,
            info.title,
            "practice",
            f"{info.practice}; seed {seed}",
            info.licence,
        )
    )
    return CaseTable(
        info, features, target, origin, groups, pd.Series(truth, target.index)
    )


def read_member(archive: Path, name: str) -> bytes:
    """Return the content of the one file of that name in a zip archive.

    Raises
    ------
    CorruptData
        If the archive is truncated or damaged, or has not exactly one such file.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.namelist() if m.rpartition("/")[2] == name]
            if len(members) != 1:
                raise CorruptData(
                    f"{archive} holds {len(members)} files named {name}, not one. "
                    "Delete it and load again."
                )
            return opened.read(members[0])
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise CorruptData(
            f"{archive} is not a whole zip archive ({error}). Delete it and load again."
        ) from error


def tidy(raw: pd.DataFrame, source: str) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Check a raw table of encounters and give each column its type.

    ``?`` becomes missing. ``None`` in ``max_glu_serum`` and ``A1Cresult`` is a level:
    the test was not made.

    Parameters
    ----------
    raw : DataFrame of str, shape (n, 50)
        As in ``diabetic_data.csv``, without any value taken for missing.
    source : str
        What the error messages call the table.

    Returns
    -------
    features : DataFrame, shape (n, 47)
        Counts as int64, everything else as categories (age and weight ordered); the
        index is the encounter's number.
    target : Series of int64, shape (n,)
        0 not readmitted, 1 after 30 days, 2 within 30 days.
    groups : Series of int64, shape (n,)
        The patient's number.

    Raises
    ------
    CorruptData
        If a column is missing, an encounter stands twice, or a value is not one of
        those that the column can have.
    """
    expected = [ENCOUNTER, PATIENT, READMITTED, *FEATURES]
    if missing := [name for name in expected if name not in raw.columns]:
        raise CorruptData(
            f"{source}: the columns {', '.join(missing)} are missing. Delete the file "
            "and load again."
        )
    ids = _whole(raw[ENCOUNTER], source)
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].iloc[0]
        raise CorruptData(
            f"{source}: {ENCOUNTER} {twice} stands in more than one row, "
            f"{int(ids.duplicated().sum())} rows in all. Drop the repeated rows."
        )
    index = pd.Index(ids, name=ENCOUNTER)
    columns = {
        name: _whole(raw[name], source)
        if name in COUNTS
        else _levels(raw, name, source)
        for name in raw.columns
        if name in FEATURES
    }
    features = pd.DataFrame(columns).set_axis(index)
    target = _levels(raw, READMITTED, source)
    if target.isna().any():
        raise CorruptData(f"{source}: {READMITTED} is missing in some rows")
    codes = pd.Series(target.cat.codes.to_numpy(np.int64), index, name=READMITTED)
    patients = _whole(raw[PATIENT], source).set_axis(index)
    return features, codes, patients


def _whole(column: pd.Series, source: str) -> pd.Series:
    """Return a column of whole numbers of at least 0."""
    found = pd.to_numeric(column, errors="coerce")
    bad = ~(found >= 0) | (found % 1 != 0)
    if bad.any():
        raise CorruptData(
            f"{source}: {column.name} holds '{column[bad].iloc[0]}' (row "
            f"{int(np.argmax(bad)) + 1}); whole numbers of at least 0 are needed"
        )
    return found.astype(np.int64)


def _levels(raw: pd.DataFrame, name: str, source: str) -> pd.Series:
    """Return a column as categories, ``?`` as missing."""
    values = raw[name].where(raw[name] != "?")
    allowed = OUTCOMES if name == READMITTED else LEVELS.get(name)
    if allowed is None:
        return values.astype("category")
    odd = values.notna() & ~values.isin(allowed)
    if odd.any():
        raise CorruptData(
            f"{source}: {name} holds '{values[odd].iloc[0]}' (row "
            f"{int(np.argmax(odd)) + 1}); it can be {', '.join(allowed)} or ?"
        )
    ordered = name in ("age", "weight")
    return values.astype(pd.CategoricalDtype(allowed, ordered=ordered))


def diagnosis_group(codes: pd.Series) -> pd.Series:
    """Sort ICD-9-CM codes into the nine groups of Strack et al. (2014), table 2.

    Parameters
    ----------
    codes : Series of str, shape (n,)
        For example ``"428"``, ``"250.83"`` or ``"V58"``; missing stays missing.

    Returns
    -------
    Series of category, shape (n,)

    Raises
    ------
    ValueError
        If a value is not an ICD-9-CM code.
    """
    group_of = {code: _group(str(code)) for code in codes.dropna().unique()}
    names = [*DIAGNOSIS_GROUPS, OTHER]
    return codes.astype(object).map(group_of).astype(pd.CategoricalDtype(names))


def _group(code: str) -> str:
    if not (match := _CODE.fullmatch(code)):
        raise ValueError(
            f"codes holds '{code}', which is not an ICD-9-CM code such as 428, 250.83 "
            "or V58"
        )
    if match[1] is None:  # causes of injury (E) and other contacts (V)
        return OTHER
    number = int(match[1])
    for name, ranges in DIAGNOSIS_GROUPS.items():
        if any(low <= number <= high for low, high in ranges):
            return name
    return OTHER
