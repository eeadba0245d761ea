"""Calibration against scikit-learn, brute force and values worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_score

from medlib.evaluation import calibration


def overconfident(count=400, factor=3.0, seed=0):
    """Return labels and scores whose logits are ``factor`` times too large."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=count)
    labels = (rng.random(count) < 1 / (1 + np.exp(-logit))).astype(int)
    p = 1 / (1 + np.exp(-factor * logit))
    return labels, np.stack([1 - p, p], axis=1)


def test_soften_by_hand():
    # Logits ln 9 and 0; halved they are ln 3 and 0.
    assert calibration.soften(np.array([[0.9, 0.1]]), 2) == pytest.approx(
        np.array([[0.75, 0.25]])
    )


def test_soften_keeps_zeros_finite_and_one_changes_nothing():
    scores = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    assert calibration.soften(scores, 1) == pytest.approx(scores, abs=1e-9)
    assert np.all(np.isfinite(calibration.soften(scores, 50)))


def test_temperature_is_the_slope_of_a_logistic_regression():
    # For two classes p^(1/T) is a logistic model of the logit without an intercept.
    labels, scores = overconfident()
    logit = np.log(scores[:, 1] / scores[:, 0])
    theirs = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10)
    theirs.fit(logit[:, None], labels)
    found = calibration.fit_temperature(labels, scores)
    assert found == pytest.approx(1 / theirs.coef_[0, 0], rel=1e-3)
    assert found == pytest.approx(3, rel=0.2)  # the factor it was made with


def test_temperature_agrees_with_scikit_learn_for_three_classes():
    frozen = pytest.importorskip("sklearn.frozen")
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV

    class Given(ClassifierMixin, BaseEstimator):
        """A classifier whose features are its logits."""

        def fit(self, x, y):
            self.classes_ = np.unique(y)
            return self

        def decision_function(self, x):
            return x

        def predict(self, x):
            return x.argmax(axis=1)

    rng = np.random.default_rng(1)
    logits = rng.normal(size=(500, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    sharp = 2.5 * logits
    scores = np.exp(sharp) / np.exp(sharp).sum(axis=1, keepdims=True)
    model = frozen.FrozenEstimator(Given().fit(sharp, labels))
    try:
        theirs = CalibratedClassifierCV(model, method="temperature").fit(sharp, labels)
    except ValueError:
        pytest.skip("this scikit-learn has no temperature scaling")
    ours = calibration.soften(scores, calibration.fit_temperature(labels, scores))
    assert ours == pytest.approx(theirs.predict_proba(sharp), abs=2e-3)


def test_temperature_of_a_perfect_classifier_is_refused():
    scores = np.array([[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(ValueError, match="separate the classes perfectly"):
        calibration.fit_temperature(np.array([0, 1]), scores)
    with pytest.raises(ValueError, match="tell nothing about them"):
        calibration.fit_temperature(np.array([1, 0]), scores)


def test_reliability_agrees_with_scikit_learn():
    labels, scores = overconfident(300)
    ours = calibration.reliability(labels, scores[:, 1], bins=8)
    observed, confidence = calibration_curve(labels, scores[:, 1], n_bins=8)
    assert ours.observed == pytest.approx(observed)
    assert ours.confidence == pytest.approx(confidence)
    assert ours.count.sum() == 300


def test_reliability_by_hand():
    found = calibration.reliability([0, 1, 1], [0.1, 0.5, 1.0], bins=2)
    assert found.confidence == pytest.approx([0.1, 0.75])
    assert found.observed == pytest.approx([0, 1])
    assert found.count.tolist() == [1, 2]


def test_bayes_threshold_by_hand():
    assert calibration.bayes_threshold(9, 1) == pytest.approx(0.1)
    assert calibration.bayes_threshold(2.5, 2.5) == 0.5


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_best_threshold_beats_every_other(data):
    count = data.draw(st.integers(1, 12))
    steps = st.integers(0, 8)
    p = np.array(data.draw(st.lists(steps, min_size=count, max_size=count))) / 8
    sick = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    miss, alarm = data.draw(st.sampled_from([(1, 1), (5, 1), (1, 3)]))

    def cost(threshold):
        called = p > threshold
        return miss * np.sum(sick & ~called) + alarm * np.sum(~sick & called)

    found = calibration.best_threshold(sick, p, miss, alarm)
    assert cost(found) == min(cost(t) for t in [-1, *np.linspace(0, 1, 33)])


def test_best_threshold_lies_in_the_middle_of_a_gap():
    found = calibration.best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], 1, 1)
    assert found == pytest.approx(0.4)


def test_predictive_values_by_hand():
    # Of 1000, 100 are ill: 90 found, 10 missed; of 900 healthy 720 quiet, 180 alarms.
    positive, negative = calibration.predictive_values(0.9, 0.8, 0.1)
    assert positive == pytest.approx(90 / 270)
    assert negative == pytest.approx(720 / 730)


def test_predictive_values_agree_with_counting():
    rng = np.random.default_rng(0)
    truth, called = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    sensitivity, specificity = called[truth == 1].mean(), 1 - called[truth == 0].mean()
    positive, negative = calibration.predictive_values(
        sensitivity, specificity, truth.mean()
    )
    assert positive == pytest.approx(precision_score(truth, called))
    assert negative == pytest.approx(precision_score(1 - truth, 1 - called))


def test_predictive_value_of_nobody_is_nan():
    positive, negative = calibration.predictive_values(0, 1, 0.3)
    assert np.isnan(positive) and negative == pytest.approx(0.7)


def test_shifted_prevalence_is_bayes_theorem():
    # Two findings, likelihoods 0.8 and 0.2 in the ill, 0.3 and 0.7 in the healthy.
    ill, healthy = np.array([0.8, 0.2]), np.array([0.3, 0.7])

    def posterior(prevalence):
        return ill * prevalence / (ill * prevalence + healthy * (1 - prevalence))

    moved = calibration.shift_prevalence(posterior(0.6), 0.6, 0.1)
    assert moved == pytest.approx(posterior(0.1))
    edges = np.array([0.0, 1.0])
    assert calibration.shift_prevalence(edges, 0.6, 0.1) == pytest.approx(edges)


def test_referral_curve_by_hand():
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    labels = np.array([0, 1, 0, 1])  # right, wrong, wrong, right
    referred, accuracy = calibration.referral_curve(labels, scores)
    assert referred == pytest.approx([0, 0.25, 0.5, 0.75])
    assert accuracy == pytest.approx([0.5, 2 / 3, 1, 1])
    assert accuracy[0] == accuracy_score(labels, scores.argmax(axis=1))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: calibration.soften(np.ones(3), 1), r"scores has shape \(3,\)"),
        (lambda: calibration.soften(np.full((2, 2), np.nan), 1), "or NaN"),
        (lambda: calibration.soften(np.eye(2), 0), "temperature is 0"),
        (lambda: calibration.fit_temperature([0], np.eye(2)), "labels has 1 values"),
        (
            lambda: calibration.fit_temperature([0, 2], np.eye(2)),
            "labels lie in 0 to 2",
        ),
        (lambda: calibration.fit_temperature([0.5, 1], np.eye(2)), "has dtype float64"),
        (lambda: calibration.reliability([0], [1.5]), "probability holds values outs"),
        (lambda: calibration.reliability([0], [0.5], bins=0), "bins is 0"),
        (lambda: calibration.reliability([], []), r"probability has shape \(0,\)"),
        (lambda: calibration.bayes_threshold(0, 1), "cost_miss is 0"),
        (lambda: calibration.best_threshold([0, 1], [0, 1], 1, -1), "cost_alarm is -1"),
        (lambda: calibration.predictive_values(1.2, 0.5, 0.5), "sensitivity is 1.2"),
        (lambda: calibration.shift_prevalence([0.5], 0, 0.5), "trained is 0"),
        (lambda: calibration.referral_curve([0, 1, 1], np.eye(2)), "labels has 3 val"),
    ],
)
def test_bad_input_is_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
