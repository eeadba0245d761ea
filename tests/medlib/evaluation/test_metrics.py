"""Metrics agree with scikit-learn, with hand calculations and with known intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from medlib.evaluation import metrics as m


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_auc_and_accuracy_equal_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 40)])
    scores = rng.dirichlet(np.ones(classes), len(labels))
    if classes == 2:
        expected = sk.roc_auc_score(labels, scores[:, 1])
        assert m.auc(labels, scores) == m.auc(labels, scores[:, 1])
        right = (scores[:, 1] > 0.5) == labels
    else:
        expected = sk.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
        right = scores.argmax(axis=1) == labels
    assert m.auc(labels, scores) == pytest.approx(expected, abs=1e-12)
    assert m.accuracy(labels, scores) == pytest.approx(np.mean(right))


def test_medmnist_calls_a_score_of_one_half_class_zero():
    assert m.predictions(np.array([0.5, 0.50001])).tolist() == [0, 1]
    assert m.predictions(np.array([[0.5, 0.5], [0.2, 0.8]])).tolist() == [0, 1]


def test_sensitivity_is_for_the_disease_whatever_its_index():
    labels, called = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    assert m.sensitivity(labels, called, (0,)) == pytest.approx(3 / 4)
    assert m.specificity(labels, called, (0,)) == pytest.approx(1 / 2)
    assert m.sensitivity(labels, called, (1,)) == pytest.approx(1 / 2)
    grades, read = np.array([0, 1, 2, 3, 4]), np.array([0, 0, 1, 4, 4])
    assert m.sensitivity(grades, read, (1, 2, 3, 4)) == pytest.approx(3 / 4)


def test_brier_by_hand_and_by_scikit_learn():
    labels, scores = np.array([1, 0]), np.array([0.8, 0.4])
    assert m.brier(labels, scores) == pytest.approx((0.04 + 0.16) / 2)
    assert m.brier(labels, scores) == pytest.approx(sk.brier_score_loss(labels, scores))
    three = np.array([[0.7, 0.2, 0.1]])
    assert m.brier(np.array([0]), three) == pytest.approx(0.09 + 0.04 + 0.01)


def test_calibration_error_by_hand():
    # Ten cases at confidence .8, six right; ten at .6, six right.
    scores = np.array([0.8] * 10 + [0.6] * 10)
    labels = np.array([1] * 6 + [0] * 4 + [1] * 6 + [0] * 4)
    expected = 0.5 * abs(0.6 - 0.8) + 0.5 * 0
    assert m.expected_calibration_error(labels, scores) == pytest.approx(expected)


def test_a_calibrated_forecast_has_a_small_calibration_error():
    rng = np.random.default_rng(0)
    scores = rng.random(50_000)
    labels = (rng.random(50_000) < scores).astype(int)
    assert m.expected_calibration_error(labels, scores) < 0.01


def test_bootstrap_interval_is_near_the_binomial_one():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    scores = np.where(rng.random(400) < 0.85, labels, 1 - labels).astype(float)
    got = m.bootstrap_interval(m.accuracy, labels, scores, n_resamples=2000)
    right = int(np.sum(scores == labels))
    exact = stats.binomtest(right, 400).proportion_ci(method="wilson")
    assert got.estimate == right / 400
    assert got.low == pytest.approx(exact.low, abs=0.01)
    assert got.high == pytest.approx(exact.high, abs=0.01)


@pytest.mark.slow
def test_bootstrap_covers_the_true_auc_about_as_often_as_it_says():
    truth, covered = stats.norm.cdf(1 / np.sqrt(2)), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 60)
        scores = stats.norm.cdf(rng.normal(size=120) + labels)
        found = m.bootstrap_interval(m.auc, labels, scores, n_resamples=200, seed=seed)
        covered += found.low <= truth <= found.high
    assert 87 <= covered <= 100


def test_paired_difference_is_zero_for_the_same_scores_and_signed():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    good = np.clip(labels * 0.4 + rng.random(200) * 0.6, 0, 1)
    poor = rng.random(200)
    same = m.paired_bootstrap(m.auc, labels, good, good, n_resamples=50)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    better = m.paired_bootstrap(m.auc, labels, good, poor, n_resamples=200)
    assert better.low > 0
    assert better.estimate == pytest.approx(m.auc(labels, good) - m.auc(labels, poor))


def test_resampling_is_seeded_and_keeps_rare_classes():
    labels, scores = np.array([0] * 50 + [1]), np.linspace(0, 1, 51)
    first = m.bootstrap_interval(m.auc, labels, scores, n_resamples=50)
    assert first == m.bootstrap_interval(m.auc, labels, scores, n_resamples=50)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: m.auc([0, 1], [0.1, np.nan]), "scores holds NaN"),
        (lambda: m.auc([0, 0], [0.1, 0.2]), "no case of class"),
        (lambda: m.auc([0, 1], [0.1, 0.2, 0.3]), "scores has shape"),
        (lambda: m.auc([], []), "scores has shape"),
        (lambda: m.auc([0, 2], [0.1, 0.2]), "labels lie in 0 to 2"),
        (lambda: m.accuracy([-1, 1], [0.1, 0.2]), "labels lie in -1"),
        (lambda: m.sensitivity(np.array([1]), np.array([1]), (0,)), "no diseased"),
        (lambda: m.specificity(np.array([0]), np.array([1]), (0,)), "no healthy"),
        (lambda: m.sensitivity(np.array([0]), np.array([0, 0]), (0,)), "has shape"),
        (
            lambda: m.bootstrap_interval(m.auc, [0, 1], [0.1, 0.2], confidence=95),
            "confidence is 95",
        ),
        (
            lambda: m.bootstrap_interval(m.auc, [0, 1], [0.1, 0.2], n_resamples=0),
            "n_resamples is 0",
        ),
    ],
)
def test_bad_input_names_the_argument(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_paired_runs_with_one_training_each_is_the_paired_bootstrap():
    labels = np.array([0, 1] * 30)
    rng = np.random.default_rng(0)
    a, b = (np.clip(0.3 * labels + 0.6 * rng.random(60), 0, 1) for _ in range(2))
    runs = m.paired_runs(m.auc, labels, [a], [b], n_resamples=200, seed=3)
    pair = m.paired_bootstrap(m.auc, labels, a, b, n_resamples=200, seed=3)
    assert np.allclose(
        [runs.estimate, runs.low, runs.high], [pair.estimate, pair.low, pair.high]
    )


def test_paired_runs_estimates_the_difference_of_the_means():
    labels = np.array([0, 1] * 40)
    rng = np.random.default_rng(1)
    draw = lambda: np.clip(0.2 * labels + 0.7 * rng.random(80), 0, 1)  # noqa: E731
    a, b = [draw() for _ in range(4)], [draw() for _ in range(3)]
    found = m.paired_runs(m.auc, labels, a, b, n_resamples=50)
    means = [np.mean([sk.roc_auc_score(labels, s) for s in runs]) for runs in (a, b)]
    assert found.estimate == pytest.approx(means[0] - means[1], abs=1e-12)
    assert found.low < found.estimate < found.high


def test_paired_runs_counts_the_spread_over_trainings():
    # The cases are certain: in each run all are right or all are wrong.
    labels = np.array([0, 1] * 10)
    good, bad = labels * 0.8 + 0.1, 0.9 - labels * 0.8
    found = m.paired_runs(m.accuracy, labels, [good, bad], [good], n_resamples=400)
    assert (found.estimate, found.low, found.high) == (-0.5, -1.0, 0.0)
    same = m.paired_runs(m.accuracy, labels, [good, good], [good], n_resamples=50)
    assert (same.low, same.high) == (0, 0)


def test_paired_runs_refuses_methods_without_trainings():
    with pytest.raises(ValueError, match="at least one training"):
        m.paired_runs(m.auc, np.array([0, 1]), [], [np.array([0.1, 0.9])])
