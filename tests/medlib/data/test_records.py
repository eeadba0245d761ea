"""Tables become MEDS events; nothing is dropped in silence; nothing looks ahead."""

import gzip
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from medlib.data import CorruptData, DataUnavailable, Leakage, find, load
from medlib.data.records import (
    bag_of_codes,
    open_folder,
    refuse_later,
    streams,
    tables,
)
from medlib.data.simulate import records as simulated
from medlib.data.simulate.hospital import EICU_COLUMNS, MIMIC_COLUMNS

EICU, MIMIC = find("eicu-demo"), find("mimic-iv-demo")
STAY = {
    "patientunitstayid": "1",
    "gender": "Male",
    "age": "70",
    "hospitalid": "56",
    "unittype": "MICU",
    "unitadmittime24": "23:00:00",
    "hospitaldischargeyear": "2015",
    "hospitaladmitoffset": "-120",
    "hospitaldischargeoffset": "4000",
    "hospitaldischargestatus": "Alive",
    "unitdischargeoffset": "3000",
    "unitdischargestatus": "Alive",
    "uniquepid": "001-1",
}


def write(folder, name, rows, columns=EICU_COLUMNS):
    """Write a table as the official files are; what is not named is empty."""
    path = folder / f"{name}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows).reindex(columns=columns[name].split())
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three stays of two patients: a long one, a death on day two, a short one."""
    stays = [
        STAY,
        STAY
        | {
            "patientunitstayid": "2",
            "age": "> 89",
            "uniquepid": "001-2",
            "hospitaldischargestatus": "Expired",
            "unitdischargestatus": "Expired",
            "unitdischargeoffset": "2000",
            "hospitaldischargeoffset": "2000",
        },
        STAY | {"patientunitstayid": "3", "unitdischargeoffset": "600"},
    ]
    write(tmp_path, "patient", stays)
    diagnoses = [
        ("11", "1", "30", "pulmonary|asthma"),
        ("12", "1", "1440", "renal|stones"),
        ("13", "1", "1441", "cardiovascular|shock"),
        ("14", "2", "1999", "cardiovascular|cardiac arrest"),
    ]
    names = ["diagnosisid", "patientunitstayid", "diagnosisoffset", "diagnosisstring"]
    write(tmp_path, "diagnosis", [dict(zip(names, d, strict=True)) for d in diagnoses])
    return tmp_path


def codes(frame, prefix):
    return frame[frame["code"].str.startswith(prefix)]


def test_events_of_a_small_hospital_are_as_by_hand(folder):
    records = open_folder(EICU, folder)
    found = records.events().execute()
    assert list(found) == ["subject_id", "time", "code", "numeric_value"]
    assert found["numeric_value"].dtype == np.float32
    diagnosis = codes(found, "DIAGNOSIS").sort_values("time")
    first = diagnosis.iloc[0]
    # Admitted at 23:00 on the artificial 1 January 2015; recorded half an hour later.
    assert first["subject_id"] == 1 and first["code"] == "DIAGNOSIS//pulmonary|asthma"
    assert first["time"] == pd.Timestamp("2015-01-01 23:30")
    ages = found[found["code"] == "AGE"].set_index("subject_id")["numeric_value"]
    assert ages.to_dict() == {1: 70, 2: 90, 3: 70}
    death = found[found["code"] == "MEDS_DEATH"]
    assert death["subject_id"].tolist() == [2]
    assert death["time"].iloc[0] == pd.Timestamp("2015-01-01 23:00") + pd.Timedelta(
        minutes=2000
    )


def test_an_event_counts_when_it_was_entered_not_when_it_happened(folder):
    write(
        folder,
        "medication",
        [
            {
                "medicationid": "1",
                "patientunitstayid": "1",
                "drugorderoffset": "1500",
                "drugstartoffset": "60",
                "drugname": "  heparin ",
            },
            {
                "medicationid": "2",
                "patientunitstayid": "1",
                "drugorderoffset": "10",
                "drugstartoffset": "60",
                "drugname": "",
                "drughiclseqno": "4711",
            },
        ],
    )
    records = open_folder(EICU, folder)
    cohort = records.cohort().execute()
    drugs = codes(records.features(cohort), "MEDICATION")
    assert drugs["code"].tolist() == ["MEDICATION//4711"]
    drugs = codes(records.events().execute(), "MEDICATION")
    assert set(drugs["code"]) == {"MEDICATION//4711", "MEDICATION//HEPARIN"}


def test_cohort_holds_who_is_there_and_alive_at_24_hours(folder):
    records = open_folder(EICU, folder)
    cohort = records.cohort().order_by("stay_id").execute()
    assert cohort["stay_id"].tolist() == [1, 2]
    assert cohort["died"].tolist() == [False, True]
    waited = cohort["index_time"] - cohort["admission_time"]
    assert set(waited) == {pd.Timedelta(hours=24)}
    assert cohort["age"].tolist() == [70, 90] and cohort["apache"].isna().all()
    reasons = records.attrition().set_index("reason")["stays"].to_dict()
    assert reasons == {"in the cohort": 2, "left or died before": 1}
    assert len(records.cohort(hours=5).execute()) == 3


def test_features_end_at_the_index_time_and_the_builder_refuses_later_ones(folder):
    records = open_folder(EICU, folder)
    cohort = records.cohort().execute()
    features = records.features(cohort)
    found = codes(features, "DIAGNOSIS")["code"].tolist()
    assert found == ["DIAGNOSIS//pulmonary|asthma", "DIAGNOSIS//renal|stones"]
    later = records.events().execute()
    later = codes(later[later["subject_id"] < 3], "DIAGNOSIS")
    with pytest.raises(Leakage, match=r"shock' of subject_id 1.*2015-01-02 23:01:00"):
        bag_of_codes(later.sort_values("time"), cohort)
    counts, names = bag_of_codes(features, cohort)
    assert counts.sum() == len(features) and counts.shape == (2, len(names))
    assert counts.indices.dtype == counts.indptr.dtype == np.int32
    row = cohort["stay_id"].tolist().index(1)
    column = names.get_loc("DIAGNOSIS//renal|stones")
    assert counts[row, column] == 1
    few, _ = bag_of_codes(features, cohort, names[[column]])
    assert few.shape == (2, 1) and few.sum() == 1


def test_odd_features_are_refused(folder):
    records = open_folder(EICU, folder)
    cohort = records.cohort().execute()
    features = records.features(cohort)
    with pytest.raises(ValueError, match="not in the cohort"):
        refuse_later(features, cohort[cohort["stay_id"] == 1])
    with pytest.raises(ValueError, match="has no time"):
        refuse_later(features.assign(time=pd.NaT), cohort)
    with pytest.raises(ValueError, match="in the cohort twice"):
        refuse_later(features, pd.concat([cohort, cohort]))
    with pytest.raises(ValueError, match="hours is 0"):
        records.cohort(hours=0)
    empty, names = bag_of_codes(features.iloc[:0], cohort)
    assert empty.shape == (2, 0) and len(names) == 0


def quality(records):
    frame = records.quality()
    return {
        (r["table"], r["column"], r["problem"]): (r["count"], r["treatment"])
        for _, r in frame[frame["count"].notna()].iterrows()
    }


def test_what_does_not_fit_is_counted_and_never_dropped_in_silence(folder):
    rows = [
        ("1", "1", "10", "a|b"),
        ("1", "1", "20", "a|c"),  # a key again
        ("3", "1", "soon", "a|d"),  # no time
        ("4", "1", "", "a|e"),
        ("5", "99", "10", "a|f"),  # no such stay
        ("6", "1", "30", ""),
    ]
    names = ["diagnosisid", "patientunitstayid", "diagnosisoffset", "diagnosisstring"]
    write(folder, "diagnosis", [dict(zip(names, d, strict=True)) for d in rows])
    drugs = {"medicationid": "1", "patientunitstayid": "1", "drugname": "x"}
    drugs |= {"drugorderoffset": "5", "drugstartoffset": "50", "drugstopoffset": "20"}
    write(folder, "medication", [drugs])
    vitals = {"vitalaperiodicid": "1", "patientunitstayid": "1"}
    vitals |= {"observationoffset": "9", "noninvasivemean": "7O"}  # a letter
    write(folder, "vitalAperiodic", [vitals])
    aps = {"apacheapsvarid": "1", "patientunitstayid": "1", "wbc": "-1", "ph": "7.4"}
    write(folder, "apacheApsVar", [aps])
    records = open_folder(EICU, folder)
    events = records.events().execute()
    kept = sorted(codes(events, "DIAGNOSIS")["code"])
    assert kept == ["DIAGNOSIS//UNK", "DIAGNOSIS//a|b", "DIAGNOSIS//a|c"]
    found = quality(records)
    left = "event left out"
    assert found["diagnosis", "diagnosisid", "duplicate keys"] == (1, "kept")
    assert found["diagnosis", "diagnosisoffset", "time cannot be read"] == (1, left)
    assert found["diagnosis", "diagnosisoffset", "no time"] == (1, left)
    assert found["diagnosis", "patientunitstayid", "no such subject"] == (1, left)
    before = ("medication", "drugstopoffset", "before drugstartoffset")
    assert found[before] == (1, "kept")
    no_number = ("vitalAperiodic", "noninvasivemean", "no number")
    assert found[no_number] == (1, "event kept without a number")
    pressure = events[events["code"] == "VITAL//noninvasivemean"]
    assert pressure["numeric_value"].isna().tolist() == [True]
    assert found["apacheApsVar", "wbc", "-1 for missing"] == (1, left)
    assert codes(events, "APACHE")["code"].tolist() == ["APACHE//ph"]
    absent = records.quality()
    assert "treatment" in set(absent.loc[absent["problem"] == "not there", "table"])


def test_impossible_stays_are_counted_and_leave_the_cohort(folder):
    good = STAY | {"patientunitstayid": "1"}
    bad = [
        {"unitdischargeoffset": "-5"},  # leaves before it begins
        {"hospitaldischargestatus": ""},
        {"unitdischargestatus": "Expired"},  # alive at the end of the hospital stay
        {"unitadmittime24": "25:99:00"},
        {"age": "old"},  # stays in the cohort, without an age
    ]
    rows = [good] + [
        good | change | {"patientunitstayid": str(i + 2)}
        for i, change in enumerate(bad)
    ]
    write(folder, "patient", rows)
    records = open_folder(EICU, folder)
    cohort = records.cohort().order_by("stay_id").execute()
    assert cohort["stay_id"].tolist() == [1, 6] and np.isnan(cohort["age"].iloc[1])
    attrition = records.attrition().set_index("reason")["stays"]
    assert attrition.sum() == 6 and attrition["leaves before it begins"] == 1
    assert attrition["times cannot be read"] == attrition["outcome not recorded"] == 1
    found = {key[1:]: count for key, (count, _) in quality(records).items()}
    assert found["unitdischargeoffset", "discharge before admission"] == 1
    assert found["hospitaldischargestatus", "outcome not recorded"] == 1
    assert found["hospitaldischargestatus", "alive after death in the unit"] == 1
    assert found["unitadmittime24", "time cannot be read"] == 1
    assert found["age", "no number"] == 1


def test_broken_files_are_refused_by_name(folder):
    path = folder / "diagnosis.csv.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(CorruptData, match=r"diagnosis\.csv\.gz is truncated"):
        open_folder(EICU, folder)
    plain = gzip.decompress(content)
    path.write_bytes(b"not gzip at all")
    with pytest.raises(CorruptData, match=r"diagnosis\.csv\.gz is truncated or dam"):
        open_folder(EICU, folder)
    latin = plain.replace(b"renal|stones", "Ménière".encode("latin-1"))
    path.write_bytes(gzip.compress(latin))
    with pytest.raises(CorruptData, match=r"diagnosis\.csv\.gz: line 3 is not UTF-8"):
        open_folder(EICU, folder)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(CorruptData, match=r"diagnosis\.csv\.gz is empty"):
        open_folder(EICU, folder)
    path.write_bytes(gzip.compress(plain.replace(b"diagnosisoffset", b"offset")))
    with pytest.raises(CorruptData, match=r"csv\.gz has no column 'diagnosisoffset'"):
        open_folder(EICU, folder)
    path.write_bytes(gzip.compress(plain.replace(b"icd9code", b"diagnosisid")))
    with pytest.raises(CorruptData, match="column 'diagnosisid' is there twice"):
        open_folder(EICU, folder)
    path.unlink()
    (folder / "patient.csv.gz").rename(folder / "patients.csv.gz")
    with pytest.raises(DataUnavailable, match="no table 'patient'"):
        open_folder(EICU, folder)


def test_a_row_with_too_many_fields_is_refused(folder):
    path = folder / "diagnosis.csv.gz"
    plain = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress((plain + "15,1,False,9,a,b,c,d,e,f\n").encode()))
    records = open_folder(EICU, folder)
    with pytest.raises(CorruptData, match=r"diagnosis\.csv\.gz"):
        records.features(records.cohort().execute())


def test_a_character_split_between_two_pieces_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK", 3)
    path = tmp_path / "a.csv"
    path.write_text("aéééé\nü€\n", encoding="utf-8")
    tables.scan(path)
    path.write_bytes("ok\né".encode() + b"\xe9x\n")
    with pytest.raises(CorruptData, match="line 2 is not UTF-8"):
        tables.scan(path)
    path.write_bytes("é".encode()[:1])
    with pytest.raises(CorruptData, match="ends within a character"):
        tables.scan(path)


@pytest.mark.parametrize("value", ["1", ""])
def test_duplicate_or_empty_stays_are_refused(folder, value):
    rows = [STAY, STAY | {"patientunitstayid": value}]
    path = write(folder, "patient", rows)
    with pytest.raises(
        CorruptData, match="'patientunitstayid' must name each row"
    ) as e:
        open_folder(EICU, folder).cohort()
    assert str(path) in str(e.value)


def test_two_scores_of_one_stay_are_refused(folder):
    score = {"patientunitstayid": "1", "apacheversion": "IVa"}
    scores = [
        score | {"apachepatientresultsid": str(i), "predictedhospitalmortality": p}
        for i, p in enumerate(("0.1", "0.2"))
    ]
    write(folder, "apachePatientResult", scores)
    with pytest.raises(CorruptData, match=r"'1', 'IVa' stands in 2 rows"):
        open_folder(EICU, folder).cohort(apache_set=True)
    scores[0] |= {"apacheversion": "IV"}
    scores[1] |= {"predictedhospitalmortality": "-1"}
    write(folder, "apachePatientResult", scores)
    assert not len(open_folder(EICU, folder).cohort(apache_set=True).execute())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), (" -2.50 ", -2.5), ("+.5", 0.5), ("1e3", 1000), ("7.", 7),
        ("12d", None), ("1_000", None), ("nan", None), ("inf", None), ("", None),
        (">60", None), ("1,5", None), ("0x1", None), (None, None),
    ],
)  # fmt: skip
def test_numbers_are_read_strictly(text, expected):
    import ibis

    table = ibis.memtable(pd.DataFrame({"t": pd.Series([text, "0"], dtype=object)}))
    value = table.select(t=table.t, x=tables.number(table.t)).execute()["x"].iloc[0]
    assert value == expected if expected is not None else pd.isna(value)


def test_mimic_discharge_codes_carry_the_time_of_discharge(tmp_path):
    made, _ = simulated.mimic(1)
    for name, frame in made.items():
        write(tmp_path, name, frame, MIMIC_COLUMNS)
    records = open_folder(MIMIC, tmp_path)
    events = records.events().execute()
    diagnosis = codes(events, "DIAGNOSIS")
    assert len(diagnosis) == len(made["hosp/diagnoses_icd"])
    ends = pd.to_datetime(made["hosp/admissions"]["dischtime"])
    assert set(diagnosis["time"]) <= set(ends)
    cohort = records.cohort().execute()
    assert cohort["stay_id"].is_unique and len(cohort) > 50
    features = records.features(cohort)
    own = features.merge(cohort, on=["stay_id", "subject_id"])
    assert (own["time"] <= own["index_time"]).all()
    now = codes(own, "DIAGNOSIS")
    assert (now["time"] < now["admission_time"]).all()  # of earlier admissions only
    day = codes(events, "PROCEDURE")["time"].dt.strftime("%H:%M:%S")
    assert set(day) == {"23:59:59"}  # a date without a time is known at its end
    with pytest.raises(ValueError, match="no APACHE IVa"):
        records.cohort(apache_set=True)


def test_mimic_stays_without_their_admission_are_counted(tmp_path):
    made, _ = simulated.mimic(1)
    lost = made["hosp/admissions"]["hadm_id"].iloc[3]
    for name, frame in made.items():
        if name == "hosp/admissions":
            frame = frame[frame["hadm_id"] != lost]
        if name == "hosp/patients":
            frame = frame.assign(anchor_year=["?", *frame["anchor_year"].iloc[1:]])
        write(tmp_path, name, frame, MIMIC_COLUMNS)
    records = open_folder(MIMIC, tmp_path)
    reasons = records.attrition().set_index("reason")["stays"]
    assert reasons["outcome not recorded"] == 1
    assert reasons.sum() == len(made["icu/icustays"])
    told = ("patients", "anchor_year", "year of birth cannot be told")
    assert quality(records)[told][0] == 1
    (tmp_path / "icu/icustays.csv.gz").unlink()
    with pytest.raises(DataUnavailable, match="a cohort needs 'icustays'"):
        open_folder(MIMIC, tmp_path).cohort()


def test_mimic_needs_admissions_for_its_codes(tmp_path):
    made, _ = simulated.mimic(1)
    for name, frame in made.items():
        if name != "hosp/admissions":
            write(tmp_path, name, frame, MIMIC_COLUMNS)
    with pytest.raises(CorruptData, match="needs the table 'admissions'"):
        open_folder(MIMIC, tmp_path)


@pytest.mark.parametrize("name", ["eicu-demo", "mimic-iv-demo"])
def test_practice_tables_have_a_known_truth(name):
    records = load(name, source="practice")
    assert records.provenance.kind == "practice"
    again, truth = simulated.MAKE[name](0)
    pd.testing.assert_frame_equal(records.truth, truth)
    other, _ = simulated.MAKE[name](1)
    key = next(iter(again))
    assert not again[key].equals(other[key])
    cohort = records.cohort().execute()
    features = records.features(cohort)
    assert len(features) > 20 * len(cohort)
    found = records.quality()
    assert not found["problem"].isin(["time cannot be read", "no such subject"]).any()


def test_practice_death_follows_the_true_risk_and_the_score_sees_it_dimly():
    records = load("eicu-demo", source="practice")
    stays = records.cohort(apache_set=True).execute().merge(records.truth)
    share = stays["died"].mean()
    # The mean of the risks is the expected share: within four standard errors.
    error = np.sqrt(np.mean(stays["risk"] * (1 - stays["risk"])) / len(stays))
    assert abs(share - stays["risk"].mean()) < 4 * error
    true = sk.roc_auc_score(stays["died"], stays["risk"])
    score = sk.roc_auc_score(stays["died"], stays["apache"])
    assert 0.75 < score < true < 0.95


def real(name):
    try:
        return load(name, source="real")
    except DataUnavailable:
        pytest.skip("the real files are not at hand")


def test_the_apache_set_gives_the_published_comparison():
    records = real("eicu-demo")
    stays = records.cohort(apache_set=True).execute()
    assert len(stays) == 1683 and stays["died"].sum() == 139
    assert sk.roc_auc_score(stays["died"], stays["apache"]) == pytest.approx(
        0.862, abs=5e-4
    )
    precision = sk.average_precision_score(stays["died"], stays["apache"])
    assert precision == pytest.approx(0.411, abs=5e-4)
    brier = sk.brier_score_loss(stays["died"], stays["apache"])
    assert brier == pytest.approx(0.0614, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        (
            "eicu-demo",
            {
                "diagnosis": "DIAGNOSIS//",
                "treatment": "TREATMENT//",
                "respiratoryCharting": "RESPIRATORY//",
            },
        ),
        ("mimic-iv-demo", {"labevents": "LAB//", "diagnoses_icd": "DIAGNOSIS//"}),
    ],
)
def test_event_counts_are_those_of_plain_pandas(name, prefixes):
    records = real(name)
    events = records.events()
    sums = {t: events.code.startswith(start).sum() for t, start in prefixes.items()}
    ours = events.aggregate(**sums).execute().iloc[0].to_dict()
    files = {table: records.paths[table] for table in prefixes}
    assert ours == {t: len(pd.read_csv(f, low_memory=False)) for t, f in files.items()}


def test_a_table_that_is_absent_leaves_the_others_as_they_are(tmp_path):
    made, _ = simulated.eicu(0)
    for name in ("patient", "diagnosis"):
        write(tmp_path, name, made[name])
    records = open_folder(EICU, tmp_path)
    assert "medication" in records.absent
    found = codes(records.events().execute(), "DIAGNOSIS")
    assert len(found) == len(made["diagnosis"])


def test_a_stream_in_order_is_as_meds_files_must_be(folder):
    stream = streams.in_order(open_folder(EICU, folder).events()).execute()
    expected = stream.sort_values(list(stream), kind="stable")
    pd.testing.assert_frame_equal(stream, expected)


def test_a_written_stream_has_each_subject_whole_and_in_order(folder, tmp_path):
    records = open_folder(EICU, folder)
    expected = streams.in_order(records.events()).execute()
    files = streams.write(records.events(), tmp_path / "meds", per_shard=15)
    assert len(files) == -(-len(expected) // 15) > 1
    parts = [pd.read_parquet(file) for file in files]
    seen = [subject for part in parts for subject in part["subject_id"].unique()]
    assert len(seen) == len(set(seen)) == 3
    for part in parts:
        order = part.sort_values(list(part), kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(part, order)
    whole = pd.concat(parts).sort_values(list(expected), ignore_index=True)
    pd.testing.assert_frame_equal(whole, expected, check_dtype=False)
    assert sorted(p.name for p in (tmp_path / "meds").iterdir()) == [
        f"{i}.parquet" for i in range(len(files))
    ]
    with pytest.raises(ValueError, match="exists; name a new folder"):
        streams.write(records.events(), tmp_path / "meds")


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    import ibis
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield ibis.pyspark.connect(session)
    session.stop()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_spark_gives_the_same_rows(folder, spark):
    drugs = {"medicationid": "1", "patientunitstayid": "1", "drugname": 'a "b", ü'}
    drugs |= {"drugorderoffset": "5", "drugstartoffset": "x"}
    write(folder, "medication", [drugs, drugs | {"drugstartoffset": " 7 "}])
    aps = {"apacheapsvarid": "1", "patientunitstayid": "1", "wbc": "-1", "ph": "7.40"}
    write(folder, "apacheApsVar", [aps, aps | {"apacheapsvarid": "2", "ph": "12d"}])
    records = open_folder(EICU, folder)
    ours = streams.in_order(records.events()).execute()
    theirs = streams.in_order(records.events(spark)).execute()
    order = list(ours)
    pd.testing.assert_frame_equal(
        ours.sort_values(order, ignore_index=True),
        theirs.sort_values(order, ignore_index=True),
    )
    cohort = records.cohort().order_by("stay_id").execute()
    pd.testing.assert_frame_equal(
        cohort, records.cohort(spark).order_by("stay_id").execute()
    )
    pd.testing.assert_frame_equal(
        records.features(cohort), records.features(cohort, spark)
    )
