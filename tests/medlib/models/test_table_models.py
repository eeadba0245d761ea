"""The network for tables is built as given, trains, and runs on both backends."""

import numpy as np
import pytest

from medlib import runtime
from medlib.models import training
from medlib.models.cases import mlp


def toy(count=400, seed=0):
    """Return points whose class is whether both signs agree."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 3)).astype(np.float32)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(int)


def test_mlp_has_the_layers_and_parameters_counted_by_hand():
    model = mlp(30, 2)
    assert [type(layer).__name__ for layer in model.layers] == ["Dense"] * 3
    assert [layer.units for layer in model.layers] == [64, 32, 2]
    names = [layer.activation.__name__ for layer in model.layers]
    assert names == ["relu", "relu", "softmax"]
    counts = [layer.count_params() for layer in model.layers]
    assert counts == [30 * 64 + 64, 64 * 32 + 32, 32 * 2 + 2]


def test_predictions_are_probabilities_over_batches():
    model, (inputs, _) = mlp(3, 4), toy(10)
    scores = training.predict(model, inputs, batch_size=3)
    assert scores.shape == (10, 4)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(scores, model.predict(inputs, verbose=0), atol=1e-5)


@pytest.mark.slow
def test_training_learns_what_no_line_can_separate():
    runtime.seed_everything(0)
    model = mlp(3)
    history = training.fit(
        model, toy(800), toy(200, 1), epochs=30, learning_rate=5e-3, patience=5
    )
    inputs, labels = toy(500, 2)
    right = training.predict(model, inputs).argmax(axis=1) == labels
    assert right.mean() > 0.9
    assert history.best_epoch == int(np.argmin(history.val_loss))


def test_the_kept_weights_are_those_of_the_best_epoch():
    runtime.seed_everything(1)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 3)).astype(np.float32), rng.integers(0, 2, 60)
    other = rng.normal(size=(60, 3)).astype(np.float32), rng.integers(0, 2, 60)
    model = mlp(3)
    history = training.fit(
        model, noise, other, epochs=60, learning_rate=0.03, patience=3
    )
    assert len(history.val_loss) == history.best_epoch + 1 + 3  # ended by patience
    scores = training.predict(model, other[0])
    loss = -np.log(scores[np.arange(60), other[1]]).mean()
    assert loss == pytest.approx(min(history.val_loss), abs=1e-4)


def test_class_weights_move_the_answers():
    inputs, labels = toy(600)
    rare = np.flatnonzero((labels == 0) | (np.arange(600) % 6 == 0))
    called = []
    for weights in (None, np.array([1.0, 12.0])):
        runtime.seed_everything(0)
        model = mlp(3)
        training.fit(
            model, (inputs[rare], labels[rare]), toy(200, 1), epochs=4,
            learning_rate=3e-3, class_weight=weights,
        )  # fmt: skip
        called.append(training.predict(model, inputs)[:, 1].mean())
    assert called[1] > called[0] + 0.1


def test_the_same_seed_gives_the_same_weights():
    weights = []
    for _ in range(2):
        runtime.seed_everything(5)
        model = mlp(3)
        training.fit(model, toy(100), toy(50, 1), epochs=2, weight_decay=0.1)
        weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1"),
        ({"class_weight": np.ones(3)}, r"class_weight has shape \(3,\)"),
        ({"train": (np.zeros((0, 3)), np.zeros(0, int))}, "train has 0 cases"),
        ({"val": (np.zeros((2, 3)), np.zeros(3, int))}, "val has 2 cases and 3"),
        ({"train": (np.zeros((2, 3)), np.array([0, 2]))}, "labels lie in 0 to 2"),
    ],
)
def test_bad_training_arguments_are_named(changes, complaint):
    arguments = {"train": toy(10), "val": toy(10), "epochs": 1} | changes
    with pytest.raises(ValueError, match=complaint):
        training.fit(mlp(3), **arguments)


@pytest.mark.parametrize("form", [(0, 2), (3, 1)])
def test_bad_networks_are_named(form):
    with pytest.raises(ValueError, match=r"n_features is 0|n_classes is 1"):
        mlp(*form)


BACKEND_SCRIPT = """
import json
import numpy as np
from medlib.models import text, training
from medlib.models.cases import mlp
rng = np.random.default_rng(0)
table = rng.normal(size=(4, 7)).astype("float32")
tokens = rng.integers(2, 50, (4, 12)).astype("int32")
tokens[0, 1:] = 0
tokens[1, 7:] = 0
models = {
    "mlp": (mlp(7, 3), table),
    "cnn": (text.text_cnn(50, 12, 3, dimension=8, filters=6), tokens),
    "transformer": (text.text_transformer(50, 12, 3, dimension=8, heads=2), tokens),
}
scores = {}
for name, (model, inputs) in models.items():
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    scores[name] = training.predict(model, inputs).tolist()
import keras
print(json.dumps([keras.backend.backend(), scores]))
"""


def test_both_backends_give_the_same_scores_for_the_same_weights(on_backend):
    pytest.importorskip("jax")
    on_tensorflow = on_backend("tensorflow", BACKEND_SCRIPT)
    on_jax = on_backend("jax", BACKEND_SCRIPT)
    assert set(on_jax) == {"mlp", "cnn", "transformer"}
    for name, expected in on_tensorflow.items():
        assert np.allclose(on_jax[name], expected, atol=1e-4), name
