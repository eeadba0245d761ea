"""Augmentation keeps what it should, and the ensemble trains and predicts."""

import keras
import numpy as np
import pytest
from scipy import ndimage
from sklearn.utils.class_weight import compute_class_weight

from medlib.data.images import Split
from medlib.evaluation import metrics
from medlib.models import ensemble, imaging


def still(**amounts):
    """Return an Augment that changes nothing but what is asked for."""
    nothing = dict.fromkeys(
        ("rotation", "shift", "zoom", "brightness", "contrast"), 0.0
    )
    return ensemble.Augment(
        **{"mirror_horizontal": False, **nothing, **amounts}, seed=0
    )


def blob(count=8, side=21):
    """Return smooth random images."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(count, side, side, 1))
    return ndimage.gaussian_filter(noise, (0, 2, 2, 0)).astype("float32")


def apply(layer, images):
    return keras.ops.convert_to_numpy(layer(images, training=True))


def squares(count=80, seed=0):
    """Return images whose class is where the bright square lies: above or below."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 100, (count, 12, 12, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 6 * label : 5 + 6 * label, 4:8] += 100
    return Split(images, labels.astype(np.int64))


def test_augment_leaves_images_alone_at_prediction():
    images = blob()
    out = keras.ops.convert_to_numpy(ensemble.Augment(seed=0)(images, training=False))
    assert np.array_equal(out, images)


def test_augment_without_amounts_is_the_identity():
    images = blob()
    assert np.allclose(apply(still(), images), images, atol=1e-5)


@pytest.mark.parametrize(
    ("argument", "axis"), [("mirror_horizontal", 1), ("mirror_vertical", 0)]
)
def test_half_of_the_images_are_mirrored_and_the_others_are_not(argument, axis):
    images = np.repeat(blob(1), 60, axis=0)
    out = apply(still(**{argument: True}), images)
    mirrored = np.flip(images[0], axis)
    kinds = [
        np.allclose(image, mirrored, atol=1e-5) * 2
        + np.allclose(image, images[0], atol=1e-5)
        for image in out
    ]
    assert set(kinds) == {1, 2} and 15 < kinds.count(2) < 45


def test_rotation_is_scipys_rotation_by_some_angle_within_the_limit():
    images = np.repeat(blob(1, 41), 5, axis=0)
    out = apply(still(rotation=20.0), images)
    inside = (slice(12, 29), slice(12, 29))
    for image in out:
        errors = {
            angle: np.abs(
                ndimage.rotate(images[0, :, :, 0], angle, reshape=False, order=1)[
                    inside
                ]
                - image[:, :, 0][inside]
            ).max()
            for angle in np.arange(-24, 24.1, 0.25)
        }
        angle = min(errors, key=errors.get)
        assert errors[angle] < 0.02 * np.ptp(images) and abs(angle) <= 20.25


def test_contrast_and_brightness_change_mean_and_spread_within_their_limits():
    images = np.repeat(blob(1), 200, axis=0)
    out = apply(still(brightness=0.5, contrast=0.3), images)
    added = out.mean(axis=(1, 2, 3)) - images[0].mean()
    spread = out.std(axis=(1, 2, 3)) / images[0].std()
    assert np.abs(added).max() <= 0.5 + 1e-4 and np.ptp(added) > 0.9
    assert np.abs(spread - 1).max() <= 0.3 + 1e-3 and np.ptp(spread) > 0.5


@pytest.mark.parametrize(
    "wrong", [{"rotation": -1}, {"zoom": 1.0}, {"shift": float("nan")}]
)
def test_augment_refuses_amounts_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ensemble.Augment(**wrong)


def test_augment_can_be_saved_and_loaded(tmp_path):
    inputs = keras.Input((12, 12, 1))
    model = keras.Model(inputs, ensemble.Augment(rotation=30.0, seed=1)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


def test_class_weights_are_scikit_learns_balanced_ones():
    labels = np.array([0] * 7 + [1] * 2 + [2])
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(ensemble.class_weights(labels, 3, 1.0), theirs)
    assert np.allclose(ensemble.class_weights(labels, 3, 0.0), 1)
    assert np.allclose(ensemble.class_weights(labels, 4, 1.0)[:3], theirs)
    assert ensemble.class_weights(labels, 4, 1.0)[3] == 0


def test_class_weights_refuse_labels_out_of_range():
    with pytest.raises(ValueError, match="0 to 1"):
        ensemble.class_weights(np.array([0, 2]), 2, 1.0)


@pytest.fixture(scope="module")
def trained():
    recipe = ensemble.Recipe(
        epochs=12, members=2, width=4, averaging=0.9, shift=1.0, smoothing=0.05
    )
    return ensemble.fit_ensemble(squares(200), 2, recipe, seed=1)


@pytest.mark.slow
def test_an_ensemble_learns_and_predicts_probabilities(trained):
    test = squares(100, 5)
    scores = trained.predict(test.images)
    assert scores.shape == (100, 2) and np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert metrics.auc(test.labels, scores) > 0.95


@pytest.mark.slow
def test_mirror_images_get_the_same_prediction(trained):
    images = squares(20, 6).images
    assert np.allclose(
        trained.predict(images), trained.predict(images[:, :, ::-1]), atol=1e-5
    )


@pytest.mark.slow
def test_the_prediction_is_the_mean_over_members(trained):
    images = squares(10, 7).images
    alone = [
        ensemble.Ensemble([member], trained.recipe).predict(images)
        for member in trained.members
    ]
    assert np.allclose(trained.predict(images), np.mean(alone, axis=0), atol=1e-6)


@pytest.mark.slow
def test_parameters_are_counted_over_all_members(trained):
    core = imaging.small_resnet((12, 12, 1), 2, width=4).count_params()
    extra = trained.members[0].count_params() - core
    assert trained.count_params() == 2 * (core + extra)
    assert 0 <= extra <= 8  # the channel's mean and variance, and the seed's state


@pytest.mark.slow
def test_the_same_seed_gives_the_same_member_and_another_seed_another():
    recipe = ensemble.Recipe(epochs=1, width=2)
    train = squares(40)

    def first_kernel(seed):
        return ensemble.fit_member(train, 2, recipe, seed).get_weights()

    one, again, other = first_kernel(3), first_kernel(3), first_kernel(4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"epochs": 1, "members": 0}, {"epochs": 1, "smoothing": 1}]
)
def test_recipes_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        ensemble.Recipe(**wrong)


def test_an_empty_training_set_is_refused():
    nothing = Split(np.zeros((0, 12, 12, 1), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="train is empty"):
        ensemble.fit_member(nothing, 2, ensemble.Recipe(epochs=1))


BACKEND_SCRIPT = """
import json
import keras
import numpy as np
from medlib.data.images import Split
from medlib.models import ensemble
rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 40)
images = rng.integers(0, 99, (40, 12, 12, 1), dtype=np.uint8)
images[labels == 1, 6:] += 100
recipe = ensemble.Recipe(epochs=8, members=1, width=4, averaging=0.8, shift=1.0)
trained = ensemble.fit_ensemble(Split(images, labels), 2, recipe)
scores = trained.predict(images)
assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)
accuracy = float(np.mean((scores[:, 1] > 0.5) == labels))
print(json.dumps([keras.backend.backend(), accuracy]))
"""


def test_it_trains_on_jax_too(on_backend):
    pytest.importorskip("jax")
    assert on_backend("jax", BACKEND_SCRIPT) > 0.8
