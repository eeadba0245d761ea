"""Record models are built as described, learn, and run on both backends."""

from pathlib import Path

import keras
import numpy as np
import pytest

from medlib import runtime
from medlib.data.sequences import Sequences
from medlib.evaluation import metrics
from medlib.maths import attention
from medlib.models import records

SIZE = 6


def toy(count=300, seed=0, length=8, shortest=2):
    """Return histories whose label is which of the codes 2 and 3 comes first."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((count, length), np.int32)
    labels = rng.integers(0, 2, count)
    for row, label in zip(codes, labels, strict=True):
        size = rng.integers(shortest, length + 1)
        row[:size] = rng.integers(4, SIZE, size)
        first, second = np.sort(rng.choice(size, 2, replace=False))
        row[first], row[second] = (2, 3) if label else (3, 2)
    hours = np.where(codes > 0, np.arange(length, 0, -1.0), 0)
    ages = np.where(codes > 0, 60.0, 0)
    total = (codes > 0).sum(axis=1)
    return Sequences(codes, hours.astype("f4"), ages.astype("f4"), total), labels


@pytest.mark.parametrize(
    ("cell", "gates", "biases"), [("rnn", 1, 1), ("lstm", 4, 1), ("gru", 3, 2)]
)
def test_the_given_model_has_the_layers_and_parameters_counted_by_hand(
    cell, gates, biases
):
    model = records.recurrent(1000, cell=cell, embedding=64)
    kinds = [type(layer).__name__ for layer in model.layers if layer.weights]
    name = {"rnn": "SimpleRNN"}.get(cell, cell.upper())
    assert kinds == ["Embedding", name, "Dense"]
    by_hand = [1000 * 64, gates * ((64 + 128) * 128 + biases * 128), 128 + 1]
    assert [layer.count_params() for layer in model.layers if layer.weights] == by_hand
    assert model.layers[-1].activation is keras.activations.sigmoid
    assert model.output.shape == (None, 1)


def test_times_add_two_inputs_to_the_recurrent_layer():
    plain, timed = (records.recurrent(9, times=times) for times in (False, True))
    assert timed.count_params() - plain.count_params() == 4 * 2 * 128
    data, _ = toy(20)
    later = Sequences(data.codes, 3 * data.hours, data.ages, data.total)
    for model, same in ((plain, True), (timed, False)):
        scores = [records.predict(model, sequences) for sequences in (data, later)]
        assert np.array_equal(*scores) == same


def test_an_encoder_has_the_parameters_counted_by_hand():
    d, width = 16, 64
    block = 2 * 2 * d + 4 * (d * d + d) + (d * width + width) + (width * d + d)
    embeddings = (SIZE + 1) * d + 2 * (d * d + d)
    total = embeddings + 3 * block + 2 * d
    made = records.encoder(SIZE, features=d, heads=2, blocks=3)
    assert made.count_params() == total
    assert records.classifier(made).count_params() == total + d + 1


def test_a_block_equals_the_one_from_scratch():
    tokens = keras.Input((None, 8))
    real = keras.Input((None,), dtype="bool")
    block = keras.Model(
        [tokens, real], records.encoder_block(tokens, real, heads=2, widening=3)
    )
    rng = np.random.default_rng(0)
    block.set_weights([0.5 * rng.normal(size=w.shape) for w in block.get_weights()])
    by_kind = {}
    for layer in block.layers:
        by_kind.setdefault(type(layer).__name__, []).append(
            [w.astype(float) for w in layer.get_weights()]
        )
    ours = attention.EncoderBlock(
        attention.MultiHead(*by_kind["MultiHeadAttention"][0]),
        tuple(map(tuple, by_kind["LayerNormalization"])),
        *by_kind["Dense"][0],
        *by_kind["Dense"][1],
    )
    x = rng.normal(size=(3, 5, 8))
    mask = np.arange(5) < np.array([[5], [2], [4]])
    theirs = keras.ops.convert_to_numpy(block([x.astype("f4"), mask]))
    assert np.allclose(theirs, ours.forward(x, mask), atol=1e-5)


def test_waves_equal_the_encoding_from_scratch():
    hours = np.random.default_rng(0).uniform(0, 99, (3, 4)).astype("f4")
    ours = attention.positional_encoding(hours, 10, 500.0)
    theirs = keras.ops.convert_to_numpy(records.Waves(10, 500.0)(hours))
    assert np.allclose(theirs, ours, atol=1e-4)
    places = keras.ops.convert_to_numpy(records.Places(6)(np.ones((2, 7), "i4")))
    assert np.allclose(
        places, attention.positional_encoding(np.arange(7), 6), atol=1e-5
    )


BUILDS = {
    "lstm": lambda: records.recurrent(SIZE, units=12, embedding=5),
    "gru": lambda: records.recurrent(SIZE, cell="gru", units=12, embedding=5),
    "timed lstm": lambda: records.recurrent(SIZE, units=12, embedding=5, times=True),
    "hours": lambda: records.transformer(SIZE, features=8, heads=2),
    "places": lambda: records.transformer(SIZE, features=8, heads=2, times="places"),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_more_padding_does_not_change_a_score(build):
    model, (short, _) = build(), toy(20)
    wide = Sequences(
        *(np.pad(a, ((0, 0), (0, 5))) for a in (short.codes, short.hours, short.ages)),
        short.total,
    )
    expected = records.predict(model, short)
    assert np.allclose(records.predict(model, wide), expected, atol=1e-5)


def test_without_the_mask_padding_changes_a_score():
    rng, (short, _) = np.random.default_rng(0), toy(20)
    longer = np.pad(short.codes, ((0, 0), (0, 5)))
    wide = Sequences(longer, short.hours, short.ages, short.total)
    masked, unmasked = (
        records.recurrent(SIZE, units=12, embedding=5, mask_zero=mask_zero)
        for mask_zero in (True, False)
    )
    weights = [0.5 * rng.normal(size=w.shape) for w in masked.get_weights()]
    for model, least, most in ((masked, 0, 1e-6), (unmasked, 1e-3, 1)):
        model.set_weights(weights)
        changed = records.predict(model, wide) - records.predict(model, short)
        assert least <= np.abs(changed).max() <= most


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_empty_and_one_event_histories_get_finite_scores(build):
    codes = np.array([[0, 0, 0], [2, 0, 0], [1, 0, 0]], np.int32)
    zeros = np.zeros(codes.shape, np.float32)
    scores = records.predict(build(), Sequences(codes, zeros, zeros, codes.sum(1)))
    assert np.isfinite(scores).all() and ((scores > 0) & (scores < 1)).all()
    empty = Sequences(codes[:0], zeros[:0], zeros[:0], codes[:0].sum(1))
    assert records.predict(build(), empty).shape == (0,)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "hours"])
def test_models_learn_the_order_of_events_and_keep_the_best_epoch(name):
    runtime.seed_everything(0)
    (train, labels), (val, val_labels), (test, test_labels) = (
        toy(600, 0),
        toy(100, 1),
        toy(300, 2),
    )
    model = BUILDS[name]()
    history = records.fit(
        model,
        train,
        labels,
        val,
        val_labels,
        score=metrics.auc,
        epochs=20,
        learning_rate=1e-2,
    )
    assert history.best_epoch == int(np.argmax(history.val_score))
    kept = metrics.auc(val_labels, records.predict(model, val))
    assert kept == pytest.approx(max(history.val_score), abs=1e-6)
    assert metrics.auc(test_labels, records.predict(model, test)) > 0.9


def test_without_times_a_transformer_scores_every_order_the_same():
    model = records.transformer(SIZE, features=8, heads=2, times="none")
    one, _ = toy(30, shortest=8)
    other = Sequences(one.codes[:, ::-1], one.hours, one.ages, one.total)
    scores = records.predict(model, one)
    assert np.allclose(records.predict(model, other), scores, atol=1e-5)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights():
    weights = []
    for _ in range(2):
        runtime.seed_everything(3)
        made = records.encoder(SIZE, features=8, heads=2, blocks=1)
        records.pretrain(made, toy(40)[0], SIZE, epochs=1, seed=3)
        model = records.classifier(made)
        records.fit(model, *toy(40), *toy(20, 1), score=metrics.auc, epochs=1)
        weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_codes_are_hidden_in_the_shares_of_the_source():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, 100, (400, 100)).astype(np.int32)
    codes[:, 70:] = 0
    hidden, chosen = records.mask_codes(codes, 100, rng)
    assert not chosen[:, 70:].any() and (hidden[:, 70:] == 0).all()
    assert np.array_equal(hidden[~chosen], codes[~chosen])
    assert chosen[:, :70].mean() == pytest.approx(0.15, abs=0.01)
    assert np.mean(hidden[chosen] == 100) == pytest.approx(0.8, abs=0.02)
    assert np.mean(hidden[chosen] == codes[chosen]) == pytest.approx(0.1, abs=0.02)
    assert hidden[chosen].min() >= 2


def test_pretraining_asks_for_what_is_hidden_and_nothing_else():
    chosen = np.random.default_rng(0).random((50, 40)) < 0.15
    chosen[0] = False
    places, real = records._first(chosen)
    assert places.shape == real.shape and places.shape[1] % 16 == 0
    asked = np.zeros(chosen.shape, int)
    np.add.at(asked, (np.arange(50)[:, None], places), real.astype(int))
    assert np.array_equal(asked, chosen)
    assert records._first(chosen[:, :5])[0].shape[1] <= 5


@pytest.mark.slow
def test_pretraining_learns_which_code_goes_with_which():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, 400)  # each history repeats its own code
    codes = np.repeat(kind[:, None] + 2, 6, axis=1).astype(np.int32)
    zeros = np.zeros(codes.shape, np.float32)
    same = Sequences(codes, zeros, zeros, np.full(400, 6))
    runtime.seed_everything(0)
    made = records.encoder(SIZE, features=16, heads=2, blocks=1, dropout=0.0)
    before = made.get_weights()
    losses = records.pretrain(made, same, SIZE, epochs=12, learning_rate=5e-3)
    assert losses[-1] < 0.3 * np.log(4) < losses[0]
    after = made.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", BUILDS)
def test_models_can_be_saved_and_loaded(name, tmp_path):
    model, (data, _) = BUILDS[name](), toy(10)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(records.predict(loaded, data), records.predict(model, data))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: records.recurrent(1), "vocabulary_size is 1"),
        (lambda: records.recurrent(9, units=0), "units is 0"),
        (lambda: records.recurrent(9, cell="elman"), "cell is 'elman'; use one of rnn"),
        (lambda: records.encoder(9, features=9, heads=3), "features is 9"),
        (lambda: records.encoder(9, blocks=0), "blocks is 0"),
        (lambda: records.encoder(9, dropout=1.0), "dropout is 1.0"),
        (lambda: records.encoder(9, times="days"), "times is 'days'"),
        (lambda: records.Waves(3), "size is 3"),
        (lambda: records.Waves(4, 1.0), "longest is 1.0"),
        (
            lambda: records.mask_codes(np.ones((1, 1)), 2, np.random.default_rng(0)),
            "vocabulary_size is 2",
        ),
        (
            lambda: records.mask_codes(np.ones((1, 1)), 9, np.random.default_rng(0), 1),
            "share is 1",
        ),
    ],
)
def test_bad_models_are_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        (
            {"labels": np.zeros(3)},
            r"labels has shape \(3,\); a 0 or 1 for each of the 9",
        ),
        ({"labels": np.full(9, 2)}, "labels has shape"),
        ({"val_labels": np.zeros(0)}, "val_labels has shape"),
    ],
)
def test_bad_training_arguments_are_named(change, complaint):
    data, labels = toy(9)
    how = {"labels": labels, "val_labels": labels, "score": metrics.auc, "epochs": 1}
    with pytest.raises(ValueError, match=complaint):
        records.fit(BUILDS["lstm"](), data, val=data, **(how | change))


def test_pretraining_without_events_is_refused():
    nothing = toy(4)[0].take(slice(0, 0))
    with pytest.raises(ValueError, match="sequences holds no event"):
        records.pretrain(records.encoder(SIZE), nothing, SIZE, epochs=1)


BACKEND_SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import keras, numpy as np
from test_sequence_models import BUILDS, SIZE, toy
from medlib.evaluation import metrics
from medlib.models import records
data, labels = toy(12)
data.codes[0] = 0  # an empty history
scores = {}
for name, build in BUILDS.items():
    model = build()
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    scores[name] = records.predict(model, data).tolist()
    if keras.backend.backend() == "jax" and name in ("lstm", "hours"):
        records.fit(model, data, labels, data, labels, score=metrics.auc, epochs=1)
made = records.encoder(SIZE, features=8, heads=2)
assert np.isfinite(records.pretrain(made, data, SIZE, epochs=1)).all()
print(json.dumps([keras.backend.backend(), scores]))
"""


def test_both_backends_give_the_same_scores_for_the_same_weights_and_train(on_backend):
    pytest.importorskip("jax")
    on_tensorflow = on_backend("tensorflow", BACKEND_SCRIPT, str(Path(__file__).parent))
    on_jax = on_backend("jax", BACKEND_SCRIPT, str(Path(__file__).parent))
    assert set(on_jax) == set(BUILDS)
    for name, expected in on_tensorflow.items():
        assert np.ptp(expected) > 0.01
        assert np.allclose(on_jax[name], expected, atol=1e-4), name
