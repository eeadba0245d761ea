"""Text networks are built as described, and padding never changes an answer.

Both backends are compared in ``test_table_models.py``.
"""

import numpy as np
import pytest

from medlib import runtime
from medlib.models import training
from medlib.models.text import text_cnn, text_transformer

BUILDS = [text_cnn, text_transformer]


def rows(length=12, count=6, seed=0):
    tokens = np.random.default_rng(seed).integers(2, 30, (count, length))
    tokens[0, 1:] = 0
    tokens[1, 5:] = 0
    return tokens.astype(np.int32)


def test_text_cnn_has_the_layers_and_parameters_counted_by_hand():
    model = text_cnn(50, 12, 20, dimension=8, filters=6, width=3)
    kinds = [type(x).__name__ for x in model.layers if x.count_params()]
    assert kinds == ["Embedding", "Conv1D", "Dense"]
    assert "GlobalMaxPooling1D" in [type(x).__name__ for x in model.layers]
    assert model.count_params() == 50 * 8 + (3 * 8 + 1) * 6 + (6 + 1) * 20


def test_transformer_has_the_parameters_counted_by_hand():
    model = text_transformer(50, 12, 20, dimension=8, heads=2, hidden=16, blocks=2)
    attention = 4 * (8 * 8 + 8)  # queries, keys, values, output
    block = attention + (8 + 1) * 16 + (16 + 1) * 8 + 2 * (2 * 8)
    assert model.count_params() == 50 * 8 + 12 * 8 + 2 * block + (8 + 1) * 20


def test_text_cnn_equals_the_sum_written_out():
    model = text_cnn(10, 4, 2, dimension=2, filters=3, width=3)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    embedding, kernel, shift, dense, bias = model.get_weights()
    tokens = np.array([[5, 7, 2, 0]], np.int32)
    vectors = np.vstack([np.zeros(2), *embedding[[5, 7, 2]], np.zeros(2)])
    windows = [np.einsum("wd,wdf->f", vectors[i : i + 3], kernel) for i in range(3)]
    pooled = np.maximum(np.array(windows) + shift, 0).max(axis=0)
    powers = np.exp(pooled @ dense + bias)
    found = training.predict(model, tokens)[0]
    assert np.allclose(found, powers / powers.sum(), atol=1e-5)


@pytest.mark.parametrize("build", BUILDS)
def test_padding_never_changes_an_answer(build):
    short, long = build(30, 12, 4), build(30, 20, 4)
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.3, w.shape) for w in short.get_weights()]
    short.set_weights(weights)
    # The longer one has more positions; the first are the same.
    grown = [
        w if w.shape == o.shape else np.vstack([w, rng.normal(size=o.shape)[len(w) :]])
        for w, o in zip(weights, long.get_weights(), strict=True)
    ]
    long.set_weights(grown)
    tokens = rows()
    padded = np.pad(tokens, ((0, 0), (0, 8)))
    one, other = training.predict(short, tokens), training.predict(long, padded)
    assert np.allclose(one, other, atol=1e-5)
    # Nor does what the embedding holds for padding.
    weights[0] = weights[0].copy()
    weights[0][0] += 5
    short.set_weights(weights)
    assert np.allclose(training.predict(short, tokens), one, atol=1e-5)


def test_the_transformer_knows_the_order_and_the_means_do_not_mind_length():
    model = text_transformer(30, 6, 3)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    first = np.array([[3, 4, 5, 6, 0, 0]], np.int32)
    second = np.array([[6, 5, 4, 3, 0, 0]], np.int32)
    pair = training.predict(model, np.vstack([first, second]))
    assert np.abs(pair[0] - pair[1]).max() > 1e-3


@pytest.mark.parametrize("build", BUILDS)
def test_outputs_are_probabilities_even_for_one_word(build):
    scores = training.predict(build(30, 12, 4), rows())
    assert scores.shape == (6, 4) and np.isfinite(scores).all()
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_networks_learn_a_word_that_tells(build):
    runtime.seed_everything(0)
    inputs = rows(count=240, seed=3)
    inputs[:, 6:] = np.where(inputs[:, 6:] == 2, 3, inputs[:, 6:])
    labels = np.arange(240) % 2
    inputs[inputs == 2] = 3
    inputs[labels == 1, 0] = 2  # only here
    model = build(30, 12, 2, dimension=16)
    training.fit(
        model, (inputs[:160], labels[:160]), (inputs[160:200], labels[160:200]),
        epochs=30, learning_rate=5e-3, patience=5,
    )  # fmt: skip
    right = training.predict(model, inputs[200:]).argmax(axis=1) == labels[200:]
    assert right.mean() > 0.9


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: text_cnn(1, 5, 2), "n_words is 1"),
        (lambda: text_cnn(9, 0, 2), "length is 0"),
        (lambda: text_cnn(9, 5, 1), "n_classes is 1"),
        (lambda: text_cnn(9, 5, 2, dropout=1.0), "dropout is 1.0"),
        (lambda: text_transformer(9, 5, 2, dimension=10, heads=4), "multiple of the"),
        (lambda: text_transformer(9, 5, 2, blocks=0), "blocks is 0"),
    ],
)
def test_bad_networks_are_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
