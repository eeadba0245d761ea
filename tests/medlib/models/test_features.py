"""The features measure what they say, and the classifiers learn from them."""

import numpy as np
import pytest
from scipy import ndimage

from medlib.data.images import Split
from medlib.evaluation import metrics
from medlib.models import features

PLANES = 6  # of colour images
SPOT = (2 * len(features.RINGS) - 2 + len(features.PERCENTILES)) * PLANES


def noise(count=6, side=28, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(20, 230, (count, side, side, channels), dtype=np.uint8)


def spotted(count=120, seed=0):
    """Return images whose class is what lies on them: nothing, bright, dark spots."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.normal(110, 8, (count, 28, 28, 3))
    for image, label in zip(images, labels, strict=True):
        for row, column in rng.integers(8, 19, (4, 2)):
            image[row : row + 2, column : column + 2] += (0, 70, -70)[label]
    return Split(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64))


@pytest.mark.parametrize(("channels", "width"), [(1, 82), (3, 246)])
def test_each_image_gets_the_stated_number_of_features(channels, width):
    found = features.measure(noise(channels=channels))
    assert found.shape == (6, width) and np.isfinite(found).all()


def test_black_images_have_finite_features():
    assert np.isfinite(features.measure(np.zeros((2, 28, 28, 3), np.uint8))).all()


def test_a_plain_image_has_its_colour_in_the_rings_and_no_texture():
    image = np.full((1, 28, 28, 3), (200, 100, 50), np.uint8)
    found = features.measure(image)[0]
    red, green, blue = np.array([200, 100, 50]) / 255
    logs = np.log(np.array([red, green, blue]) + 0.03)
    expected = [red, green, blue, logs[0] - logs[1], logs[1] - logs[2], logs.mean()]
    for ring in range(5):
        start = 2 * ring * PLANES
        assert np.allclose(found[start : start + PLANES], expected)
        assert np.allclose(found[start + PLANES : start + 2 * PLANES], 0, atol=1e-7)
    assert np.allclose(found[SPOT:], 0, atol=1e-6)


def test_local_contrast_is_computed_as_by_hand():
    images = noise(2)
    red = images[1, :, :, 0] / 255
    rows, columns = np.mgrid[:28, :28] - 13.5
    inner = np.hypot(rows, columns) / 14 < features.INNER
    detail = (red - ndimage.gaussian_filter(red, 0.7))[inner]
    found = features.measure(images)[1, SPOT : SPOT + 6 * PLANES : PLANES]
    tails = np.percentile(detail, features.TAILS)
    assert np.allclose(found, [detail.std(), np.abs(detail).mean(), *tails], atol=1e-6)


def test_differences_of_neighbours_are_computed_as_by_hand():
    images = noise(1)
    red = images[0, :, :, 0] / 255
    rows, columns = np.mgrid[:28, :28] - 13.5
    disc = np.hypot(rows, columns) / 14 < features.DISC
    pairs = [
        (abs(red[r + 4, c] - red[r, c]), abs(red[c, r + 4] - red[c, r]))
        for r in range(24)
        for c in range(28)
        if disc[r, c] and disc[r + 4, c]  # the disc is the same when transposed
    ]
    found = features.measure(images)[0]
    assert np.allclose(found[[-2 * PLANES, -PLANES]], np.mean(pairs, axis=0), atol=1e-6)


@pytest.mark.parametrize("axis", [1, 2])
def test_mirror_images_have_the_same_features(axis):
    images = noise()
    mirrored = features.measure(np.flip(images, axis))
    assert np.allclose(mirrored, features.measure(images), atol=1e-6)


def test_log_ratios_hardly_change_with_the_light():
    bright = noise(4)
    dark = (bright * 0.8).round().astype(np.uint8)
    change = np.abs(features.planes(bright / 255) - features.planes(dark / 255))
    ratios, light = change[..., 3:5].mean(), change[..., 5].mean()
    assert ratios < 0.1 * light


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 28, 28, 3), np.float32), "uint8"),
        (np.zeros((1, 28, 28, 2), np.uint8), "2 channels"),
        (np.zeros((1, 12, 28, 1), np.uint8), "16"),
    ],
)
def test_images_that_cannot_be_measured_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        features.measure(images)


@pytest.fixture(scope="module")
def trained():
    return features.fit(spotted(), 4, features.Recipe(trees=30), seed=1)


def test_it_learns_and_gives_probabilities(trained):
    test = spotted(90, 5)
    scores = trained.predict(test.images)
    assert scores.shape == (90, 4) and np.allclose(scores.sum(axis=1), 1)
    assert np.all(scores[:, 3] == 0)  # a class that training did not hold
    assert metrics.auc(test.labels, scores[:, :3]) > 0.95


def test_the_answer_is_the_mean_of_both_classifiers(trained):
    images = spotted(10, 6).images
    found = features.measure(images)
    parts = [m.predict_proba(found) for m in (trained.trees, trained.discriminant)]
    assert np.allclose(trained.predict(images)[:, :3], np.mean(parts, axis=0))


def test_two_classes_get_two_probabilities():
    train = spotted(60)
    learned = features.fit(
        Split(train.images, np.minimum(train.labels, 1)), 2, features.Recipe(trees=5)
    )
    assert learned.predict(train.images[:3]).shape == (3, 2)


def test_every_fitted_number_is_counted(trained):
    trees = 0
    for tree in trained.trees.estimators_:
        inner = int(np.sum(tree.tree_.children_left >= 0))
        trees += 2 * inner + 3 * (tree.tree_.node_count - inner)
    discriminant = 60 * 246 + 3 * 246 + 3  # quantiles, weights, intercepts
    assert trained.count_params() == trees + discriminant
    assert type(trained.count_params()) is int  # so that JSON can hold it


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    labels = np.random.default_rng(0).integers(0, 3, 60)
    train, recipe = Split(noise(60), labels), features.Recipe(trees=5)
    one, again, other = (
        features.fit(train, 3, recipe, seed).predict(train.images) for seed in (3, 3, 4)
    )
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    "wrong",
    [{"trees": 0}, {"leaf": 0}, {"quantiles": 1}, {"share": 0}, {"shrinkage": 1.1}],
)
def test_recipes_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        features.Recipe(**wrong)


def test_training_sets_without_a_choice_are_refused():
    images = noise(4)
    with pytest.raises(ValueError, match="two classes"):
        features.fit(Split(images, np.zeros(4, np.int64)), 2)
    with pytest.raises(ValueError, match="0 to 1"):
        features.fit(Split(images, np.array([0, 1, 2, 0])), 2)
