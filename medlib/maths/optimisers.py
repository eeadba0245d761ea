r"""Optimisers: what turns gradients into steps, in NumPy.

An optimiser is made once and called at every step with the parameters and their
gradients, two lists of arrays. It changes the parameters in place. Formulas, defaults
and the place of each epsilon are those of Keras 3, and so are the results, step by
step. In all formulas :math:`g_t` is the gradient at step :math:`t`, counted from 1,
:math:`\eta` the learning rate, and every operation is done value by value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from medlib.maths.checks import at_least, floats, share


class Optimiser(ABC):
    """What all optimisers share: checking, counting and remembering.

    Parameters
    ----------
    learning_rate : float
        Above 0.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = at_least("learning_rate", learning_rate, 0, above=True)
        self.steps = 0
        self._memory: list[dict[str, np.ndarray]] = []

    def step(
        self, parameters: Sequence[np.ndarray], gradients: Sequence[np.ndarray]
    ) -> None:
        """Move all parameters by one step, in place.

        Parameters
        ----------
        parameters, gradients : sequence of ndarray, shapes in pairs
            The same parameters, in the same order, at every step.

        Raises
        ------
        ValueError
            If lists or shapes do not fit or a value is not a finite floating-point
            number. Then nothing has been changed.
        """
        if len(parameters) != len(gradients) or not parameters:
            raise ValueError(
                f"gradients has {len(gradients)} arrays for {len(parameters)} "
                "parameters; one of the same shape for each is needed"
            )
        for i, (parameter, gradient) in enumerate(
            zip(parameters, gradients, strict=True)
        ):
            if not isinstance(parameter, np.ndarray):
                raise ValueError(
                    f"parameters[{i}] is a {type(parameter).__name__}; an ndarray is "
                    "needed, because it is changed in place"
                )
            if not parameter.flags.writeable:
                raise ValueError(
                    f"parameters[{i}] of shape {parameter.shape} is read-only; a "
                    "writeable array is needed, because it is changed in place"
                )
            floats(f"parameters[{i}]", parameter)
            floats(f"gradients[{i}]", gradient, parameter.shape)
        if self._memory and [m["shape"] for m in self._memory] != [
            p.shape for p in parameters
        ]:
            raise ValueError(
                "parameters have other shapes than at the first step, "
                f"{[m['shape'] for m in self._memory]}; make a new optimiser for them"
            )
        if not self._memory:
            self._memory = [{"shape": p.shape} for p in parameters]
        self.steps += 1
        for parameter, gradient, memory in zip(
            parameters, gradients, self._memory, strict=True
        ):
            parameter += self._change(np.asarray(gradient), memory)

    @abstractmethod
    def _change(
        self, gradient: np.ndarray, memory: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Return what to add to one parameter; ``memory`` lasts between steps."""


class SGD(Optimiser):
    r"""Gradient descent, with momentum if wanted.

    .. math:: m_t = \mu\, m_{t-1} - \eta\, g_t , \qquad w_t = w_{t-1} + m_t

    Polyak (1964), doi:10.1016/0041-5553(64)90137-5. The gradient decides what kind of
    descent it is: of all cases (batch), of one (stochastic) or of a few (mini-batch).

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`, above 0.
    momentum : float
        :math:`\mu`, from 0 to below 1.
    """

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0) -> None:
        super().__init__(learning_rate)
        self.momentum = share("momentum", momentum)

    def _change(
        self, gradient: np.ndarray, memory: dict[str, np.ndarray]
    ) -> np.ndarray:
        before = memory.get("m", 0.0)
        memory["m"] = self.momentum * before - self.learning_rate * gradient
        return memory["m"]


class RMSprop(Optimiser):
    r"""Divide each gradient by the root of its running mean square.

    .. math:: v_t = \rho\, v_{t-1} + (1 - \rho)\, g_t^2 , \qquad
        w_t = w_{t-1} - \eta\, \frac{g_t}{\sqrt{v_t + \epsilon}}

    Tieleman and Hinton (2012), lecture 6.5 of Neural Networks for Machine Learning.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`, above 0.
    rho : float
        :math:`\rho`, from 0 to below 1.
    epsilon : float
        :math:`\epsilon`, above 0.
    """

    def __init__(
        self, learning_rate: float = 0.001, rho: float = 0.9, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        self.rho = share("rho", rho)
        self.epsilon = at_least("epsilon", epsilon, 0, above=True)

    def _change(
        self, gradient: np.ndarray, memory: dict[str, np.ndarray]
    ) -> np.ndarray:
        before = memory.get("v", 0.0)
        memory["v"] = self.rho * before + (1 - self.rho) * gradient**2
        return -self.learning_rate * gradient / np.sqrt(memory["v"] + self.epsilon)


class Adam(Optimiser):
    r"""Momentum and division by the running root mean square, freed of their start.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t , \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 , \\
        w_t &= w_{t-1} - \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
        \frac{m_t}{\sqrt{v_t} + \epsilon}

    Kingma and Ba (2015), arXiv:1412.6980, in the order of computation that the end of
    their section 2 gives; their Algorithm 1 adds its epsilon elsewhere.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`, above 0.
    beta_1, beta_2 : float
        From 0 to below 1.
    epsilon : float
        :math:`\epsilon`, above 0.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1, self.beta_2 = share("beta_1", beta_1), share("beta_2", beta_2)
        self.epsilon = at_least("epsilon", epsilon, 0, above=True)

    def _change(
        self, gradient: np.ndarray, memory: dict[str, np.ndarray]
    ) -> np.ndarray:
        m, v = memory.get("m", 0.0), memory.get("v", 0.0)
        m = memory["m"] = self.beta_1 * m + (1 - self.beta_1) * gradient
        v = memory["v"] = self.beta_2 * v + (1 - self.beta_2) * gradient**2
        start = np.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        return -self.learning_rate * start * m / (np.sqrt(v) + self.epsilon)
