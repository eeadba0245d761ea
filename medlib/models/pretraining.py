"""Pretraining without labels, and classifiers that start from it.

`pretrain` teaches a backbone to recognise an image among others after it was altered
(SimCLR, Chen et al., arXiv:2002.05709). `probe` fits a head on frozen features;
`fine_tune` trains the whole classifier. Everything but the probe's logistic regression
is written with ``keras`` alone, so that it runs on any backend.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops
from sklearn.linear_model import LogisticRegression

from medlib import runtime
from medlib.data.images import Split
from medlib.models import imaging
from medlib.models.ensemble import Augment

BACKBONE = "backbone"  # the name of this layer in every classifier made here


def backbone(
    input_shape: tuple[int, int, int] = (28, 28, 1),
    *,
    width: int = 16,
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Return `medlib.models.imaging.small_resnet` without its last, dense layer.

    Parameters and errors as there; the outputs are features, shape (n, 4 * width).
    """
    network = imaging.small_resnet(input_shape, 2, width=width, bn_momentum=bn_momentum)
    pooled = next(
        layer
        for layer in network.layers
        if isinstance(layer, layers.GlobalAveragePooling2D)
    )
    return keras.Model(network.input, pooled.output, name=BACKBONE)


def contrastive_loss(
    views: keras.KerasTensor, temperature: float = 0.2
) -> keras.KerasTensor:
    """Return SimCLR's loss of each image (NT-Xent; arXiv:2002.05709, equation 1).

    Each view has to find the other view of its image among all other views of the
    batch: a cross-entropy over cosine similarities divided by the temperature.

    Parameters
    ----------
    views : tensor, shape (n, 2, d)
        Two views of each of n images.
    temperature : float
        Above zero.

    Returns
    -------
    tensor, shape (n,)
        In nats, the mean over the two views.
    """
    count = ops.shape(views)[0]
    both = ops.concatenate([views[:, 0], views[:, 1]])  # (2n, d)
    both = ops.normalize(both, axis=1)
    logits = ops.matmul(both, ops.transpose(both)) / temperature  # (2n, 2n)
    logits = logits - 1e9 * ops.eye(2 * count, dtype=logits.dtype)  # never itself
    agreement = ops.sum(both[:count] * both[count:], axis=1) / temperature
    spread = ops.reshape(ops.logsumexp(logits, axis=1), (2, count))
    return ops.mean(spread, axis=0) - agreement


@dataclass(frozen=True)
class Recipe:
    """How a backbone is pretrained.

    Attributes
    ----------
    epochs, batch_size, width : int
        At least one; at least two images in a batch.
    temperature : float
        Of `contrastive_loss`.
    learning_rate : float
        Highest rate of Adam; it falls along half a cosine.
    projection : int
        Length of the vectors that are compared. The layers that make them are thrown
        away after pretraining.
    rotation, shift, zoom, brightness, contrast : float
        Of `medlib.models.ensemble.Augment`.
    """

    epochs: int
    batch_size: int = 64
    width: int = 16
    temperature: float = 0.2
    learning_rate: float = 3e-3
    projection: int = 64
    rotation: float = 15.0
    shift: float = 3.0
    zoom: float = 0.2
    brightness: float = 0.1
    contrast: float = 0.2

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 2), ("width", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; at least {least} is needed"
                )
        for name in ("temperature", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")


def pretrain(
    images: np.ndarray, recipe: Recipe, seed: int = 0
) -> tuple[keras.Model, list[float]]:
    """Train a backbone on images without labels.

    Each image is altered twice at random; the two views have to find each other among
    those of the batch (`contrastive_loss`).

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, channels)
        At least two.
    recipe : Recipe
        How.
    seed : int
        Of the first weights, the order and the alterations.

    Returns
    -------
    base : keras.Model
        As from `backbone`.
    loss : list of float
        Mean `contrastive_loss` of each epoch, in nats.

    Raises
    ------
    ValueError
        If there are fewer than two images or they are not 8-bit.
    """
    if len(images) < 2:
        raise ValueError(f"images holds {len(images)}; at least two are needed")
    runtime.seed_everything(seed)
    scaled = imaging.to_float(images)
    base = backbone(scaled.shape[1:], width=recipe.width)
    augment = Augment(
        rotation=recipe.rotation,
        shift=recipe.shift,
        zoom=recipe.zoom,
        brightness=recipe.brightness,
        contrast=recipe.contrast,
        seed=seed,
    )
    inputs = keras.Input(scaled.shape[1:])
    # Both views pass together, so that batch normalisation cannot tell them apart.
    found = base(ops.concatenate([augment(inputs), augment(inputs)]))
    hidden = layers.Dense(recipe.projection, activation="relu")(found)
    projected = layers.Dense(recipe.projection)(hidden)  # (2n, d)
    views = ops.reshape(projected, (2, -1, recipe.projection))
    model = keras.Model(inputs, ops.transpose(views, (1, 0, 2)))  # (n, 2, d)
    steps = recipe.epochs * int(np.ceil(len(images) / recipe.batch_size))
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
        ),
        loss=lambda _, views: contrastive_loss(views, recipe.temperature),
    )
    trained = model.fit(
        scaled,
        np.zeros(len(scaled), "float32"),  # Keras wants a label; the loss ignores it
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
    )
    return base, [float(value) for value in trained.history["loss"]]


def few_labels(split: Split, share: float, seed: int = 0) -> Split:
    """Return a random part of a split, the same share of each class.

    Each class keeps at least one case. For one seed, a smaller share is part of every
    larger one.

    Parameters
    ----------
    split : Split
        Whose cases to draw.
    share : float
        Above 0, at most 1.
    seed : int
        Of the draw.

    Raises
    ------
    ValueError
        If the share is out of range or the split is empty.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it must be above 0 and at most 1")
    if len(split) == 0:
        raise ValueError("split is empty; there are no labels to draw from")
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(split.labels == k) for k in np.unique(split.labels)]
    rows = np.concatenate(
        [rng.permutation(g)[: max(1, round(share * len(g)))] for g in groups]
    )
    return Split(split.images[rows], split.labels[rows])


def classifier(base: keras.Model, n_classes: int) -> keras.Model:
    """Return a copy of a backbone with a dense softmax on top, all of it trainable.

    The head starts at zero, so that every class is equally likely at first.

    Raises
    ------
    ValueError
        If there are fewer than two classes.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; at least two are needed")
    copy = keras.models.clone_model(base)
    copy.set_weights(base.get_weights())
    head = layers.Dense(
        n_classes, activation="softmax", kernel_initializer="zeros", name="head"
    )
    inputs = keras.Input(base.input_shape[1:])
    return keras.Model(inputs, head(copy(inputs)))


def probe(
    base: keras.Model, train: Split, n_classes: int, *, strength: float = 1.0
) -> keras.Model:
    """Return a classifier whose backbone stays as it is, a linear probe.

    The head is scikit-learn's logistic regression on the standardised features; the
    mean and deviation are folded into its weights.

    Parameters
    ----------
    base : keras.Model
        As from `backbone` or `pretrain`.
    train : Split
        Labelled images, at least one of two classes.
    n_classes : int
        Number of outputs; a class without images gets practically no probability.
    strength : float
        scikit-learn's ``C``: the smaller, the closer the weights stay to zero.

    Raises
    ------
    ValueError
        If the labels do not fit, or all are of one class.
    """
    model = classifier(base, n_classes)
    present = np.unique(train.labels)
    if len(present) < 2 or present[-1] >= n_classes:
        raise ValueError(
            f"train holds the classes {present.tolist()}; at least two of 0 to "
            f"{n_classes - 1} are needed"
        )
    model.get_layer(BACKBONE).trainable = False
    found = imaging.predict(base, train.images).astype(float)  # (n, features)
    mean, deviation = found.mean(axis=0), found.std(axis=0)
    deviation[deviation < 1e-6] = 1  # a feature that never changes says nothing
    fitted = LogisticRegression(C=strength, max_iter=1000)
    fitted.fit((found - mean) / deviation, train.labels)
    # For two classes scikit-learn keeps the log-odds of the second alone.
    known = present if len(present) > 2 else present[1:]
    weights = np.zeros((found.shape[1], n_classes))
    bias = np.full(n_classes, -30.0)
    bias[present] = 0
    weights[:, known] = fitted.coef_.T / deviation[:, None]
    bias[known] = fitted.intercept_ - mean @ weights[:, known]
    model.get_layer("head").set_weights([weights, bias])
    return model


def thaw(model: keras.Model) -> keras.Model:
    """Make a classifier trainable, all but its batch normalisation; return it.

    A frozen normalisation keeps the mean and variance of pretraining. Freezing the
    layers is the only way that holds: Keras 3 overrides ``training=False``, given when
    a model was built, whenever the model is trained.
    """
    base = model.get_layer(BACKBONE)
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    return model


def fine_tune(
    model: keras.Model,
    train: Split,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> None:
    """Train what is trainable of a classifier, in place, on altered images.

    Adam along half a cosine, for a fixed number of steps: with a handful of labels
    nobody has validation labels to choose an epoch with. The same seed gives the same
    images in the same order to any model.

    Parameters
    ----------
    model : keras.Model
        As from `classifier`, `probe` or `thaw`.
    train : Split
        Labelled images; each is used once before any is used again.
    steps, batch_size : int
        At least one each. A batch may hold an image several times, altered anew.
    learning_rate : float
        Highest rate, above zero.
    seed : int
        Of order and alterations.

    Raises
    ------
    ValueError
        If a number is out of range or there are no images.
    """
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if learning_rate <= 0:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")
    if len(train) == 0:
        raise ValueError("train is empty; images are needed")
    runtime.seed_everything(seed)
    rng = np.random.default_rng(seed)
    rounds = -(-steps * batch_size // len(train))
    rows = np.concatenate([rng.permutation(len(train)) for _ in range(rounds)])
    rows = rows[: steps * batch_size]
    images = imaging.to_float(train.images)
    inputs = keras.Input(images.shape[1:])
    trained = keras.Model(inputs, model(Augment(seed=seed)(inputs)))
    trained.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(),
    )
    trained.fit(
        images[rows],
        train.labels[rows],
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
    )
