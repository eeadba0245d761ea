r"""A multilayer perceptron and backpropagation, in NumPy.

A layer computes :math:`a = f(z)` with :math:`z = x W + b`. On the way back it is handed
:math:`\partial L / \partial a` and returns :math:`\partial L / \partial x`, leaving the
gradients of its own parameters behind:

.. math::
    \delta = \frac{\partial L}{\partial a} \odot f'(z) , \qquad
    \frac{\partial L}{\partial W} = x^\top \delta , \qquad
    \frac{\partial L}{\partial b} = \sum_i \delta_i , \qquad
    \frac{\partial L}{\partial x} = \delta\, W^\top .

Rumelhart, Hinton and Williams (1986), doi:10.1038/323533a0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from medlib.maths import activations
from medlib.maths.checks import at_least, floats

T = TypeVar("T")
Function = Callable[[np.ndarray], np.ndarray]

ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    name: (getattr(activations, name), getattr(activations, f"{name}_derivative"))
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "gelu")
}

# Standard deviation of the first weights, from the number of inputs and outputs.
INITIALISATIONS: dict[str, Callable[[int, int], float]] = {
    "zero": lambda inputs, outputs: 0.0,
    "naive": lambda inputs, outputs: 0.05,
    "glorot": lambda inputs, outputs: (2 / (inputs + outputs)) ** 0.5,
    "he": lambda inputs, outputs: (2 / inputs) ** 0.5,
}


def initial_weights(
    inputs: int,
    outputs: int,
    how: str = "glorot",
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Return first weights, drawn from a normal distribution with mean 0.

    Parameters
    ----------
    inputs, outputs : int
        Of the layer, at least 1.
    how : {"zero", "naive", "glorot", "he"}
        Standard deviation: 0; 0.05 whatever the size (Keras' ``RandomNormal``);
        ``sqrt(2 / (inputs + outputs))``, Glorot and Bengio, AISTATS 2010;
        ``sqrt(2 / inputs)``, He et al. (2015), arXiv:1502.01852.
    rng : Generator, optional
        Source of chance; seeded with 0 if left out.

    Returns
    -------
    ndarray, shape (inputs, outputs)

    Raises
    ------
    ValueError
        If a size is below 1 or the name unknown.
    """
    for name, size in (("inputs", inputs), ("outputs", outputs)):
        at_least(name, size, 1)
    deviation = _chosen("initialisation", how, INITIALISATIONS)(inputs, outputs)
    rng = np.random.default_rng(0) if rng is None else rng
    return deviation * rng.normal(size=(inputs, outputs))


class Dense:
    """One fully connected layer.

    Parameters
    ----------
    weights : ndarray, shape (inputs, outputs)
        First weights, for example from `initial_weights`.
    activation : str
        A name in `ACTIVATIONS`.

    Attributes
    ----------
    weights, bias : ndarray, shapes (inputs, outputs) and (outputs,)
        The parameters. The bias begins at zero.
    delta : ndarray, shape (cases, outputs)
        The gradient for ``z``, after `backward`.
    for_weights, for_bias : ndarray
        The gradients of the parameters, after `backward`.

    Raises
    ------
    ValueError
        If the weights are not a matrix of finite floating-point numbers or the
        activation is unknown.
    """

    def __init__(self, weights: np.ndarray, activation: str = "linear") -> None:
        self.weights = floats("weights", weights, ("inputs", "outputs")).copy()
        self.bias = np.zeros_like(self.weights[0])
        self.activation = activation
        self._f, self._derivative = _chosen("activation", activation, ACTIVATIONS)
        self._seen: tuple[np.ndarray, np.ndarray] | None = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the activations, shape (cases, outputs), for x (cases, inputs)."""
        x = floats("x", x, ("cases", len(self.weights)))
        z = x @ self.weights + self.bias
        self._seen = x, z
        return self._f(z)

    def backward(self, upstream: np.ndarray) -> np.ndarray:
        """Return the gradient for the input and keep those of the parameters.

        Parameters
        ----------
        upstream : ndarray, shape (cases, outputs)
            Gradient of the loss for what `forward` returned last.

        Returns
        -------
        ndarray, shape (cases, inputs)

        Raises
        ------
        ValueError
            If the shape is another one, or nothing was run forward before.
        """
        if self._seen is None:
            raise ValueError("upstream has no forward pass to belong to; run forward")
        x, z = self._seen
        self.delta = floats("upstream", upstream, z.shape) * self._derivative(z)
        self.for_weights, self.for_bias = x.T @ self.delta, self.delta.sum(axis=0)
        return self.delta @ self.weights.T


class Network:
    """A multilayer perceptron; its last layer is linear and gives logits.

    Parameters
    ----------
    sizes : sequence of int
        Of the input, each hidden layer and the output: ``(30, 16, 1)``.
    activation : str
        Of the hidden layers, a name in `ACTIVATIONS`.
    initialisation : str
        As in `initial_weights`.
    seed : int
        Of the first weights.

    Attributes
    ----------
    layers : list of Dense
        From the input to the output.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, one is below 1, or a name is unknown.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        initialisation: str = "glorot",
        seed: int = 0,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(
                f"sizes is {tuple(sizes)}; at least (inputs, outputs) is needed"
            )
        rng = np.random.default_rng(seed)
        names = [activation] * (len(sizes) - 2) + ["linear"]
        self.layers = [
            Dense(initial_weights(inputs, outputs, initialisation, rng), name)
            for inputs, outputs, name in zip(sizes, sizes[1:], names, strict=False)
        ]

    @property
    def parameters(self) -> list[np.ndarray]:
        """Weights and bias of each layer in turn: the arrays themselves, no copies."""
        return [p for layer in self.layers for p in (layer.weights, layer.bias)]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the logits, shape (cases, outputs), for x (cases, inputs)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, upstream: np.ndarray) -> list[np.ndarray]:
        """Return the gradients of all parameters, in the order of `parameters`.

        Parameters
        ----------
        upstream : ndarray, shape (cases, outputs)
            Gradient of the loss for the logits that `forward` returned last.

        Raises
        ------
        ValueError
            If the shape is another one, or nothing was run forward before.
        """
        for layer in reversed(self.layers):
            upstream = layer.backward(upstream)
        return [g for layer in self.layers for g in (layer.for_weights, layer.for_bias)]


def numerical_gradient(
    loss: Callable[[np.ndarray], float], values: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    r"""Return the gradient of a loss by central differences.

    .. math:: \frac{\partial L}{\partial v_i} \approx
        \frac{L(v + h e_i) - L(v - h e_i)}{2 h}

    The error is of order :math:`h^2` from the formula and of order
    :math:`10^{-16} |L| / h` from rounding.

    Parameters
    ----------
    loss : callable
        Takes an array shaped as ``values``, returns one number.
    values : ndarray
        Where the gradient is wanted. Moved by the step, value by value, while this
        runs, so that a loss may also read the array itself; then as before.
    step : float
        :math:`h`, above 0.

    Returns
    -------
    ndarray, shape of ``values``

    Raises
    ------
    ValueError
        If the values are not a floating-point array, or the step is not above 0.
    """
    if not isinstance(values, np.ndarray):
        raise ValueError(
            f"values is a {type(values).__name__}; an ndarray of floating-point "
            "numbers of any shape is needed"
        )
    floats("values", values)
    step = at_least("step", step, 0, above=True)
    gradient = np.empty_like(values)
    for index in np.ndindex(values.shape):
        kept = values[index]
        try:
            values[index] = kept + step
            above = loss(values)
            values[index] = kept - step
            gradient[index] = (above - loss(values)) / (2 * step)
        finally:
            values[index] = kept
    return gradient


def _chosen(name: str, key: str, choices: dict[str, T]) -> T:
    if key not in choices:
        raise ValueError(f"{name} is '{key}'; use one of {', '.join(choices)}")
    return choices[key]
