r"""Activations and their derivatives, in NumPy.

Each function works value by value on an array of any shape and keeps its dtype;
`softmax` and `log_softmax` work along the last axis. Each has its derivative beside it.
All are finite for any finite input: where the textbook formula would overflow, an equal
one is used.

Every function raises ``ValueError`` if its input is empty, not finite, or not floating
point.
"""

from __future__ import annotations

import math

import numpy as np

from medlib.maths.checks import at_least, floats


def linear(x: np.ndarray) -> np.ndarray:
    """Return the input: no activation."""
    return floats("x", x).copy()


def linear_derivative(x: np.ndarray) -> np.ndarray:
    """Return ones."""
    return np.ones_like(floats("x", x))


def sigmoid(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`\sigma(x) = 1 / (1 + e^{-x})`, between 0 and 1.

    Rumelhart, Hinton and Williams (1986), doi:10.1038/323533a0.
    """
    x = floats("x", x)
    small = np.exp(-np.abs(x))  # at most 1, so nothing overflows
    return np.where(x >= 0, np.ones_like(x), small) / (1 + small)


def sigmoid_derivative(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`\sigma'(x) = \sigma(x)\,(1 - \sigma(x))`, at most 1/4."""
    small = np.exp(-np.abs(floats("x", x)))
    return small / (1 + small) ** 2


def tanh(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`\tanh x = (e^x - e^{-x}) / (e^x + e^{-x})`, between -1 and 1."""
    return np.tanh(floats("x", x))


def tanh_derivative(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`1 - \tanh^2 x`, at most 1."""
    small = np.exp(-2 * np.abs(floats("x", x)))
    return 4 * small / (1 + small) ** 2


def relu(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`\max(x, 0)`.

    Nair and Hinton, ICML 2010.
    """
    return np.maximum(floats("x", x), 0)


def relu_derivative(x: np.ndarray) -> np.ndarray:
    """Return 1 where ``x`` is positive and 0 elsewhere, also at zero, as TensorFlow."""
    x = floats("x", x)
    return (x > 0).astype(x.dtype)


def leaky_relu(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Return ``x`` where it is positive and ``slope * x`` elsewhere.

    Maas, Hannun and Ng, ICML 2013. ``slope`` must be at least 0.
    """
    x = floats("x", x)
    return np.where(x > 0, x, at_least("slope", slope, 0) * x)


def leaky_relu_derivative(x: np.ndarray, slope: float = 0.01) -> np.ndarray:
    """Return 1 where ``x`` is positive and ``slope`` elsewhere."""
    x = floats("x", x)
    negative = np.full_like(x, at_least("slope", slope, 0))
    return np.where(x > 0, np.ones_like(x), negative)


def gelu(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`x\,\Phi(x)`, with :math:`\Phi` the standard normal distribution.

    The exact form, not the approximation by tanh. Hendrycks and Gimpel (2016),
    arXiv:1606.08415.
    """
    x = floats("x", x)
    return x * _normal_distribution(x)


def gelu_derivative(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`\Phi(x) + x\,\varphi(x)`, with :math:`\varphi = \Phi'`."""
    x = floats("x", x)
    with np.errstate(over="ignore"):  # far out the square is infinite, the density 0
        density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return _normal_distribution(x) + x * density


def softmax(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`e^{x_k} / \sum_j e^{x_j}` along the last axis.

    The largest value is subtracted first, which changes nothing but keeps the
    exponentials at or below 1: Blanchard, Higham and Higham (2021),
    doi:10.1093/imanum/draa038.

    Parameters
    ----------
    x : ndarray, shape (*cases, classes)
        Logits.

    Returns
    -------
    ndarray, shape (*cases, classes)
        Positive, adding up to 1.
    """
    return np.exp(log_softmax(x))


def log_softmax(x: np.ndarray) -> np.ndarray:
    r"""Return :math:`x_k - \log \sum_j e^{x_j}` along the last axis."""
    x = floats("x", x, ("*cases", "classes"))
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax_gradient(x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    r"""Return the gradient of a loss for the input of `softmax`.

    With :math:`p = \mathrm{softmax}(x)` and :math:`g = \partial L / \partial p`,

    .. math::
        \frac{\partial p_j}{\partial x_k} = p_j (\delta_{jk} - p_k) , \qquad
        \frac{\partial L}{\partial x_k} = p_k \Bigl(g_k - \sum_j g_j p_j\Bigr) .

    Parameters
    ----------
    x, upstream : ndarray, shape (*cases, classes)
        Input of `softmax`, and the gradient for its output.
    """
    p = softmax(x)
    upstream = floats("upstream", upstream, p.shape)
    return p * (upstream - (upstream * p).sum(axis=-1, keepdims=True))


def _normal_distribution(x: np.ndarray) -> np.ndarray:
    # erfc keeps its digits in the far left tail, where 1 + erf would lose them all.
    return (0.5 * _erfc(-x / math.sqrt(2))).astype(x.dtype)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
