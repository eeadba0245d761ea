"""Events become pairs, and splits hide what they must, as written down by hand."""

import doctest
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer

from medlib.data import find, interactions, load, splits
from medlib.data.errors import DataUnavailable, Leakage
from medlib.data.records import open_folder
from medlib.data.simulate import interactions as simulated

START = pd.Timestamp("2020-01-01")
DAY = START + pd.Timedelta(hours=24)
FOLDER = Path(os.environ.get("MEDLIB_DATA_DIR", "absent")) / "eicu-demo-2.0.1"


def table(rows, kind="TREATMENT//"):
    """Return an event table from (stay, hour, item) rows."""
    events = pd.DataFrame(rows, columns=["stay_id", "hour", "code"])
    times = START + pd.to_timedelta(events.pop("hour").astype(float), unit="h")
    return events.assign(code=kind + events["code"].astype(str), time=times)


def pairs(*baskets):
    """Return interactions of stays 0, 1, … with baskets of letters."""
    rows = [(stay, 0, item) for stay, basket in enumerate(baskets) for item in basket]
    return interactions.from_events(
        table(rows), patients=pd.RangeIndex(len(baskets), name="stay_id")
    )


def dense(data):
    return data.matrix.toarray().tolist()


def names(data):
    return [item.removeprefix("TREATMENT//") for item in data.items]


def test_examples_in_docstrings():
    assert doctest.testmod(interactions).failed == 0


# From events


def test_pairs_worked_by_hand():
    events = table([(7, 3, "b"), (7, 1, "a"), (7, 9, "b"), (3, 2, "b"), (5, 0, "c")])
    events = pd.concat([events, table([(7, 0, "x")], "DIAGNOSIS//")])
    got = interactions.from_events(events)
    assert got.patients.tolist() == [3, 5, 7] and names(got) == ["a", "b", "c"]
    assert dense(got) == [[0, 1, 0], [0, 0, 1], [1, 1, 0]]
    assert got.matrix.dtype == np.float32 and got.hours is None
    assert got.basket_sizes.tolist() == [1, 1, 2]
    assert got.popularity.tolist() == [1, 2, 1]
    assert len(got) == 3 and "3 patients × 3 items, 4 pairs" in repr(got)
    often = interactions.from_events(events, counts=True)
    assert dense(often) == [[0, 1, 0], [0, 0, 1], [1, 2, 0]]
    assert often.popularity.tolist() == [1, 2, 1]


def test_patients_and_items_can_be_given_and_strangers_are_left_out():
    events = table([(1, 0, "a"), (2, 0, "new"), (9, 0, "a")])
    items = pd.Index(["TREATMENT//b", "TREATMENT//a"])
    got = interactions.from_events(events, patients=pd.Index([2, 4, 1]), items=items)
    assert dense(got) == [[0, 0], [0, 0], [0, 1]]


def test_hours_are_those_of_the_first_event():
    events = table([(1, 30, "a"), (1, 5, "a"), (1, 7, "b"), (2, -2, "b")])
    since = pd.Series([START, START + pd.Timedelta(hours=1)], [1, 2])
    got = interactions.from_events(events, since=since)
    assert dense(got) == [[1, 1], [0, 1]]
    assert got.hours.tolist() == [5, 7, -3] and got.hours.dtype == np.float32
    assert got.take([1, 0]).hours.tolist() == [-3, 5, 7]
    assert got.with_items(got.items[::-1]).hours.tolist() == [7, 5, -3]


def test_no_events_and_one_patient_give_small_matrices():
    nothing = table([]).iloc[:0]
    got = interactions.from_events(nothing)
    assert got.shape == (0, 0) and got.popularity.tolist() == []
    alone = interactions.from_events(nothing, patients=pd.Index([1]))
    assert alone.shape == (1, 0) and alone.basket_sizes.tolist() == [0]
    assert interactions.keep(got).shape == (0, 0)
    known, hidden = interactions.hold_out(alone)
    assert known.shape == hidden.shape == (1, 0)
    assert pairs("ab").shape == (1, 2)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from("abcd"))),
    st.randoms(use_true_random=False),
)
def test_rows_can_be_repeated_and_shuffled_and_parts_taken(rows, chance):
    shuffled = rows + rows
    chance.shuffle(shuffled)
    patients = pd.RangeIndex(6)
    got = interactions.from_events(table(shuffled), patients=patients)
    expected = pd.crosstab([r[0] for r in rows], [r[2] for r in rows]).clip(upper=1)
    expected = expected.reindex(patients, fill_value=0).to_numpy().reshape(6, -1)
    assert np.array_equal(got.matrix.toarray(), expected)
    some = [chance.randrange(6) for _ in range(4)]
    if len(set(some)) == len(some):
        assert np.array_equal(got.take(some).matrix.toarray(), expected[some])
    assert got.take([]).shape == (0, len(got.items))
    mask = np.array([chance.random() < 0.5 for _ in range(6)])
    assert np.array_equal(got.take(mask).matrix.toarray(), expected[mask])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"events": table([(1, 0, "a")]).drop(columns="code")}, "lacks .*'code'"),
        ({"by": "ward"}, "events lacks the column 'ward'"),
        ({"events": table([(1, 0, "a"), (None, 0, "a")])}, "no 'stay_id' in row 1"),
        ({"kinds": "TREATMENT//"}, "kinds is 'TREATMENT//'; give a tuple"),
        ({"kinds": ()}, r"kinds is \(\)"),
        ({"patients": pd.Index([1, 1])}, "patients holds '1' more than once"),
        ({"items": pd.Index(["a", "a"])}, "items holds 'a' more than once"),
        ({"since": pd.Series([START], [9])}, "since has no start for .* stay_id 1"),
        (
            {
                "events": table([(1, np.nan, "a")]),
                "since": pd.Series([START], [1]),
            },
            "events has no time for code 'TREATMENT//a'",
        ),
    ],
)
def test_bad_tables_are_named(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        interactions.from_events(**{"events": table([(1, 0, "a")])} | change)


@pytest.mark.parametrize(
    ("matrix", "hours", "complaint"),
    [
        (np.ones((1, 2)), None, "matrix is a ndarray"),
        (sparse.csr_array((2, 2)), None, r"shape \(2, 2\) for 1 patients and 2"),
        (sparse.csr_array(([1.0, 0.0], [0, 1], [0, 2])), None, "eliminate_zeros"),
        (sparse.csr_array(([1.0, -1.0], [0, 1], [0, 2])), None, "not above zero"),
        (sparse.csr_array(([1.0, np.nan], [0, 1], [0, 2])), None, "not above zero"),
        (
            sparse.csr_array(([1.0, 1.0], [1, 1], [0, 2]), shape=(1, 2)),
            None,
            "sum_duplicates",
        ),
        (sparse.csr_array(np.ones((1, 2))), np.ones(1), r"hours has the shape \(1,\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(matrix, hours, complaint):
    with pytest.raises(ValueError, match=complaint):
        interactions.Interactions(matrix, pd.Index([1]), pd.Index(["a", "b"]), hours)


def test_a_catalogue_or_pairs_that_do_not_fit_are_refused():
    data = pairs("ab", "b")
    assert dense(data.where(np.array([True, False, False]))) == [[1, 0], [0, 0]]
    for wrong in ([0, 1], [True]):
        with pytest.raises(ValueError, match="a boolean mask of the 3 pairs"):
            data.where(wrong)
    with pytest.raises(ValueError, match="items holds 'a' more than once"):
        data.with_items(pd.Index(["a", "a"]))
    with pytest.raises(ValueError, match="patients holds '0' more than once"):
        data.take([0, 0])


# Filters and splits


def test_rare_items_go_first_then_small_baskets_then_empty_columns():
    data = pairs("abx", "aby", "ac", "cd", "d", "", "e", "e")
    got = interactions.keep(data, min_patients=2, min_items=2)
    # x and y go; d then loses the stay that has nothing else, and e has only such
    # stays. Nobody is left out twice: d stays.
    assert got.patients.tolist() == [0, 1, 2, 3] and names(got) == ["a", "b", "c", "d"]
    assert got.popularity.tolist() == [3, 2, 2, 1]
    strict = interactions.keep(data, min_patients=3, min_items=1)
    assert names(strict) == ["a"] and strict.patients.tolist() == [0, 1, 2]
    assert interactions.keep(data, min_patients=9, min_items=1).shape == (0, 0)
    everything = interactions.keep(data, min_patients=0, min_items=0)
    assert dense(everything) == dense(data)
    with pytest.raises(ValueError, match="min_items is -1"):
        interactions.keep(data, min_items=-1)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.29, 0.5]))
def test_a_share_of_every_basket_is_hidden(seed, share):
    sizes = [0, 1, 2, 5, 9, 10, 25, 100]
    letters = [chr(65 + number) for number in range(100)]
    data = pairs(*(letters[:size] for size in sizes))
    known, hidden = interactions.hold_out(data, share=share, seed=seed)
    expected = [
        0 if n == 0 else max(1, int(n * round(100 * share)) // 100) for n in sizes
    ]
    assert hidden.basket_sizes.tolist() == expected
    both = known.matrix + hidden.matrix
    assert np.array_equal(both.toarray(), data.matrix.toarray())
    assert known.matrix.multiply(hidden.matrix).nnz == 0
    assert known.items.equals(data.items) and hidden.patients.equals(data.patients)


def test_what_is_hidden_is_seeded_and_uniform():
    data = pairs(*["abcde"] * 2000)
    _, first = interactions.hold_out(data, seed=1)
    _, again = interactions.hold_out(data, seed=1)
    _, other = interactions.hold_out(data, seed=2)
    assert (first.matrix != again.matrix).nnz == 0
    assert (first.matrix != other.matrix).nnz > 0
    assert first.popularity == pytest.approx(np.full(5, 400), abs=4 * np.sqrt(320))
    for share in (0, 1, np.nan):
        with pytest.raises(ValueError, match="share is"):
            interactions.hold_out(data, share=share)


def stays(count, **columns):
    number = np.arange(count)
    cohort = pd.DataFrame({"stay_id": number, "patient_id": number, "index_time": DAY})
    return cohort.assign(hospital_id=number // 2, **columns)


def test_what_is_new_after_the_index_time_is_to_be_found():
    rows = [(stay, 1, "a") for stay in range(20)]
    rows += [(stay, 30, "a") for stay in range(20)]  # goes on: not new
    rows += [(stay, 24, "b") for stay in range(10)]  # at the index time: known
    rows += [(stay, 24.1, "c") for stay in range(20)]
    rows += [(stay, 40, "c") for stay in range(20)]
    rows += [(0, 30, f"rare {number}") for number in range(3)]
    cohort = stays(21)  # stay 20 has no event
    got = interactions.split_by_time(table(rows), cohort, min_patients=5)
    assert names(got.everything) == ["a", "b", "c"]
    early = [[1, 1, 0]] * 10 + [[1, 0, 0]] * 10 + [[0, 0, 0]]
    assert dense(got.known) == early
    assert dense(got.later) == [[0, 0, 1]] * 20 + [[0, 0, 0]]
    assert got.outside.tolist() == [3] + [0] * 20
    assert got.known.patients.tolist() == cohort["stay_id"].tolist()
    both = got.known.matrix + got.later.matrix
    assert np.array_equal(both.toarray(), got.everything.matrix.toarray())
    parts = [len(got.rows(name)) for name in splits.NAMES]
    assert sum(parts) == 21 and min(parts) > 0
    with pytest.raises(ValueError, match="name is 'test'"):
        got.rows("test")


def test_the_catalogue_is_that_of_training_stays():
    split = np.array(["train"] * 6 + ["tuning"] * 2 + ["held_out"] * 6)
    rows = [(stay, 1, "a") for stay in range(14)]
    rows += [(stay, 1, "b") for stay in range(8, 14)]  # frequent, but not in training
    got = interactions.split_by_time(table(rows), stays(14), split=split)
    assert names(got.everything) == ["a"]
    with pytest.raises(ValueError, match=r"split holds 'test'; use 'train'"):
        interactions.split_by_time(
            table(rows), stays(14), split=np.where(split == "tuning", "test", split)
        )
    with pytest.raises(ValueError, match="'7' is in held_out and tuning"):
        interactions.split_by_time(
            table(rows),
            stays(14).assign(patient_id=np.minimum(np.arange(14), 7)),
            split=split,
        )


def test_patients_and_hospitals_stay_whole_and_every_stay_is_held_out_once():
    rows = [
        (stay, hour, item) for stay in range(60) for hour, item in ((1, 1), (30, 2))
    ]
    cohort = stays(60).assign(patient_id=np.arange(60) // 3)
    groups = ("patient_id", "hospital_id")
    one = interactions.split_by_time(table(rows), cohort, groups=groups)
    for name in groups:
        splits.check(one.split, cohort[name])
    found = interactions.folds_by_time(table(rows), cohort, groups=groups, count=4)
    held = np.concatenate([made.rows("held_out") for made in found])
    assert sorted(held.tolist()) == list(range(60))
    for made in found:
        assert len(made.rows("tuning")) > 0 and len(made.rows("train")) > 0
        for name in groups:
            splits.check(made.split, cohort[name])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cohort": stays(20).drop(columns="patient_id")}, "lacks .*'patient_id'"),
        ({"cohort": stays(20).assign(index_time=pd.NaT)}, "no 'index_time' in row 0"),
        ({"cohort": stays(20).assign(stay_id=1)}, "cohort's stay_id holds '1' more"),
        ({"cohort": stays(1)}, "1 groups cannot make 10 folds"),
        ({"groups": ()}, "groups is empty"),
        ({"min_patients": 99}, "min_patients is 99, but no item"),
    ],
)
def test_what_cannot_be_split_is_refused(change, complaint):
    events = table([(stay, hour, "a") for stay in range(20) for hour in (1, 30)])
    with pytest.raises(ValueError, match=complaint):
        interactions.split_by_time(**{"events": events, "cohort": stays(20)} | change)
    with pytest.raises(ValueError, match="count is 2"):
        interactions.folds_by_time(events, stays(20), count=2)


# Content


def test_items_are_described_by_levels_and_words():
    items = ["TREATMENT//a|shock|x1", "TREATMENT//a|shock|y2", "TREATMENT//b|z3", "q//"]
    got = interactions.item_content(items, texts={"TREATMENT//b|z3": "Shock team"})
    assert got.features.tolist() == ["a", "a|shock", "word: shock"]
    has = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 1], [0, 0, 0]])
    expected = TfidfTransformer().fit_transform(has).toarray()
    assert got.matrix.toarray() == pytest.approx(expected, abs=1e-6)
    cosines = (got.matrix @ got.matrix.T).toarray()
    assert (
        cosines[0, 1] == pytest.approx(1, abs=1e-6) and cosines[3].tolist() == [0] * 4
    )
    assert 0 < cosines[0, 2] < 1 and got.matrix.dtype == np.float32 and len(got) == 4


def test_a_new_item_is_described_in_terms_of_the_known_ones():
    items = [f"TREATMENT//a|{name}" for name in ("b|c", "b|d", "e|f", "e|g")]
    known = np.array([True, True, True, False])
    got = interactions.item_content(items, fit=known)
    assert got.features.tolist() == ["a", "a|b"]
    whole = interactions.item_content(items[:3])
    assert np.array_equal(got.matrix.toarray()[:3], whole.matrix.toarray())
    assert got.matrix.toarray()[3].tolist() == [1, 0]
    rows = interactions.item_content(items, fit=np.array([0, 1, 2]))
    assert np.array_equal(rows.matrix.toarray(), got.matrix.toarray())


def described(cohort, rows, **options):
    codes = [(stay, hour, code) for stay, hour, code in rows]
    return interactions.patient_content(cohort, table(codes, ""), **options)


def test_patients_are_described_by_training_patients_vocabulary():
    cohort = stays(4, age=[67.0, 61.0, 95.0, np.nan])
    rows = [
        (0, 0, "GENDER//Female"),
        (1, 0, "GENDER//Female"),
        (2, 0, "GENDER//Male"),
        (0, 2, "ADMISSION_DIAGNOSIS//heart|attack"),
        (0, 3, "ADMISSION_DIAGNOSIS//heart|attack"),
        (1, 2, "ADMISSION_DIAGNOSIS//heart|failure"),
        (3, 2, "ADMISSION_DIAGNOSIS//heart|failure"),
        (3, 2, "TREATMENT//ignored"),
    ]
    train = np.array([True, True, False, False])
    got = described(cohort, rows, train=train, min_patients=2)
    assert got.features.tolist() == [
        "ADMISSION_DIAGNOSIS//heart",
        "AGE//60-69",
        "GENDER//Female",
    ]
    expected = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert got.matrix.toarray().tolist() == expected
    every = described(cohort, rows, train=np.arange(4), min_patients=1, tfidf=True)
    assert "AGE//90+" in every.features
    lengths = np.sqrt((every.matrix.toarray() ** 2).sum(axis=1))
    assert lengths == pytest.approx([1] * 4)


def test_content_after_the_index_time_is_a_leak():
    cohort = stays(2, age=50.0)
    with pytest.raises(Leakage, match="GENDER//Male"):
        described(cohort, [(0, 25, "GENDER//Male")], train=np.arange(2))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"train": []}, "train chooses no row"),
        ({"train": np.array([False, False])}, "train chooses no row"),
        ({"train": np.array([True])}, "train has 1 values for 2 rows"),
        ({"train": np.arange(2), "min_patients": 3}, "min_patients is 3, but no term"),
        ({"train": np.arange(2), "min_patients": 0}, "min_patients is 0"),
    ],
)
def test_what_cannot_be_described_is_refused(options, complaint):
    rows = [(0, 0, "GENDER//Male"), (1, 0, "GENDER//Male")]
    with pytest.raises(ValueError, match=complaint):
        described(stays(2, age=50.0), rows, **options)
    with pytest.raises(ValueError, match="cohort lacks the column 'age'"):
        described(stays(2), rows, train=np.arange(2))


# Simulated and real tables


def test_practice_tables_give_treatments_drugs_and_content():
    records = load("eicu-demo", source="practice")
    both = interactions.select(records, interactions.TREATMENTS + interactions.DRUGS)
    heads = both["code"].str.partition("//")[0].value_counts()
    assert set(heads.index) == {"TREATMENT", "MEDICATION"}
    drugs = interactions.drug_names(records)
    listed = pd.read_csv(records.paths["medication"])
    codes = ("MEDICATION//" + listed["drughiclseqno"].astype(str)).to_numpy()
    assert drugs == dict(zip(codes, listed["drugname"], strict=True))
    cohort = records.cohort().execute()
    split = interactions.split_by_time(both, cohort)
    stream = records.events()
    stream = stream.filter(stream.code.startswith("ICU_ADMISSION//"))
    features = records.features(cohort, events=stream)
    got = interactions.patient_content(cohort, features, train=split.rows("train"))
    assert len(got) == len(split.known) == len(cohort)
    unit = cohort["unit"].eq("MICU").to_numpy()
    column = got.features.get_loc("ICU_ADMISSION//MICU")
    assert np.array_equal(got.matrix.toarray()[:, column] == 1, unit)
    with pytest.raises(DataUnavailable, match="no event of the kinds NOTHING//"):
        interactions.select(records, ("NOTHING//",))


def test_the_simulated_unit_follows_its_probabilities():
    unit = simulated.make(stays=3000, seed=1)
    stays = pd.Index(unit.cohort["stay_id"])
    data = interactions.from_events(
        unit.events,
        patients=stays,
        items=unit.items,
        since=pd.Series(unit.cohort["admission_time"].to_numpy(), stays),
    )
    length = unit.cohort["outcome_time"] - unit.cohort["admission_time"]
    within = 1 - np.exp(-(length / pd.Timedelta(hours=1)) / simulated.MEAN_HOURS)
    expected = unit.probability * within.to_numpy()[:, None]
    sd = np.sqrt((expected * (1 - expected)).sum(axis=0))
    assert np.abs(data.popularity - expected.sum(axis=0)).max() < 4.5 * sd.max()
    assert data.matrix.sum() == pytest.approx(expected.sum(), rel=0.01)
    day = data.where(data.hours <= 24).matrix.sum()
    early = unit.probability.sum() * (1 - np.exp(-24 / simulated.MEAN_HOURS))
    assert day == pytest.approx(early, rel=0.02)
    assert unit.cohort["patient_id"].duplicated().any()
    own = unit.groups == 10  # insulin, for ketoacidosis
    assert unit.probability[unit.types == 4][:, own].mean() > 0.5
    assert unit.probability[unit.types == 1][:, own].mean() < 0.3


def test_the_order_of_the_probabilities_beats_any_that_only_sees_baskets():
    unit = simulated.make(stays=1500)
    split = interactions.split_by_time(unit.events, unit.cohort)
    rows, train = split.rows("held_out"), split.rows("train")
    known, later = split.known.take(rows), split.later.take(rows).matrix.toarray()
    columns = unit.items.get_indexer(split.known.items)
    history = split.everything.take(train).matrix
    together = (history.T @ history).toarray()
    sizes = np.sqrt(np.outer(np.diag(together), np.diag(together)))
    by_item = known.matrix @ (together / sizes)
    popular = np.tile(history.sum(axis=0), (len(rows), 1))

    def precision(scores):
        scores = np.where(known.matrix.toarray() > 0, -np.inf, scores)
        top = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        return np.take_along_axis(later, top, axis=1).mean()

    best = precision(unit.probability[rows][:, columns])
    assert best > precision(by_item) > precision(popular)


def test_a_simulated_unit_has_content_that_tells_types_apart():
    unit = simulated.make(stays=600)
    train = np.arange(600) < 400
    got = interactions.patient_content(unit.cohort, unit.events, train=train)
    name = "ADMISSION_DIAGNOSIS//" + simulated.TYPES[4][0]
    has = got.matrix.toarray()[:, got.features.get_loc(name)] == 1
    right = simulated.RIGHT + (1 - simulated.RIGHT) / len(simulated.TYPES)
    assert has[unit.types == 4].mean() == pytest.approx(right, abs=0.1)
    assert has[unit.types != 4].mean() < 0.07


def test_a_simulated_unit_is_seeded_and_may_be_a_single_stay():
    one, again = simulated.make(stays=50, seed=3), simulated.make(stays=50, seed=3)
    pd.testing.assert_frame_equal(one.events, again.events)
    assert not one.events.equals(simulated.make(stays=50, seed=4).events)
    alone = simulated.make(stays=1)
    assert len(alone.cohort) == 1 and alone.probability.shape == (1, 72)
    assert (one.cohort["outcome_time"] > one.cohort["index_time"]).all()
    with pytest.raises(ValueError, match="stays is 0"):
        simulated.make(stays=0)


@pytest.mark.skipif(
    not (FOLDER / "treatment.csv.gz").exists(), reason="the real tables are not at hand"
)
def test_the_real_treatments_are_as_many_as_in_the_reference(tmp_path):
    for name in ("patient", "treatment"):
        shutil.copy(FOLDER / f"{name}.csv.gz", tmp_path)
    records = open_folder(find("eicu-demo"), tmp_path)
    data = interactions.from_events(interactions.select(records))
    assert data.shape == (1910, 1199)
    kept = interactions.keep(data)
    assert kept.shape == (897, 511) and kept.matrix.nnz == 10_222
    # Counted from the file, without any of the above.
    rows = pd.read_csv(FOLDER / "treatment.csv.gz").drop_duplicates(
        ["patientunitstayid", "treatmentstring"]
    )
    often = rows["treatmentstring"].value_counts()
    rows = rows[rows["treatmentstring"].map(often) >= 5]
    rows = rows[
        rows["patientunitstayid"].map(rows["patientunitstayid"].value_counts()) >= 5
    ]
    listed = set(zip(rows["patientunitstayid"], rows["treatmentstring"], strict=True))
    row, column = kept.matrix.nonzero()
    stored = zip(
        kept.patients[row], np.array(names(kept), dtype=object)[column], strict=True
    )
    assert set(stored) == listed


def test_select_opens_only_the_tables_that_can_hold_such_codes(monkeypatch):
    from medlib.data.records import tables

    records = load("eicu-demo", source="practice")
    whole = records.events()
    chosen = whole.filter(whole.code.startswith("TREATMENT//"))
    expected = chosen.order_by(["subject_id", "time", "code"]).execute()
    opened, read = [], tables.read

    def spied(path, connection):
        opened.append(path.name.partition(".")[0])
        return read(path, connection)

    monkeypatch.setattr(tables, "read", spied)
    found = interactions.select(records)
    assert sorted(opened) == ["patient", "treatment"]
    assert found["code"].tolist() == expected["code"].tolist()
    assert (found["time"].to_numpy() == expected["time"].to_numpy()).all()
    opened.clear()
    interactions.select(records, ("AGE",))  # a code without a table of its own
    assert "patient" in opened


def test_admission_is_what_the_table_of_stays_says():
    records = load("eicu-demo", source="practice")
    raw = pd.read_csv(records.paths["patient"], dtype=str).set_index(
        "patientunitstayid"
    )
    stays = raw.index[[5, 0, 17]].astype(int)
    found = interactions.admission(records, stays)
    assert found.index.tolist() == stays.tolist()
    rows = raw.loc[stays.astype(str)]
    for name, column in (
        ("patient", "uniquepid"),
        ("hospital", "hospitalid"),
        ("unit", "unittype"),
        ("diagnosis", "apacheadmissiondx"),
    ):
        assert found[name].fillna("").tolist() == rows[column].fillna("").tolist()
    over = rows["age"].str.contains(">").fillna(False).to_numpy()
    assert (found["age"].to_numpy()[over] == 90).all()
    assert (
        found["age"].to_numpy()[~over].tolist()
        == rows["age"][~over].astype(float).tolist()
    )
    group = found["diagnosis_group"].dropna()
    assert not group.str.contains(r"[,(]").any()
    with pytest.raises(ValueError, match="stay 1 is not in the table"):
        interactions.admission(records, [1])
    with pytest.raises(DataUnavailable, match="no eICU table"):
        interactions.admission(load("mimic-iv-demo", source="practice"), [1])
