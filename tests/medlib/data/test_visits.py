"""A visit knows its own past and no future, on hand-made, practice and real tables."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from medlib.data import find, load, splits, visits
from medlib.data.cases import DIAGNOSES, DRUGS, CaseTable
from medlib.data.errors import DataUnavailable
from medlib.data.interactions import Interactions
from medlib.data.records import open_folder
from medlib.data.simulate.hospital import MIMIC_COLUMNS

DATA = Path(os.environ.get("MEDLIB_DATA_DIR", "absent"))
REAL_MIMIC, REAL_UCI = DATA / "mimic-iv-demo-2.2", DATA / "uci-diabetes-130"
PRACTICE = load("uci-diabetes-130", source="practice")

# Encounter, patient, drugs, three diagnoses; not in the order of time.
ENCOUNTERS = [
    (30, "b", {"metformin": "Steady"}, ("428", None, "250.1")),
    (10, "a", {}, ("401", None, None)),
    (20, "b", {"insulin": "Up", "metformin": "Down"}, ("585", "V45", None)),
    (40, "a", {"insulin": "Steady"}, ("493", "403", "276")),
    (50, "c", {"glyburide": "No"}, (None, None, None)),
]


@pytest.fixture(scope="module")
def table():
    """Return the encounters as the loader gives them."""
    features = PRACTICE.features.iloc[: len(ENCOUNTERS)].copy()
    features.index = pd.Index([row[0] for row in ENCOUNTERS], name="encounter_id")
    for name in DRUGS:
        given = [row[2].get(name, "No") for row in ENCOUNTERS]
        features[name] = pd.Categorical(given, ["No", "Down", "Steady", "Up"])
    for place, name in enumerate(DIAGNOSES):
        features[name] = pd.Categorical([row[3][place] for row in ENCOUNTERS])
    groups = pd.Series([row[1] for row in ENCOUNTERS], index=features.index)
    target = pd.Series(0, index=features.index)
    return CaseTable(PRACTICE.info, features, target, PRACTICE.provenance, groups)


@pytest.fixture(scope="module")
def hand(table):
    return visits.from_encounters(table)


def basket(matrix, items, row):
    return {items[i] for i in np.flatnonzero(matrix[[row]].toarray()[0])}


def test_encounters_worked_by_hand(hand):
    assert hand.drugs.patients.tolist() == [10, 40, 20, 30, 50]
    assert hand.patient.tolist() == ["a", "a", "b", "b", "c"]
    assert hand.previous.tolist() == [-1, 0, -1, 2, -1]
    assert hand.number.tolist() == [0, 1, 0, 1, 0]
    got = [basket(hand.drugs.matrix, hand.items, row) for row in range(5)]
    insulin, both = {"insulin"}, {"insulin", "metformin"}
    assert got == [set(), insulin, both, {"metformin"}, set()]
    past = [basket(hand.before, hand.items, row) for row in range(5)]
    assert past == [set(), set(), set(), both, set()]
    assert hand.items.tolist() == list(DRUGS)
    assert "5 visits of 3 patients, 2 of them not the first" in repr(hand)


def test_conditions_come_from_all_three_diagnoses(hand):
    assert hand.conditions == (
        frozenset(),
        frozenset({"asthma", "kidney_disease"}),
        frozenset({"kidney_disease", "severe_renal_failure"}),
        frozenset({"heart_failure", "metabolic_acidosis"}),
        frozenset(),
    )


def test_what_is_known_at_arrival_is_apart_from_the_end(hand, table):
    assert not set(hand.features) & set(hand.at_discharge)
    assert set(DIAGNOSES) <= set(hand.at_discharge)
    late = {"time_in_hospital", "num_lab_procedures", "A1Cresult", "change", *DRUGS}
    assert not late & set(hand.features)
    for name in hand.features:
        assert hand.features.loc[30, name] == table.features.loc[30, name]


def test_some_drugs_alone(table):
    few = visits.from_encounters(table, drugs=["insulin", "glyburide"])
    assert few.items.tolist() == ["insulin", "glyburide"]
    assert few.drugs.matrix.toarray().sum(axis=0).tolist() == [2, 0]


def test_taking_some_keeps_the_past(hand):
    later = hand.take(hand.previous >= 0)
    assert later.drugs.patients.tolist() == [40, 30]
    assert later.previous.tolist() == [-1, -1]  # the visits before are not taken
    assert later.number.tolist() == [1, 1]
    assert basket(later.before, later.items, 1) == {"insulin", "metformin"}
    some = hand.take(np.array([3, 2, 0]))
    assert some.drugs.patients.tolist() == [10, 20, 30]
    assert some.previous.tolist() == [-1, -1, 1]
    assert some.features.index.tolist() == some.at_discharge.index.tolist()
    assert some.conditions[2] == hand.conditions[3]
    nothing = hand.take(np.zeros(5, dtype=bool))
    assert len(nothing) == 0 and nothing.before.shape == (0, 23)
    with pytest.raises(ValueError, match="shape"):
        hand.take(np.ones(4, dtype=bool))
    for wrong in ([-1], [0, 5]):
        with pytest.raises(ValueError, match="the visits are 0 to 4"):
            hand.take(np.array(wrong))


def test_no_later_drug_changes_a_past(table):
    features = table.features.copy()
    features.loc[[30, 40], "insulin"] = "Up"  # last visits of both patients
    changed = visits.from_encounters(dataclasses.replace(table, features=features))
    before = visits.from_encounters(table)
    assert (changed.before != before.before).nnz == 0
    assert (changed.drugs.matrix != before.drugs.matrix).nnz > 0


def test_patients_stay_whole_in_a_split():
    data = visits.from_encounters(PRACTICE)
    split = data.split(seed=3)
    assert (pd.Series(split).groupby(data.patient).nunique() == 1).all()
    shares = pd.Series(split).value_counts(normalize=True)
    assert shares[list(splits.NAMES)].tolist() == pytest.approx(
        [0.7, 0.1, 0.2], abs=0.01
    )
    again = pd.Series(data.number > 0).groupby(split).mean()
    assert again.to_numpy() == pytest.approx((data.number > 0).mean(), abs=0.01)
    assert (data.split(seed=3) == split).all()
    assert (data.split(seed=4) != split).any()


def test_few_patients_are_split_as_everywhere(hand):
    some = visits.from_encounters(PRACTICE).take(np.arange(300))
    expected = splits.assign((some.number > 0).astype(int), some.patient, seed=5)
    parts = pd.crosstab(some.split(seed=5), expected)
    assert (parts.to_numpy() > 0).sum() == 3  # the same parts
    with pytest.raises(ValueError, match="3 groups"):
        hand.split()


def test_the_order_of_the_table_does_not_matter():
    shuffled = np.random.default_rng(0).permutation(len(PRACTICE))
    mixed = dataclasses.replace(
        PRACTICE,
        features=PRACTICE.features.iloc[shuffled],
        groups=PRACTICE.groups.iloc[shuffled],
        target=PRACTICE.target.iloc[shuffled],
    )
    data, other = visits.from_encounters(PRACTICE), visits.from_encounters(mixed)
    assert (other.previous == data.previous).all()
    assert (other.before != data.before).nnz == 0


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"groups": None}, {}, "tells no patients"),
        ({}, {"drugs": []}, "drugs is empty"),
        ({}, {"drugs": ["aspirin"]}, "lacks aspirin"),
        ({"features": PRACTICE.features[list(DRUGS)]}, {}, "lacks race"),
    ],
)
def test_tables_that_are_no_encounters_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        visits.from_encounters(dataclasses.replace(PRACTICE, **change), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"previous": np.array([-1, 0, -1, 1, -1])}, "previous of visit 3 is 1"),
        ({"previous": np.array([1, -1, -1, -1, -1])}, "previous of visit 0"),
        ({"previous": np.array([-1])}, "previous has 1 entries for 5"),
        ({"number": np.zeros(4)}, "number has 4"),
        ({"conditions": ()}, "conditions has 0"),
        ({"before": sparse.csr_array((5, 2), dtype="f4")}, "before has the shape"),
    ],
)
def test_parts_that_do_not_fit_are_refused(hand, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(hand, **change)


def test_features_of_other_visits_are_refused(hand):
    with pytest.raises(ValueError, match="index of features"):
        dataclasses.replace(hand, features=hand.features.iloc[::-1])


# Prescriptions


def write(folder, name, rows):
    frame = pd.DataFrame(rows).reindex(columns=MIMIC_COLUMNS[f"hosp/{name}"].split())
    frame.to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture
def folder(tmp_path):
    """Four admissions of two patients, and one without a drug between."""
    people = {"gender": "F", "anchor_age": "60", "anchor_year": "2150"}
    write(tmp_path, "patients", [people | {"subject_id": i} for i in (1, 2)])
    stays = [(12, 1, 2152), (11, 1, 2150), (13, 1, 2151), (21, 2, 2150), (14, 1, 2153)]
    write(
        tmp_path,
        "admissions",
        [
            {
                "subject_id": patient,
                "hadm_id": stay,
                "admittime": f"{year}-01-01 00:00:00",
                "dischtime": f"{year}-01-03 00:00:00",
                "admission_type": "URGENT",
            }
            for stay, patient, year in stays
        ],
    )
    orders = [
        (11, "Metoprolol Tartrate"),
        (11, "Metoprolol Succinate XL"),
        (11, "Hydrocodone-Acetaminophen"),
        (11, "Bag"),
        (12, "LASIX"),
        (12, "Erythromycin 0.5% Ophth Oint"),
        (12, "Zaubertrank"),
        (13, "Sodium Chloride 0.9%  Flush"),  # no drug, so no visit
        (14, "Furosemide"),
        (21, "Metoprolol Tartrate"),
        (21, ""),
    ]
    write(
        tmp_path,
        "prescriptions",
        [{"subject_id": s // 10, "hadm_id": s, "drug": d} for s, d in orders],
    )
    diagnoses = [(11, "4280", 9), (12, "N186", 10), (12, "E119", 10), (21, "49390", 9)]
    write(
        tmp_path,
        "diagnoses_icd",
        [
            {"subject_id": s // 10, "hadm_id": s, "icd_code": c, "icd_version": v}
            for s, c, v in diagnoses
        ],
    )
    return tmp_path


def opened(folder):
    return open_folder(find("mimic-iv-demo"), folder)


def test_prescriptions_worked_by_hand(folder):
    data = visits.from_prescriptions(opened(folder), least=1)
    assert data.drugs.patients.tolist() == [11, 12, 14, 21]
    got = [basket(data.drugs.matrix, data.items, row) for row in range(4)]
    assert got == [
        {"metoprolol", "hydrocodone", "acetaminophen"},
        {"furosemide", "Zaubertrank"},
        {"furosemide"},
        {"metoprolol"},
    ]
    assert data.previous.tolist() == [-1, 0, 1, -1]
    assert basket(data.before, data.items, 2) == {"furosemide", "Zaubertrank"}
    assert data.features["age"].tolist() == [60, 62, 63, 60]
    assert data.conditions == (
        frozenset({"heart_failure"}),
        frozenset({"kidney_disease", "severe_renal_failure"}),
        frozenset(),
        frozenset({"asthma"}),
    )
    assert data.at_discharge.loc[12].to_dict() == {
        "10//E11": 1,
        "10//N18": 1,
        "9//428": 0,
        "9//493": 0,
    }
    assert not any(name in data.features for name in ("offset", "time", "subject_id"))


def test_rare_drugs_are_left_out(folder):
    data = visits.from_prescriptions(opened(folder), least=2)
    assert data.items.tolist() == ["furosemide", "metoprolol"]
    assert len(data) == 4
    with pytest.raises(ValueError, match="lower least"):
        visits.from_prescriptions(opened(folder), least=3)
    with pytest.raises(ValueError, match="least is 0"):
        visits.from_prescriptions(opened(folder), least=0)


def test_absent_tables_and_drugs(folder):
    (folder / "diagnoses_icd.csv").unlink()
    data = visits.from_prescriptions(opened(folder), least=1)
    assert data.at_discharge.shape == (4, 0)
    assert data.conditions == (frozenset(),) * 4
    write(folder, "prescriptions", [{"subject_id": 1, "hadm_id": 11, "drug": "Bag"}])
    with pytest.raises(ValueError, match="no admission with a drug"):
        visits.from_prescriptions(opened(folder))
    (folder / "prescriptions.csv").unlink()
    with pytest.raises(DataUnavailable, match="no table 'prescriptions'"):
        visits.from_prescriptions(opened(folder))


def test_the_practice_records_have_the_form_of_the_real_ones():
    data = visits.from_prescriptions(load("mimic-iv-demo", source="practice"))
    assert (data.number > 0).any() and data.drugs.shape[1] > 5
    assert (data.previous[data.number > 0] >= 0).all()
    past = data.drugs.matrix[data.previous[data.number > 0]]
    assert (past != data.before[data.number > 0]).nnz == 0
    assert data.before[data.number == 0].nnz == 0


# Real sets


@pytest.mark.skipif(not REAL_MIMIC.is_dir(), reason="MIMIC-IV demo is not here")
def test_admissions_of_mimic():
    data = visits.from_prescriptions(load("mimic-iv-demo"))
    assert len(np.unique(data.patient)) == 100 and len(data) == 250
    assert (data.previous >= 0).sum() == 150
    assert data.drugs.popularity.min() >= 5
    age = data.features["age"]
    assert age.between(18, 110).all()
    follow = np.flatnonzero(data.previous >= 0)
    assert (age.to_numpy()[follow] >= age.to_numpy()[data.previous[follow]]).all()


@pytest.mark.skipif(not REAL_UCI.is_dir(), reason="the encounters are not here")
def test_encounters_of_the_diabetes_set():
    table = load("uci-diabetes-130")
    data = visits.from_encounters(table)
    assert len(data) == 101_766 and len(np.unique(data.patient)) == 71_518
    assert (data.previous >= 0).sum() == 30_248 == len(data) - 71_518
    popularity = pd.Series(data.drugs.popularity, data.items)
    for name in ("insulin", "metformin", "glyburide"):
        assert popularity[name] == (table.features[name] != "No").sum()
    assert popularity["examide"] == popularity["citoglipton"] == 0


def test_the_visits_are_of_one_class(hand):
    assert isinstance(hand.drugs, Interactions)
    with pytest.raises(dataclasses.FrozenInstanceError):
        hand.previous = None
