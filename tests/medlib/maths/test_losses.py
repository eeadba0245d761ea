"""Losses agree with Keras, TensorFlow, scikit-learn and finite differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from medlib.maths import losses

TOLERANCE = 1e-6
shared = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def cases(draw, classes=None):
    n, k = draw(st.integers(1, 8)), classes or draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = draw(st.sampled_from([0.1, 1, 10])) * rng.normal(size=(n, k))
    weights = rng.uniform(0, 3, size=n)
    return logits, rng.integers(0, k, size=n), weights


def differences(loss, at, step=1e-5):
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (loss(up) - loss(down)) / (2 * step)
    return gradient


def agree(ours, theirs):
    return np.allclose(ours, theirs, rtol=TOLERANCE, atol=1e-9)


def test_losses_and_gradients_equal_tensorflow():
    tf = pytest.importorskip("tensorflow")

    def theirs(loss, logits, weights):
        z, w = tf.constant(logits), tf.constant(weights)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = tf.reduce_sum(w * loss(z)) / len(logits)
        return value.numpy(), tape.gradient(value, z).numpy()

    @shared
    @given(cases())
    def categorical(drawn):
        logits, labels, weights = drawn
        value, gradient = theirs(
            lambda z: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z),
            logits,
            weights,
        )
        ours = losses.categorical_cross_entropy(logits, labels, weights)
        assert ours == pytest.approx(value, rel=TOLERANCE)
        ours = losses.categorical_cross_entropy_gradient(logits, labels, weights)
        assert agree(ours, gradient)

    @shared
    @given(cases(classes=2))
    def binary(drawn):
        logits, labels, weights = drawn[0][:, 0], drawn[1], drawn[2]
        value, gradient = theirs(
            lambda z: tf.nn.sigmoid_cross_entropy_with_logits(labels.astype(float), z),
            logits,
            weights,
        )
        ours = losses.binary_cross_entropy(logits, labels, weights)
        assert ours == pytest.approx(value, rel=TOLERANCE)
        ours = losses.binary_cross_entropy_gradient(logits, labels, weights)
        assert agree(ours, gradient)

    # A second formula for the focal loss, differentiated by TensorFlow.
    def focal_term(z, labels):
        y = labels.astype(float)
        p_true = y * tf.sigmoid(z) + (1 - y) * tf.sigmoid(-z)
        return -((1 - p_true) ** 2) * tf.math.log(p_true)

    @shared
    @given(cases(classes=2))
    def focal_and_squared(drawn):
        logits, labels, weights = drawn[0][:, 0], drawn[1], drawn[2]
        value, gradient = theirs(lambda z: focal_term(z, labels), logits, weights)
        ours = losses.focal_loss(logits, labels, weights)
        assert ours == pytest.approx(value, rel=TOLERANCE, abs=1e-12)
        assert agree(losses.focal_loss_gradient(logits, labels, weights), gradient)
        targets, even = np.sin(logits), np.ones_like(weights)
        value, gradient = theirs(lambda z: (z - targets) ** 2, logits, even)
        ours = losses.mean_squared_error(logits, targets)
        assert ours == pytest.approx(value, rel=TOLERANCE)
        assert agree(losses.mean_squared_error_gradient(logits, targets), gradient)

    categorical()
    binary()
    focal_and_squared()


@shared
@given(cases(classes=2))
def test_gradients_equal_central_differences(drawn):
    logits, labels, weights = drawn
    z = logits[:, 0]
    for name, at, more in (
        ("binary_cross_entropy", z, {}),
        ("categorical_cross_entropy", logits, {}),
        ("focal_loss", z, {}),
        ("focal_loss", z, {"focus": 0.5}),
    ):
        loss = getattr(losses, name)
        numeric = differences(lambda v, f=loss, m=more: f(v, labels, weights, **m), at)
        exact = getattr(losses, f"{name}_gradient")(at, labels, weights, **more)
        assert np.allclose(exact, numeric, rtol=TOLERANCE, atol=1e-8)
    targets = np.sin(z)
    numeric = differences(lambda v: losses.mean_squared_error(v, targets), z)
    exact = losses.mean_squared_error_gradient(z, targets)
    assert np.allclose(exact, numeric, rtol=TOLERANCE, atol=1e-8)


def test_weighted_losses_equal_keras():
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 3)), rng.integers(0, 3, size=20)
    weights = losses.balanced_weights(labels, 3)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        labels, logits, sample_weight=weights
    )
    ours = losses.categorical_cross_entropy(logits, labels, weights)
    assert ours == pytest.approx(float(theirs), rel=1e-5)  # Keras computes in float32
    z, y = logits[:, 0], (labels > 0).astype(int)
    theirs = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True)(
        y[:, None], z[:, None], sample_weight=weights
    )
    assert losses.focal_loss(z, y, weights) == pytest.approx(float(theirs), rel=1e-4)


def test_balanced_weights_equal_scikit_learn():
    labels = np.array([0, 0, 0, 2, 1, 0, 2])
    theirs = compute_sample_weight("balanced", labels)
    assert losses.balanced_weights(labels, 3) == pytest.approx(theirs)


def test_cross_entropy_equals_scikit_learn():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=30), rng.integers(0, 2, size=30)
    theirs = log_loss(y, 1 / (1 + np.exp(-z)))
    assert losses.binary_cross_entropy(z, y) == pytest.approx(theirs, rel=TOLERANCE)
    two = np.stack([np.zeros(30), z], axis=1)
    ours = losses.categorical_cross_entropy(two, y)
    assert ours == pytest.approx(theirs, rel=TOLERANCE)
    assert losses.focal_loss(z, y, focus=0) == pytest.approx(theirs, rel=TOLERANCE)


def test_values_worked_by_hand():
    assert losses.mean_squared_error(np.array([1.0, 4]), np.array([3.0, 1])) == 6.5
    gradient = losses.mean_squared_error_gradient(
        np.array([1.0, 4]), np.array([3.0, 1])
    )
    assert gradient.tolist() == [-2, 3]
    z = np.array([math.log(3), math.log(3)])  # p = 3/4
    value = losses.binary_cross_entropy(z, np.array([1, 0]))
    assert value == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    gradient = losses.binary_cross_entropy_gradient(z, np.array([1, 0]))
    assert gradient == pytest.approx([-1 / 8, 3 / 8])
    value = losses.focal_loss(z[:1], np.array([1]))
    assert value == pytest.approx(math.log(4 / 3) / 16)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e200])
def test_far_out_losses_are_exact_and_finite(size):
    z, right, wrong = np.array([-size, size]), np.array([0, 1]), np.array([1, 0])
    with np.errstate(all="raise", under="ignore"):
        for loss in (losses.binary_cross_entropy, losses.focal_loss):
            assert loss(z, right) == pytest.approx(0, abs=1e-40)
            assert loss(z, wrong) == pytest.approx(size)
        for gradient in (
            losses.binary_cross_entropy_gradient,
            losses.focal_loss_gradient,
        ):
            assert gradient(z, right) == pytest.approx([0, 0], abs=1e-40)
            assert gradient(z, wrong) == pytest.approx([-0.5, 0.5])
        rows = np.array([[size, -size]])
        assert losses.categorical_cross_entropy(rows, [0]) == pytest.approx(0)
        assert losses.categorical_cross_entropy(rows, [1]) == pytest.approx(2 * size)
        gradient = losses.categorical_cross_entropy_gradient(rows, [1])
        assert gradient == pytest.approx(np.array([[1.0, -1.0]]))


Z, ROWS, Y = np.ones(4), np.ones((4, 3)), np.array([0, 1, 1, 0])


@pytest.mark.parametrize("end", ["", "_gradient"])
@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("mean_squared_error", (Z, np.ones(3)), r"targets has shape \(3,\); \(4,\)"),
        ("mean_squared_error", (Y, Z), "predictions has dtype int64"),
        ("mean_squared_error", (Z, Y), "targets has dtype int64"),
        ("mean_squared_error", (np.ones(0), np.ones(0)), "must not be empty"),
        ("binary_cross_entropy", (ROWS, Y), r"logits has .*\(cases,\) is needed"),
        ("binary_cross_entropy", (Y, Y), "logits has dtype int64"),
        ("binary_cross_entropy", (Z * np.nan, Y), "logits of shape .* holds NaN"),
        ("binary_cross_entropy", (Z, Y + 1), "labels runs from 1 to 2; whole .* 0 to"),
        ("binary_cross_entropy", (Z, Y - 1), "labels runs from -1 to 0"),
        ("binary_cross_entropy", (Z, Y[:3]), r"labels has shape \(3,\); \(4,\)"),
        ("binary_cross_entropy", (Z, Z), "labels has dtype float64"),
        ("binary_cross_entropy", (Z, Y, np.ones(3)), r"weights has shape \(3,\)"),
        ("binary_cross_entropy", (Z, Y, -Z), "weights holds -1.0"),
        ("categorical_cross_entropy", (Z, Y), r"logits has .*\(cases, classes\)"),
        ("categorical_cross_entropy", (ROWS, Y + 2), "labels runs from 2 to 3; .* 2"),
        ("categorical_cross_entropy", (ROWS, Y[:, None]), r"labels has shape \(4, 1\)"),
        ("focal_loss", (Z, Y + 5), "labels runs from 5 to 6"),
    ],
)
def test_bad_input_names_the_argument(name, arguments, complaint, end):
    with pytest.raises(ValueError, match=complaint):
        getattr(losses, name + end)(*arguments)


def test_other_bad_input():
    with pytest.raises(ValueError, match="focus is -1"):
        losses.focal_loss(Z, Y, focus=-1)
    with pytest.raises(ValueError, match="labels runs from 0 to 1"):
        losses.balanced_weights(Y, 1)
