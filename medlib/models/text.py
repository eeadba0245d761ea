"""Classifiers for texts: rows of word numbers, 0 where the text has ended.

Everything here is written with ``keras`` alone, so that it runs on any backend. The
padding never changes an answer: it is hidden from every layer that mixes words.
"""

from __future__ import annotations

import keras
from keras import layers, ops

PADDING = 0


def text_cnn(
    n_words: int,
    length: int,
    n_classes: int,
    *,
    dimension: int = 64,
    filters: int = 128,
    width: int = 3,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the course's convolutional network for texts.

    Embedding → convolution ReLU → maximum over the text → dense softmax, after Kim
    (2014), arXiv:1408.5882, with one filter width.

    Parameters
    ----------
    n_words : int
        Size of the vocabulary, padding and unknown included.
    length : int
        Words in a row.
    n_classes : int
        Number of outputs; they are probabilities and sum to one.
    dimension : int
        Numbers that stand for one word.
    filters, width : int
        How many patterns the convolution looks for, and over how many words.
    dropout : float
        Share of values left out in training, after the embedding and the pooling.

    Raises
    ------
    ValueError
        If a number is too small, or the dropout is not in 0 to 1.
    """
    _check(n_words, length, n_classes, dropout)
    tokens = keras.Input((length,), dtype="int32")
    real = ops.expand_dims(ops.cast(ops.not_equal(tokens, PADDING), "float32"), -1)
    x = layers.Embedding(n_words, dimension)(tokens) * real
    x = layers.Dropout(dropout)(x)
    x = layers.Conv1D(filters, width, padding="same", activation="relu")(x)
    # After ReLU no value lies below zero, so that a zero never is a new maximum.
    x = layers.GlobalMaxPooling1D()(x * real)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(tokens, outputs, name="text_cnn")


def text_transformer(
    n_words: int,
    length: int,
    n_classes: int,
    *,
    dimension: int = 64,
    heads: int = 4,
    hidden: int = 128,
    blocks: int = 1,
    dropout: float = 0.0,
) -> keras.Model:
    """Return a Transformer encoder for texts.

    Word and position embeddings → blocks of multi-head self-attention and two dense
    layers, each with a shortcut and layer normalisation (Vaswani et al. 2017,
    arXiv:1706.03762) → mean over the words → dense softmax.

    Parameters
    ----------
    n_words, length, n_classes, dimension, dropout
        As in `text_cnn`.
    heads : int
        Parallel attentions; they share the dimension, so it must be their multiple.
    hidden : int
        Width of the first dense layer of a block.
    blocks : int
        How many blocks follow each other, at least one.

    Raises
    ------
    ValueError
        If a number is too small, the dropout is not in 0 to 1, or the dimension is no
        multiple of the heads.
    """
    _check(n_words, length, n_classes, dropout)
    if heads < 1 or dimension % heads:
        raise ValueError(
            f"dimension is {dimension} and heads is {heads}; the dimension must be a "
            "multiple of the heads"
        )
    if blocks < 1:
        raise ValueError(f"blocks is {blocks}; at least one is needed")
    tokens = keras.Input((length,), dtype="int32")
    real = ops.not_equal(tokens, PADDING)
    places = ops.zeros_like(tokens) + ops.arange(length, dtype="int32")
    x = layers.Embedding(n_words, dimension, name="words")(tokens)
    x = x + layers.Embedding(length, dimension, name="places")(places)
    x = layers.Dropout(dropout)(x)
    for _ in range(blocks):
        mixed = layers.MultiHeadAttention(heads, dimension // heads, dropout=dropout)(
            x, x, attention_mask=ops.expand_dims(real, 1)
        )
        x = layers.LayerNormalization()(x + mixed)
        inner = layers.Dense(hidden, activation="relu")(x)
        inner = layers.Dropout(dropout)(layers.Dense(dimension)(inner))
        x = layers.LayerNormalization()(x + inner)
    weight = ops.expand_dims(ops.cast(real, "float32"), -1)
    total = ops.sum(x * weight, axis=1)
    x = total / ops.maximum(ops.sum(weight, axis=1), 1.0)
    outputs = layers.Dense(n_classes, activation="softmax")(layers.Dropout(dropout)(x))
    return keras.Model(tokens, outputs, name="text_transformer")


def _check(n_words: int, length: int, n_classes: int, dropout: float) -> None:
    if n_words < 2:
        raise ValueError(f"n_words is {n_words}; padding and unknown need two")
    if length < 1:
        raise ValueError(f"length is {length}; at least one word is needed")
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; at least two are needed")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; a share from 0 to below 1 is needed")
