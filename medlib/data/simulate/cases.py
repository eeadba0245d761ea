r"""Practice encounters: a hidden frailty drives what is recorded and who comes back.

Each patient has a frailty :math:`f` (standard normal) and an age. Both drive the number
of stays, the visits of the year before, the length of the stay, the drugs, the
diagnoses and where the patient goes. Readmission within 30 days is then drawn with the
probability

.. math:: p = \sigma(b + \textstyle\sum_j w_j(x_j)),

a function of recorded columns alone (`risk`), so that a perfect model could find it. It
holds an interaction that a linear model cannot express. The dead do not come back.
Nothing here is a patient, and no number is medicine.
"""

from __future__ import annotations

import numpy as np

from medlib.data import cases

PATIENTS, ENCOUNTERS = 71_518, 101_766  # as many as in the real table
# Shares that give the columns about the look of the real ones.
RACES = dict(zip(cases.LEVELS["race"], (0.19, 0.01, 0.76, 0.02, 0.02), strict=True))
MISSING = {"race": 0.02, "weight": 0.97, "payer_code": 0.4, "medical_specialty": 0.49}
PAYERS = ("MC", "HM", "SP", "BC", "MD", "UN")
SPECIALTIES = (
    "InternalMedicine",
    "Emergency/Trauma",
    "Family/GeneralPractice",
    "Cardiology",
    "Surgery-General",
    "Nephrology",
)
CODES = ("428", "414", "786", "410", "486", "427", "491", "715", "682", "434")
CODES += ("780", "996", "276", "38", "250.8", "250.6", "599", "584", "V57", "577")
HOME, SNF, HOME_CARE, REHAB, EXPIRED = "1", "3", "6", "22", "11"
COMMON_DRUGS = {"metformin": 0.2, "glipizide": 0.12, "glyburide": 0.1, "insulin": 0.53}
RARE_DRUG = 0.01


def make(
    rng: np.random.Generator, encounters: int = ENCOUNTERS
) -> dict[str, np.ndarray]:
    """Draw practice encounters.

    Parameters
    ----------
    rng : Generator
        Source of chance.
    encounters : int
        How many rows, at least 10.

    Returns
    -------
    dict of str to ndarray
        The 50 columns of the real table as text, and ``truth``: the probability of
        readmission within 30 days, float64.

    Raises
    ------
    ValueError
        If fewer than 10 encounters are asked for.
    """
    if encounters < 10:
        raise ValueError(f"encounters is {encounters}; at least 10 are needed")
    patients = max(1, round(encounters * PATIENTS / ENCOUNTERS))
    frailty, band = rng.normal(size=patients), rng.binomial(9, 0.7, patients)
    # Everybody has a stay; further ones fall to the frail.
    weight = np.exp(0.8 * frailty)
    further = rng.choice(patients, encounters - patients, p=weight / weight.sum())
    who = rng.permutation(np.concatenate([np.arange(patients), further]))
    made = _person(rng, band, patients)
    made = {name: values[who] for name, values in made.items()}
    made |= _stay(rng, frailty[who], band[who])
    truth = risk(made)
    drawn = rng.random(encounters)
    later = np.where(made["discharge_disposition_id"] == EXPIRED, 0, 0.35)
    made[cases.READMITTED] = np.select(
        [drawn < truth, drawn < truth + later], ["<30", ">30"], "NO"
    )
    made[cases.ENCOUNTER] = (1000 + 7 * np.arange(encounters)).astype(str)
    made[cases.PATIENT] = (135 + 9 * who).astype(str)
    order = [cases.ENCOUNTER, cases.PATIENT, *cases.FEATURES, cases.READMITTED]
    return {name: made[name] for name in order} | {"truth": truth}


def risk(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return the probability of readmission within 30 days, shape (n,).

    Parameters
    ----------
    columns : dict of str to ndarray of str
        Columns of the real table.
    """

    def number(name: str) -> np.ndarray:
        return np.asarray(columns[name]).astype(float)

    inpatient = np.minimum(number("number_inpatient"), 6)
    going = columns["discharge_disposition_id"]
    age = np.searchsorted(cases.AGES, columns["age"])
    heart = columns["diag_1"] == "428"
    score = -2.75 + 0.35 * inpatient + 0.04 * (number("time_in_hospital") - 4)
    score = score + 0.04 * (age - 6)
    score = score + np.select([going == SNF, going == REHAB, going == HOME_CARE],
                              [0.45, 1.1, 0.2], 0.0)  # fmt: skip
    # After a first stay for heart failure the year before counts twice.
    score = score + np.where(heart, 0.35 * inpatient - 0.3, 0.0)
    return np.where(going == EXPIRED, 0.0, 1 / (1 + np.exp(-score)))


def _person(
    rng: np.random.Generator, band: np.ndarray, patients: int
) -> dict[str, np.ndarray]:
    """Draw what does not change between stays."""
    made = {
        "race": rng.choice(list(RACES), patients, p=list(RACES.values())),
        "gender": rng.choice(["Female", "Male"], patients, p=[0.54, 0.46]),
        "age": np.array(cases.AGES)[band],
        "weight": rng.choice(cases.WEIGHTS, patients),
        "payer_code": rng.choice(PAYERS, patients),
    }
    for name in made.keys() & MISSING.keys():
        made[name] = _blank(rng, made[name], MISSING[name])
    return made


def _stay(
    rng: np.random.Generator, frailty: np.ndarray, band: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw what belongs to one stay."""
    count = len(frailty)

    def poisson(rate: float, slope: float, low: int, high: int) -> np.ndarray:
        drawn = low + rng.poisson(rate * np.exp(slope * frailty))
        return np.minimum(drawn, high).astype(str)

    def chosen(values: tuple[str, ...], shares: list[float]) -> np.ndarray:
        return rng.choice(values, count, p=shares)

    made = {
        "time_in_hospital": poisson(3.0, 0.3, 1, 14),
        "num_lab_procedures": poisson(42.0, 0.1, 1, 132),
        "num_procedures": poisson(1.3, 0.0, 0, 6),
        "num_medications": poisson(14.0, 0.2, 1, 81),
        "number_outpatient": poisson(0.3, 0.4, 0, 42),
        "number_emergency": poisson(0.15, 0.7, 0, 76),
        "number_inpatient": poisson(0.45, 0.9, 0, 21),
        "number_diagnoses": poisson(6.0, 0.1, 1, 16),
        "admission_type_id": chosen(("1", "2", "3", "6"), [0.55, 0.2, 0.2, 0.05]),
        "admission_source_id": chosen(("7", "1", "17"), [0.6, 0.33, 0.07]),
        "medical_specialty": rng.choice(SPECIALTIES, count),
        "max_glu_serum": chosen(
            ("None", "Norm", ">200", ">300"), [0.95] + [0.05 / 3] * 3
        ),
        "A1Cresult": chosen(("None", "Norm", ">7", ">8"), [0.83, 0.05, 0.04, 0.08]),
    }
    made["medical_specialty"] = _blank(
        rng, made["medical_specialty"], MISSING["medical_specialty"]
    )
    for name in cases.DIAGNOSES:
        made[name] = rng.choice(CODES, count)
    made["diag_1"] = np.where(rng.random(count) < 0.1, "428", made["diag_1"])
    # The older and frailer go home less often.
    need = 0.5 * frailty + 0.3 * (band - 6) + rng.logistic(size=count)
    made["discharge_disposition_id"] = np.select(
        [need > 4.5, need > 3.2, need > 1.6, need > 0.8],
        [EXPIRED, REHAB, SNF, HOME_CARE], HOME,
    )  # fmt: skip
    for name in cases.DRUGS:
        given = rng.random(count) < COMMON_DRUGS.get(name, RARE_DRUG)
        how = rng.choice(["Steady", "Up", "Down"], count, p=[0.7, 0.16, 0.14])
        made[name] = np.where(given, how, "No")
    drugs = np.stack([made[name] for name in cases.DRUGS])
    changed = np.isin(drugs, ["Up", "Down"]).any(axis=0)
    made["change"] = np.where(changed, "Ch", "No")
    made["diabetesMed"] = np.where((drugs != "No").any(axis=0), "Yes", "No")
    return made


def _blank(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """Return the values, a share of them replaced by the sign for missing."""
    return np.where(rng.random(len(values)) < share, "?", values)
