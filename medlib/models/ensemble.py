"""A small ensemble of residual networks, the strongest imaging method of the course.

Every part is a known one: augmentation by one affine map, AdamW with a cosine schedule,
label smoothing, a class-balanced loss, averaged weights, several members and averaging
over shifted and mirrored copies at prediction. `Recipe` says how much of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from medlib import runtime
from medlib.data.images import Split
from medlib.models import imaging


@keras.saving.register_keras_serializable("medlib")
class Augment(layers.Layer):
    """Alter training images at random; at prediction they pass unchanged.

    Mirror, turn, shift and zoom are one affine map, so that each image is interpolated
    once; what comes in from outside is the mirrored border. Then brightness and
    contrast change.

    Parameters
    ----------
    mirror_horizontal, mirror_vertical : bool
        Whether half of the images are mirrored left to right, or top to bottom.
    rotation : float
        Largest angle in degrees, either way.
    shift : float
        Largest shift in pixels, along each axis, either way.
    zoom : float
        Largest relative change of size: 0.1 is from 0.9 to 1.1.
    brightness, contrast : float
        Largest value added, and largest relative change of the distance from the
        image's mean, in the unit of the images.
    seed : int or None
        Of this layer's random numbers.

    Raises
    ------
    ValueError
        If an amount is negative, or ``zoom`` is 1 or more.
    """

    def __init__(
        self,
        *,
        mirror_horizontal: bool = True,
        mirror_vertical: bool = False,
        rotation: float = 10.0,
        shift: float = 2.0,
        zoom: float = 0.1,
        brightness: float = 0.1,
        contrast: float = 0.2,
        seed: int | None = None,
        **others: object,
    ) -> None:
        super().__init__(**others)
        self.amounts = {
            "rotation": rotation,
            "shift": shift,
            "zoom": zoom,
            "brightness": brightness,
            "contrast": contrast,
        }
        for name, value in self.amounts.items():
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} is {value}; it must be 0 or above")
        if zoom >= 1:
            raise ValueError(f"zoom is {zoom}; it must be below 1")
        self.mirrors = {
            "mirror_horizontal": bool(mirror_horizontal),
            "mirror_vertical": bool(mirror_vertical),
        }
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict:
        """Return what is needed to build the layer again."""
        return {
            **super().get_config(),
            **self.amounts,
            **self.mirrors,
            "seed": self.seed,
        }

    def call(
        self, images: keras.KerasTensor, training: bool | None = None
    ) -> keras.KerasTensor:
        """Return images of the same shape, (n, height, width, channels)."""
        if not training:
            return images
        count, height, width = ops.shape(images)[:3]

        def draw(amount: float) -> keras.KerasTensor:
            return keras.random.uniform(
                (count,), -amount, amount, seed=self.generator, dtype="float32"
            )

        def sign(mirrored: bool) -> keras.KerasTensor:
            values = draw(1.0)
            return ops.where(values < 0, -1.0, 1.0) if mirrored else ops.ones((count,))

        angle = draw(self.amounts["rotation"] * np.pi / 180)
        size = 1 + draw(self.amounts["zoom"])
        # From output to input: turn and resize about the centre, mirror, then shift.
        a = ops.cos(angle) / size * sign(self.mirrors["mirror_horizontal"])
        b = -ops.sin(angle) / size
        c = ops.sin(angle) / size
        d = ops.cos(angle) / size * sign(self.mirrors["mirror_vertical"])
        middle_x = (ops.cast(width, "float32") - 1) / 2
        middle_y = (ops.cast(height, "float32") - 1) / 2
        shift_x, shift_y = draw(self.amounts["shift"]), draw(self.amounts["shift"])
        zero = ops.zeros((count,))
        transform = ops.stack(
            [
                a,
                b,
                middle_x - a * middle_x - b * middle_y + shift_x,
                c,
                d,
                middle_y - c * middle_x - d * middle_y + shift_y,
                zero,
                zero,
            ],
            axis=1,
        )
        images = ops.image.affine_transform(
            images, transform, fill_mode="reflect", data_format="channels_last"
        )
        spread = ops.reshape(1 + draw(self.amounts["contrast"]), (-1, 1, 1, 1))
        added = ops.reshape(draw(self.amounts["brightness"]), (-1, 1, 1, 1))
        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return (images - mean) * spread + mean + added


@dataclass(frozen=True)
class Recipe:
    """How an ensemble is trained.

    Attributes
    ----------
    epochs, batch_size, members : int
        At least one each; every member is trained for all epochs.
    width : int
        Channels of the first stage of `medlib.models.imaging.small_resnet`.
    learning_rate, weight_decay : float
        Highest rate and decay of AdamW (Loshchilov and Hutter, arXiv:1711.05101). The
        rate rises for a tenth of the steps and falls along half a cosine.
    smoothing : float
        Label smoothing, from 0 to below 1.
    balance : float
        Exponent of the class weights: 0 counts cases alike, 1 classes alike.
    averaging : float
        Momentum of the running mean of the weights, which is what is kept.
    rotation, shift, zoom : float
        Of `Augment`.
    mirror_vertical : bool
        Whether images may be turned upside down, in training and prediction.
    """

    epochs: int
    members: int = 6
    batch_size: int = 32
    width: int = 24
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.1
    balance: float = 1.0
    averaging: float = 0.99
    rotation: float = 10.0
    shift: float = 2.0
    zoom: float = 0.1
    mirror_vertical: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "members", "batch_size", "width"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; at least 1 is needed"
                )
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing is {self.smoothing}; from 0 to below 1")


@dataclass(frozen=True)
class Ensemble:
    """Trained members and how they predict."""

    members: Sequence[keras.Model]
    recipe: Recipe

    def count_params(self) -> int:
        """Return the parameters of all members together."""
        return sum(member.count_params() for member in self.members)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (n, classes), for 8-bit images.

        The mean over the members, over the image and its mirror images, and over
        shifts of one pixel up, down, left and right.
        """
        scaled = imaging.to_float(images)
        height, width = scaled.shape[1:3]
        padded = np.pad(scaled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        copies = [
            padded[:, y : y + height, x : x + width]
            for y, x in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
        ]
        copies += [copy[:, :, ::-1] for copy in copies]
        if self.recipe.mirror_vertical:
            copies += [copy[:, ::-1] for copy in copies]
        return np.mean(
            [
                imaging.predict(member, copy)
                for member in self.members
                for copy in copies
            ],
            axis=0,
        )


def class_weights(labels: np.ndarray, n_classes: int, exponent: float) -> np.ndarray:
    """Return a weight for each class, shape (n_classes,), with mean 1 over the cases.

    The weight is the class's frequency to the power of ``-exponent``, scaled; a class
    without cases gets 0.

    Raises
    ------
    ValueError
        If there are no labels or one lies outside the classes.
    """
    labels = np.asarray(labels).reshape(-1)
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"labels must hold at least one class of 0 to {n_classes - 1}")
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.zeros(n_classes)
    weights[counts > 0] = (counts[counts > 0] / len(labels)) ** -exponent
    return weights / weights[labels].mean()


def fit_member(
    train: Split, n_classes: int, recipe: Recipe, seed: int = 0
) -> keras.Model:
    """Train one network; it takes images as from `medlib.models.imaging.to_float`.

    The mean and deviation of each channel of the training images are part of it.

    Raises
    ------
    ValueError
        If there are no images, or labels outside the classes.
    """
    if len(train) == 0:
        raise ValueError("train is empty; images are needed")
    runtime.seed_everything(seed)
    images = imaging.to_float(train.images)
    shape = images.shape[1:]
    core = imaging.small_resnet(shape, n_classes, width=recipe.width, bn_momentum=0.95)
    standard = layers.Normalization(
        mean=images.mean(axis=(0, 1, 2)), variance=images.var(axis=(0, 1, 2))
    )
    augment = Augment(
        mirror_vertical=recipe.mirror_vertical,
        rotation=recipe.rotation,
        shift=recipe.shift,
        zoom=recipe.zoom,
        seed=seed,
    )
    inputs = keras.Input(shape)
    model = keras.Model(inputs, core(augment(standard(inputs))))
    steps = recipe.epochs * int(np.ceil(len(images) / recipe.batch_size))
    warm = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100,
        decay_steps=max(1, steps - warm),
        warmup_target=recipe.learning_rate,
        warmup_steps=warm,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            rate,
            weight_decay=recipe.weight_decay,
            use_ema=True,
            ema_momentum=recipe.averaging,
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing),
    )
    weights = class_weights(train.labels, n_classes, recipe.balance)
    model.fit(
        images,
        np.eye(n_classes, dtype="float32")[train.labels],
        sample_weight=weights[train.labels].astype("float32"),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
    )
    return model


def fit_ensemble(
    train: Split, n_classes: int, recipe: Recipe, seed: int = 0
) -> Ensemble:
    """Train all members, each from its own seed; errors as in `fit_member`.

    Different seeds of whole ensembles share no member.
    """
    seeds = [1000 * seed + number for number in range(recipe.members)]
    return Ensemble(
        [fit_member(train, n_classes, recipe, one) for one in seeds], recipe
    )
