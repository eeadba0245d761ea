"""Activations agree with TensorFlow, SciPy and finite differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import special, stats

from medlib.maths import activations as a
from medlib.maths.network import ACTIVATIONS

TOLERANCE = 1e-6  # relative, float64
NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "gelu"]
shared = settings(max_examples=40, deadline=None, derandomize=True)
# TensorFlow takes the smallest floats, the subnormal ones, for zero.
inputs = arrays(
    np.float64,
    array_shapes(max_dims=3, max_side=6),
    elements=st.floats(-30, 30, allow_subnormal=False),
)
rows = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    elements=st.floats(-50, 50, allow_subnormal=False),
)


def close(ours, theirs):
    # Far in the tails TensorFlow's own values are rounding; SciPy is witness there.
    theirs = np.asarray(theirs)
    return ours.shape == theirs.shape and np.allclose(ours, theirs, TOLERANCE, 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_derivatives_equal_tensorflow(name):
    tf = pytest.importorskip("tensorflow")
    theirs = {
        "sigmoid": tf.nn.sigmoid,
        "tanh": tf.nn.tanh,
        "relu": tf.nn.relu,
        "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.01),
        "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    }[name]
    forward, derivative = ACTIVATIONS[name]

    @shared
    @given(inputs)
    def check(x):
        tx = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(tx)
            y = theirs(tx)
        assert close(forward(x), y)
        assert close(derivative(x), tape.gradient(y, tx))

    check()


@pytest.mark.parametrize("name", NAMES)
@shared
@given(x=inputs)
def test_derivatives_equal_central_differences(name, x):
    forward, derivative = ACTIVATIONS[name]
    x = np.where(np.abs(x) < 1e-3, 0.5, x)  # away from the kink of ReLU
    step = 1e-5
    numeric = (forward(x + step) - forward(x - step)) / (2 * step)
    assert np.allclose(derivative(x), numeric, rtol=TOLERANCE, atol=1e-9)


def test_values_worked_by_hand():
    x = np.array([-2.0, 0.0, math.log(3)])
    assert a.sigmoid(x) == pytest.approx([1 / (1 + math.e**2), 0.5, 0.75])
    assert a.sigmoid_derivative(x)[1:] == pytest.approx([0.25, 3 / 16])
    assert a.tanh(x)[1:] == pytest.approx([0, 0.8])  # (3 - 1/3) / (3 + 1/3)
    assert a.tanh_derivative(x)[1:] == pytest.approx([1, 0.36])
    assert a.relu(x).tolist() == [0, 0, math.log(3)]
    assert a.relu_derivative(x).tolist() == [0, 0, 1]
    assert a.leaky_relu(x, 0.1).tolist() == [-0.2, 0, math.log(3)]
    assert a.leaky_relu_derivative(x, 0.1).tolist() == [0.1, 0.1, 1]
    assert a.softmax(np.log([[1.0, 2.0, 5.0]])) == pytest.approx(
        np.array([[0.125, 0.25, 0.625]])
    )


# Plain SciPy formulas keep their digits in the tails, where TensorFlow's may not.
def test_tails_keep_their_digits():
    x = np.array([-30.0, -20, -10, -5, 5, 10, 20, 30])
    assert a.gelu(x) == pytest.approx(x * special.ndtr(x), rel=1e-12)
    slope = special.ndtr(x) + x * stats.norm.pdf(x)
    assert a.gelu_derivative(x) == pytest.approx(slope, rel=1e-12)
    assert a.sigmoid(x) == pytest.approx(special.expit(x), rel=1e-12)
    logistic = special.expit(x) * special.expit(-x)
    assert a.sigmoid_derivative(x) == pytest.approx(logistic, rel=1e-12)
    assert a.tanh_derivative(x) == pytest.approx(1 / np.cosh(x) ** 2, rel=1e-12)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e200])
def test_far_out_everything_is_finite_and_at_its_limit(size):
    x = np.array([-size, size])
    with np.errstate(all="raise", under="ignore"):
        assert a.sigmoid(x) == pytest.approx([0, 1])
        assert a.tanh(x).tolist() == [-1, 1]
        assert a.relu(x).tolist() == [0, size]
        assert a.gelu(x) == pytest.approx([0, size])
        assert a.softmax(x) == pytest.approx([0, 1])
        assert a.log_softmax(x) == pytest.approx([-2 * size, 0])
        for name in NAMES:
            assert np.isfinite(ACTIVATIONS[name][1](x)).all()
        assert a.sigmoid_derivative(x) == pytest.approx([0, 0])
        assert a.gelu_derivative(x) == pytest.approx([0, 1])


@shared
@given(rows)
def test_softmax_equals_scipy(x):
    assert close(a.softmax(x), special.softmax(x, axis=-1))
    assert close(a.log_softmax(x), special.log_softmax(x, axis=-1))
    assert a.softmax(x).sum(axis=-1) == pytest.approx(np.ones(len(x)))
    assert a.softmax(x + 1000) == pytest.approx(a.softmax(x), abs=1e-9)


def test_softmax_and_its_gradient_equal_tensorflow():
    tf = pytest.importorskip("tensorflow")

    @shared
    @given(rows)
    def check(x):
        tx, upstream = tf.constant(x), np.cos(np.arange(x.size)).reshape(x.shape)
        with tf.GradientTape() as tape:
            tape.watch(tx)
            p = tf.nn.softmax(tx)
            loss = tf.reduce_sum(p * upstream)
        assert close(a.softmax(x), p)
        theirs = tape.gradient(loss, tx).numpy()
        # A gradient that is all rounding has no digits to compare.
        ours = a.softmax_gradient(x, upstream)
        assert np.allclose(ours, theirs, rtol=TOLERANCE, atol=1e-12)

    check()


def test_softmax_gradient_is_the_jacobian_worked_by_hand():
    x = np.log(np.array([1.0, 3.0]))  # p = (1/4, 3/4)
    for k, expected in enumerate([[3 / 16, -3 / 16], [-3 / 16, 3 / 16]]):
        assert a.softmax_gradient(x, np.eye(2)[k]) == pytest.approx(expected)


@pytest.mark.parametrize("name", [*NAMES, "linear", "softmax", "log_softmax"])
def test_dtype_stays_and_the_input_is_untouched(name):
    x = np.linspace(-2, 2, 5, dtype=np.float32)
    before = x.copy()
    function = getattr(a, name)
    assert function(x).dtype == np.float32
    assert function(x) is not x
    if name in ACTIVATIONS:
        assert ACTIVATIONS[name][1](x).dtype == np.float32
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", [*NAMES, "linear", "softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (
            [1, 2],
            r"x has dtype int64; floating-point numbers of (any shape|shape \(\*)",
        ),
        (["a"], "x has dtype <U1; floating-point"),
        (np.array([1.0, np.nan]), r"x of shape \(2,\) holds NaN or infinity"),
        (np.array([np.inf]), "holds NaN or infinity"),
        (np.zeros((0, 3)), r"x has shape \(0, 3\), it must not be empty"),
    ],
)
def test_bad_input_names_the_argument(name, bad, complaint):
    functions = [getattr(a, name)]
    functions += [ACTIVATIONS[name][1]] if name in ACTIVATIONS else []
    for function in functions:
        with pytest.raises(ValueError, match=complaint):
            function(bad)


def test_other_bad_input():
    with pytest.raises(ValueError, match="slope is -1"):
        a.leaky_relu(np.ones(2), -1)
    with pytest.raises(ValueError, match=r"x has shape \(\); \(\*cases, classes\)"):
        a.softmax(np.float64(1))
    with pytest.raises(ValueError, match=r"upstream has shape \(3,\); \(2,\) is"):
        a.softmax_gradient(np.ones(2), np.ones(3))
