r"""Health records: tables in the form of eICU and MIMIC-IV, from a known truth.

Each stay has a problem :math:`k` and a hidden severity :math:`z`, standard normal and
correlated with age. The true risk of death in hospital is

.. math:: \operatorname{logit} p = b + 1.4\,z + r_k + h

with a base :math:`b`, the problem's own risk :math:`r_k` and the hospital's :math:`h`.
Death is drawn from it. The count of each diagnosis, treatment and drug is Poisson with
a rate that depends on the problem and grows or falls with :math:`z`, its time
exponential after admission. Measurements are linear in :math:`z` with noise, some
missing. The clinicians' score sees :math:`z` with an error. Shortly before a death, and
only then, the records get what is typical of dying: that is a leak for whoever uses
events of the whole stay.

No patient's data were used. Names of diagnoses, treatments and drugs are medical words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medlib.data.simulate.hospital import (
    CARE_PLANS,
    COMMON_DIAGNOSES,
    COMMON_DRUGS,
    COMMON_TREATMENTS,
    DYING,
    EICU_COLUMNS,
    HISTORIES,
    LABS,
    MIMIC_COLUMNS,
    PHYSIOLOGY,
    PROBLEMS,
)

BASE, SLOPE, AGE_SHARE = -3.05, 1.4, 0.35
HOSPITAL_SD, SCORE_SD = 0.3, 0.6  # of the hospital's risk; of the score's error in z
STAYS, PATIENTS, HOSPITALS = 2520, 1840, 180
MINUTES_PER_DAY = 1440


def eicu(seed: int = 0) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Make tables in the form of the eICU demo.

    Parameters
    ----------
    seed : int
        The same seed gives the same tables.

    Returns
    -------
    tables : dict of str to DataFrame
        By the official file's name without its ending, columns as in the official ones.
    truth : DataFrame
        ``subject_id``, ``severity`` (z), ``risk`` (the probability that death was drawn
        with), one row per stay.
    """
    rng = np.random.default_rng([seed, 1])
    stays = _eicu_stays(rng)
    made = {"patient": _patient(rng, stays)}
    hospitals = np.arange(HOSPITALS) + 56
    made["hospital"] = pd.DataFrame(
        {
            "hospitalid": hospitals,
            "numbedscategory": rng.choice(["<100", "100 - 249", ">= 500"], HOSPITALS),
            "teachingstatus": rng.choice(["t", "f"], HOSPITALS, p=[0.1, 0.9]),
            "region": rng.choice(["Midwest", "South", "West"], HOSPITALS),
        }
    )
    made |= _apache(rng, stays)
    made |= _eicu_events(rng, stays)
    ordered = {
        name: made[name].reindex(columns=columns.split())
        for name, columns in EICU_COLUMNS.items()
    }
    truth = stays[["stay", "severity", "risk"]].rename(columns={"stay": "subject_id"})
    return ordered, truth


def _draw(
    rng: np.random.Generator, age: np.ndarray, effect: np.ndarray
) -> pd.DataFrame:
    """Return problem, severity, risk, death and length of stay (minutes)."""
    count = len(age)
    shares = np.array([problem[1] for problem in PROBLEMS])
    problem = rng.choice(len(PROBLEMS), count, p=shares / shares.sum())
    older = (age - 63) / 16
    severity = AGE_SHARE * older + np.sqrt(1 - AGE_SHARE**2) * rng.normal(size=count)
    own = np.array([problem[0] for problem in PROBLEMS])[problem]
    risk = 1 / (1 + np.exp(-(BASE + SLOPE * severity + own + effect)))
    died = rng.random(count) < risk
    days = np.exp(0.55 + 0.3 * severity + 0.7 * rng.normal(size=count))
    minutes = np.maximum(90, days * MINUTES_PER_DAY).astype(int)
    return pd.DataFrame(
        {"age": age.astype(int), "problem": problem, "severity": severity,
         "risk": risk, "died": died, "end": minutes}
    )  # fmt: skip


def _ages(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(np.round(rng.normal(63, 16, count)), 18, 95)


def _eicu_stays(rng: np.random.Generator) -> pd.DataFrame:
    patient = np.concatenate(
        [np.arange(PATIENTS), rng.integers(0, PATIENTS, STAYS - PATIENTS)]
    )
    hospital = (rng.dirichlet(np.ones(HOSPITALS), 1)[0] * 0.7) + 0.3 / HOSPITALS
    home = rng.choice(HOSPITALS, PATIENTS, p=hospital / hospital.sum())[patient]
    effects = rng.normal(0, HOSPITAL_SD, HOSPITALS)
    stays = _draw(rng, _ages(rng, PATIENTS)[patient], effects[home])
    order = rng.permutation(STAYS)
    return stays.assign(
        patient=patient, hospital=home + 56, stay=900_000 + 7 * order
    ).sort_values("stay", ignore_index=True)


def _patient(rng: np.random.Generator, stays: pd.DataFrame) -> pd.DataFrame:
    count = len(stays)
    # Most who die do so in the unit; the others leave it for a ward first.
    in_unit = stays["died"] & (rng.random(count) < 0.6)
    later = np.where(in_unit, 0, rng.integers(60, 6000, count))
    stays["in_unit"], stays["hospital_end"] = in_unit, stays["end"] + later
    clock = [
        f"{m // 60:02d}:{m % 60:02d}:00"
        for m in rng.integers(0, MINUTES_PER_DAY, count)
    ]
    status = np.where(stays["died"], "Expired", "Alive")
    names = np.array([problem[2].split("|")[1] for problem in PROBLEMS])
    return pd.DataFrame(
        {
            "patientunitstayid": stays["stay"],
            "patienthealthsystemstayid": stays["stay"] + 3,
            "gender": rng.choice(["Female", "Male"], count, p=[0.45, 0.55]),
            "age": np.where(stays["age"] > 89, "> 89", stays["age"].astype(str)),
            "ethnicity": rng.choice(
                ["Caucasian", "African American", "Hispanic", "Other/Unknown"],
                count,
                p=[0.76, 0.1, 0.06, 0.08],
            ),
            "hospitalid": stays["hospital"],
            "wardid": stays["hospital"] + 200,
            "apacheadmissiondx": names[stays["problem"]],
            "admissionheight": np.round(rng.normal(169, 10, count), 1),
            "hospitaladmittime24": clock,
            "hospitaladmitoffset": -rng.integers(0, 2000, count),
            "hospitaladmitsource": rng.choice(
                ["Emergency Department", "Operating Room", "Floor"], count
            ),
            "hospitaldischargeyear": rng.choice([2014, 2015], count),
            "hospitaldischargetime24": clock,
            "hospitaldischargeoffset": stays["hospital_end"],
            "hospitaldischargelocation": np.where(stays["died"], "Death", "Home"),
            "hospitaldischargestatus": status,
            "unittype": rng.choice(
                ["Med-Surg ICU", "MICU", "Cardiac ICU", "SICU"],
                count,
                p=[0.7, 0.1, 0.12, 0.08],
            ),
            "unitadmittime24": clock,
            "unitadmitsource": rng.choice(["Emergency Department", "Floor"], count),
            "unitvisitnumber": 1,
            "unitstaytype": "admit",
            "admissionweight": np.round(rng.normal(83, 20, count).clip(40), 1),
            "unitdischargetime24": clock,
            "unitdischargeoffset": stays["end"],
            "unitdischargelocation": np.where(in_unit, "Death", "Floor"),
            "unitdischargestatus": np.where(in_unit, "Expired", "Alive"),
            "uniquepid": [f"{p % 30:03d}-{10_000 + p}" for p in stays["patient"]],
        }
    )


def _apache(rng: np.random.Generator, stays: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the score, its physiology and its other predictors."""
    count, z = len(stays), stays["severity"].to_numpy()
    aps = pd.DataFrame(
        {
            "apacheapsvarid": 50_000 + np.arange(count),
            "patientunitstayid": stays["stay"],
        }
    )
    for name, (mean, sd, slope, gone, decimals) in PHYSIOLOGY.items():
        value = np.abs(mean + slope * z + sd * rng.normal(size=count)).round(decimals)
        aps[name] = np.where(rng.random(count) < gone, -1, value)
    vent = (rng.random(count) < 1 / (1 + np.exp(1.2 - 1.2 * z))).astype(int)
    coma = np.clip(np.round(1.2 * (z + rng.normal(size=count) - 1)), 0, 3).astype(int)
    aps["intubated"], aps["vent"], aps["dialysis"] = vent, vent, 0
    aps["eyes"], aps["motor"] = 4 - coma, 6 - coma
    aps["verbal"], aps["meds"] = np.maximum(1, 5 - coma), 0
    own = np.array([problem[0] for problem in PROBLEMS])[stays["problem"]]
    guess = z + SCORE_SD * rng.normal(size=count)
    score = 1 / (1 + np.exp(-(BASE + 1.2 * guess + own)))
    valid = rng.random(count) < 0.7
    died = np.where(stays["died"], "EXPIRED", "ALIVE")
    result = pd.concat(
        pd.DataFrame(
            {
                "apachepatientresultsid": 70_000 + 2 * np.arange(count) + second,
                "patientunitstayid": stays["stay"],
                "apachescore": np.where(valid, (45 + 18 * guess).clip(0).round(), -1),
                "apacheversion": version,
                "predictedhospitalmortality": np.where(valid, score**power, -1),
                "actualhospitalmortality": died,
                "actualicumortality": np.where(stays["in_unit"], "EXPIRED", "ALIVE"),
            }
        )
        for second, (version, power) in enumerate((("IV", 1.05), ("IVa", 1.0)))
    )
    codes = np.array([problem[3] for problem in PROBLEMS])
    predictors = pd.DataFrame(
        {
            "apachepredvarid": 90_000 + np.arange(count),
            "patientunitstayid": stays["stay"],
            "age": stays["age"],
            "admitdiagnosis": codes[stays["problem"]],
            "diedinhospital": stays["died"].astype(int),
            "ventday1": vent,
            "oobventday1": vent,
            "oobintubday1": vent,
            "diabetes": (rng.random(count) < 0.2).astype(int),
            "ejectfx": -1,
        }
    )
    none = "aids hepaticfailure lymphoma metastaticcancer leukemia immunosuppression"
    none += " cirrhosis electivesurgery activetx readmit thrombolytics graftcount"
    for name in none.split():
        predictors[name] = (rng.random(count) < 0.03).astype(int)
    return {
        "apacheApsVar": aps,
        "apachePatientResult": result,
        "apachePredVar": predictors,
    }


def _happen(
    rng: np.random.Generator,
    stays: pd.DataFrame,
    rates: dict[str, tuple[float, float]],
    mean_minutes: float,
    where: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw events: rows of ``stays``, items, and minutes since admission.

    ``rates`` gives each item's rate at mean severity and its slope. Longer stays have
    more of everything, as events after the end never happen.
    """
    rows, items, times = [], [], []
    for item, (rate, slope) in rates.items():
        expected = rate * np.exp(slope * stays["severity"].to_numpy().clip(-2.5, 2.5))
        counts = rng.poisson(expected if where is None else expected * where)
        who = np.repeat(np.arange(len(stays)), counts)
        rows.append(who)
        items.append(np.full(len(who), item, dtype=object))
        times.append(rng.exponential(mean_minutes, len(who)).astype(int) + 5)
    row, item, time = (np.concatenate(part) for part in (rows, items, times))
    kept = time < stays["end"].to_numpy()[row]
    return row[kept], item[kept], time[kept]


def _of_all(
    rng: np.random.Generator,
    stays: pd.DataFrame,
    common: dict[str, tuple[float, float]],
    own: int | None,
    mean_minutes: float,
    rate: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw what any stay may have, and what belongs to its problem (by position)."""
    parts = [_happen(rng, stays, common, mean_minutes)]
    for index, problem in enumerate(PROBLEMS):
        if own is None:
            break
        slopes = {
            item: (rate, value[1] if isinstance(value, tuple) else value)
            for item, value in problem[own].items()
        }
        where = (stays["problem"] == index).to_numpy().astype(float)
        parts.append(_happen(rng, stays, slopes, mean_minutes, where))
    row, item, time = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((time, row))
    return row[order], item[order], time[order]


def _eicu_events(
    rng: np.random.Generator, stays: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    stay, end = stays["stay"].to_numpy(), stays["end"].to_numpy()
    common = {n: (rate, slope) for n, (_, rate, slope) in COMMON_DIAGNOSES.items()}
    icd = {name: codes for name, (codes, _, _) in COMMON_DIAGNOSES.items()}
    for problem in PROBLEMS:
        icd |= {name: codes for name, (codes, _) in problem[4].items()}
    row, item, time = _of_all(rng, stays, common, 4, 2000, 1.5)
    dead = np.flatnonzero(stays["died"].to_numpy() & (rng.random(len(stays)) < 0.7))
    last = np.maximum(1, end[dead] - rng.integers(5, 120, len(dead)))
    row, time = np.concatenate([row, dead]), np.concatenate([time, last])
    item = np.concatenate([item, rng.choice(DYING, len(dead)).astype(object)])
    made = {
        "diagnosis": pd.DataFrame(
            {
                "diagnosisid": 1_000_000 + np.arange(len(row)),
                "patientunitstayid": stay[row],
                "activeupondischarge": rng.choice(["True", "False"], len(row)),
                "diagnosisoffset": time,
                "diagnosisstring": item,
                "icd9code": [icd.get(name, "427.5, I46.9") for name in item],
                "diagnosispriority": rng.choice(
                    ["Primary", "Major", "Other"], len(row)
                ),
            }
        )
    }
    row, item, time = _of_all(rng, stays, COMMON_TREATMENTS, 5, 1800, 1.5)
    made["treatment"] = pd.DataFrame(
        {
            "treatmentid": 2_000_000 + np.arange(len(row)),
            "patientunitstayid": stay[row],
            "treatmentoffset": time,
            "treatmentstring": item,
            "activeupondischarge": rng.choice(["True", "False"], len(row)),
        }
    )
    row, item, time = _of_all(rng, stays, COMMON_DRUGS, 6, 1500, 1.2)
    names = list(dict.fromkeys(item))
    made["medication"] = pd.DataFrame(
        {
            "medicationid": 3_000_000 + np.arange(len(row)),
            "patientunitstayid": stay[row],
            "drugorderoffset": time - rng.integers(0, 60, len(row)),
            "drugstartoffset": time,
            "drugivadmixture": "No",
            "drugordercancelled": rng.choice(["No", "Yes"], len(row), p=[0.97, 0.03]),
            "drugname": item,
            "drughiclseqno": [4000 + names.index(name) for name in item],
            "prn": rng.choice(["No", "Yes"], len(row)),
            "drugstopoffset": time + rng.integers(60, 5000, len(row)),
        }
    )
    paths = np.array([problem[2] for problem in PROBLEMS])[stays["problem"]]
    made["admissionDx"] = pd.DataFrame(
        {
            "admissiondxid": 4_000_000 + np.arange(len(stays)),
            "patientunitstayid": stay,
            "admitdxenteredoffset": np.minimum(
                end - 1, rng.integers(5, 300, len(stays))
            ),
            "admitdxpath": [
                f"admission diagnosis|All Diagnosis|Non-operative|Diagnosis|{path}"
                for path in paths
            ],
            "admitdxname": [path.split("|")[1] for path in paths],
            "admitdxtext": [path.split("|")[1] for path in paths],
        }
    )
    row, item, time = _happen(rng, stays, HISTORIES, 120)
    path = [f"notes/Progress Notes/Past History/{name}" for name in item]
    made["pastHistory"] = pd.DataFrame(
        {
            "pasthistoryid": 5_000_000 + np.arange(len(row)),
            "patientunitstayid": stay[row],
            "pasthistoryoffset": time,
            "pasthistoryenteredoffset": time + 4,
            "pasthistorynotetype": "Admission",
            "pasthistorypath": path,
            "pasthistoryvalue": [name.split("/")[-1] for name in item],
            "pasthistoryvaluetext": [name.split("/")[-1] for name in item],
        }
    )
    row, item, time = _happen(rng, stays, CARE_PLANS, 900)
    made["carePlanGeneral"] = pd.DataFrame(
        {
            "cplgeneralid": 6_000_000 + np.arange(len(row)),
            "patientunitstayid": stay[row],
            "activeupondischarge": rng.choice(["True", "False"], len(row)),
            "cplitemoffset": time,
            "cplgroup": [name.split("//")[0] for name in item],
            "cplitemvalue": [name.split("//")[1] for name in item],
        }
    )
    row, _, time = _happen(rng, stays, {"pressure": (25, 0.1)}, 1800)
    mean = 85 - 7 * stays["severity"].to_numpy()[row] + 12 * rng.normal(size=len(row))
    mean = mean.clip(25)
    made["vitalAperiodic"] = pd.DataFrame(
        {
            "vitalaperiodicid": 7_000_000 + np.arange(len(row)),
            "patientunitstayid": stay[row],
            "observationoffset": time,
            "noninvasivesystolic": (1.45 * mean).astype(int),
            "noninvasivediastolic": (0.75 * mean).astype(int),
            "noninvasivemean": mean.astype(int),
        }
    )
    return made


def mimic(seed: int = 0) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Make tables in the form of the MIMIC-IV demo: 100 patients.

    Parameters
    ----------
    seed : int
        The same seed gives the same tables.

    Returns
    -------
    tables : dict of str to DataFrame
        By folder and file name without its ending, columns as in the official ones.
    truth : DataFrame
        ``subject_id``, ``stay_id``, ``severity``, ``risk``, one row per ICU stay.
    """
    rng = np.random.default_rng([seed, 2])
    subject = 10_000_000 + np.sort(rng.choice(90_000, 100, replace=False))
    age = _ages(rng, 100).astype(int)
    year = rng.integers(2110, 2190, 100)
    who = np.sort(np.concatenate([np.arange(100), rng.integers(0, 100, 60)]))
    stays = _draw(rng, age[who].astype(float), np.full(len(who), 0.9))
    again = np.append(who[1:] == who[:-1], False)
    stays["died"] &= ~again  # only the last admission of a patient can end in death
    visit = pd.Series(who).groupby(who).cumcount().to_numpy()
    start = pd.to_datetime({"year": year[who], "month": 3, "day": 1}).to_numpy()
    start = start + pd.to_timedelta(
        120 * 1440 * visit + rng.integers(0, 60_000, len(who)), unit="min"
    )
    before = pd.to_timedelta(rng.integers(30, 900, len(who)), unit="min")
    out = start + pd.to_timedelta(stays["end"].to_numpy(), unit="min")
    after = pd.to_timedelta(
        np.where(stays["died"], 0, rng.integers(600, 9000, len(who))), unit="min"
    )
    hadm, stay = 20_000_000 + np.arange(len(who)), 30_000_000 + np.arange(len(who))
    left = out + after
    death = pd.Series(left).where(stays["died"].to_numpy())
    last = death.groupby(who).max()
    made = {
        "hosp/patients": pd.DataFrame(
            {
                "subject_id": subject,
                "gender": rng.choice(["F", "M"], 100),
                "anchor_age": age,
                "anchor_year": year,
                "anchor_year_group": "2011 - 2013",
                "dod": last.dt.strftime("%Y-%m-%d").to_numpy(),
            }
        ),
        "hosp/admissions": pd.DataFrame(
            {
                "subject_id": subject[who],
                "hadm_id": hadm,
                "admittime": start - before,
                "dischtime": left,
                "deathtime": death,
                "admission_type": rng.choice(["EW EMER.", "URGENT"], len(who)),
                "admission_location": rng.choice(
                    ["EMERGENCY ROOM", "TRANSFER FROM HOSPITAL"], len(who)
                ),
                "discharge_location": np.where(stays["died"], "DIED", "HOME"),
                "insurance": rng.choice(["Medicare", "Medicaid", "Other"], len(who)),
                "race": rng.choice(["WHITE", "BLACK/AFRICAN AMERICAN"], len(who)),
                "hospital_expire_flag": stays["died"].astype(int),
            }
        ),
        "icu/icustays": pd.DataFrame(
            {
                "subject_id": subject[who],
                "hadm_id": hadm,
                "stay_id": stay,
                "first_careunit": "Medical Intensive Care Unit (MICU)",
                "last_careunit": "Medical Intensive Care Unit (MICU)",
                "intime": start,
                "outtime": out,
                "los": stays["end"] / MINUTES_PER_DAY,
            }
        ),
    }
    made |= _mimic_events(rng, stays, subject[who], hadm, start)
    ordered = {
        name: made[name].reindex(columns=columns.split())
        for name, columns in MIMIC_COLUMNS.items()
    }
    truth = pd.DataFrame(
        {"subject_id": subject[who], "stay_id": stay, "severity": stays["severity"],
         "risk": stays["risk"]}
    )  # fmt: skip
    return ordered, truth


def _mimic_events(
    rng: np.random.Generator,
    stays: pd.DataFrame,
    subject: np.ndarray,
    hadm: np.ndarray,
    start: np.ndarray,
) -> dict[str, pd.DataFrame]:
    def at(row: np.ndarray, minutes: np.ndarray) -> np.ndarray:
        return start[row] + pd.to_timedelta(minutes, unit="min").to_numpy()

    common = {n: (rate, slope) for n, (_, rate, slope) in COMMON_DIAGNOSES.items()}
    codes = {name: text for name, (text, _, _) in COMMON_DIAGNOSES.items() if text}
    for problem in PROBLEMS:
        codes |= {name: text for name, (text, _) in problem[4].items()}
    row, item, _ = _of_all(rng, stays, common, 4, 1, 1.5)
    found = pd.DataFrame({"row": row, "name": item}).drop_duplicates()
    found = found[found["name"].isin(codes)]
    dead = np.flatnonzero(stays["died"].to_numpy())
    icd10 = [codes[name].split(", ")[1].replace(".", "") for name in found["name"]]
    row = np.concatenate([found["row"].to_numpy(), dead])
    diagnoses = pd.DataFrame(
        {
            "subject_id": subject[row],
            "hadm_id": hadm[row],
            "seq_num": pd.Series(row).groupby(row).cumcount() + 1,
            "icd_code": icd10 + ["I469"] * len(dead),
            "icd_version": 10,
        }
    )
    titles = {t.split(", ")[1].replace(".", ""): n for n, t in codes.items()}
    titles["I469"] = DYING[0]
    row, item, time = _of_all(rng, stays, COMMON_DRUGS, 6, 1500, 1.2)
    drugs = pd.DataFrame(
        {
            "subject_id": subject[row],
            "hadm_id": hadm[row],
            "pharmacy_id": 40_000_000 + np.arange(len(row)),
            "starttime": at(row, time),
            "stoptime": at(row, time + rng.integers(60, 5000, len(row))),
            "drug_type": "MAIN",
            "drug": item,
            "route": "IV",
        }
    )
    row, item, time = _happen(rng, stays, dict.fromkeys(LABS, (6.0, 0.2)), 2500)
    number, unit, mean, sd, slope = zip(*(LABS[name] for name in item), strict=True)
    z = stays["severity"].to_numpy()[row]
    value = np.abs(
        np.array(mean) + np.array(slope) * z + sd * rng.normal(size=len(row))
    )
    labs = pd.DataFrame(
        {
            "labevent_id": 1 + np.arange(len(row)),
            "subject_id": subject[row],
            "hadm_id": hadm[row],
            "specimen_id": 80_000_000 + np.arange(len(row)),
            "itemid": number,
            "charttime": at(row, time),
            "storetime": at(row, time + rng.integers(15, 180, len(row))),
            "value": value.round(1),
            "valuenum": value.round(1),
            "valueuom": unit,
        }
    )
    row, _, time = _happen(rng, stays, {"ventilation": (0.4, 0.8)}, 1500)
    procedures = pd.DataFrame(
        {
            "subject_id": subject[row],
            "hadm_id": hadm[row],
            "seq_num": pd.Series(row).groupby(row).cumcount() + 1,
            "chartdate": pd.Series(at(row, time)).dt.strftime("%Y-%m-%d"),
            "icd_code": "5A1945Z",
            "icd_version": 10,
        }
    )
    return {
        "hosp/diagnoses_icd": diagnoses,
        "hosp/procedures_icd": procedures,
        "hosp/prescriptions": drugs,
        "hosp/labevents": labs,
        "hosp/d_labitems": pd.DataFrame(
            {
                "itemid": [values[0] for values in LABS.values()],
                "label": list(LABS),
                "fluid": "Blood",
                "category": "Chemistry",
            }
        ),
        "hosp/d_icd_diagnoses": pd.DataFrame(
            {"icd_code": list(titles), "icd_version": 10, "long_title": titles.values()}
        ),
    }


MAKE = {"eicu-demo": eicu, "mimic-iv-demo": mimic}


def write(name: str, folder: Path, seed: int = 0) -> pd.DataFrame:
    """Write practice tables as the official files are, and return the truth.

    Parameters
    ----------
    name : {"eicu-demo", "mimic-iv-demo"}
        Which form.
    folder : Path
        An empty folder.
    seed : int
        The same seed gives the same tables.
    """
    made, truth = MAKE[name](seed)
    for table, frame in made.items():
        path = folder / f"{table}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(
            path,
            index=False,
            date_format="%Y-%m-%d %H:%M:%S",
            compression={"method": "gzip", "compresslevel": 1, "mtime": 0},
        )
    return truth
