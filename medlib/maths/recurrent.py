r"""Recurrent layers and backpropagation through time, in NumPy.

A recurrent layer reads a sequence step by step and keeps a state :math:`h_t`. All three
kinds first form two sums, one from the input and one from the state,

.. math:: a_t = x_t W + b , \qquad r_t = h_{t-1} U ,

and differ in what they make of them:

- `RNN`: :math:`h_t = \tanh(a_t + r_t)` (Elman 1990, doi:10.1016/0364-0213(90)90002-E);
- `LSTM`: gates decide what a second state, the memory :math:`c_t`, keeps, takes in and
  shows (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with the
  forget gate of Gers, Schmidhuber and Cummins 2000, doi:10.1162/089976600300015015);
- `GRU`: two gates and no second state (Cho et al. 2014, arXiv:1406.1078).

Weights lie as in Keras: the columns of ``kernel`` and ``recurrent`` hold one gate after
the other, so that Keras' ``get_weights()`` can be handed over as it is.

A mask says which steps are real. At a padded step the state is passed on unchanged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from medlib.maths.activations import sigmoid
from medlib.maths.checks import at_least, floats

State = tuple[np.ndarray, ...]


class Recurrent:
    """What the three layers share: the walk along the sequence, and back.

    Parameters
    ----------
    kernel : ndarray, shape (features, gates * units)
        :math:`W`.
    recurrent : ndarray, shape (units, gates * units)
        :math:`U`.
    bias : ndarray, shape (gates * units,)
        :math:`b`; `GRU` has a second row for the state's sum, (2, gates * units).

    Attributes
    ----------
    kernel, recurrent, bias : ndarray
        The parameters.
    for_kernel, for_recurrent, for_bias : ndarray
        Their gradients, after `backward`.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or a value is not finite.
    """

    gates = 1
    states = 1  # h alone, or h and c
    bias_rows: tuple[int, ...] = ()

    def __init__(
        self, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
    ) -> None:
        columns = f"{self.gates} * units" if self.gates > 1 else "units"
        self.recurrent = floats("recurrent", recurrent, ("units", columns)).copy()
        self.units = len(self.recurrent)
        width = self.gates * self.units
        floats("recurrent", recurrent, (self.units, width))
        self.kernel = floats("kernel", kernel, ("features", width)).copy()
        self.bias = floats("bias", bias, (*self.bias_rows, width)).copy()
        self._seen: tuple | None = None

    @classmethod
    def random(
        cls, features: int, units: int, rng: np.random.Generator | None = None
    ) -> Recurrent:
        r"""Return a layer with first weights as Keras draws them.

        ``kernel`` is uniform within :math:`\pm\sqrt{6 / (\text{inputs} +
        \text{outputs})}`, ``recurrent`` has orthonormal rows, the bias is zero but for
        the forget gate of `LSTM`, where it is one.

        Parameters
        ----------
        features, units : int
            At least one each.
        rng : Generator, optional
            Source of chance; seeded with 0 if left out.
        """
        for name, size in (("features", features), ("units", units)):
            at_least(name, size, 1)
        rng = np.random.default_rng(0) if rng is None else rng
        width = cls.gates * units
        limit = np.sqrt(6 / (features + width))
        kernel = rng.uniform(-limit, limit, size=(features, width))
        orthonormal, _ = np.linalg.qr(rng.normal(size=(width, units)))
        bias = np.zeros((*cls.bias_rows, width))
        if cls is LSTM:
            bias[units : 2 * units] = 1
        return cls(kernel, orthonormal.T, bias)

    def forward(self, x: np.ndarray, mask: ArrayLike | None = None) -> np.ndarray:
        """Return the states after every step; the first state is zero.

        Parameters
        ----------
        x : ndarray, shape (batch, time, features)
            The sequences.
        mask : array_like of bool, shape (batch, time), optional
            True where a step is real. Without it all are.

        Returns
        -------
        ndarray, shape (batch, time, units)
            :math:`h_1 … h_T`. The last one is what a classifier reads.

        Raises
        ------
        ValueError
            If a shape does not fit or a value is not finite.
        """
        x = floats("x", x, ("batch", "time", len(self.kernel)))
        real = check_mask("mask", mask, x.shape[:2])
        bias, inner_bias = self._biases(self.bias)
        state: State = (np.zeros((len(x), self.units), x.dtype),) * self.states
        outputs, steps = [], []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.kernel + bias
            r = state[0] @ self.recurrent + inner_bias
            new, saved = self._step(a, r, state)
            steps.append((state[0], saved))
            keep = real[:, t, None]
            state = tuple(
                np.where(keep, after, before)
                for after, before in zip(new, state, strict=True)
            )
            outputs.append(state[0])
        self._seen = x, real, steps
        return np.stack(outputs, axis=1)

    def backward(self, upstream: np.ndarray) -> np.ndarray:
        """Return the gradient for the inputs and keep those of the parameters.

        Backpropagation through time: the steps are layers that share their parameters,
        so that their gradients add up (Rumelhart, Hinton and Williams 1986,
        doi:10.1038/323533a0).

        Parameters
        ----------
        upstream : ndarray, shape (batch, time, units)
            Gradient of the loss for what `forward` returned last; zero but for the last
            step where a classifier reads the last state alone.

        Returns
        -------
        ndarray, shape (batch, time, features)

        Raises
        ------
        ValueError
            If the shape is another one, or nothing was run forward before.
        """
        if self._seen is None:
            raise ValueError("upstream has no forward pass to belong to; run forward")
        x, real, steps = self._seen
        upstream = floats("upstream", upstream, (*x.shape[:2], self.units))
        self.for_kernel = np.zeros_like(self.kernel)
        self.for_recurrent = np.zeros_like(self.recurrent)
        rows = [np.zeros_like(row) for row in self._biases(self.bias)]
        for_x = np.zeros_like(x)
        flow: State = (np.zeros_like(upstream[:, 0]),) * self.states
        for t in reversed(range(x.shape[1])):
            h, saved = steps[t]
            keep = real[:, t, None]
            flow = (flow[0] + upstream[:, t], *flow[1:])
            for_a, for_r, for_state = self._step_back(
                saved, tuple(np.where(keep, part, 0) for part in flow)
            )
            self.for_kernel += x[:, t].T @ for_a
            self.for_recurrent += h.T @ for_r
            rows = [
                row + part.sum(axis=0)
                for row, part in zip(rows, (for_a, for_r), strict=True)
            ]
            for_x[:, t] = for_a @ self.kernel.T
            into_h = for_state[0] + for_r @ self.recurrent.T
            # A padded step handed its state on, so it hands the gradient back.
            flow = tuple(
                part + np.where(keep, 0, passed)
                for part, passed in zip((into_h, *for_state[1:]), flow, strict=True)
            )
        self.for_bias = np.stack(rows) if self.bias_rows else rows[0]
        return for_x

    def _biases(self, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the bias of the input's sum and that of the state's sum."""
        return (bias[0], bias[1]) if self.bias_rows else (bias, np.zeros_like(bias))

    def _step(self, a: np.ndarray, r: np.ndarray, state: State) -> tuple[State, tuple]:
        raise NotImplementedError

    def _step_back(
        self, saved: tuple, flow: State
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """Return the gradients for ``a``, ``r`` and, directly, for the old state."""
        raise NotImplementedError


class RNN(Recurrent):
    r"""The plain recurrent layer, :math:`h_t = \tanh(x_t W + h_{t-1} U + b)`.

    Parameters, attributes and errors as in `Recurrent`, with one gate. Keras:
    ``SimpleRNN``.
    """

    def _step(self, a: np.ndarray, r: np.ndarray, state: State) -> tuple[State, tuple]:
        h = np.tanh(a + r)
        return (h,), (h,)

    def _step_back(
        self, saved: tuple, flow: State
    ) -> tuple[np.ndarray, np.ndarray, State]:
        (h,) = saved
        for_sum = flow[0] * (1 - h**2)
        return for_sum, for_sum, (np.zeros_like(h),)


class LSTM(Recurrent):
    r"""Long short-term memory.

    The columns hold the input gate, the forget gate, the candidate and the output gate:

    .. math::
        i, f, o = \sigma(\cdot) , \quad g = \tanh(\cdot) , \qquad
        c_t = f \odot c_{t-1} + i \odot g , \qquad h_t = o \odot \tanh c_t .

    Along the memory the gradient is multiplied by :math:`f` alone, which can stay close
    to one. Parameters, attributes and errors as in `Recurrent`, with four gates.
    """

    gates = 4
    states = 2

    def _step(self, a: np.ndarray, r: np.ndarray, state: State) -> tuple[State, tuple]:
        i, f, g, o = np.split(a + r, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * state[1] + i * g
        return (o * np.tanh(c), c), (i, f, g, o, state[1], c)

    def _step_back(
        self, saved: tuple, flow: State
    ) -> tuple[np.ndarray, np.ndarray, State]:
        i, f, g, o, before, c = saved
        for_h, for_c = flow
        shown = np.tanh(c)
        for_c = for_c + for_h * o * (1 - shown**2)
        for_sum = np.concatenate(
            [
                for_c * g * i * (1 - i),
                for_c * before * f * (1 - f),
                for_c * i * (1 - g**2),
                for_h * shown * o * (1 - o),
            ],
            axis=1,
        )
        return for_sum, for_sum, (np.zeros_like(for_h), for_c * f)


class GRU(Recurrent):
    r"""The gated recurrent unit, in the form that Keras uses (``reset_after=True``).

    The columns hold the update gate, the reset gate and the candidate; indices name the
    parts of the two sums :math:`a` and :math:`r`, each with its own bias:

    .. math::
        z = \sigma(a_z + r_z) , \quad s = \sigma(a_s + r_s) , \quad
        g = \tanh(a_g + s \odot r_g) , \qquad
        h_t = z \odot h_{t-1} + (1 - z) \odot g .

    Cho et al. reset the state before it is multiplied by :math:`U`; here it is reset
    after. Parameters, attributes and errors as in `Recurrent`, with three gates.
    """

    gates = 3
    bias_rows = (2,)

    def _step(self, a: np.ndarray, r: np.ndarray, state: State) -> tuple[State, tuple]:
        a_z, a_s, a_g = np.split(a, 3, axis=1)
        r_z, r_s, r_g = np.split(r, 3, axis=1)
        z, s = sigmoid(a_z + r_z), sigmoid(a_s + r_s)
        g = np.tanh(a_g + s * r_g)
        return (z * state[0] + (1 - z) * g,), (z, s, g, r_g, state[0])

    def _step_back(
        self, saved: tuple, flow: State
    ) -> tuple[np.ndarray, np.ndarray, State]:
        z, s, g, r_g, before = saved
        (for_h,) = flow
        sum_g = for_h * (1 - z) * (1 - g**2)
        sum_z = for_h * (before - g) * z * (1 - z)
        sum_s = sum_g * r_g * s * (1 - s)
        for_a = np.concatenate([sum_z, sum_s, sum_g], axis=1)
        for_r = np.concatenate([sum_z, sum_s, sum_g * s], axis=1)
        return for_a, for_r, (for_h * z,)


def last_state_jacobians(layer: Recurrent, x: np.ndarray) -> np.ndarray:
    r"""Return the derivative of the last state by every input of one sequence.

    .. math:: J_t = \frac{\partial h_T}{\partial x_t}

    Its size says how much of an input of long ago still moves the last state. A plain
    RNN multiplies by one more matrix for each step back, so it falls or grows
    geometrically (Bengio, Simard and Frasconi 1994, doi:10.1109/72.279181).

    Parameters
    ----------
    layer : Recurrent
        `RNN`, `LSTM` or `GRU`.
    x : ndarray, shape (time, features)
        One sequence.

    Returns
    -------
    ndarray, shape (time, units, features)

    Raises
    ------
    ValueError
        If the shape does not fit or a value is not finite.
    """
    x = floats("x", x, ("time", len(layer.kernel)))
    # One copy of the sequence for each unit of the last state: a single walk back then
    # gives all rows of the Jacobians.
    copies = np.repeat(x[None], layer.units, axis=0)
    upstream = np.zeros_like(layer.forward(copies))
    upstream[:, -1] = np.eye(layer.units)
    return layer.backward(upstream).swapaxes(0, 1)


def check_mask(name: str, mask: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask of the given shape; True everywhere if there is none.

    Raises
    ------
    ValueError
        If it has another shape or is not boolean.
    """
    if mask is None:
        return np.ones(shape, bool)
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != tuple(shape):
        raise ValueError(
            f"{name} has dtype {array.dtype} and shape {array.shape}; booleans of "
            f"shape {tuple(shape)} are needed, True where a step is real"
        )
    return array
