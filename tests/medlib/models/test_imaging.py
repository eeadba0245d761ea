"""Image classifiers are built as described and run on both backends."""

import numpy as np
import pytest

from medlib import runtime
from medlib.data.images import Split
from medlib.evaluation import metrics
from medlib.models import imaging


def toy(count=60, seed=0):
    """Return images whose class is where the bright square lies."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 100, (count, 12, 12, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2:6, 2 + 5 * label : 6 + 5 * label] += 100
    return Split(images, labels.astype(np.int64))


def test_first_cnn_has_the_layers_and_parameters_counted_by_hand():
    model = imaging.first_cnn()
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
    ]
    assert [layer.count_params() for layer in model.layers] == [
        32 * (3 * 3 * 1 + 1),
        0,
        64 * (3 * 3 * 32 + 1),
        0,
        0,
        5 * 5 * 64 * 10 + 10,
    ]
    shapes = [layer.output.shape[1:] for layer in model.layers]
    assert shapes == [
        (26, 26, 32),
        (13, 13, 32),
        (11, 11, 64),
        (5, 5, 64),
        (1600,),
        (10,),
    ]


def test_functional_cnn_has_the_layers_and_parameters_counted_by_hand():
    model = imaging.functional_cnn()
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        "InputLayer",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
        "Dense",
    ]
    assert [layer.count_params() for layer in model.layers] == [
        0,
        32 * (3 * 3 * 1 + 1),
        0,
        0,
        64 * (13 * 13 * 32 + 1),
        2 * (64 + 1),
    ]


def test_full_size_cnn_has_the_layers_and_parameters_counted_by_hand():
    model = imaging.full_size_cnn()
    kinds = [type(layer).__name__ for layer in model.layers]
    pairs = ["Conv2D", "MaxPooling2D"] * 3
    assert kinds == ["InputLayer", *pairs, "Flatten", "Dense", "Dense"]
    shapes = [layer.output.shape[1:] for layer in model.layers[1:]]
    # 224 → 222 → 111 → 109 → 54 → 52 → 26
    assert shapes == [
        (222, 222, 32),
        (111, 111, 32),
        (109, 109, 64),
        (54, 54, 64),
        (52, 52, 128),
        (26, 26, 128),
        (86_528,),
        (1024,),
        (2,),
    ]
    assert model.get_layer(index=8).count_params() == 1024 * (26 * 26 * 128 + 1)
    assert model.count_params() == 896 + 18_496 + 73_856 + 88_605_696 + 2050


def test_pooling_replaces_the_large_layer():
    model = imaging.full_size_cnn(pooled=True)
    assert model.count_params() == 896 + 18_496 + 73_856 + 2 * (128 + 1)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[-2:] == ["GlobalAveragePooling2D", "Dense"]


def test_small_resnet_has_the_parameters_counted_by_hand():
    width, classes = 8, 3
    stem = 9 * 1 * width
    total = stem
    for stage in range(3):
        inside = width * 2**stage
        before = width if stage == 0 else inside // 2
        total += 4 * before + 9 * before * inside  # normalisation, convolution
        total += 4 * inside + 9 * inside * inside
        total += 0 if stage == 0 else before * inside  # shortcut
    last = 4 * width
    total += 4 * last + (last + 1) * classes
    model = imaging.small_resnet((28, 28, 1), classes, width=width)
    assert model.count_params() == total


def test_the_momentum_reaches_every_normalisation():
    model = imaging.small_resnet(bn_momentum=0.7)
    momenta = {x.momentum for x in model.layers if hasattr(x, "moving_mean")}
    assert momenta == {0.7}


@pytest.mark.parametrize("build", [imaging.first_cnn, imaging.small_resnet])
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (32, 32, 3)])
def test_outputs_are_probabilities(build, shape):
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    scores = imaging.predict(build(shape, 4), images)
    assert scores.shape == (5, 4)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5) and scores.min() >= 0


def test_predict_equals_keras_predict_over_batches():
    model = imaging.small_resnet((12, 12, 1), 2)
    images = imaging.to_float(toy().images)
    theirs = model.predict(images, verbose=0)
    assert np.allclose(imaging.predict(model, images, batch_size=7), theirs, atol=1e-5)


def test_training_learns_and_keeps_the_best_epoch():
    runtime.seed_everything(0)
    train, val, test = toy(200, 0), toy(60, 1), toy(200, 2)
    model = imaging.first_cnn((12, 12, 1), 2)
    history = imaging.fit(
        model,
        train,
        val,
        score=metrics.auc,
        epochs=6,
        batch_size=32,
        learning_rate=1e-2,
    )
    assert history.best_epoch == int(np.argmax(history.val_score))
    kept = metrics.auc(val.labels, imaging.predict(model, val.images))
    assert kept == pytest.approx(max(history.val_score))
    assert metrics.auc(test.labels, imaging.predict(model, test.images)) > 0.9


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights():
    weights = []
    for _ in range(2):
        runtime.seed_everything(3)
        model = imaging.small_resnet((12, 12, 1), 2, width=4)
        imaging.fit(model, toy(), toy(40, 1), score=metrics.auc, epochs=2)
        weights.append(model.get_weights())
    pairs = zip(*weights, strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: imaging.first_cnn(n_classes=1), "n_classes is 1"),
        (lambda: imaging.small_resnet(width=0), "width is 0"),
        (lambda: imaging.to_float(np.zeros((2, 4, 4), np.uint8)), "images is uint8"),
        (lambda: imaging.to_float(np.zeros((2, 4, 4, 1))), "images is float64"),
    ],
)
def test_bad_networks_and_images_are_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
    ],
)
def test_bad_training_arguments_are_named(change, complaint):
    model = imaging.first_cnn((12, 12, 1), 2)
    how = {"score": metrics.auc, "epochs": 1} | change
    with pytest.raises(ValueError, match=complaint):
        imaging.fit(model, toy(), toy(), **how)
    empty = Split(np.zeros((0, 12, 12, 1), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="train or val is empty"):
        imaging.fit(model, toy(), empty, score=metrics.auc, epochs=1)


BACKEND_SCRIPT = """
import json, sys
import numpy as np
from medlib.models import imaging
images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
scores = {}
builds = (
    imaging.first_cnn, imaging.functional_cnn, imaging.small_resnet,
    lambda *form: imaging.full_size_cnn(*form),
    lambda *form: imaging.full_size_cnn(*form, pooled=True),
)
for number, build in enumerate(builds):
    model = build((28, 28, 1), 3)
    rng = np.random.default_rng(1)
    model.set_weights([
        np.abs(rng.normal(0.5, 0.1, w.shape)) if "variance" in v.path
        else rng.normal(0, 0.05, w.shape)
        for w, v in zip(model.get_weights(), model.weights)
    ])
    scores[f"{number} {model.name}"] = imaging.predict(model, images).tolist()
import keras
print(json.dumps([keras.backend.backend(), scores]))
"""


def test_both_backends_give_the_same_scores_for_the_same_weights(on_backend):
    pytest.importorskip("jax")
    on_tensorflow = on_backend("tensorflow", BACKEND_SCRIPT)
    on_jax = on_backend("jax", BACKEND_SCRIPT)
    for name, expected in on_tensorflow.items():
        assert np.allclose(on_jax[name], expected, atol=1e-4), name
