"""Recurrent layers agree with Keras, TensorFlow and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlib.maths import network, recurrent

KINDS = {"SimpleRNN": recurrent.RNN, "LSTM": recurrent.LSTM, "GRU": recurrent.GRU}
shared = settings(max_examples=8, deadline=None, derandomize=True)


def in_keras(layer):
    """Return Keras' layer with the same weights, in float64."""
    import keras

    name = next(name for name, kind in KINDS.items() if isinstance(layer, kind))
    theirs = getattr(keras.layers, name)(
        layer.units, return_sequences=True, dtype="float64"
    )
    theirs.build((None, None, len(layer.kernel)))
    theirs.set_weights([layer.kernel, layer.recurrent, layer.bias])
    return theirs


def drawn(kind, features, units, seed):
    """Return a layer whose weights and biases are all other than zero."""
    rng = np.random.default_rng(seed)
    layer = kind.random(features, units, rng)
    layer.bias += 0.5 * rng.normal(size=layer.bias.shape)
    return layer


@st.composite
def cases(draw):
    seed = draw(st.integers(0, 999))
    features, units = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    batch, time = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    layer = drawn(draw(st.sampled_from(list(KINDS.values()))), features, units, seed)
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(batch, time, features))
    # Holes anywhere, at the front, at the end, and sequences that are all padding.
    mask = rng.random((batch, time)) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    return layer, x, draw(st.sampled_from([None, mask]))


def test_states_and_all_gradients_equal_tensorflow():
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("keras")

    @shared
    @given(cases())
    def check(case):
        layer, x, mask = case
        theirs = in_keras(layer)
        seen = None if mask is None else tf.constant(mask)
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            states = theirs(inputs, mask=seen)
            upstream = np.cos(np.arange(tf.size(states))).reshape(states.shape)
            loss = tf.reduce_sum(states * upstream)
        variables = [v.value for v in theirs.trainable_variables]
        expected = tape.gradient(loss, [inputs, *variables])
        assert np.allclose(layer.forward(x, mask), states, rtol=0, atol=1e-10)
        for_x = layer.backward(upstream)
        ours = [for_x, layer.for_kernel, layer.for_recurrent, layer.for_bias]
        for one, other in zip(ours, expected, strict=True):
            assert np.allclose(one, other, rtol=0, atol=1e-9)

    check()


@pytest.mark.parametrize("kind", KINDS.values())
def test_gradients_equal_central_differences(kind):
    layer = drawn(kind, 3, 4, seed=1)
    rng = np.random.default_rng(2)
    x, weights = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 4))
    mask = np.array([[True] * 5, [True, True, False, True, False]])

    def loss(_):
        return float((layer.forward(x, mask) * weights).sum())

    loss(None)
    for_x = layer.backward(weights)
    pairs = [
        (x, for_x),
        (layer.kernel, layer.for_kernel),
        (layer.recurrent, layer.for_recurrent),
        (layer.bias, layer.for_bias),
    ]
    for values, exact in pairs:
        numeric = network.numerical_gradient(loss, values)
        assert np.abs(exact - numeric).max() < 1e-8


@pytest.mark.parametrize("kind", KINDS.values())
def test_jacobians_of_the_last_state_equal_tensorflow_and_differences(kind):
    tf = pytest.importorskip("tensorflow")
    layer = drawn(kind, 2, 3, seed=4)
    x = np.random.default_rng(5).normal(size=(6, 2))
    ours = recurrent.last_state_jacobians(layer, x)
    assert ours.shape == (6, 3, 2)
    inputs = tf.constant(x[None])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        last = in_keras(layer)(inputs)[0, -1]
    theirs = tape.jacobian(last, inputs)[:, 0]  # (units, time, features)
    assert np.allclose(ours, np.swapaxes(theirs, 0, 1), rtol=0, atol=1e-12)
    for unit in range(3):
        numeric = network.numerical_gradient(
            lambda v, u=unit: layer.forward(v[None])[0, -1, u], x
        )
        assert np.abs(ours[:, unit] - numeric).max() < 1e-8


def test_a_plain_layer_worked_by_hand():
    layer = recurrent.RNN(np.array([[1.0]]), np.array([[0.5]]), np.array([0.0]))
    states = layer.forward(np.array([[[1.0], [0.0]]]))[0, :, 0]
    assert states == pytest.approx([np.tanh(1), np.tanh(0.5 * np.tanh(1))])
    # dh2/dx1 = (1 - h2²) · 0.5 · (1 - h1²)
    expected = (1 - states[1] ** 2) * 0.5 * (1 - states[0] ** 2)
    jacobians = recurrent.last_state_jacobians(layer, np.array([[1.0], [0.0]]))
    assert jacobians[0, 0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS.values())
@pytest.mark.parametrize("side", ["front", "end"])
def test_padding_changes_neither_the_last_state_nor_the_gradients(kind, side):
    layer = drawn(kind, 2, 3, seed=6)
    x = np.random.default_rng(7).normal(size=(2, 4, 2))
    filler = np.full((2, 3, 2), 9.0)
    parts = [filler, x] if side == "front" else [x, filler]
    padded = np.concatenate(parts, axis=1)
    mask = (padded != 9.0).all(axis=2)
    alone, last = layer.forward(x)[:, -1], np.zeros((2, 4, 3))
    last[:, -1] = 1
    for_x, for_kernel = layer.backward(last), layer.for_kernel
    assert np.array_equal(layer.forward(padded, mask)[:, -1], alone)
    last = np.zeros((2, 7, 3))
    last[:, -1] = 1
    for_padded = layer.backward(last)
    assert np.array_equal(for_padded[mask].reshape(for_x.shape), for_x)
    assert (for_padded[~mask] == 0).all()
    assert np.array_equal(layer.for_kernel, for_kernel)


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_sequence_of_padding_alone_leaves_the_state_at_zero(kind):
    layer = drawn(kind, 2, 3, seed=8)
    states = layer.forward(np.ones((1, 4, 2)), np.zeros((1, 4), bool))
    assert (states == 0).all()


def test_first_weights_are_as_keras_describes_them():
    keras = pytest.importorskip("keras")
    for name, kind in KINDS.items():
        layer = kind.random(40, 30)
        theirs = getattr(keras.layers, name)(30)
        theirs.build((None, None, 40))
        for ours, other in zip(
            (layer.kernel, layer.recurrent, layer.bias),
            theirs.get_weights(),
            strict=True,
        ):
            assert ours.shape == other.shape
            assert ours.std() == pytest.approx(other.std(), rel=0.05, abs=1e-9)
            assert np.abs(ours).max() == pytest.approx(np.abs(other).max(), rel=0.5)
        assert np.allclose(layer.recurrent @ layer.recurrent.T, np.eye(30))
        assert np.array_equal(layer.bias, theirs.get_weights()[2])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            lambda: recurrent.LSTM(np.ones((2, 8)), np.ones((2, 6)), np.ones(8)),
            r"recurrent has shape \(2, 6\); \(2, 8\) is needed",
        ),
        (
            lambda: recurrent.LSTM(np.ones((2, 6)), np.ones((2, 8)), np.ones(8)),
            r"kernel has shape \(2, 6\); \(features, 8\) is needed",
        ),
        (
            lambda: recurrent.GRU(np.ones((2, 6)), np.ones((2, 6)), np.ones(6)),
            r"bias has shape \(6,\); \(2, 6\) is needed",
        ),
        (lambda: recurrent.RNN.random(0, 2), "features is 0"),
        (
            lambda: recurrent.RNN.random(2, 3).forward(np.ones((4, 2))),
            r"x has shape \(4, 2\); \(batch, time, 2\) is needed",
        ),
        (
            lambda: recurrent.RNN.random(1, 1).forward(np.full((1, 1, 1), np.nan)),
            "x of shape .* holds NaN",
        ),
        (
            lambda: recurrent.RNN.random(2, 3).forward(np.ones((4, 5, 2), int)),
            "x has dtype int64",
        ),
        (
            lambda: recurrent.GRU.random(2, 3).forward(
                np.ones((4, 5, 2)), np.ones((4, 4), bool)
            ),
            r"mask has dtype bool and shape \(4, 4\); booleans of shape \(4, 5\)",
        ),
        (
            lambda: recurrent.GRU.random(2, 3).forward(
                np.ones((4, 5, 2)), np.ones((4, 5))
            ),
            "mask has dtype float64",
        ),
        (
            lambda: recurrent.LSTM.random(2, 3).backward(np.ones((4, 5, 3))),
            "run forward",
        ),
        (
            lambda: recurrent.last_state_jacobians(
                recurrent.RNN.random(2, 3), np.ones((1, 4, 2))
            ),
            r"x has shape \(1, 4, 2\); \(time, 2\) is needed",
        ),
    ],
)
def test_bad_input_is_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_an_upstream_of_another_shape_is_refused():
    layer = recurrent.RNN.random(2, 3)
    layer.forward(np.ones((4, 5, 2)))
    with pytest.raises(ValueError, match=r"upstream has shape \(4, 3\); \(4, 5, 3\)"):
        layer.backward(np.ones((4, 3)))
