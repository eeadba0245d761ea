"""Training of classifiers on arrays: tables of cases and rows of word numbers.

Everything here is written with ``keras`` alone, so that it runs on any backend.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class History:
    """How a training went, epoch by epoch, and which epoch was kept.

    Attributes
    ----------
    loss, val_loss : list of float
        Mean cross-entropy in nats on training and validation data.
    best_epoch : int
        Index of the epoch with the lowest validation loss; its weights were kept.
    """

    loss: list[float]
    val_loss: list[float]
    best_epoch: int


def fit(
    model: keras.Model,
    train: Labelled,
    val: Labelled,
    *,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    patience: int = 2,
    class_weight: np.ndarray | None = None,
) -> History:
    """Train a classifier and keep the epoch with the lowest validation loss.

    Categorical cross-entropy and AdamW. Training ends early once the validation loss
    has not improved for ``patience`` epochs. Set the seed before the model is built
    (`medlib.runtime.seed_everything`); the order of the batches follows it too.

    Parameters
    ----------
    model : keras.Model
        Its outputs are probabilities, shape (n, classes). It is changed in place.
    train, val : tuple of ndarray
        Inputs, shape (n, …), and class indices, shape (n,). Nothing else is looked
        at: no choice is made on test data.
    epochs, batch_size, patience : int
        At least one each.
    learning_rate : float
        Above zero.
    weight_decay : float
        Share by which AdamW shrinks the weights, times the learning rate, at each
        step; zero for plain Adam.
    class_weight : ndarray, shape (classes,), optional
        How much a training case of each class counts; the validation loss is weighted
        likewise.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If a number is out of range, a set is empty or of unequal lengths, or the
        labels do not fit the model's outputs.
    """
    for name, value in (
        ("epochs", epochs),
        ("batch_size", batch_size),
        ("patience", patience),
    ):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if learning_rate <= 0:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")
    if weight_decay < 0:
        raise ValueError(f"weight_decay is {weight_decay}; it cannot be negative")
    n_classes = model.output_shape[-1]
    for name, (inputs, labels) in (("train", train), ("val", val)):
        if len(inputs) == 0 or len(inputs) != len(labels):
            raise ValueError(
                f"{name} has {len(inputs)} cases and {len(labels)} labels; as many of "
                "each are needed, and at least one"
            )
        if labels.min() < 0 or labels.max() >= n_classes:
            raise ValueError(
                f"{name}: labels lie in {labels.min()} to {labels.max()}; the model "
                f"has the classes 0 to {n_classes - 1}"
            )
    if class_weight is not None and np.shape(class_weight) != (n_classes,):
        raise ValueError(
            f"class_weight has shape {np.shape(class_weight)}, not ({n_classes},)"
        )
    weights = np.ones(n_classes) if class_weight is None else np.asarray(class_weight)
    one_hot = np.eye(n_classes, dtype=np.float32)
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay),
        loss=keras.losses.CategoricalCrossentropy(),
    )
    (inputs, labels), (val_inputs, val_labels) = train, val
    trained = model.fit(
        inputs,
        one_hot[labels],
        sample_weight=weights[labels].astype(np.float32),
        validation_data=(
            val_inputs,
            one_hot[val_labels],
            weights[val_labels].astype(np.float32),
        ),
        epochs=epochs,
        batch_size=batch_size,
        validation_batch_size=1024,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
        ],
    )
    losses, val_losses = (
        [float(value) for value in trained.history[name]]
        for name in ("loss", "val_loss")
    )
    return History(losses, val_losses, int(np.argmin(val_losses)))


def predict(
    model: keras.Model, inputs: np.ndarray, batch_size: int = 1024
) -> np.ndarray:
    """Return probabilities, shape (n, classes).

    Parameters
    ----------
    model : keras.Model
        A classifier.
    inputs : ndarray, shape (n, …)
        What the model takes, at least one case.
    batch_size : int
        How many at a time.
    """
    # Calling the model skips the compilation that `model.predict` does for each new
    # model.
    parts = [
        keras.ops.convert_to_numpy(model(inputs[i : i + batch_size], training=False))
        for i in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts)
