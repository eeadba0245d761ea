"""Tables of cases that ship with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from medlib.data import provenance
from medlib.data.catalogue import Dataset
from medlib.data.provenance import Provenance

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
    """

    info: Dataset
    features: pd.DataFrame
    target: pd.Series
    provenance: Provenance

    def __len__(self) -> int:
        return len(self.target)

    def __repr__(self) -> str:
        rows, columns = self.features.shape
        return f"<{self.info.title}: {rows} cases × {columns}>"


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
