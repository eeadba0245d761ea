"""Image classifiers and their training.

Everything here is written with ``keras`` alone, so that it runs on any backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from medlib.data.images import Split

Score = Callable[[np.ndarray, np.ndarray], float]


def to_float(images: np.ndarray) -> np.ndarray:
    """Scale 8-bit images to float32 from 0 to 1.

    Raises
    ------
    ValueError
        If the images are not 8-bit with a channel axis, shape (n, h, w, c).
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            f"images is {images.dtype} {images.shape}; uint8 of shape (n, height, "
            "width, channels) is needed"
        )
    return images.astype(np.float32) / 255.0


def first_cnn(
    input_shape: tuple[int, int, int] = (28, 28, 1), n_classes: int = 10
) -> keras.Model:
    """Return the course's first convolutional network.

    Conv 32 3×3 ReLU → max pooling 2 → Conv 64 3×3 ReLU → max pooling 2 → flatten →
    dense softmax.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels.
    n_classes : int
        Number of outputs; they are probabilities and sum to one.

    Raises
    ------
    ValueError
        If there are fewer than two classes.
    """
    _check_classes(n_classes)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(n_classes, activation="softmax"),
        ],
        name="first_cnn",
    )


def functional_cnn(
    input_shape: tuple[int, int, int] = (28, 28, 1), n_classes: int = 2
) -> keras.Model:
    """Return the network of lesson 2.3, built with Keras' functional interface.

    Conv 32 3×3 ReLU → max pooling 2 → flatten → dense 64 ReLU → dense softmax.
    Parameters and errors as in `first_cnn`.
    """
    _check_classes(n_classes)
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(32, 3, activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="functional_cnn")


def full_size_cnn(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    n_classes: int = 2,
    *,
    pooled: bool = False,
) -> keras.Model:
    """Return the network of lesson 2.4 for images of full size.

    Conv 32 → pooling → Conv 64 → pooling → Conv 128 → pooling → flatten → dense 1024
    ReLU → dense softmax; convolutions are 3×3 with ReLU, poolings take the maximum of
    2×2.

    Parameters
    ----------
    input_shape, n_classes
        As in `first_cnn`.
    pooled : bool
        Global average pooling in place of flatten and dense 1024.

    Raises
    ------
    ValueError
        If there are fewer than two classes.
    """
    _check_classes(n_classes)
    inputs = keras.Input(input_shape)
    x = inputs
    for channels in (32, 64, 128):
        x = layers.Conv2D(channels, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    if pooled:
        x = layers.GlobalAveragePooling2D()(x)
    else:
        x = layers.Dense(1024, activation="relu")(layers.Flatten()(x))
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(
        inputs, outputs, name="full_size_cnn" + ("_pooled" if pooled else "")
    )


def small_resnet(
    input_shape: tuple[int, int, int] = (28, 28, 1),
    n_classes: int = 10,
    *,
    width: int = 16,
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Return a small residual network (He et al., arXiv:1512.03385).

    Normalisation and ReLU stand before each convolution.

    Three stages of one block each, with ``width``, ``2 * width`` and ``4 * width``
    channels; every stage after the first halves the image. Global average pooling
    leads to the dense softmax.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels.
    n_classes : int
        Number of outputs.
    width : int
        Channels of the first stage.
    bn_momentum : float
        How slowly batch normalisation updates the mean and variance that it uses for
        prediction. Keras' own 0.99 needs hundreds of steps; short trainings do not
        have them.

    Raises
    ------
    ValueError
        If there are fewer than two classes or the width is below one.
    """
    _check_classes(n_classes)
    if width < 1:
        raise ValueError(f"width is {width}; at least one channel is needed")

    def normalised(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU()(layers.BatchNormalization(momentum=bn_momentum)(x))

    def convolved(x: keras.KerasTensor, channels: int, **how: int) -> keras.KerasTensor:
        return layers.Conv2D(
            channels,
            how.get("kernel", 3),
            strides=how.get("stride", 1),
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)

    inputs = keras.Input(input_shape)
    x = convolved(inputs, width)
    for stage in range(3):
        channels, stride = width * 2**stage, 1 if stage == 0 else 2
        before = normalised(x)
        shortcut = x if stage == 0 else convolved(before, channels, kernel=1, stride=2)
        x = convolved(before, channels, stride=stride)
        x = convolved(normalised(x), channels)
        x = layers.Add()([x, shortcut])
    x = layers.GlobalAveragePooling2D()(normalised(x))
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="small_resnet")


def _check_classes(n_classes: int) -> None:
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; at least two are needed")


@dataclass(frozen=True)
class History:
    """How a training went, epoch by epoch, and which epoch was kept.

    Attributes
    ----------
    loss, val_loss, val_score : list of float
        Training loss (nats), validation loss (nats), validation score.
    best_epoch : int
        Index of the epoch with the highest validation score; its weights were kept.
    """

    loss: list[float]
    val_loss: list[float]
    val_score: list[float]
    best_epoch: int


def fit(
    model: keras.Model,
    train: Split,
    val: Split,
    *,
    score: Score,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
) -> History:
    """Train a classifier and keep the epoch that is best on validation data.

    Adam and sparse categorical cross-entropy; the learning rate falls to a tenth after
    half of the epochs and again after three quarters, as in MedMNIST's training.

    Parameters
    ----------
    model : keras.Model
        Its outputs are probabilities, shape (n, classes). It is changed in place.
    train, val : Split
        Nothing else is looked at: no choice is made on test data.
    score : callable
        Takes labels (n,) and probabilities (n, classes); the epoch where it is highest
        is kept. For example `medlib.evaluation.metrics.auc`.
    epochs, batch_size : int
        At least one each.
    learning_rate : float
        Of Adam, above zero.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If a number is out of range or a split is empty.
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if learning_rate <= 0:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")
    if len(train) == 0 or len(val) == 0:
        raise ValueError("train or val is empty; both are needed to choose an epoch")
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
    )
    images, checked = to_float(train.images), to_float(val.images)
    chooser = _BestEpoch(checked, val.labels, score)

    def rate(epoch: int, _: float) -> float:
        return learning_rate * 0.1 ** (
            (epoch >= epochs / 2) + (epoch >= epochs * 3 / 4)
        )

    trained = model.fit(
        images,
        train.labels,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[chooser, keras.callbacks.LearningRateScheduler(rate)],
    )
    model.set_weights(chooser.weights)
    losses = [float(value) for value in trained.history["loss"]]
    best = int(np.argmax(chooser.values))
    return History(losses, chooser.losses, chooser.values, best)


class _BestEpoch(keras.callbacks.Callback):
    """Score validation data after each epoch and remember the best weights."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, score: Score) -> None:
        super().__init__()
        self.images, self.labels, self.score = images, labels, score
        self.values: list[float] = []
        self.losses: list[float] = []
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Compute loss and score; keep the weights if the score is the best so far."""
        scores = predict(self.model, self.images)
        chosen = np.clip(scores[np.arange(len(scores)), self.labels], 1e-7, 1)
        self.losses.append(float(-np.log(chosen).mean()))
        self.values.append(self.score(self.labels, scores))
        if self.values[-1] > max(self.values[:-1], default=-np.inf):
            self.weights = self.model.get_weights()


def predict(
    model: keras.Model, images: np.ndarray, batch_size: int = 256
) -> np.ndarray:
    """Return probabilities, shape (n, classes).

    Parameters
    ----------
    model : keras.Model
        A classifier.
    images : ndarray
        Float images as from `to_float`, or 8-bit ones, which are scaled first.
    batch_size : int
        How many at a time.
    """
    scaled = to_float(images) if images.dtype == np.uint8 else images
    # Calling the model skips the compilation that `model.predict` does for each new
    # model, which costs more than these small networks' whole prediction.
    parts = [
        keras.ops.convert_to_numpy(model(scaled[i : i + batch_size], training=False))
        for i in range(0, len(scaled), batch_size)
    ]
    return np.concatenate(parts)
