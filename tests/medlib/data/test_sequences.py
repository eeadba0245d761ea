"""Event tables become arrays as written down by hand, and leaks are refused."""

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlib.data import sequences
from medlib.data.sequences import Vocabulary

START = pd.Timestamp("2020-01-01")


def table(rows):
    """Return an event table from (subject, hour, code[, value]) rows."""
    rows = [(*row, np.nan)[:4] for row in rows]
    events = pd.DataFrame(rows, columns=["subject_id", "hour", "code", "numeric_value"])
    times = START + pd.to_timedelta(events.pop("hour"), unit="h")
    return events.assign(time=times)


def people(subjects, hours=24.0, age=50.0):
    index_time = START + pd.Timedelta(hours=hours)
    return pd.DataFrame({"subject_id": subjects, "index_time": index_time, "age": age})


def known(*codes):
    return Vocabulary({code: number for number, code in enumerate(sorted(codes), 2)})


def test_examples_in_docstrings():
    assert doctest.testmod(sequences).failed == 0


def test_histories_worked_by_hand():
    events = table(
        [(7, 20, "b"), (7, 1, "a"), (9, 24, "a"), (7, 20, "a"), (8, 3, "new")]
    )
    cohort = people([9, 7, 5], age=[60.0, 50.0, 40.0])
    got = sequences.encode(events, cohort, known("a", "b"), length=4)
    assert got.codes.tolist() == [[2, 0, 0, 0], [2, 2, 3, 0], [0, 0, 0, 0]]
    assert got.hours.tolist() == [[0, 0, 0, 0], [23, 4, 4, 0], [0, 0, 0, 0]]
    year = 24 * 365.25
    ages = [[60, 0, 0, 0], [50 - 23 / year, 50 - 4 / year, 50 - 4 / year, 0], [0] * 4]
    assert got.ages == pytest.approx(np.array(ages))
    assert got.total.tolist() == [1, 3, 0]
    assert got.mask.sum(axis=1).tolist() == [1, 3, 0] and len(got) == 3
    types = [array.dtype for array in vars(got).values()]
    assert types == [np.int32, np.float32, np.float32, np.int64]


def test_of_a_long_history_the_latest_events_are_kept():
    events = table([(1, hour, f"c{hour}") for hour in range(10)])
    vocabulary = known(*(f"c{hour}" for hour in range(10)))
    got = sequences.encode(events, people([1], 9), vocabulary, length=3)
    assert got.codes.tolist() == [[9, 10, 11]] and got.hours.tolist() == [[2, 1, 0]]
    assert got.total.tolist() == [10]


def test_of_each_code_the_latest_event_alone_can_be_kept():
    events = table([(1, 1, "a"), (1, 2, "b"), (1, 3, "a"), (2, 1, "a"), (1, 4, "x")])
    events = pd.concat([events, table([(1, np.nan, "a"), (1, 5, "y")])])
    cohort, vocabulary = people([1, 2, 3], 9), known("a", "b")
    got = sequences.encode(events, cohort, vocabulary, length=3, once=True)
    # x and y are both unknown: one number, so the later one is kept.
    assert got.codes.tolist() == [[3, 2, 1], [2, 0, 0], [0, 0, 0]]
    assert got.hours.tolist() == [[7, 6, 4], [8, 0, 0], [0, 0, 0]]
    assert got.total.tolist() == [3, 1, 0]


def test_events_without_a_time_stand_at_the_beginning():
    events = table([(1, 5, "a"), (1, 9, "a"), (1, np.nan, "sex"), (2, np.nan, "sex")])
    got = sequences.encode(events, people([1, 2]), known("a", "sex"), length=4)
    assert got.codes.tolist() == [[3, 2, 2, 0], [3, 0, 0, 0]]
    assert got.hours.tolist() == [[19, 19, 15, 0], [0, 0, 0, 0]]


def test_a_column_other_than_the_subject_may_join_the_tables():
    events = table([(1, 5, "a"), (1, 9, "b")]).assign(stay=["x", "y"])
    cohort = people([1, 1]).assign(stay=["y", "x"])
    got = sequences.encode(events, cohort, known("a", "b"), length=2, by="stay")
    assert got.codes.tolist() == [[3, 0], [2, 0]]


def test_an_event_after_the_index_time_is_refused_by_code_and_time():
    events = table([(1, 5, "a"), (1, 24.5, "DEATH"), (2, 99, "b")])
    with pytest.raises(ValueError, match=r"'DEATH' at 2020-01-02 00:30:00.* 1, after"):
        sequences.encode(events, people([1]), known("a"), length=2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"events": lambda e, c: e.drop(columns="time")}, "events lacks .*'time'"),
        ({"cohort": lambda e, c: c.drop(columns="age")}, "cohort lacks .*'age'"),
        ({"cohort": lambda e, c: pd.concat([c, c])}, "subject_id 1 more than once"),
        ({"cohort": lambda e, c: c.assign(age=np.nan)}, "no 'age' in row 0"),
        ({"cohort": lambda e, c: c.assign(index_time=pd.NaT)}, "no 'index_time'"),
        ({"length": lambda e, c: 0}, "length is 0"),
    ],
)
def test_bad_tables_are_named(change, complaint):
    events, cohort = table([(1, 5, "a")]), people([1])
    how = {"events": events, "cohort": cohort, "length": 2}
    how |= {name: make(events, cohort) for name, make in change.items()}
    with pytest.raises(ValueError, match=complaint):
        sequences.encode(vocabulary=known("a"), **how)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 24), st.sampled_from("abcd")),
        max_size=30,
    ),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_arrays_equal_a_plain_loop_whatever_the_order_of_the_table(
    rows, length, chance
):
    vocabulary = known("a", "b", "c")
    shuffled = list(rows)
    chance.shuffle(shuffled)
    cohort = people([3, 0, 1, 9])
    got = sequences.encode(table(shuffled), cohort, vocabulary, length=length)
    for number, subject in enumerate(cohort["subject_id"]):
        own = sorted((h, vocabulary.number(c)) for s, h, c in rows if s == subject)
        assert got.total[number] == len(own)
        own = own[-length:]
        filler = [0] * (length - len(own))
        assert got.codes[number].tolist() == [code for _, code in own] + filler
        assert got.hours[number].tolist() == [24 - hour for hour, _ in own] + filler
    short = got.latest(2)
    direct = sequences.encode(table(rows), cohort, vocabulary, length=min(length, 2))
    assert np.array_equal(short.codes[:, : min(length, 2)], direct.codes)
    assert np.array_equal(short.hours[:, : min(length, 2)], direct.hours)


def test_rare_codes_become_their_nearest_frequent_ancestor():
    events = table(
        [(s, 1, "DX//heart|shock") for s in (1, 2, 3)]
        + [
            (1, 2, "DX//heart|block"),
            (2, 2, "DX//heart|pain"),
            (2, 3, "DX//heart|pain"),
        ]
        + [
            (3, 1, "DX//lung|x"),
            (1, 1, "DX//skin"),
            (1, 1, "DRUG"),
            (4, 1, "DX//lung|x"),
        ]
    )
    vocabulary = Vocabulary.fit(events, [1, 2, 3], min_subjects=2)
    # heart: subjects 1 and 2 by their rare children; lung and skin meet in DX.
    assert vocabulary.numbers == {"DX": 2, "DX//heart": 3, "DX//heart|shock": 4}
    assert vocabulary.names == ["(padding)", "(unknown)", *vocabulary.numbers]
    assert len(vocabulary) == 5
    for token, number in (
        ("DX//heart|shock", 4),
        ("DX//heart|shock|septic", 4),
        ("DX//heart|unheard of", 3),
        ("DX//bone", 2),
        ("DRUG", 1),
        ("", 1),
    ):
        assert vocabulary.number(token) == number
    assert vocabulary.encode(events).tolist() == [4, 4, 4, 3, 3, 3, 2, 2, 1, 2]


def test_another_hierarchy_can_be_given():
    events = table([(1, 1, "I48.0"), (2, 1, "I48.1")])
    shorter = {"I48.0": "I48", "I48.1": "I48"}.get
    vocabulary = Vocabulary.fit(events, [1, 2], min_subjects=2, parent=shorter)
    assert vocabulary.numbers == {"I48": 2}
    assert vocabulary.encode(events).tolist() == [2, 2]


def test_events_of_other_subjects_leave_the_vocabulary_alone():
    train = [(s, s, "a", float(s)) for s in range(6)]
    test = [(s, 1, "only in test", 1.0) for s in range(10, 30)]
    test += [(s, 1, "a", 1e6) for s in range(10, 30)]
    how = {"subjects": range(6), "min_subjects": 2, "bins": 3}
    alone = Vocabulary.fit(table(train), **how)
    both = Vocabulary.fit(table(train + test), **how)
    assert alone.numbers == both.numbers
    assert np.array_equal(alone.edges["a"], both.edges["a"])


def test_values_are_cut_at_pandas_quantiles():
    values = np.random.default_rng(0).normal(size=60)
    rows = [(s, 1, "hr", v) for s, v in enumerate(values)]
    rows += [(s, 1, "hr") for s in range(9)]
    events = table(rows)
    vocabulary = Vocabulary.fit(events, range(60), min_subjects=3, bins=4)
    expected = [f"hr//Q{q + 1}" for q in pd.qcut(values, 4, labels=False)]
    assert vocabulary.tokens(events).tolist() == expected + ["hr"] * 9
    assert list(vocabulary.numbers) == ["hr", "hr//Q1", "hr//Q2", "hr//Q3", "hr//Q4"]
    beyond = table([(1, 1, "hr", -1e9), (1, 1, "hr", 1e9)])
    assert vocabulary.tokens(beyond).tolist() == ["hr//Q1", "hr//Q4"]


def test_equal_values_share_a_quantile():
    events = table([(s, 1, "gcs", 15.0) for s in range(8)])
    vocabulary = Vocabulary.fit(events, range(8), bins=5)
    assert len(set(vocabulary.tokens(events))) == 1


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"min_subjects": 0}, "min_subjects is 0"),
        ({"bins": 1}, "bins is 1"),
        ({"subjects": [77]}, "subjects: no event"),
        ({"by": "stay"}, "events lacks the column 'stay'"),
    ],
)
def test_bad_arguments_of_a_vocabulary_are_named(how, complaint):
    with pytest.raises(ValueError, match=complaint):
        Vocabulary.fit(table([(1, 1, "a")]), **({"subjects": [1]} | how))


def test_a_bag_counts_codes():
    events = table([(1, 1, "a"), (1, 2, "b"), (1, 3, "a"), (2, 1, "zzz")])
    got = sequences.encode(events, people([1, 2, 3]), known("a", "b"), length=5)
    bag = sequences.code_counts(got, 4)
    assert bag.tolist() == [[0, 0, 2, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    with pytest.raises(ValueError, match="size is 3"):
        sequences.code_counts(got, 3)


def test_histories_can_be_taken_by_row():
    events = table([(s, 1, "a") for s in (1, 2)])
    got = sequences.encode(events, people([1, 2, 3]), known("a"), length=2)
    assert got.take(np.array([2, 0])).codes.tolist() == [[0, 0], [2, 0]]
    assert len(got.take(np.array([True, False, False]))) == 1
    with pytest.raises(ValueError, match="length is 0"):
        got.latest(0)


def test_a_table_without_rows_gives_empty_histories():
    nothing = table([(1, 1, "a")]).iloc[:0]
    got = sequences.encode(nothing, people([1, 2]), known("a"), length=2)
    assert got.codes.tolist() == [[0, 0], [0, 0]] and got.total.tolist() == [0, 0]
