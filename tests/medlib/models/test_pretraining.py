"""The contrastive loss is a cross-entropy; probes and fine-tuning do what they say."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from medlib import runtime
from medlib.data.images import Split
from medlib.models import imaging, pretraining

SHAPE = (12, 12, 1)


def toy(count=60, seed=0):
    """Return images whose class is where the bright square lies."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 100, (count, *SHAPE), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 5 * label : 6 + 5 * label, 2:6] += 100
    return Split(images, labels.astype(np.int64))


def base_of(width=4, seed=0):
    runtime.seed_everything(seed)
    return pretraining.backbone(SHAPE, width=width)


def normalisations(model):
    layers = model.get_layer(pretraining.BACKBONE).layers
    return [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]


def loss_of(views, temperature):
    """Return the loss written out with SciPy: one row of similarities at a time."""
    flat = np.concatenate([views[:, 0], views[:, 1]]).astype(float)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    count, losses = len(views), []
    for row, own in enumerate(flat):
        others = np.delete(np.arange(2 * count), row)
        partner = np.flatnonzero(others == (row + count) % (2 * count))[0]
        losses.append(-log_softmax(flat[others] @ own / temperature)[partner])
    return np.reshape(losses, (2, count)).mean(axis=0)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_contrastive_loss_is_the_cross_entropy_of_finding_the_other_view(temperature):
    views = np.random.default_rng(0).normal(size=(7, 2, 5)).astype("float32")
    ours = pretraining.contrastive_loss(keras.ops.convert_to_tensor(views), temperature)
    expected = loss_of(views, temperature)
    assert np.allclose(keras.ops.convert_to_numpy(ours), expected, atol=1e-5)


def test_equal_views_of_perpendicular_images_give_the_value_worked_by_hand():
    views = np.repeat(np.eye(2, dtype="float32")[:, None], 2, axis=1)
    # Similarities at temperature 1: partner 1, the two others 0.
    expected = np.log(np.e + 2) - 1
    ours = keras.ops.convert_to_numpy(pretraining.contrastive_loss(views, 1.0))
    assert np.allclose(ours, expected, atol=1e-6)


def test_the_backbone_is_the_residual_network_without_its_head():
    runtime.seed_everything(0)
    whole = imaging.small_resnet(SHAPE, 2, width=4)
    base = base_of()
    assert base.output_shape == (None, 16)
    base.set_weights(whole.get_weights()[:-2])
    kernel, bias = whole.get_weights()[-2:]
    images = toy(5).images
    logits = imaging.predict(base, images) @ kernel + bias
    expected = np.exp(log_softmax(logits, axis=1))
    assert np.allclose(imaging.predict(whole, images), expected, atol=1e-5)


@pytest.mark.slow
def test_pretraining_lowers_the_loss_and_needs_no_labels():
    recipe = pretraining.Recipe(epochs=6, batch_size=30, width=4, projection=8)
    base, loss = pretraining.pretrain(toy().images, recipe, seed=1)
    assert len(loss) == 6 and loss[-1] < loss[0]
    again, same = pretraining.pretrain(toy().images, recipe, seed=1)
    assert same == loss
    pairs = zip(base.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_few_labels_keep_the_shares_are_nested_and_never_lose_a_class():
    split = Split(
        np.zeros((200, 2, 2, 1), np.uint8), np.repeat([0, 1, 2], [150, 48, 2])
    )
    split.images[:, 0, 0, 0] = np.arange(200)
    small, large = (pretraining.few_labels(split, s, seed=3) for s in (0.1, 0.5))
    assert np.bincount(small.labels).tolist() == [15, 5, 1]
    assert np.bincount(large.labels).tolist() == [75, 24, 1]
    ids = [set(part.images[:, 0, 0, 0].tolist()) for part in (small, large)]
    assert ids[0] < ids[1]
    other = pretraining.few_labels(split, 0.1, seed=4)
    assert set(other.images[:, 0, 0, 0].tolist()) != ids[0]
    everything = pretraining.few_labels(split, 1.0)
    assert sorted(everything.images[:, 0, 0, 0].tolist()) == list(range(200))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probe_is_scikit_learns_logistic_regression(classes):
    base, train = base_of(), toy(40)
    labels = train.labels + (classes - 2) * (np.arange(40) % 5 == 0)
    model = pretraining.probe(base, Split(train.images, labels), classes, strength=0.5)
    found = imaging.predict(base, train.images).astype(float)
    deviation = np.where(found.std(axis=0) < 1e-6, 1, found.std(axis=0))
    scaled = (found - found.mean(axis=0)) / deviation
    theirs = LogisticRegression(C=0.5, max_iter=1000).fit(scaled, labels)
    ours = imaging.predict(model, train.images)
    assert np.allclose(ours, theirs.predict_proba(scaled), atol=1e-4)
    assert len(model.trainable_weights) == 2


def test_a_class_without_images_gets_no_probability():
    base, train = base_of(), toy()
    pair = imaging.predict(pretraining.probe(base, train, 2), train.images)
    scores = imaging.predict(pretraining.probe(base, train, 3), train.images)
    assert np.allclose(scores, np.pad(pair, ((0, 0), (0, 1))), atol=1e-6)
    apart = Split(train.images, 2 * train.labels)
    scores = imaging.predict(pretraining.probe(base, apart, 3), train.images)
    assert np.allclose(scores[:, [0, 2]], pair, atol=1e-6)
    assert scores[:, 1].max() < 1e-6


def test_classifiers_do_not_change_the_backbone_they_copy():
    base = base_of()
    before = base.get_weights()
    model = pretraining.thaw(pretraining.probe(base, toy(), 2))
    pretraining.fine_tune(model, toy(), steps=3)
    pairs = zip(before, base.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_fine_tuning_moves_the_weights_and_keeps_the_statistics():
    model = pretraining.thaw(pretraining.probe(base_of(), toy(), 2))
    inner = model.get_layer(pretraining.BACKBONE)
    kernel = next(x for x in inner.layers if isinstance(x, keras.layers.Conv2D))
    statistics = [layer.get_weights() for layer in normalisations(model)]
    before = kernel.get_weights()[0]
    pretraining.fine_tune(model, toy(), steps=3, batch_size=8)
    assert not np.allclose(kernel.get_weights()[0], before)
    for old, layer in zip(statistics, normalisations(model), strict=True):
        assert all(map(np.array_equal, old, layer.get_weights()))


@pytest.mark.slow
def test_a_probe_stays_frozen_and_a_classifier_from_scratch_does_not():
    probed = pretraining.probe(base_of(), toy(), 2)
    fresh = pretraining.classifier(base_of(), 2)
    inner = [m.get_layer(pretraining.BACKBONE) for m in (probed, fresh)]
    before = [x.get_weights() for x in inner]
    for model in (probed, fresh):
        pretraining.fine_tune(model, toy(), steps=2)
    assert all(map(np.array_equal, before[0], inner[0].get_weights()))
    assert not any(map(np.array_equal, before[1], inner[1].get_weights()))


def test_training_from_scratch_learns():
    model = pretraining.classifier(base_of(8), 2)
    how = {"steps": 60, "learning_rate": 1e-2}
    pretraining.fine_tune(model, toy(200), **how)
    test = toy(100, seed=9)
    right = imaging.predict(model, test.images).argmax(axis=1) == test.labels
    assert right.mean() > 0.9


ONE_CLASS = Split(toy(5).images, np.zeros(5, np.int64))
EMPTY = Split(np.zeros((0, *SHAPE), np.uint8), np.zeros(0, np.int64))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: pretraining.Recipe(epochs=0), "epochs is 0"),
        (lambda: pretraining.Recipe(epochs=1, batch_size=1), "batch_size is 1"),
        (lambda: pretraining.Recipe(epochs=1, temperature=0), "temperature is 0"),
        (
            lambda: pretraining.pretrain(toy(1).images, pretraining.Recipe(epochs=1)),
            "images holds 1",
        ),
        (lambda: pretraining.few_labels(toy(), 0), "share is 0"),
        (lambda: pretraining.few_labels(EMPTY, 0.5), "split is empty"),
        (lambda: pretraining.classifier(base_of(), 1), "n_classes is 1"),
        (lambda: pretraining.probe(base_of(), ONE_CLASS, 2), r"the classes \[0\]"),
        (lambda: pretraining.probe(base_of(), EMPTY, 2), r"the classes \[\]"),
        (lambda: pretraining.fine_tune(None, toy(), steps=0), "steps is 0"),
        (
            lambda: pretraining.fine_tune(None, toy(), steps=1, learning_rate=0),
            "learning_rate is 0",
        ),
        (lambda: pretraining.fine_tune(None, EMPTY, steps=1), "train is empty"),
    ],
)
def test_bad_arguments_are_named(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


BACKEND_SCRIPT = """
import json
import keras
import numpy as np
from medlib.data.images import Split
from medlib.models import imaging, pretraining
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (8, 12, 12, 1), dtype=np.uint8)
split = Split(images, np.arange(8) % 2)
base = pretraining.backbone((12, 12, 1), width=4)
base.set_weights([
    np.abs(rng.normal(0.5, 0.1, w.shape)) if "variance" in v.path
    else rng.normal(0, 0.1, w.shape)
    for w, v in zip(base.get_weights(), base.weights)
])
views = rng.normal(size=(5, 2, 6)).astype("float32")
recipe = pretraining.Recipe(epochs=2, batch_size=4, width=2, projection=4)
model = pretraining.classifier(base, 2)
model.get_layer("head").set_weights([rng.normal(size=(16, 2)), rng.normal(size=2)])
found = [
    imaging.predict(base, images).tolist(),
    imaging.predict(model, images).tolist(),
    keras.ops.convert_to_numpy(pretraining.contrastive_loss(views)).tolist(),
]
_, loss = pretraining.pretrain(images, recipe)
pretraining.fine_tune(pretraining.thaw(model), split, steps=2, batch_size=4)
assert np.isfinite(loss).all() and np.isfinite(imaging.predict(model, images)).all()
print(json.dumps([keras.backend.backend(), found]))
"""


def test_both_backends_give_the_same_features_scores_and_loss(on_backend):
    pytest.importorskip("jax")
    for expected, other in zip(
        on_backend("tensorflow", BACKEND_SCRIPT),
        on_backend("jax", BACKEND_SCRIPT),
        strict=True,
    ):
        assert np.allclose(other, expected, atol=1e-4)
