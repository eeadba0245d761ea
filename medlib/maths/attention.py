r"""Attention and the encoder block of the Transformer, in NumPy.

Vaswani et al. (2017), arXiv:1706.03762. Weights lie as in Keras'
``MultiHeadAttention``, ``LayerNormalization`` and ``Dense``, so that their
``get_weights()`` can be handed over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medlib.maths.activations import relu, softmax
from medlib.maths.checks import at_least, floats


def attention_weights(
    query: np.ndarray, key: np.ndarray, mask: ArrayLike | None = None
) -> np.ndarray:
    r"""Return how much each query looks at each key.

    .. math:: A = \mathrm{softmax}\bigl(Q K^\top / \sqrt d\,\bigr)

    The scores are sums of :math:`d` products. For independent entries with variance 1
    a sum has variance :math:`d`, and dividing by :math:`\sqrt d` brings it back to 1.

    Parameters
    ----------
    query : ndarray, shape (*batch, queries, size)
        :math:`Q`.
    key : ndarray, shape (*batch, keys, size)
        :math:`K`.
    mask : array_like of bool, optional
        True where a query may look at a key; of shape (*batch, queries, keys) or one
        that NumPy broadcasts to it, for example (*batch, 1, keys) for padding.

    Returns
    -------
    ndarray, shape (*batch, queries, keys)
        Rows add up to 1; where the mask is False the weight is exactly 0.

    Raises
    ------
    ValueError
        If a shape does not fit, or the mask leaves a query without any key.
    """
    query = floats("query", query, ("*batch", "queries", "size"))
    *batch, _, size = query.shape
    key = floats("key", key, (*batch, "keys", size))
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(size)
    if mask is None:
        return softmax(scores)
    allowed = _allowed(mask, scores.shape)
    # Shifting by the largest allowed score keeps the exponentials at or below 1.
    highest = np.where(allowed, scores, -np.inf).max(axis=-1, keepdims=True)
    powers = np.where(allowed, np.exp(np.minimum(scores - highest, 0)), 0)
    return powers / powers.sum(axis=-1, keepdims=True)


def attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    mask: ArrayLike | None = None,
) -> np.ndarray:
    r"""Return the values, averaged by the weights: :math:`A V`.

    Parameters
    ----------
    query, key, mask
        As in `attention_weights`.
    value : ndarray, shape (*batch, keys, width)
        :math:`V`.

    Returns
    -------
    ndarray, shape (*batch, queries, width)

    Raises
    ------
    ValueError
        As in `attention_weights`, or if there is not one value for each key.
    """
    weights = attention_weights(query, key, mask)
    value = floats("value", value, (*weights.shape[:-2], weights.shape[-1], "width"))
    return weights @ value


@dataclass(frozen=True)
class MultiHead:
    r"""Multi-head self-attention: several attentions side by side.

    Each head :math:`j` projects the tokens by its own matrices and attends; the heads'
    results are projected back and added:

    .. math::
        \sum_j \mathrm{attention}(X W^Q_j + b^Q_j,\; X W^K_j + b^K_j,\;
        X W^V_j + b^V_j)\, W^O_j + b^O .

    Attributes
    ----------
    query, key, value : ndarray, shape (features, heads, size)
        :math:`W^Q, W^K, W^V`.
    query_bias, key_bias, value_bias : ndarray, shape (heads, size)
    output : ndarray, shape (heads, size, features)
        :math:`W^O`.
    output_bias : ndarray, shape (features,)

    Raises
    ------
    ValueError
        If the shapes do not fit each other or a value is not finite.
    """

    query: np.ndarray
    query_bias: np.ndarray
    key: np.ndarray
    key_bias: np.ndarray
    value: np.ndarray
    value_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def __post_init__(self) -> None:
        shape = floats("query", self.query, ("features", "heads", "size")).shape
        for name in ("key", "value"):
            floats(name, getattr(self, name), shape)
        for name in ("query_bias", "key_bias", "value_bias"):
            floats(name, getattr(self, name), shape[1:])
        floats("output", self.output, (*shape[1:], shape[0]))
        floats("output_bias", self.output_bias, shape[:1])

    def weights(self, x: np.ndarray, mask: ArrayLike | None = None) -> np.ndarray:
        """Return the attention weights, shape (batch, heads, time, time).

        Parameters and errors as in `forward`.
        """
        query, key, _ = self._projections(x)
        return attention_weights(query, key, self._for_heads(mask, x))

    def forward(self, x: np.ndarray, mask: ArrayLike | None = None) -> np.ndarray:
        """Return the attended tokens, shape (batch, time, features).

        Parameters
        ----------
        x : ndarray, shape (batch, time, features)
            Tokens.
        mask : array_like of bool, shape (batch, time), optional
            True where a token is real: padding is not looked at.

        Raises
        ------
        ValueError
            If a shape does not fit, or a sequence is all padding.
        """
        heads = attention(*self._projections(x), self._for_heads(mask, x))
        return np.einsum("bhts,hsf->btf", heads, self.output) + self.output_bias

    def _projections(self, x: np.ndarray) -> list[np.ndarray]:
        x = floats("x", x, ("batch", "time", len(self.query)))
        pairs = (
            (self.query, self.query_bias),
            (self.key, self.key_bias),
            (self.value, self.value_bias),
        )
        return [
            np.einsum("btf,fhs->bhts", x, kernel) + bias[:, None]
            for kernel, bias in pairs
        ]

    @staticmethod
    def _for_heads(mask: ArrayLike | None, x: np.ndarray) -> np.ndarray | None:
        if mask is None:
            return None
        array = np.asarray(mask)
        if array.dtype != bool or array.shape != np.shape(x)[:2]:
            raise ValueError(
                f"mask has dtype {array.dtype} and shape {array.shape}; booleans of "
                f"shape {np.shape(x)[:2]} are needed, True where a token is real"
            )
        return array[:, None, None, :]  # the same for every head and query


def positional_encoding(
    positions: ArrayLike, size: int, longest: float = 10_000.0
) -> np.ndarray:
    r"""Return sines and cosines that tell positions apart.

    For position :math:`p` and pair :math:`i = 0 … \text{size}/2 - 1`,

    .. math::
        e_{2i} = \sin\bigl(p / \lambda^{2i/\text{size}}\bigr) , \qquad
        e_{2i+1} = \cos\bigl(p / \lambda^{2i/\text{size}}\bigr) ,

    with :math:`\lambda` = ``longest``. A position need not be a whole number: hours do
    as well.

    Parameters
    ----------
    positions : array_like of numbers, shape (*any,)
        Places in the sequence, or times.
    size : int
        Even, at least 2.
    longest : float
        Above 1; the longest wavelength is close to :math:`2\pi` times it.

    Returns
    -------
    ndarray of float64, shape (*any, size)

    Raises
    ------
    ValueError
        If the size is odd or below 2, or a position is not finite.
    """
    if size < 2 or size % 2:
        raise ValueError(f"size is {size}; an even number of at least 2 is needed")
    longest = at_least("longest", longest, 1, above=True)
    places = floats("positions", np.asarray(positions, dtype=float))
    frequencies = longest ** (-np.arange(0, size, 2) / size)
    angles = places[..., None] * frequencies
    encoding = np.empty((*places.shape, size))
    encoding[..., 0::2], encoding[..., 1::2] = np.sin(angles), np.cos(angles)
    return encoding


def layer_normalisation(
    x: np.ndarray, scale: np.ndarray, shift: np.ndarray, epsilon: float = 1e-3
) -> np.ndarray:
    r"""Return each token with mean 0 and variance 1 over its features, then rescaled.

    .. math::
        \gamma \odot \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \epsilon}}
        + \beta

    Mean and variance are taken over the last axis, for each token alone, so that
    nothing depends on the other tokens or cases. Ba, Kiros and Hinton (2016),
    arXiv:1607.06450.

    Parameters
    ----------
    x : ndarray, shape (*any, features)
        Tokens.
    scale, shift : ndarray, shape (features,)
        :math:`\gamma` and :math:`\beta`.
    epsilon : float
        Above 0; Keras' own is 1e-3.

    Raises
    ------
    ValueError
        If a shape does not fit or ``epsilon`` is not above 0.
    """
    x = floats("x", x, ("*any", "features"))
    scale = floats("scale", scale, x.shape[-1:])
    shift = floats("shift", shift, x.shape[-1:])
    epsilon = at_least("epsilon", epsilon, 0, above=True)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return scale * centred / np.sqrt(variance + epsilon) + shift


@dataclass(frozen=True)
class EncoderBlock:
    r"""One block of a Transformer's encoder.

    .. math::
        y = x + \mathrm{MultiHead}(\mathrm{norm}_1(x)) , \qquad
        z = y + \mathrm{relu}\bigl(\mathrm{norm}_2(y)\, W_1 + b_1\bigr) W_2 + b_2 .

    Here the normalisation stands before each part. Vaswani et al. put it after the sum;
    before it, deep stacks train without a warm-up (Xiong et al. 2020,
    arXiv:2002.04745).

    Attributes
    ----------
    attention : MultiHead
    norms : tuple of two (scale, shift) pairs, each of shape (features,)
    hidden, hidden_bias : ndarray, shapes (features, width) and (width,)
        :math:`W_1, b_1`.
    output, output_bias : ndarray, shapes (width, features) and (features,)
        :math:`W_2, b_2`.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or a value is not finite.
    """

    attention: MultiHead
    norms: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def __post_init__(self) -> None:
        features = len(self.attention.query)
        if [len(pair) for pair in self.norms] != [2, 2]:
            raise ValueError(
                "norms must hold two pairs of scale and shift, each of shape "
                f"({features},)"
            )
        for number, (scale, shift) in enumerate(self.norms):
            floats(f"norms[{number}] scale", scale, (features,))
            floats(f"norms[{number}] shift", shift, (features,))
        hidden = floats("hidden", self.hidden, (features, "width"))
        floats("hidden_bias", self.hidden_bias, hidden.shape[1:])
        floats("output", self.output, hidden.shape[::-1])
        floats("output_bias", self.output_bias, (features,))

    def forward(self, x: np.ndarray, mask: ArrayLike | None = None) -> np.ndarray:
        """Return tokens of the same shape; parameters and errors as `MultiHead`."""
        x = floats("x", x, ("batch", "time", len(self.hidden)))
        first, second = self.norms
        x = x + self.attention.forward(layer_normalisation(x, *first), mask)
        inside = layer_normalisation(x, *second) @ self.hidden + self.hidden_bias
        return x + relu(inside) @ self.output + self.output_bias


def _allowed(mask: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(mask)
    try:
        allowed = np.broadcast_to(array, shape)
    except ValueError:
        allowed = None
    if array.dtype != bool or allowed is None:
        raise ValueError(
            f"mask has dtype {array.dtype} and shape {array.shape}; booleans that "
            f"broadcast to (*batch, queries, keys) = {shape} are needed"
        )
    if not allowed.any(axis=-1).all():
        raise ValueError(
            f"mask of shape {array.shape} leaves a query without any key; at least one "
            "True in each row is needed"
        )
    return allowed
