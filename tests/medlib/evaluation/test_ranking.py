"""Rankings are judged as scikit-learn does, and as worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from medlib.evaluation import ranking as r

MEASURES = (r.recall, r.precision, r.ndcg, r.average_precision)


def drawn(seed, patients=12, items=9):
    """Return scores without ties, their lists, and relevant items for everybody."""
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(items, dtype=float), (patients, 1)), axis=1)
    relevant = rng.random((patients, items)) < 0.3
    relevant[np.arange(patients), rng.integers(0, items, patients)] = True
    return scores, np.argsort(-scores, axis=1), relevant


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_ndcg_equals_scikit_learn_for_every_patient(seed, k):
    scores, lists, relevant = drawn(seed)
    expected = [
        ndcg_score(relevant[[i]].astype(int), scores[[i]], k=k)
        for i in range(len(lists))
    ]
    assert r.ndcg(lists, relevant, k) == pytest.approx(expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_average_precision_of_whole_lists_equals_scikit_learn(seed):
    scores, lists, relevant = drawn(seed)
    expected = [
        label_ranking_average_precision_score(relevant[[i]], scores[[i]])
        for i in range(len(lists))
    ]
    assert r.average_precision(lists, relevant, 9) == pytest.approx(expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_measures_equal_plain_loops(seed, k):
    _, lists, relevant = drawn(seed)
    for row, (list_, truth) in enumerate(zip(lists, relevant, strict=True)):
        hits = [bool(truth[item]) for item in list_[:k]]
        found = sum(hits)
        ap = sum(sum(hits[: i + 1]) / (i + 1) for i in range(k) if hits[i])
        expected = (found / truth.sum(), found / k, ap / min(k, truth.sum()))
        got = [
            measure(lists, sparse.csr_array(relevant), k)[row]
            for measure in (r.recall, r.precision, r.average_precision)
        ]
        assert got == pytest.approx(expected)


def test_worked_by_hand():
    lists = np.array([[2, 0, 1], [3, 1, 0]])
    relevant = np.array([[1, 1, 0, 1], [0, 0, 0, 1]])
    assert r.recall(lists, relevant, 3) == pytest.approx([2 / 3, 1])
    assert r.precision(lists, relevant, 3) == pytest.approx([2 / 3, 1 / 3])
    # Places 2 and 3 of the first list hit: precisions 1/2 and 2/3.
    assert r.average_precision(lists, relevant, 3) == pytest.approx([7 / 18, 1])
    gain = 1 / np.log2(3) + 1 / 2
    assert r.ndcg(lists, relevant, 3) == pytest.approx([gain / (1 + gain), 1])
    assert r.ndcg(lists, relevant, 1).tolist() == [0, 1]
    assert r.coverage(lists, 4, 1) == 0.5 and r.coverage(lists, 5, 3) == 0.8


def test_a_perfect_list_has_one_and_a_useless_one_zero():
    relevant = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    best, worst = np.tile([0, 1, 2, 3, 4], (2, 1)), np.tile([3, 4], (2, 1))
    assert r.ndcg(best, relevant, 2).tolist() == [1, 1]
    assert r.average_precision(best, relevant, 2).tolist() == [1, 1]
    assert r.recall(best, relevant, 2) == pytest.approx([1, 2 / 3])
    for measure in MEASURES:
        assert measure(worst, relevant, 2).tolist() == [0, 0]


def test_values_of_the_matrix_do_not_matter_and_stored_zeros_are_not_relevant():
    lists = np.array([[0, 1, 2]])
    twice = sparse.csr_array(([2.0, 0.0, 1.0], [1, 2, 1], [0, 3]), shape=(1, 3))
    assert twice.nnz == 3
    for measure in MEASURES:
        assert measure(lists, twice, 3) == measure(lists, np.array([[0, 1, 0]]), 3)
    assert twice.nnz == 3  # what was given is left as it was


def test_a_k_above_the_catalogue_is_the_whole_catalogue():
    _, lists, relevant = drawn(3, items=4)
    for measure in MEASURES:
        assert np.array_equal(measure(lists, relevant, 10), measure(lists, relevant, 4))
    assert r.recall(lists, relevant, 10).tolist() == [1.0] * 12
    assert r.coverage(lists, 4, 10) == 1


def test_short_lists_lose_what_they_leave_empty():
    lists = np.array([[1, -1, -1], [-1, -1, -1]])
    relevant = np.array([[0, 1, 0, 1], [1, 0, 0, 0]])
    assert r.precision(lists, relevant, 3) == pytest.approx([1 / 3, 0])
    assert r.recall(lists, relevant, 3).tolist() == [0.5, 0]
    assert r.coverage(lists, 4, 3) == 0.25
    bits = r.novelty(lists, np.array([1, 2, 4, 4]), 8, 3)
    assert bits[0] == 2 and np.isnan(bits[1])


def test_novelty_worked_by_hand():
    lists = np.array([[0, 1], [2, 3]])
    got = r.novelty(lists, np.array([8, 4, 1, 0]), 8, 2)
    assert got.tolist() == [0.5, 3]  # bits 0 and 1; 3 and, for nobody, 3 again


def test_patients_without_relevant_items_are_left_out_and_counted():
    lists = np.array([[0, 1], [1, 0], [2, 1]])
    relevant = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    for measure in MEASURES:
        assert np.isnan(measure(lists, relevant, 2)).tolist() == [False, True, False]
    got = r.evaluate(lists, relevant, at=(1, 2), popularity=np.ones(3), patients=4)
    assert got.left_out == 1 and got.values.index.tolist() == [0, 2]
    assert got.values["ndcg@1"].tolist() == [1, 0]
    assert got.values["recall@2"].tolist() == [1, 1]
    assert got.values["novelty@2"].tolist() == [2, 2]
    assert got.coverage == {1: 2 / 3, 2: 1}
    assert list(r.evaluate(lists, relevant, at=(1,)).values) == [
        "ndcg@1", "recall@1", "precision@1", "map@1",
    ]  # fmt: skip


def test_interval_of_a_mean_is_near_the_textbook_one():
    values = np.random.default_rng(0).normal(0.3, 0.2, 400)
    got = r.mean_interval(np.append(values, np.nan), n_resamples=2000)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert got.estimate == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - half, abs=0.003)
    assert got.high == pytest.approx(values.mean() + half, abs=0.003)


def test_whole_patients_are_drawn_and_pairs_are_kept():
    rng = np.random.default_rng(1)
    once = rng.random(60)
    values, patients = np.repeat(once, 5), np.repeat(np.arange(60), 5)
    apart, together = r.mean_interval(values), r.mean_interval(values, groups=patients)
    wide = (together.high - together.low) / (apart.high - apart.low)
    assert wide == pytest.approx(np.sqrt(5), rel=0.15)
    difference = r.mean_interval((values + 0.1) - values)
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))
    assert r.mean_interval(values) == r.mean_interval(values)


ONE = np.array([[1, 0, 0]])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: r.recall(np.array([[0, 3]]), ONE, 2), "item 3 in row 0"),
        (lambda: r.recall(np.array([[0, -2]]), ONE, 2), "item -2 in row 0"),
        (lambda: r.ndcg(np.array([[1, 1]]), ONE, 2), "item 1 twice in row 0"),
        (lambda: r.ndcg(np.array([[-1, 1]]), ONE, 2), "empty place before .* row 0"),
        (lambda: r.ndcg(np.array([[0, 1]]), ONE, 3), "ranked has 2 places; k is 3"),
        (lambda: r.precision(np.array([[0]]), ONE, 0), "k is 0"),
        (lambda: r.precision(np.array([[0.0]]), ONE, 1), "whole numbers"),
        (lambda: r.precision(np.array([0]), ONE, 1), "ranked has the shape"),
        (lambda: r.recall(np.array([[0], [1]]), ONE, 1), "2 lists for 1 patients"),
        (lambda: r.evaluate(np.array([[0]]), ONE * 0, at=(1,)), "for any of 1 patient"),
        (lambda: r.evaluate(np.array([[0]]), ONE, at=()), "at is empty"),
        (lambda: r.coverage(np.array([[0]]), 0, 1), "items is 0"),
        (lambda: r.novelty(np.array([[0]]), np.array([5]), 4, 1), "patients is 4"),
        (lambda: r.mean_interval(np.array([0.5])), "needs two patients"),
        (lambda: r.mean_interval(np.array([0.5, np.nan])), "1 values that are no NaN"),
        (lambda: r.mean_interval(np.ones(3), groups=np.ones(3)), "of 1 patients"),
        (lambda: r.mean_interval(np.ones(3), groups=np.ones(2)), "groups \\(2,\\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
