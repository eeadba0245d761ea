r"""Losses and their gradients, in NumPy.

Classification losses take *logits*, the scores before sigmoid or softmax, because only
so can they be finite and exact for any score. Each loss is a mean over the cases, a
single number; its gradient has the shape of the predictions or logits. Weights, one for
each case, multiply the cases' terms; the sum is still divided by the number of cases,
as in Keras.

Every function raises ``ValueError`` if shapes do not fit, if numbers are empty, not
finite or not floating point, or if labels are not whole numbers in range.
"""

from __future__ import annotations

import numpy as np

from medlib.maths.activations import log_softmax, sigmoid, softmax
from medlib.maths.checks import at_least, class_labels, floats


def mean_squared_error(predictions: np.ndarray, targets: np.ndarray) -> float:
    r"""Return :math:`\frac1n \sum_i (\hat y_i - y_i)^2`.

    Up to a constant and a factor, the negative log-likelihood of normal errors with
    the same variance for all cases.

    Parameters
    ----------
    predictions, targets : ndarray, the same shape
        :math:`\hat y` and :math:`y`, in the unit of the target.

    Returns
    -------
    float
        In the square of that unit.
    """
    predictions, targets = _pair(predictions, targets)
    return float(np.mean((predictions - targets) ** 2))


def mean_squared_error_gradient(
    predictions: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    r"""Return :math:`\partial L / \partial \hat y_i = \frac2n (\hat y_i - y_i)`."""
    predictions, targets = _pair(predictions, targets)
    return 2 * (predictions - targets) / predictions.size


def binary_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    r"""Return the mean negative log-likelihood of labels 0 and 1.

    With :math:`p = \sigma(z)` the term of a case is
    :math:`-y \log p - (1 - y) \log(1 - p) = \max(z, 0) - z y + \log(1 + e^{-|z|})`.

    Parameters
    ----------
    logits : ndarray, shape (cases,)
        :math:`z`, the log odds of class 1.
    labels : ndarray of int or bool, shape (cases,)
        :math:`y`, 0 or 1.
    weights : ndarray, shape (cases,), optional
        One for each case, none negative.
    """
    logits, y, weights = _binary(logits, labels, weights)
    return float(np.mean(weights * _softplus(np.where(y == 1, -logits, logits))))


def binary_cross_entropy_gradient(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    r"""Return :math:`\partial L / \partial z_i = \frac{w_i}{n} (\sigma(z_i) - y_i)`."""
    logits, y, weights = _binary(logits, labels, weights)
    # sigmoid(z) - 1 = -sigmoid(-z) keeps its digits where sigmoid(z) is nearly 1.
    error = np.where(y == 1, -sigmoid(-logits), sigmoid(logits))
    return weights * error / len(logits)


def categorical_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    r"""Return the mean negative log-likelihood of class labels.

    The term of a case is
    :math:`-\log \mathrm{softmax}(z)_y = \log \sum_k e^{z_k} - z_y`.

    Parameters
    ----------
    logits : ndarray, shape (cases, classes)
        :math:`z`.
    labels : ndarray of int, shape (cases,)
        :math:`y`, from 0 to ``classes - 1``.
    weights : ndarray, shape (cases,), optional
        One for each case, none negative.
    """
    logits, y, weights = _categorical(logits, labels, weights)
    return float(np.mean(-weights * log_softmax(logits)[np.arange(len(y)), y]))


def categorical_cross_entropy_gradient(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    r"""Return :math:`\frac{w_i}{n} (\mathrm{softmax}(z_i)_k - [y_i = k])`."""
    logits, y, weights = _categorical(logits, labels, weights)
    error = softmax(logits)
    error[np.arange(len(y)), y] -= 1
    return weights[:, np.newaxis] * error / len(y)


def focal_loss(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    focus: float = 2.0,
) -> float:
    r"""Return the binary focal loss, which plays down cases that are already easy.

    With :math:`p_t` the probability given to the true class and focus :math:`\gamma`
    the term of a case is :math:`-(1 - p_t)^\gamma \log p_t`; with :math:`\gamma = 0` it
    is the cross-entropy. Lin, Goyal, Girshick, He and Dollár (2017), arXiv:1708.02002.

    Parameters
    ----------
    logits, labels, weights
        As in `binary_cross_entropy`.
    focus : float
        :math:`\gamma`, at least 0.
    """
    logits, y, weights = _binary(logits, labels, weights)
    focus = at_least("focus", focus, 0)
    against = np.where(y == 1, -logits, logits)  # log odds of the wrong class
    return float(np.mean(weights * sigmoid(against) ** focus * _softplus(against)))


def focal_loss_gradient(
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    focus: float = 2.0,
) -> np.ndarray:
    r"""Return the gradient of `focal_loss` for the logits.

    With :math:`s = z` for label 1 and :math:`s = -z` for label 0,

    .. math:: \frac{\partial L}{\partial s_i} = -\frac{w_i}{n}\,(1 - p_t)^\gamma
        \bigl((1 - p_t) - \gamma\, p_t \log p_t\bigr) .
    """
    logits, y, weights = _binary(logits, labels, weights)
    focus = at_least("focus", focus, 0)
    against = np.where(y == 1, -logits, logits)
    wrong, right = sigmoid(against), sigmoid(-against)
    for_true = -(wrong**focus) * (wrong + focus * right * _softplus(against))
    return weights * np.where(y == 1, for_true, -for_true) / len(logits)


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    r"""Return a weight for each case that gives all classes the same total.

    :math:`w_i = n / (K n_{y_i})`, with :math:`n_k` cases of class :math:`k` out of
    :math:`K` classes; scikit-learn calls these weights "balanced".

    Parameters
    ----------
    labels : ndarray of int, shape (cases,)
        From 0 to ``classes - 1``.
    classes : int
        At least 1.
    """
    labels = class_labels("labels", labels, classes, ("cases",))
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts[labels])


def _softplus(x: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _pair(
    predictions: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    predictions = floats("predictions", predictions)
    return predictions, floats("targets", targets, predictions.shape)


def _binary(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logits = floats("logits", logits, ("cases",))
    y = class_labels("labels", labels, 2, logits.shape)
    return logits, y, _weights(weights, logits)


def _categorical(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logits = floats("logits", logits, ("cases", "classes"))
    y = class_labels("labels", labels, logits.shape[1], logits.shape[:1])
    return logits, y, _weights(weights, logits)


def _weights(weights: np.ndarray | None, logits: np.ndarray) -> np.ndarray:
    if weights is None:
        return np.ones(len(logits), logits.dtype)
    weights = floats("weights", weights, logits.shape[:1])
    if weights.min() < 0:
        raise ValueError(
            f"weights holds {weights.min()}; numbers of at least 0, of shape "
            f"{weights.shape}, are needed"
        )
    return weights
