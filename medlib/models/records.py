"""Models that read event streams, and their training.

Everything here is written with ``keras`` alone, so that it runs on any backend. Arrays
come from `medlib.data.sequences`: codes, hours before the index time and ages, padded
with zeros at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from medlib.data.sequences import PADDING, UNKNOWN, Sequences

Score = Callable[[np.ndarray, np.ndarray], float]
CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


def recurrent(
    vocabulary_size: int,
    *,
    cell: str = "lstm",
    embedding: int = 64,
    units: int = 128,
    mask_zero: bool = True,
    times: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the course's recurrent classifier.

    Embedding → LSTM 128 → dense 1, sigmoid. It reads codes alone, shape (n, length),
    unless it is given times.

    Parameters
    ----------
    vocabulary_size : int
        How many code numbers there are, with padding (0) and unknown (1).
    cell : {"lstm", "gru", "rnn"}
        The recurrent layer.
    embedding, units : int
        Sizes of a code's vector and of the state.
    mask_zero : bool
        Whether padding is passed over. Without it the last state of a short history
        has read nothing but zeros for many steps.
    times : bool
        Whether two numbers stand beside each code's vector: the logarithms of one plus
        the hours since the event before and of one plus the hours to the index time.
    dropout : float
        Share of the state's numbers that are set to zero before the dense layer, in
        training; 0, as the course gives the model, adds no layer.

    Raises
    ------
    ValueError
        If a size is out of range or the cell unknown.
    """
    _check_sizes(vocabulary_size=vocabulary_size, embedding=embedding, units=units)
    if cell not in CELLS:
        raise ValueError(f"cell is '{cell}'; use one of {', '.join(CELLS)}")
    codes = keras.Input((None,), dtype="int32", name="codes")
    inputs = {"codes": codes}
    x = layers.Embedding(vocabulary_size, embedding, mask_zero=mask_zero)(codes)
    how = {}
    if times:
        inputs["hours"] = hours = keras.Input((None,), name="hours")
        before = ops.concatenate([hours[:, :1], hours[:, :-1]], axis=1)
        clocks = ops.stack([ops.relu(before - hours), hours], axis=-1)
        x = ops.concatenate([x, ops.log1p(clocks)], axis=-1)
        how = {"mask": ops.not_equal(codes, PADDING)} if mask_zero else {}
    x = CELLS[cell](units)(x, **how)
    if dropout:
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name=cell)


@keras.saving.register_keras_serializable("medlib")
class Waves(layers.Layer):
    r"""Sines and cosines of a number, for example of a time in hours.

    The frequencies are :math:`\lambda^{-2i/d}`, as in
    `medlib.maths.attention.positional_encoding`; nothing is learned.

    Parameters
    ----------
    size : int
        Even, at least 2.
    longest : float
        Above 1; the longest wavelength is close to :math:`2\pi` times it.
    """

    def __init__(self, size: int, longest: float = 10_000.0, **others: object) -> None:
        super().__init__(**others)
        if size < 2 or size % 2:
            raise ValueError(f"size is {size}; an even number of at least 2 is needed")
        if not 1 < longest < np.inf:
            raise ValueError(f"longest is {longest}; a number above 1 is needed")
        self.size, self.longest = size, longest

    def get_config(self) -> dict:
        """Return what is needed to build the layer again."""
        return {**super().get_config(), "size": self.size, "longest": self.longest}

    def call(self, numbers: keras.KerasTensor) -> keras.KerasTensor:
        """Return an encoding of shape (*numbers, size)."""
        rates = self.longest ** (-np.arange(0, self.size, 2) / self.size)
        angles = ops.expand_dims(numbers, -1) * ops.convert_to_tensor(
            rates.astype("float32")
        )
        pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.reshape(pairs, (*ops.shape(angles)[:-1], self.size))


@keras.saving.register_keras_serializable("medlib")
class Places(Waves):
    """The same waves of each token's place in the sequence."""

    def call(self, codes: keras.KerasTensor) -> keras.KerasTensor:
        """Return an encoding of shape (n, length, size) for codes (n, length)."""
        places = ops.cumsum(ops.ones_like(codes), axis=1) - 1
        return super().call(ops.cast(places, "float32"))


@keras.saving.register_keras_serializable("medlib")
class MaskedMean(layers.Layer):
    """The mean over the real tokens; zero where there are none."""

    def call(
        self, tokens: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Return (n, features) for tokens (n, length, features), real (n, length)."""
        weights = ops.expand_dims(ops.cast(real, tokens.dtype), -1)
        count = ops.maximum(ops.sum(weights, axis=1), 1)
        return ops.sum(tokens * weights, axis=1) / count


def encoder(
    vocabulary_size: int,
    *,
    features: int = 64,
    heads: int = 4,
    blocks: int = 2,
    dropout: float = 0.1,
    times: str = "hours",
) -> keras.Model:
    """Return a Transformer's encoder for records.

    A token is the sum of three embeddings, of its code, its time and the age; then come
    encoder blocks with the normalisation in front of each part, and a last one.

    Parameters
    ----------
    vocabulary_size : int
        How many code numbers there are. One more, ``vocabulary_size`` itself, stands
        for a code that is hidden (`mask_codes`).
    features : int
        Size of a token; even and divisible by ``heads``.
    heads, blocks : int
        At least one each.
    dropout : float
        From 0 to below 1, after the embedding and inside the blocks.
    times : {"hours", "places", "none"}
        What tells tokens apart in time: the hours before the index time, the place in
        the sequence, or nothing at all.

    Returns
    -------
    keras.Model
        From ``codes``, ``hours`` and ``ages``, each (n, length), to tokens
        (n, length, features).

    Raises
    ------
    ValueError
        If a size is out of range or ``times`` unknown.
    """
    _check_sizes(vocabulary_size=vocabulary_size, heads=heads, blocks=blocks)
    if features < 2 or features % 2 or features % heads:
        raise ValueError(
            f"features is {features}; an even number divisible by heads ({heads}) is "
            "needed"
        )
    if not 0 <= dropout < 1:
        raise ValueError(
            f"dropout is {dropout}; one number from 0 to below 1 is needed"
        )
    if times not in ("hours", "places", "none"):
        raise ValueError(f"times is '{times}'; use hours, places or none")
    inputs = {
        name: keras.Input((None,), dtype=dtype, name=name)
        for name, dtype in (
            ("codes", "int32"),
            ("hours", "float32"),
            ("ages", "float32"),
        )
    }
    real = ops.not_equal(inputs["codes"], PADDING)
    # As large as what is added for time and age, which would drown Keras' small start.
    start = keras.initializers.RandomNormal(stddev=1.0)
    embedding = layers.Embedding(vocabulary_size + 1, features, start, name="code")
    x = embedding(inputs["codes"])
    if times == "hours":
        x = x + layers.Dense(features, name="time")(Waves(features)(inputs["hours"]))
    elif times == "places":
        x = x + layers.Dense(features, name="time")(Places(features)(inputs["codes"]))
    x = x + layers.Dense(features, name="age")(Waves(features)(inputs["ages"]))
    x = layers.Dropout(dropout)(x)
    for _ in range(blocks):
        x = encoder_block(x, real, heads=heads, dropout=dropout)
    tokens = layers.LayerNormalization()(x)
    return keras.Model(inputs, tokens, name="encoder")


def encoder_block(
    x: keras.KerasTensor,
    real: keras.KerasTensor,
    *,
    heads: int,
    dropout: float = 0.0,
    widening: int = 4,
) -> keras.KerasTensor:
    """Return tokens after one block, as `medlib.maths.attention.EncoderBlock`.

    Parameters
    ----------
    x : KerasTensor, shape (n, length, features)
        Tokens.
    real : KerasTensor of bool, shape (n, length)
        False at padding, which is not looked at.
    heads : int
        Each of size ``features / heads``.
    dropout : float
        After each of the two parts.
    widening : int
        The hidden layer has so many times the features.
    """
    features = x.shape[-1]
    inside = layers.LayerNormalization()(x)
    inside = layers.MultiHeadAttention(heads, features // heads)(
        inside, inside, attention_mask=ops.expand_dims(real, 1)
    )
    x = x + layers.Dropout(dropout)(inside)
    inside = layers.LayerNormalization()(x)
    inside = layers.Dense(widening * features, activation="relu")(inside)
    inside = layers.Dense(features)(inside)
    return x + layers.Dropout(dropout)(inside)


def classifier(encoder: keras.Model, *, dropout: float = 0.1) -> keras.Model:
    """Return encoder → mean over the real tokens → dense 1, sigmoid.

    The encoder is part of the model: training one trains the other.
    """
    pooled = MaskedMean()(
        encoder.output, ops.not_equal(encoder.input["codes"], PADDING)
    )
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(dropout)(pooled))
    return keras.Model(encoder.input, outputs, name="transformer")


def transformer(vocabulary_size: int, **how: object) -> keras.Model:
    """Return a Transformer classifier; parameters and errors as in `encoder`."""
    return classifier(encoder(vocabulary_size, **how))


def mask_codes(
    codes: np.ndarray,
    vocabulary_size: int,
    rng: np.random.Generator,
    share: float = 0.15,
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes with some hidden, and which ones are to be guessed.

    Of the real codes a share is chosen. Eight in ten of them become the number
    ``vocabulary_size``, one in ten another known code at random, one in ten stays, so
    that a model must also doubt what it sees. Devlin et al. (2019), arXiv:1810.04805.

    Parameters
    ----------
    codes : ndarray of int, shape (n, length)
        As in `medlib.data.sequences.Sequences`; left alone.
    vocabulary_size : int
        How many code numbers there are, at least 3.
    rng : Generator
        Source of chance.
    share : float
        Between 0 and 1.

    Returns
    -------
    hidden : ndarray of int32, shape (n, length)
        What a model gets to see.
    chosen : ndarray of bool, shape (n, length)
        Where it must guess.

    Raises
    ------
    ValueError
        If the share or the size is out of range.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; one number between 0 and 1 is needed")
    if vocabulary_size < UNKNOWN + 2:
        raise ValueError(f"vocabulary_size is {vocabulary_size}; at least 3 is needed")
    chosen = (codes != PADDING) & (rng.random(codes.shape) < share)
    fate = rng.random(codes.shape)
    others = rng.integers(UNKNOWN + 1, vocabulary_size, codes.shape)
    hidden = np.where(chosen & (fate < 0.8), vocabulary_size, codes)
    hidden = np.where(chosen & (fate >= 0.8) & (fate < 0.9), others, hidden)
    return hidden.astype(np.int32), chosen


def pretrain(
    encoder: keras.Model,
    sequences: Sequences,
    vocabulary_size: int,
    *,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> list[float]:
    """Train an encoder to guess hidden codes; no label is used.

    Other codes are hidden in each epoch. Each history counts by how many of its codes
    are hidden.

    Parameters
    ----------
    encoder : keras.Model
        From `encoder`, with this vocabulary. It is changed in place.
    sequences : Sequences
        Training histories; empty ones teach nothing and may be among them.
    vocabulary_size : int
        How many code numbers there are.
    epochs, batch_size : int
        At least one each.
    learning_rate : float
        Of Adam, above zero.
    seed : int
        Of the hiding.

    Returns
    -------
    list of float
        Mean cross-entropy of the hidden codes in each epoch, in nats.

    Raises
    ------
    ValueError
        If a number is out of range or there is no event.
    """
    _check_training(epochs, batch_size, learning_rate)
    if not sequences.mask.any():
        raise ValueError("sequences holds no event; there is nothing to learn from")
    # Only what is hidden is guessed; a guess at each token would cost most of the time.
    places = keras.Input((None,), dtype="int32", name="places")
    asked = ops.take_along_axis(encoder.output, ops.expand_dims(places, -1), axis=1)
    guesses = layers.Dense(vocabulary_size, name="guess")(asked)
    model = keras.Model({**encoder.input, "places": places}, guesses)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(epochs):
        hidden, chosen = mask_codes(sequences.codes, vocabulary_size, rng)
        places, is_asked = _first(chosen)
        trained = model.fit(
            {
                "codes": hidden,
                "hours": sequences.hours,
                "ages": sequences.ages,
                "places": places,
            },
            np.take_along_axis(sequences.codes, places, axis=1),
            sample_weight=is_asked / max(is_asked.mean(), 1e-9),
            batch_size=batch_size,
            verbose=0,
        )
        losses.append(float(trained.history["loss"][0]))
    return losses


def _first(chosen: np.ndarray, multiple: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of what is chosen in each row, and which of them are real.

    Their number is a multiple, so that few shapes have to be compiled.
    """
    most = multiple * -(-max(int(chosen.sum(axis=1).max()), 1) // multiple)
    most = min(most, chosen.shape[1])
    places = np.argsort(~chosen, axis=1, kind="stable")[:, :most].astype(np.int32)
    real = np.take_along_axis(chosen, places, axis=1)
    return places, real.astype(np.float32)


@dataclass(frozen=True)
class History:
    """How a training went, epoch by epoch, and which epoch was kept.

    Attributes
    ----------
    loss, val_score : list of float
        Training loss (nats) and validation score.
    best_epoch : int
        Index of the epoch with the highest validation score; its weights were kept.
    """

    loss: list[float]
    val_score: list[float]
    best_epoch: int


def fit(
    model: keras.Model,
    train: Sequences,
    labels: np.ndarray,
    val: Sequences,
    val_labels: np.ndarray,
    *,
    score: Score,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
) -> History:
    """Train a classifier and keep the epoch that is best on validation data.

    Adam and binary cross-entropy; gradients longer than 1 are shortened to 1 (Pascanu,
    Mikolov and Bengio 2013, arXiv:1211.5063). Seed before the model is built:
    `medlib.runtime.seed_everything`.

    Parameters
    ----------
    model : keras.Model
        Its output is a probability, shape (n, 1). It is changed in place.
    train, val : Sequences
        Nothing else is looked at: no choice is made on test data.
    labels, val_labels : ndarray of 0 and 1, shape (n,)
        What happened.
    score : callable
        Takes labels and probabilities, both (n,); the epoch where it is highest is
        kept.
    epochs, batch_size : int
        At least one each.
    learning_rate : float
        Of Adam, above zero.

    Raises
    ------
    ValueError
        If a number is out of range, a set is empty, or the labels do not fit.
    """
    _check_training(epochs, batch_size, learning_rate)
    labels = _checked_labels("labels", labels, len(train))
    val_labels = _checked_labels("val_labels", val_labels, len(val))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        loss=keras.losses.BinaryCrossentropy(),
    )
    chooser = _BestEpoch(val, val_labels, score)
    trained = model.fit(
        _inputs(model, train),
        labels.astype(np.float32)[:, None],
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[chooser],
    )
    model.set_weights(chooser.weights)
    losses = [float(value) for value in trained.history["loss"]]
    return History(losses, chooser.values, int(np.argmax(chooser.values)))


class _BestEpoch(keras.callbacks.Callback):
    """Score validation data after each epoch and remember the best weights."""

    def __init__(self, val: Sequences, labels: np.ndarray, score: Score) -> None:
        super().__init__()
        self.val, self.labels, self.score = val, labels, score
        self.values: list[float] = []
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Compute the score; keep the weights if it is the best so far."""
        scores = predict(self.model, self.val)
        self.values.append(float(self.score(self.labels, scores)))
        if self.values[-1] > max(self.values[:-1], default=-np.inf):
            self.weights = self.model.get_weights()


def predict(
    model: keras.Model, sequences: Sequences, batch_size: int = 256
) -> np.ndarray:
    """Return probabilities, shape (n,)."""
    if len(sequences) == 0:
        return np.zeros(0, np.float32)
    return model.predict(_inputs(model, sequences), batch_size, verbose=0)[:, 0]


def _inputs(model: keras.Model, sequences: Sequences) -> dict[str, np.ndarray]:
    """Return the arrays that a model reads."""
    return {tensor.name: getattr(sequences, tensor.name) for tensor in model.inputs}


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        least = UNKNOWN + 1 if name == "vocabulary_size" else 1
        if value < least:
            raise ValueError(f"{name} is {value}; at least {least} is needed")


def _check_training(epochs: int, batch_size: int, learning_rate: float) -> None:
    _check_sizes(epochs=epochs, batch_size=batch_size)
    if not learning_rate > 0:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0")


def _checked_labels(name: str, labels: np.ndarray, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if count == 0 or labels.shape != (count,) or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"{name} has shape {labels.shape}; a 0 or 1 for each of the {count} "
            "histories, at least one, is needed"
        )
    return labels
