"""Hybrids: a weighted blend of scores, and a model with two towers.

The towers are written with ``keras`` alone, so that they run on any backend.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers, ops
from scipy import sparse, stats

from medlib.models.recommend.lists import checked

LOSSES = ("softmax", "binary")
Inputs = tuple[np.ndarray, sparse.csr_array, sparse.csr_array]


class Blend:
    """A weighted sum of several recommenders' scores, each brought to 0–1 by patient.

    Parameters
    ----------
    weights : dict of str to float
        From 0; at least one above. They need not sum to one. Choose them on
        validation data.
    scale : {"ranks", "minmax"}
        Whether a score becomes its rank among the patient's items (equal scores get
        their mean rank) or keeps its distances. Equal scores throughout become 0.
    """

    def __init__(self, weights: Mapping[str, float], scale: str = "ranks") -> None:
        values = np.array(list(weights.values()), dtype=float)
        if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
            raise ValueError(
                f"weights is {dict(weights)}; numbers from 0, at least one above, are "
                "needed"
            )
        if scale not in ("ranks", "minmax"):
            raise ValueError(f"scale is '{scale}'; use ranks or minmax")
        self.weights, self.scale = dict(weights), scale

    def scores(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return blended scores, float64, shape (patients, items).

        Parameters
        ----------
        parts : dict of str to ndarray, each of shape (patients, items)
            Finite scores, under the names of the weights.
        """
        if set(parts) != set(self.weights):
            raise ValueError(
                f"parts names {', '.join(sorted(parts))}; "
                f"{', '.join(sorted(self.weights))} are needed"
            )
        shapes = {np.shape(part) for part in parts.values()}
        if len(shapes) > 1 or len(next(iter(shapes))) != 2:
            raise ValueError(
                f"parts has the shapes {sorted(shapes)}; one, patients × items, is "
                "needed"
            )
        for name, part in parts.items():
            if not np.isfinite(part).all():
                raise ValueError(f"parts['{name}'] holds NaN or infinity")
        return sum(
            weight * self._scaled(np.asarray(parts[name], dtype=float))
            for name, weight in self.weights.items()
        )

    def _scaled(self, scores: np.ndarray) -> np.ndarray:
        if self.scale == "ranks" and scores.size:
            scores = stats.rankdata(scores, axis=1)
        low = scores.min(axis=1, keepdims=True, initial=np.inf)
        width = scores.max(axis=1, keepdims=True, initial=-np.inf) - low
        # Ranks are divided by the number of items, not by the width, which ties cut.
        if self.scale == "ranks":
            width = np.where(width > 0, max(scores.shape[1] - 1, 1), 0)
            low = np.where(width > 0, 1, low)
        return np.divide(
            scores - low, width, out=np.zeros_like(scores), where=width > 0
        )


@keras.saving.register_keras_serializable("medlib")
class ItemTower(layers.Layer):
    """A vector for every item: its own, learned, plus a network of its features.

    Parameters
    ----------
    features : array, shape (items, features)
        Held, not learned.
    size : int
        Of a vector.
    own : bool
        Whether an item has a learned vector of its own; without it, a new item is met
        by its features alone.
    """

    def __init__(
        self, features: np.ndarray, size: int, own: bool = True, **others: object
    ) -> None:
        super().__init__(**others)
        self.features = np.asarray(features, dtype="float32")
        self.size, self.own = size, own
        self.dense = layers.Dense(size, name="features")

    def get_config(self) -> dict:
        """Return what is needed to build the layer again."""
        how = {"features": self.features.tolist(), "size": self.size, "own": self.own}
        return {**super().get_config(), **how}

    def build(self, shape: tuple) -> None:
        """Make the weights."""
        self.dense.build(self.features.shape)
        if self.own:
            self.vectors = self.add_weight(
                (len(self.features), self.size),
                keras.initializers.RandomNormal(stddev=0.05),
                name="vectors",
            )
        self.bias = self.add_weight((len(self.features),), "zeros", name="bias")

    def call(self, patients: keras.KerasTensor) -> keras.KerasTensor:
        """Return logits (n, items) for patients' vectors (n, size)."""
        items = self.dense(ops.convert_to_tensor(self.features))
        if self.own:
            items = items + self.vectors
        return ops.matmul(patients, ops.transpose(items)) + self.bias

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return (n, items)."""
        return (shape[0], len(self.features))


def two_tower(
    patient_features: int,
    item_features: np.ndarray,
    *,
    size: int = 32,
    hidden: int = 64,
    dropout: float = 0.2,
    own: bool = True,
) -> keras.Model:
    """Return a model with one tower for the patient and one for the items.

    Patient: features and basket (its length made 1) → dense ReLU → dense ``size``.
    Item: a dense layer of its features plus a vector of its own. The logit is the
    inner product of the two plus the item's bias. As after Covington, Adams and
    Sargin (2016), doi:10.1145/2959100.2959190, but without sampling: a hospital's
    catalogue is small enough for all items at once.

    Parameters
    ----------
    patient_features : int
        At least one.
    item_features : ndarray, shape (items, features)
        Finite.
    size, hidden : int
        At least one.
    dropout : float
        From 0 to below 1, on the hidden layer.
    own : bool
        As in `ItemTower`.

    Returns
    -------
    keras.Model
        From ``patient`` (n, patient_features) and ``basket`` (n, items) to logits
        (n, items).

    Raises
    ------
    ValueError
        If a number is out of range or the item features are not as needed.
    """
    item_features = np.asarray(item_features, dtype="float32")
    if item_features.ndim != 2 or not item_features.size:
        raise ValueError(
            f"item_features has shape {item_features.shape}; items × features is needed"
        )
    if not np.isfinite(item_features).all():
        raise ValueError("item_features holds NaN or infinity")
    sizes = {"patient_features": patient_features, "size": size, "hidden": hidden}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; a number from 0 to below 1 is needed")
    patient = keras.Input((patient_features,), name="patient")
    basket = keras.Input((len(item_features),), name="basket")
    x = layers.Concatenate()([patient, layers.UnitNormalization()(basket)])
    x = layers.Dense(hidden, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(size)(x)
    logits = ItemTower(item_features, size, own, name="items")(x)
    return keras.Model({"patient": patient, "basket": basket}, logits, name="two_tower")


def fit(
    model: keras.Model,
    train: Inputs,
    val: Inputs,
    *,
    loss: str = "softmax",
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
) -> list[float]:
    """Train a two-tower model and keep the epoch that is best on validation data.

    Parameters
    ----------
    model : keras.Model
        From `two_tower`; changed in place.
    train, val : tuple of ndarray, csr_array and csr_array
        Patients' features, their baskets, and what they got then, above zero. Patients
        who got nothing more are left out with the softmax loss.
    loss : {"softmax", "binary"}
        Cross-entropy over the catalogue, where items compete, or of each item.
    epochs, batch_size : int
        At least one each.
    learning_rate : float
        Of Adam, above zero.

    Returns
    -------
    list of float
        Validation loss of each epoch, in nats; the weights of the lowest were kept.

    Raises
    ------
    ValueError
        If a number is out of range or a set is empty or does not fit.
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")
    if loss not in LOSSES:
        raise ValueError(f"loss is '{loss}'; use one of {', '.join(LOSSES)}")
    data = _prepared("train", model, train, loss)
    val_data = _prepared("val", model, val, loss)
    how = {
        "softmax": keras.losses.CategoricalCrossentropy(from_logits=True),
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    model.compile(keras.optimizers.Adam(learning_rate), how[loss])
    keep = keras.callbacks.EarlyStopping(
        "val_loss", patience=epochs, restore_best_weights=True
    )
    trained = model.fit(
        *data,
        validation_data=val_data,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[keep],
    )
    return [float(value) for value in trained.history["val_loss"]]


def predict(
    model: keras.Model,
    patients: np.ndarray,
    baskets: sparse.csr_array,
    batch_size: int = 256,
) -> np.ndarray:
    """Return logits, float32, shape (patients, items)."""
    inputs = _model_inputs("baskets", model, patients, baskets)
    if not len(inputs["basket"]):
        return np.zeros(inputs["basket"].shape, np.float32)
    return model.predict(inputs, batch_size, verbose=0)


def _model_inputs(
    name: str, model: keras.Model, patients: np.ndarray, baskets: sparse.csr_array
) -> dict[str, np.ndarray]:
    width, items = (model.input[key].shape[1] for key in ("patient", "basket"))
    baskets = checked(name, baskets, items)
    patients = np.asarray(patients, dtype="float32")
    if patients.shape != (baskets.shape[0], width) or not np.isfinite(patients).all():
        raise ValueError(
            f"the patients of {name} have shape {patients.shape}; finite numbers of "
            f"shape {(baskets.shape[0], width)} are needed"
        )
    return {"patient": patients, "basket": (baskets > 0).toarray().astype("float32")}


def _prepared(
    name: str, model: keras.Model, data: Inputs, loss: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    patients, baskets, targets = data
    inputs = _model_inputs(name, model, patients, baskets)
    targets = checked(name, targets, model.output.shape[1])
    if targets.shape != inputs["basket"].shape:
        raise ValueError(
            f"the targets of {name} have shape {targets.shape}; "
            f"{inputs['basket'].shape} is needed"
        )
    wanted = (targets > 0).toarray().astype("float32")
    if loss == "softmax":
        some = wanted.any(axis=1)
        inputs = {key: value[some] for key, value in inputs.items()}
        wanted = wanted[some] / wanted[some].sum(axis=1, keepdims=True)
    if not len(wanted):
        raise ValueError(f"{name} has no patient with a target; at least one is needed")
    return inputs, wanted
