"""Encounters are read as their publisher describes them, and refused by name if odd."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from medlib.data import CorruptData, DataUnavailable, cases, find, load, simulate, store
from medlib.data.simulate import cases as practice

INFO = find("uci-diabetes-130")


def raw(count=40, **changes):
    made = practice.make(np.random.default_rng(0), count)
    made.pop("truth")
    return pd.DataFrame(made).assign(**changes)


def archive(tmp_path, content, name="folder/diabetic_data.csv"):
    path = tmp_path / "encounters.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(name, content)
    return path


def with_value(column, value, row=3):
    table = raw()
    table.loc[row, column] = value
    return table


def test_question_marks_are_missing_and_none_is_a_level():
    table = raw(race="?", max_glu_serum="None", A1Cresult="None", weight="?")
    features, _, _ = cases.tidy(table, "a table")
    assert features["race"].isna().all() and features["weight"].isna().all()
    assert (features["max_glu_serum"] == "None").all()
    assert (features["A1Cresult"] == "None").all()


def test_columns_have_their_types_and_order():
    features, target, groups = cases.tidy(raw(), "a table")
    assert features.shape == (40, 47)
    assert set(features.columns) == set(cases.FEATURES)
    assert all(features[name].dtype == np.int64 for name in cases.COUNTS)
    assert (
        features["age"].cat.ordered and features["age"].cat.categories[9] == "[90-100)"
    )
    assert target.dtype == groups.dtype == np.int64
    assert features.index.equals(target.index) and features.index.name == "encounter_id"


@pytest.mark.parametrize(("value", "index"), [("NO", 0), (">30", 1), ("<30", 2)])
def test_the_disease_is_readmission_within_30_days(value, index):
    _, target, _ = cases.tidy(raw(readmitted=value), "a table")
    assert (target == index).all()
    assert (index in INFO.disease) == (value == "<30")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (
            raw().drop(columns=["age", "insulin"]),
            "the columns age, insulin are missing",
        ),
        (
            with_value("encounter_id", "1000"),
            "encounter_id 1000 stands in more than one",
        ),
        (with_value("readmitted", "maybe"), r"readmitted holds 'maybe' \(row 4\)"),
        (with_value("readmitted", "?"), "readmitted is missing"),
        (with_value("time_in_hospital", "three"), "time_in_hospital holds 'three'"),
        (with_value("num_procedures", "-1"), "num_procedures holds '-1'"),
        (
            with_value("number_inpatient", "?"),
            "number_inpatient holds '?'".replace("?", r"\?"),
        ),
        (with_value("number_inpatient", "1.5"), r"holds '1\.5' \(row 4\)"),
        (with_value("insulin", "sometimes"), "insulin holds 'sometimes'.*No, Down"),
        (with_value("age", "[70-75)"), "age holds"),
        (with_value("patient_nbr", ""), "patient_nbr holds ''"),
    ],
)
def test_what_is_odd_is_named(table, complaint):
    with pytest.raises(CorruptData, match=complaint) as error:
        cases.tidy(table, "a table")
    assert str(error.value).startswith("a table")


def test_a_truncated_archive_is_named(tmp_path):
    path = archive(tmp_path, raw().to_csv(index=False))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(CorruptData, match=r"encounters\.zip is not a whole zip"):
        cases.read_member(path, cases.ENCOUNTERS_CSV)


def test_a_damaged_member_is_named(tmp_path):
    path = archive(tmp_path, b"a" * 4000)
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CorruptData, match="not a whole zip"):
        cases.read_member(path, cases.ENCOUNTERS_CSV)


def test_an_archive_without_the_table_is_named(tmp_path):
    path = archive(tmp_path, b"", name="folder/other.csv")
    with pytest.raises(CorruptData, match=r"0 files named diabetic_data\.csv"):
        cases.read_member(path, cases.ENCOUNTERS_CSV)


def test_another_table_in_the_archive_is_refused(tmp_path, monkeypatch):
    path = archive(tmp_path, raw().to_csv(index=False))
    found = store.Obtained(path, "a copy", "")
    monkeypatch.setattr(store, "obtain", lambda *_: found)
    with pytest.raises(CorruptData, match=r"has the MD5 .* not 502f0cc0"):
        load("uci-diabetes-130", source="real")


def test_a_raw_table_survives_the_way_through_a_file():
    table = raw()
    again = pd.read_csv(
        io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False
    )
    for ours, theirs in zip(
        cases.tidy(table, "one"), cases.tidy(again, "other"), strict=True
    ):
        assert ours.equals(theirs)


# Strack et al. 2014, table 2: the ends of each range and its single codes.
GROUPS = {
    "390": "circulatory", "459.9": "circulatory", "785": "circulatory",
    "460": "respiratory", "519": "respiratory", "786.5": "respiratory",
    "520": "digestive", "579": "digestive", "787": "digestive",
    "250": "diabetes", "250.83": "diabetes",
    "800": "injury", "999": "injury",
    "710": "musculoskeletal", "739": "musculoskeletal",
    "580": "genitourinary", "629": "genitourinary", "788": "genitourinary",
    "140": "neoplasms", "239": "neoplasms",
    "8": "other", "240": "other", "276": "other", "295": "other", "389": "other",
    "782": "other", "V58": "other", "E885": "other",
}  # fmt: skip


def test_diagnoses_are_grouped_as_published():
    found = cases.diagnosis_group(pd.Series(list(GROUPS)))
    assert found.tolist() == list(GROUPS.values())
    assert len(found.cat.categories) == 9


def test_a_missing_diagnosis_stays_missing():
    found = cases.diagnosis_group(pd.Series(["428", None]))
    assert found.isna().tolist() == [False, True]


@pytest.mark.parametrize("code", ["heart", "4280", "", "25O", "V", "250.", "-1"])
def test_what_is_no_code_is_named(code):
    with pytest.raises(ValueError, match="not an ICD-9-CM code"):
        cases.diagnosis_group(pd.Series(["428", code]))


def test_real_encounters_are_the_published_ones():
    try:
        data = load("uci-diabetes-130", source="real")
    except DataUnavailable as error:
        pytest.skip(str(error))
    # Counts of the UCI page and of the file itself.
    assert len(data) == 101_766 and data.groups.nunique() == 71_518
    assert np.bincount(data.target).tolist() == [54_864, 35_545, 11_357]
    assert data.features["race"].isna().sum() == 2_273
    assert data.features["weight"].isna().sum() == 98_569
    assert (data.features["A1Cresult"] == "None").sum() == 84_748
    for name in cases.DIAGNOSES:
        cases.diagnosis_group(data.features[name])
    dead = data.features["discharge_disposition_id"].isin(cases.DEATHS)
    assert dead.sum() == 1_652 and not (data.target[dead] == 2).any()
    assert data.truth is None and "71,518 patients" in repr(data)


def test_the_practice_set_has_the_form_of_the_real_one():
    data = load("uci-diabetes-130", source="practice", seed=1)
    assert len(data) == 101_766 and data.features.shape[1] == 47
    assert data.groups.nunique() == 71_518
    assert set(data.features.columns) == set(cases.FEATURES)
    assert 0.09 < (data.target == 2).mean() < 0.13
    again = load("uci-diabetes-130", source="practice", seed=1)
    assert again.features.equals(data.features)
    assert again.target.equals(data.target)
    other = load("uci-diabetes-130", source="practice", seed=2)
    assert not other.target.equals(data.target)


def test_practice_outcomes_follow_the_stated_risk():
    made = simulate.practice("uci-diabetes-130", seed=3)
    truth, early = made["truth"], made["readmitted"] == "<30"
    for low, high in ((0, 0.08), (0.08, 0.15), (0.15, 0.3), (0.3, 1)):
        part = (truth >= low) & (truth < high)
        error = early[part].mean() - truth[part].mean()
        # Four standard errors of a binomial share.
        assert abs(error) < 4 * np.sqrt(truth[part].mean() / part.sum())
    assert (truth[made["discharge_disposition_id"] == "11"] == 0).all()
    assert np.array_equal(practice.risk(made), truth)


def test_practice_patients_keep_who_they_are():
    made = pd.DataFrame(simulate.practice("uci-diabetes-130", seed=0))
    several = made.groupby("patient_nbr")[["race", "gender", "age"]].nunique()
    assert (several == 1).all().all()


def test_too_few_practice_encounters_are_refused():
    with pytest.raises(ValueError, match="encounters is 9"):
        practice.make(np.random.default_rng(0), 9)
