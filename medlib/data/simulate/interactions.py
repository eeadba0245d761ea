r"""Treatments of a simulated intensive care unit, drawn from known probabilities.

Each stay belongs to a hidden type :math:`a` and, by a share :math:`w`, to a second one
:math:`b`. Items belong to groups. A stay has an item of group :math:`g` with the
probability

.. math:: \operatorname{logit} p = \beta_j + (1 - w)\,A_{ag} + w\,A_{bg}

with the item's own base :math:`\beta_j` and the affinities :math:`A` of types to
groups. Given type and share the items are independent. The time of the first order is
exponential, alike for all items; an item may be charted again later. Admission
diagnosis and unit depend on the type, with error.

So the best list is known: the items that are not known already, in the order of
:math:`p`. This holds for items that a share of the basket hides by chance, because the
probability that an item is among them rises with its odds; and for items that come
after a time :math:`t` in a stay of length :math:`l`, because
:math:`p\,(F(l) - F(t)) / (1 - p\,F(t))` rises with :math:`p`. No other list has a
higher expected precision or discounted gain. Recall and nDCG divide by what there is to
find, which varies, so there it is the best or close to it. A recommender does not see
the type: what it lacks to this list it may never reach.

No patient's data were used. Names of treatments are medical words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Groups of treatments, written as eICU writes them, and what belongs to each.
GROUPS: dict[str, tuple[str, ...]] = {
    "cardiovascular|shock|vasopressors": (
        "norepinephrine", "vasopressin", "epinephrine", "phenylephrine", "dopamine",
        "dobutamine",
    ),
    "cardiovascular|myocardial ischemia|antithrombotics": (
        "aspirin", "clopidogrel", "heparin infusion", "eptifibatide", "nitroglycerin",
        "beta blocker",
    ),
    "cardiovascular|arrhythmias|rhythm control": (
        "amiodarone", "digoxin", "diltiazem", "cardioversion", "external pacemaker",
        "magnesium infusion",
    ),
    "infectious diseases|medications|antibacterials": (
        "vancomycin", "cefepime", "meropenem", "metronidazole", "levofloxacin",
        "piperacillin/tazobactam",
    ),
    "infectious diseases|procedures|cultures": (
        "blood culture", "urine culture", "sputum culture", "wound culture",
        "catheter removal", "lumbar puncture",
    ),
    "pulmonary|ventilation and oxygenation|mechanical ventilation": (
        "assist controlled", "pressure support", "lung protective", "tracheostomy",
        "prone position", "weaning trial",
    ),
    "pulmonary|medications|bronchodilators": (
        "albuterol", "ipratropium", "methylprednisolone", "acetylcysteine",
        "theophylline", "inhaled steroid",
    ),
    "neurologic|stroke|acute care": (
        "head CT scan", "thrombolysis", "neurology consultation", "mannitol",
        "hypertonic saline", "swallow evaluation",
    ),
    "neurologic|seizures|anticonvulsants": (
        "levetiracetam", "phenytoin", "lorazepam", "valproate", "EEG monitoring",
        "midazolam infusion",
    ),
    "renal|renal failure|replacement therapy": (
        "hemodialysis", "continuous hemofiltration", "nephrology consultation",
        "furosemide infusion", "bicarbonate", "renal ultrasound",
    ),
    "endocrine|glucose metabolism|insulin": (
        "continuous infusion", "sliding scale", "long acting", "fluid resuscitation",
        "potassium replacement", "phosphate replacement",
    ),
    "gastrointestinal|GI bleeding|treatment": (
        "pantoprazole infusion", "octreotide", "upper endoscopy", "red blood cells",
        "fresh frozen plasma", "vitamin K",
    ),
}  # fmt: skip
# Types: admission diagnosis, unit, and the groups that they are treated with.
TYPES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("Infections|Sepsis, pulmonary", "MICU", (0, 3, 4, 5)),
    ("Cardiovascular|Infarction, acute myocardial", "Cardiac ICU", (1, 2)),
    ("Respiratory|Emphysema/bronchitis", "Med-Surg ICU", (5, 6)),
    ("Neurologic|CVA, cerebrovascular accident/stroke", "Neuro ICU", (7, 8)),
    ("Metabolic/Endocrine|Diabetic ketoacidosis", "Med-Surg ICU", (10, 9)),
    ("Gastrointestinal|Bleeding, upper GI", "MICU", (11, 0)),
)
NEAR, FAR = 2.2, -1.8  # affinities to own groups and to others, on the logit scale
BASE_SD = 0.8  # of the items' own bases; their mean is BASE
BASE = -0.9
MEAN_HOURS = 30.0  # to the first time
RIGHT = 0.85  # share of stays whose admission diagnosis, or unit, is their type's
HOSPITALS = 40


@dataclass(frozen=True, eq=False)
class SimulatedUnit:
    """A simulated unit and its truth.

    Attributes
    ----------
    events : DataFrame
        The MEDS columns ``subject_id``, ``time``, ``code``, ``numeric_value``, of the
        whole stays, sorted.
    cohort : DataFrame
        One row per stay, as `medlib.data.records.Records.cohort` gives it, without the
        outcome; all are there 24 h after admission.
    items : Index of str, shape (m,)
        The codes of the treatments, in alphabetical order.
    probability : ndarray of float64, shape (stays, m)
        That a stay, were it long enough, has an item: the best order.
    types : ndarray of int, shape (stays,)
        The hidden type.
    groups : ndarray of int, shape (m,)
        The group of each item.
    """

    events: pd.DataFrame
    cohort: pd.DataFrame
    items: pd.Index
    probability: np.ndarray
    types: np.ndarray
    groups: np.ndarray


def make(*, stays: int = 900, seed: int = 0) -> SimulatedUnit:
    """Draw a unit.

    Parameters
    ----------
    stays : int
        At least 1. About one patient in six has a second stay.
    seed : int
        The same seed gives the same unit.

    Raises
    ------
    ValueError
        If ``stays`` is below 1.
    """
    if stays < 1:
        raise ValueError(f"stays is {stays}; at least 1 is needed")
    rng = np.random.default_rng([seed, 6])
    names = [
        (f"TREATMENT//{group}|{item}", number)
        for number, (group, members) in enumerate(GROUPS.items())
        for item in members
    ]
    items = pd.Index(sorted(name for name, _ in names), name="item")
    groups = np.array([dict(names)[item] for item in items])
    affinity = np.full((len(TYPES), len(GROUPS)), FAR)
    for kind, (_, _, own) in enumerate(TYPES):
        affinity[kind, list(own)] = NEAR
    base = rng.normal(BASE, BASE_SD, len(items))
    types, second = rng.integers(0, len(TYPES), (2, stays))
    share = 0.5 * rng.beta(1, 3, stays)[:, None]
    mixed = (1 - share) * affinity[types] + share * affinity[second]
    probability = 1 / (1 + np.exp(-(base + mixed[:, groups])))

    cohort = _cohort(rng, types)
    length = (cohort["outcome_time"] - cohort["admission_time"]) / pd.Timedelta(hours=1)
    row, column = np.nonzero(rng.random(probability.shape) < probability)
    hour = rng.exponential(MEAN_HOURS, len(row))
    again = rng.poisson(0.7, len(row)) + 1
    row, column, hour = (np.repeat(part, again) for part in (row, column, hour))
    is_first = np.append(True, (np.diff(row) != 0) | (np.diff(column) != 0))[: len(row)]
    hour = np.where(is_first, hour, hour + rng.exponential(MEAN_HOURS, len(row)))
    kept = hour <= length.to_numpy()[row]
    row, column, hour = row[kept], column[kept], hour[kept]
    parts = [_timed(cohort, row, items.to_numpy()[column], np.ceil(hour * 60))]
    everyone = np.arange(stays)
    for prefix, values in (
        ("GENDER//", cohort["gender"]),
        ("ICU_ADMISSION//", cohort["unit"]),
        ("ADMISSION_DIAGNOSIS//", _often(rng, [kind[0] for kind in TYPES], types)),
    ):
        parts.append(_timed(cohort, everyone, prefix + np.asarray(values, object), 0))
    events = pd.concat(parts).sort_values(
        ["subject_id", "time", "code"], ignore_index=True
    )
    return SimulatedUnit(events, cohort, items, probability, types, groups)


def _often(rng: np.random.Generator, names: list[str], types: np.ndarray) -> np.ndarray:
    """Return each type's name, or by error that of a random type."""
    wrong = rng.random(len(types)) >= RIGHT
    chosen = np.where(wrong, rng.integers(0, len(names), len(types)), types)
    return np.array(names, dtype=object)[chosen]


def _cohort(rng: np.random.Generator, types: np.ndarray) -> pd.DataFrame:
    count = len(types)
    patients = max(1, round(count * 6 / 7))
    patient = np.append(
        np.arange(patients), rng.integers(0, patients, count - patients)
    )
    home = rng.integers(0, HOSPITALS, patients)
    age = np.clip(rng.normal(63, 16, patients), 18, 90).astype(int).astype(float)
    gender = rng.choice(["Female", "Male"], patients)
    minutes = rng.integers(0, 364 * 24 * 60, count)
    admission = pd.Timestamp("2015-01-01") + pd.to_timedelta(minutes, unit="min")
    stay = np.ceil(24 * 60 + rng.exponential(72 * 60, count))
    return pd.DataFrame(
        {
            "subject_id": 1_000 + np.arange(count),
            "stay_id": 1_000 + np.arange(count),
            "patient_id": [f"p{number:05d}" for number in patient],
            "hospital_id": 50 + home[patient],
            "unit": _often(rng, [kind[1] for kind in TYPES], types),
            "age": age[patient],
            "gender": gender[patient],
            "admission_time": admission.astype("datetime64[us]"),
            "index_time": (admission + pd.Timedelta(hours=24)).astype("datetime64[us]"),
            "outcome_time": (admission + pd.to_timedelta(stay, unit="min")).astype(
                "datetime64[us]"
            ),
        }
    )


def _timed(
    cohort: pd.DataFrame, rows: np.ndarray, codes: np.ndarray, minutes: np.ndarray | int
) -> pd.DataFrame:
    start = cohort["admission_time"].to_numpy()[rows]
    waits = np.asarray(minutes).astype("timedelta64[m]")
    return pd.DataFrame(
        {
            "subject_id": cohort["subject_id"].to_numpy()[rows],
            "time": (start + waits).astype("datetime64[us]"),
            "code": codes,
            "numeric_value": np.full(len(rows), np.nan, np.float32),
        }
    )
