"""Networks agree with Keras, TensorFlow and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlib.maths import losses, network, optimisers

TOLERANCE = 1e-6
HIDDEN = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "gelu"]
shared = settings(max_examples=15, deadline=None, derandomize=True)


@st.composite
def networks(draw):
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    net = network.Network(
        sizes,
        draw(st.sampled_from(HIDDEN)),
        draw(st.sampled_from(["naive", "glorot", "he"])),
        draw(st.integers(0, 99)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    for layer in net.layers:  # biases other than zero, so that their part is seen
        layer.bias[:] = 0.3 * rng.normal(size=layer.bias.shape)
    return net, rng.normal(size=(draw(st.integers(1, 7)), sizes[0]))


def in_keras(net):
    """Return the same network in Keras, with the same parameters, in float64."""
    import keras

    model = keras.Sequential(
        [keras.Input((len(net.layers[0].weights),), dtype="float64")]
    )
    for layer in net.layers:
        act = layer.activation
        chosen = (
            (lambda x: keras.activations.leaky_relu(x, 0.01))
            if act == "leaky_relu"
            else act
        )
        model.add(
            keras.layers.Dense(len(layer.bias), activation=chosen, dtype="float64")
        )
        model.layers[-1].set_weights([layer.weights, layer.bias])
    return model


def test_forward_and_gradients_equal_tensorflow():
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("keras")

    @shared
    @given(networks())
    def check(drawn):
        net, x = drawn
        model = in_keras(net)
        with tf.GradientTape() as tape:
            theirs = model(tf.constant(x))
            upstream = np.cos(np.arange(theirs.numpy().size)).reshape(theirs.shape)
            loss = tf.reduce_sum(theirs * upstream)
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        assert np.allclose(net.forward(x), theirs, rtol=TOLERANCE, atol=1e-12)
        for ours, other in zip(net.backward(upstream), gradients, strict=True):
            scale = max(np.abs(other).max(), 1e-9)
            assert np.abs(ours - other).max() <= TOLERANCE * scale

    check()


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "relu"])
def test_gradients_equal_central_differences(activation):
    net = network.Network((4, 6, 5, 3), activation, seed=1)
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, size=8)

    def loss(_):
        return losses.categorical_cross_entropy(net.forward(x), labels)

    upstream = losses.categorical_cross_entropy_gradient(net.forward(x), labels)
    for parameter, exact in zip(net.parameters, net.backward(upstream), strict=True):
        numeric = network.numerical_gradient(loss, parameter)
        assert np.abs(exact - numeric).max() <= 1e-6 * max(np.abs(numeric).max(), 1e-2)


def test_a_layer_worked_by_hand():
    layer = network.Dense(np.array([[1.0], [-2.0]]), "relu")
    layer.bias[:] = 0.5
    x = np.array([[3.0, 1.0], [0.0, 1.0]])
    assert layer.forward(x).tolist() == [[1.5], [0.0]]
    for_input = layer.backward(np.array([[2.0], [7.0]]))
    assert for_input.tolist() == [[2, -4], [0, 0]]
    assert layer.for_weights.tolist() == [[6], [2]]
    assert layer.for_bias.tolist() == [2]


def test_training_follows_keras_step_by_step():
    keras = pytest.importorskip("keras")
    net = network.Network((5, 8, 1), "tanh", seed=3)
    model = in_keras(net)
    model.compile(
        keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    rng = np.random.default_rng(4)
    x = rng.normal(size=(40, 5))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    descent = optimisers.Adam(0.01)
    for start in range(0, 40, 8):
        batch = slice(start, start + 8)
        logits = net.forward(x[batch])[:, 0]
        ours = losses.binary_cross_entropy(logits, y[batch])
        upstream = losses.binary_cross_entropy_gradient(logits, y[batch])[:, None]
        descent.step(net.parameters, net.backward(upstream))
        model.reset_metrics()  # older Keras returns a mean over the batches so far
        theirs = model.train_on_batch(x[batch], y[batch, None])
        assert ours == pytest.approx(float(theirs), abs=1e-5)
    for parameter, other in zip(net.parameters, model.get_weights(), strict=True):
        assert np.allclose(parameter, other, atol=1e-5)


@pytest.mark.parametrize("how", ["glorot", "he"])
@pytest.mark.parametrize("size", [(200, 300), (400, 100)])
def test_first_weights_have_the_deviation_of_keras(how, size):
    keras = pytest.importorskip("keras")
    maker = {
        "glorot": keras.initializers.GlorotUniform,
        "he": keras.initializers.HeUniform,
    }[how]
    theirs = keras.ops.convert_to_numpy(maker(seed=0)(size))
    ours = network.initial_weights(*size, how)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    assert abs(ours.mean()) < 0.02 * ours.std()


def test_first_weights_by_name_and_seed():
    assert not network.initial_weights(3, 4, "zero").any()
    naive = network.initial_weights(300, 300, "naive")
    assert naive.std() == pytest.approx(0.05, rel=0.02)
    first, again = (network.Network((3, 4, 1), seed=5).parameters for _ in range(2))
    other = network.Network((3, 4, 1), seed=6).parameters
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])
    assert [p.shape for p in first] == [(3, 4), (4,), (4, 1), (1,)]


def test_numerical_gradient_of_a_known_function():
    values = np.array([[1.0, 2.0], [3.0, -4.0]])
    before = values.copy()
    exact = 3 * values**2
    numeric = network.numerical_gradient(lambda v: float(np.sum(v**3)), values, 1e-5)
    assert numeric == pytest.approx(exact, rel=1e-8)
    assert np.array_equal(values, before)


def test_numerical_gradient_restores_the_values_when_the_loss_fails():
    values = np.ones(3)

    def fails(_):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        network.numerical_gradient(fails, values)
    assert values.tolist() == [1, 1, 1]


NET = network.Network((3, 4, 2))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: network.Network((3,)), r"sizes is \(3,\); at least \(inputs, out"),
        (lambda: network.Network((3, 0, 1)), "outputs is 0; one number of at least 1"),
        (lambda: network.Network((3, 2, 1), "swish"), "activation is 'swish'; use one"),
        (lambda: network.Network((3, 1), initialisation="xavier"), "initialisation is"),
        (lambda: network.Dense(np.ones(3)), r"weights has .*\(inputs, outputs\) is"),
        (lambda: network.Dense(np.ones((2, 2), int)), "weights has dtype int64"),
        (lambda: NET.forward(np.ones((5, 4))), r"x has shape .* \(cases, 3\) is"),
        (lambda: NET.forward(np.ones((5, 3), int)), "x has dtype int64"),
        (lambda: NET.forward(np.full((5, 3), np.nan)), "x of shape .* holds NaN"),
        (lambda: NET.forward(np.ones((0, 3))), "x has shape .* must not be empty"),
        (lambda: network.Network((3, 1)).backward(np.ones((1, 1))), "run forward"),
        (lambda: network.numerical_gradient(sum, [1.0]), "values is a list"),
        (lambda: network.numerical_gradient(sum, np.ones(2), 0), "step is 0"),
        (lambda: network.numerical_gradient(sum, np.ones(2, int)), "values has dtype"),
    ],
)
def test_bad_input_names_the_argument(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_upstream_of_another_shape_is_refused():
    NET.forward(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"upstream has shape \(4, 2\); \(5, 2\) is"):
        NET.backward(np.ones((4, 2)))
