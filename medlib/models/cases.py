"""Classifiers for tables of cases.

The networks are written with ``keras`` alone, so that they run on any backend.
"""

from __future__ import annotations

import keras
from keras import layers


def mlp(n_features: int, n_classes: int = 2) -> keras.Model:
    """Return the course's multilayer perceptron for tables.

    Dense 64 ReLU → dense 32 ReLU → dense softmax. Train it with categorical
    cross-entropy in batches of 32 (`medlib.models.training.fit`).

    Parameters
    ----------
    n_features : int
        Columns of the encoded table, at least one.
    n_classes : int
        Number of outputs, at least two; they are probabilities and sum to one.

    Raises
    ------
    ValueError
        If a number is too small.
    """
    if n_features < 1:
        raise ValueError(f"n_features is {n_features}; at least one is needed")
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; at least two are needed")
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(n_classes, activation="softmax"),
        ],
        name="mlp",
    )
