"""Values per visit agree with scikit-learn's, row by row, and with hand calculation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from sklearn import metrics as sk

from medlib.evaluation import drugs

GIVEN = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]])
PROPOSED = np.array(
    [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
)


def test_values_by_hand():
    assert drugs.jaccard(GIVEN, PROPOSED) == pytest.approx([1 / 3, 0, 1, 0, 0])
    assert drugs.f1(GIVEN, PROPOSED) == pytest.approx([1 / 2, 0, 1, 0, 0])
    assert drugs.precision(GIVEN, PROPOSED) == pytest.approx([1 / 2, 0, 0, 0, 0])
    assert drugs.recall(GIVEN, PROPOSED) == pytest.approx([1 / 2, 0, 0, 0, 0])
    assert drugs.jaccard(GIVEN, PROPOSED, empty=0)[2] == 0
    assert np.isnan(drugs.f1(GIVEN, PROPOSED, empty=np.nan)[2])


@settings(max_examples=40, deadline=None)
@given(
    sets=arrays.arrays(
        bool, st.tuples(st.just(2), st.integers(1, 6), st.integers(2, 8))
    )
)
def test_sets_equal_scikit_learns(sets):
    truth, found = sets.astype(int)
    options = {"average": "samples", "zero_division": 0}
    pairs = (
        (drugs.jaccard(truth, found, empty=0), sk.jaccard_score),
        (drugs.f1(truth, found, empty=0), sk.f1_score),
        (drugs.precision(truth, found), sk.precision_score),
        (drugs.recall(truth, found), sk.recall_score),
    )
    for values, score in pairs:
        assert values.mean() == pytest.approx(score(truth, found, **options))
        rows = [score(truth[[i]], found[[i]], **options) for i in range(len(truth))]
        assert values == pytest.approx(rows)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    levels=st.integers(1, 6),
    columns=st.integers(1, 9),
)
def test_average_precision_equals_scikit_learns(seed, levels, columns):
    rng = np.random.default_rng(seed)
    truth = rng.random((8, columns)) < 0.4
    scores = rng.integers(0, levels, truth.shape) / 7  # ties
    values = drugs.pr_auc(truth, scores)
    for row, value in enumerate(values):
        if not truth[row].any():
            assert np.isnan(value)
        else:
            expected = sk.average_precision_score(truth[row], scores[row])
            assert value == pytest.approx(expected)


def test_average_precision_by_hand():
    # Hits at places 1 and 3; and all scores alike give the share of drugs given.
    truth = np.array([[1, 0, 1, 0], [1, 0, 1, 0]])
    scores = np.array([[4.0, 3, 2, 1], [5, 5, 5, 5]])
    assert drugs.pr_auc(truth, scores) == pytest.approx([(1 + 2 / 3) / 2, 1 / 2])


def test_sparse_and_dense_agree():
    stored = sparse.csr_array(GIVEN * 3.0)
    stored.data[0] = 0  # a stored zero is no drug
    dense = stored.toarray()
    for measure in (drugs.jaccard, drugs.f1, drugs.precision, drugs.recall):
        assert (measure(stored, PROPOSED) == measure(dense, PROPOSED)).all()
    assert stored.nnz == GIVEN.sum()  # the caller's array is left as it was


def test_proposals_and_thresholds():
    scores = np.array([[0.5, 0.49, 0.9], [0.1, 0.2, 0.3]])
    assert drugs.propose(scores).toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert drugs.propose(scores, 0.2).toarray().tolist() == [[1, 1, 1], [0, 1, 1]]
    truth = np.array([[1, 0, 1], [0, 0, 1]])
    best = drugs.best_threshold(truth, scores)
    # Nothing below reaches more: every cut at a score is tried by hand.
    by_hand = [
        drugs.jaccard(truth, drugs.propose(scores, cut)).mean()
        for cut in np.unique(scores)
    ]
    value = drugs.jaccard(truth, drugs.propose(scores, best)).mean()
    assert value == pytest.approx(max(by_hand))


def test_the_table_and_the_means_of_patients():
    scores = np.array([[4.0, 3, 2, 1]] * 5)
    index = pd.Index([11, 12, 13, 14, 15])
    table = drugs.evaluate(GIVEN, PROPOSED, scores, index=index)
    assert table.index.equals(index)
    assert table["jaccard"].tolist() == drugs.jaccard(GIVEN, PROPOSED).tolist()
    assert table["size"].tolist() == [2, 1, 0, 1, 0]
    assert table["pr_auc"].isna().tolist() == [False, False, True, True, False]
    assert drugs.evaluate(GIVEN, PROPOSED)["pr_auc"].isna().all()
    means = drugs.per_patient(table, np.array(["b", "b", "a", "a", "b"]))
    assert means.loc["a", "jaccard"] == pytest.approx(1 / 2)
    assert means.loc["b", "jaccard"] == pytest.approx(1 / 9)
    assert means.loc["b", "pr_auc"] == 1 and np.isnan(means.loc["a", "pr_auc"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drugs.jaccard(GIVEN, PROPOSED[:, :3]), "must agree"),
        (lambda: drugs.f1(GIVEN[0], PROPOSED[0]), "shape"),
        (lambda: drugs.jaccard(GIVEN * np.nan, PROPOSED), "given holds NaN"),
        (lambda: drugs.pr_auc(GIVEN, np.zeros((5, 3))), "scores has shape"),
        (lambda: drugs.pr_auc(GIVEN, np.full((5, 4), np.nan)), "NaN"),
        (lambda: drugs.propose(np.zeros(3)), "visits × drugs"),
        (lambda: drugs.propose(np.full((1, 2), np.nan)), "NaN"),
        (lambda: drugs.propose(np.zeros((1, 2)), np.nan), "NaN"),
        (lambda: drugs.best_threshold(GIVEN, GIVEN, 0), "at least 1"),
        (lambda: drugs.best_threshold(GIVEN[:0], GIVEN[:0]), "empty"),
        (
            lambda: drugs.per_patient(drugs.evaluate(GIVEN, PROPOSED), np.zeros(4)),
            "one for each",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
