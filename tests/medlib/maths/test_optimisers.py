"""Optimisers take the same steps as Keras."""

import math

import numpy as np
import pytest

from medlib.maths import optimisers

# Keras keeps its learning rate in float32; these are exact there.
CHOICES = {
    "SGD": (optimisers.SGD, {"learning_rate": 1 / 64}),
    "momentum": (optimisers.SGD, {"learning_rate": 1 / 64, "momentum": 0.9}),
    "RMSprop": (optimisers.RMSprop, {"learning_rate": 1 / 128}),
    "RMSprop, other": (
        optimisers.RMSprop,
        {"learning_rate": 1 / 128, "rho": 0.5, "epsilon": 0.1},
    ),
    "Adam": (optimisers.Adam, {"learning_rate": 1 / 128}),
    "Adam, other": (
        optimisers.Adam,
        {"learning_rate": 1 / 128, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1},
    ),
}


def gradients_of(step, shapes):
    """Return gradients of very different sizes that change sign."""
    rng = np.random.default_rng(step)
    return [10.0 ** rng.integers(-4, 1) * rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("name", CHOICES)
def test_hundred_steps_equal_keras(name):
    keras = pytest.importorskip("keras")
    maker, settings = CHOICES[name]
    ours, theirs = (
        maker(**settings),
        getattr(keras.optimizers, maker.__name__)(**settings),
    )
    rng, shapes = np.random.default_rng(0), [(3, 2), (2,), ()]
    mine = [np.asarray(rng.normal(size=shape)) for shape in shapes]
    variables = [keras.Variable(p, dtype="float64") for p in mine]
    theirs.build(variables)
    for step in range(100):
        gradients = gradients_of(step, shapes)
        ours.step(mine, gradients)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        for parameter, variable in zip(mine, variables, strict=True):
            expected = variable.numpy()
            assert np.allclose(parameter, expected, rtol=1e-6, atol=1e-6), step


def test_steps_worked_by_hand():
    w = np.array([1.0])
    descent = optimisers.SGD(0.1, momentum=0.5)
    descent.step([w], [np.array([2.0])])
    assert w == pytest.approx([0.8])
    descent.step([w], [np.array([2.0])])  # m = 0.5 * -0.2 - 0.2
    assert w == pytest.approx([0.5])
    w = np.array([1.0])
    optimisers.RMSprop(0.1, rho=0.75, epsilon=1e-12).step([w], [np.array([-3.0])])
    assert w == pytest.approx([1 + 0.1 / math.sqrt(0.25)])
    # The first step of Adam is the learning rate, whatever the size of the gradient.
    w = np.array([1.0, 1.0])
    optimisers.Adam(0.1, epsilon=1e-12).step([w], [np.array([1e-3, -1e3])])
    assert w == pytest.approx([0.9, 1.1])


def test_parameters_change_in_place_and_keep_their_dtype():
    w = np.ones((2, 2), np.float32)
    same = w
    optimisers.Adam().step([w], [np.ones((2, 2), np.float32)])
    assert same is w and w.dtype == np.float32 and (w < 1).all()


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: optimisers.SGD(-0.1), "learning_rate is -0.1; one number above 0"),
        (lambda: optimisers.SGD(0), "learning_rate is 0"),
        (lambda: optimisers.Adam(float("nan")), "learning_rate is nan"),
        (lambda: optimisers.RMSprop(float("inf")), "learning_rate is inf"),
        (lambda: optimisers.SGD(0.1, momentum=1), "momentum is 1; one number from 0"),
        (lambda: optimisers.RMSprop(rho=-0.1), "rho is -0.1"),
        (lambda: optimisers.RMSprop(epsilon=0), "epsilon is 0"),
        (lambda: optimisers.Adam(beta_1=1.0), "beta_1 is 1.0"),
        (lambda: optimisers.Adam(beta_2=2), "beta_2 is 2"),
        (lambda: optimisers.Adam(epsilon=-1), "epsilon is -1"),
    ],
)
def test_bad_settings_are_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


@pytest.mark.parametrize(
    ("gradients", "complaint"),
    [
        ([np.ones(2)], "gradients has 1 arrays for 2 parameters"),
        ([np.ones(2), np.ones(2)], r"gradients\[1\] has shape \(2,\); \(3,\) is"),
        ([np.ones(2), np.array([1, np.nan, 1])], r"gradients\[1\] of shape .* NaN"),
        ([np.ones(2, int), np.ones(3)], r"gradients\[0\] has dtype int64"),
    ],
)
@pytest.mark.parametrize("steps_before", [0, 2])
def test_bad_gradients_change_nothing(gradients, complaint, steps_before):
    parameters, good = [np.ones(2), np.ones(3)], [np.ones(2), np.ones(3)]
    tried, spared = optimisers.Adam(), optimisers.Adam()
    twins = [p.copy() for p in parameters]
    for _ in range(steps_before):
        tried.step(parameters, good)
        spared.step(twins, good)
    with pytest.raises(ValueError, match=complaint):
        tried.step(parameters, gradients)
    tried.step(parameters, good)
    spared.step(twins, good)
    for parameter, twin in zip(parameters, twins, strict=True):
        assert np.array_equal(parameter, twin)


def test_a_read_only_parameter_is_refused_before_anything_moves():
    frozen, free = np.ones(2), np.ones(3)
    frozen.flags.writeable = False
    descent = optimisers.SGD()
    with pytest.raises(ValueError, match=r"parameters\[1\] of shape \(2,\) is read-on"):
        descent.step([free, frozen], [np.ones(3), np.ones(2)])
    assert np.array_equal(free, np.ones(3)) and descent.steps == 0


def test_bad_parameters_are_refused():
    descent = optimisers.SGD()
    with pytest.raises(ValueError, match=r"parameters\[0\] has dtype int64"):
        descent.step([np.ones(2, int)], [np.ones(2)])
    with pytest.raises(ValueError, match=r"parameters\[0\] is a list; an ndarray"):
        descent.step([[1.0]], [np.ones(1)])
    with pytest.raises(ValueError, match="gradients has 0 arrays"):
        descent.step([], [])
    descent.step([np.ones(2)], [np.ones(2)])
    with pytest.raises(ValueError, match=r"other shapes than at the first step"):
        descent.step([np.ones(3)], [np.ones(3)])
