"""Maps agree with hand calculations, finite differences and each other's identities."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import logit

from medlib import runtime
from medlib.evaluation import explain
from medlib.models import imaging

SIDE = 12


def images(count=3, channels=1, seed=0):
    return np.random.default_rng(seed).random((count, SIDE, SIDE, channels), np.float32)


def linear(weights):
    """Return a two-class model whose log-odds of class 1 are the weighted pixels."""
    inputs = keras.Input(weights.shape)
    dense = layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, dense(layers.Flatten()(inputs)))
    kernel = np.stack([np.zeros(weights.size), weights.ravel()], axis=1)
    dense.set_weights([kernel, np.array([0.0, 0.3])])
    return model


@pytest.fixture(scope="module")
def network():
    """Return a small trained-looking residual network with three classes."""
    runtime.seed_everything(0)
    model = imaging.small_resnet((SIDE, SIDE, 1), 3, width=4)
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if "variance" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "mean" in variable.path or "beta" in variable.path:
            variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


@pytest.mark.parametrize("target", [0, 1, 2])
def test_scores_are_the_log_odds_of_the_models_probabilities(network, target):
    expected = logit(imaging.predict(network, images()).astype(float)[:, target])
    assert np.allclose(explain.scores(network, images(), target), expected, atol=1e-4)


def test_a_sequential_model_is_explained_too():
    model = imaging.first_cnn((SIDE, SIDE, 1), 2)
    expected = logit(imaging.predict(model, images()).astype(float)[:, 1])
    assert np.allclose(explain.scores(model, images(), 1), expected, atol=1e-4)


def test_the_gradient_of_a_linear_model_is_its_weights():
    weights = np.random.default_rng(0).normal(size=(SIDE, SIDE, 1))
    found = explain.gradient(linear(weights), images(), 1)
    assert np.allclose(found, weights, atol=1e-5)
    assert np.allclose(
        explain.gradient(linear(weights), images(), 0), -weights, atol=1e-5
    )


def test_the_gradient_equals_central_differences(network):
    x, step = images(1), 1e-3
    found = explain.gradient(network, x, 1)
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(5, *x.shape)).astype(np.float32):
        ahead, behind = (
            explain.scores(network, x + sign * step * direction, 1)[0]
            for sign in (1, -1)
        )
        along = np.sum(found * direction)
        assert along == pytest.approx((ahead - behind) / (2 * step), rel=0.1, abs=0.02)


def test_integrated_gradients_of_a_linear_model_are_weight_times_difference():
    weights = np.random.default_rng(0).normal(size=(SIDE, SIDE, 1))
    found = explain.integrated_gradients(
        linear(weights), images(), 1, baseline=0.5, steps=1
    )
    assert np.allclose(found, weights * (images() - 0.5), atol=1e-5)


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_integrated_gradients_add_up_to_the_difference_of_the_scores(network, baseline):
    x = images()
    start = np.full_like(x, baseline)
    found = explain.integrated_gradients(network, x, 2, baseline=baseline, steps=200)
    difference = explain.scores(network, x, 2) - explain.scores(network, start, 2)
    assert np.allclose(found.sum(axis=(1, 2, 3)), difference, atol=0.02)


def test_integrated_gradients_see_a_saturated_input_that_the_gradient_misses():
    # Log-odds 1 - ReLU(1 - x) of one pixel, as in Sundararajan et al., section 2.
    inputs = keras.Input((1, 1, 1))
    hidden, last = (
        layers.Dense(1, activation="relu"),
        layers.Dense(2, activation="softmax"),
    )
    model = keras.Model(inputs, last(hidden(layers.Flatten()(inputs))))
    hidden.set_weights([np.array([[-1.0]]), np.array([1.0])])
    last.set_weights([np.array([[0.0, -1.0]]), np.array([0.0, 1.0])])
    x = np.full((1, 1, 1, 1), 2.0, np.float32)
    assert explain.gradient(model, x, 1).item() == 0
    found = explain.integrated_gradients(model, x, 1, steps=100).item()
    assert found == pytest.approx(1, abs=0.02)


def test_occlusion_of_a_linear_model_is_the_covered_part_of_the_sum():
    weights = np.random.default_rng(0).normal(size=(SIDE, SIDE, 1))
    x = images()
    found = explain.occlusion(linear(weights), x, 1, size=3, stride=3, fill=0.0)
    parts = (weights * x)[..., 0].reshape(3, 4, 3, 4, 3).sum(axis=(2, 4))
    expected = parts.repeat(3, axis=1).repeat(3, axis=2)
    assert np.allclose(found, expected, atol=1e-4)


def test_occlusion_covers_every_pixel_and_fills_with_each_images_mean(network):
    x = images(2) * np.array([1, 0], np.float32).reshape(2, 1, 1, 1) + 0.25
    found = explain.occlusion(network, x, 0, size=5, stride=4)
    assert found.shape == (2, SIDE, SIDE) and np.all(np.isfinite(found))
    assert np.allclose(
        found[1], 0, atol=1e-5
    )  # covering a constant image with its mean
    assert np.abs(found[0]).min() > 0


def test_grad_cam_before_global_average_pooling_is_the_class_activation_map(network):
    # There the derivative by each pixel of a map is the dense weight over the area.
    inside = next(
        x for x in network.layers if isinstance(x, layers.GlobalAveragePooling2D)
    ).input
    name = next(x.name for x in network.layers if x.output is inside)
    x = images()
    features = keras.Model(network.inputs[0], inside)
    maps = keras.ops.convert_to_numpy(features(x, training=False))
    kernel, bias = network.layers[-1].get_weights()
    logits = maps.mean(axis=(1, 2)) @ kernel + bias
    share = np.exp(logits[:, 1:]) / np.exp(logits[:, 1:]).sum(axis=1, keepdims=True)
    slope = kernel[:, 0] - share @ kernel[:, 1:].T  # of the log-odds of class 0
    coarse = np.einsum("nhwk,nk->nhw", maps, slope) / maps[0, :, :, 0].size
    found = explain.grad_cam(network, x, 0, name)
    assert found.shape == (3, SIDE, SIDE) and found.min() >= 0
    enlarged = keras.ops.image.resize(
        np.maximum(coarse, 0)[..., None], (SIDE, SIDE), interpolation="bilinear"
    )
    assert np.ptp(found) > 0
    assert np.allclose(found, keras.ops.convert_to_numpy(enlarged)[..., 0], atol=1e-4)


def test_grad_cam_works_where_a_dense_layer_follows():
    model = imaging.functional_cnn((SIDE, SIDE, 1), 2)
    name = next(x.name for x in model.layers if isinstance(x, layers.Conv2D))
    assert explain.grad_cam(model, images(), 1, name).shape == (3, SIDE, SIDE)


def test_a_hit_is_a_maximum_inside_the_mask():
    maps = np.zeros((3, 4, 4))
    maps[0, 1, 1] = maps[1, 3, 3] = 1
    masks = np.zeros((3, 4, 4), bool)
    masks[:, :2, :2] = True
    # The third map is constant: 4 of its 16 pixels lie inside.
    assert explain.pointing_hits(maps, masks).tolist() == [1, 0, 0.25]


def test_intersection_over_union_by_hand():
    masks = np.zeros((2, 4, 4), bool)
    masks[:, 0, :] = True
    maps = np.zeros((2, 4, 4))
    maps[0, 0, :] = [4, 3, 2, 1]
    maps[1, :2, :2] = [[4, 3], [2, 1]]  # two of the four highest lie in the mask
    assert explain.intersection_over_union(maps, masks).tolist() == [1, 2 / 6]


def test_random_maps_hit_as_often_as_the_mask_is_large():
    rng = np.random.default_rng(0)
    masks = np.zeros((4000, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    hits = explain.pointing_hits(rng.random(masks.shape), masks)
    assert hits.mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            lambda m: explain.gradient(m, images()[0], 0),
            r"images has shape \(12, 12, 1\)",
        ),
        (
            lambda m: explain.gradient(m, np.zeros((1, 12, 12, 1), int), 0),
            "images is int",
        ),
        (lambda m: explain.gradient(m, images(), 3), "target is 3"),
        (lambda m: explain.integrated_gradients(m, images(), 0, steps=0), "steps is 0"),
        (
            lambda m: explain.integrated_gradients(
                m, images(), 0, baseline=np.zeros(5)
            ),
            r"baseline has shape \(5,\)",
        ),
        (lambda m: explain.occlusion(m, images(), 0, size=13), "size is 13"),
        (lambda m: explain.occlusion(m, images(), 0, size=3, stride=4), "stride is 4"),
        (lambda m: explain.grad_cam(m, images(), 0, "nothing"), "no layer 'nothing'"),
        (
            lambda m: explain.grad_cam(m, images(), 0, m.layers[-2].name),
            "no feature maps",
        ),
        (
            lambda m: explain.gradient(
                keras.Model(m.inputs, m.layers[-2].output), images(), 0
            ),
            "a dense layer with a softmax",
        ),
    ],
)
def test_bad_arguments_are_named(network, call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(network)


@pytest.mark.parametrize(
    ("maps", "masks", "complaint"),
    [
        (np.zeros((1, 4, 4)), np.ones((1, 3, 4), bool), "maps has shape"),
        (np.zeros((1, 4, 4)), np.ones((1, 4, 4)), "masks float64"),
        (np.zeros((1, 4, 4)), np.zeros((1, 4, 4), bool), "a mask is empty"),
        (np.full((1, 4, 4), np.nan), np.ones((1, 4, 4), bool), "NaN"),
    ],
)
def test_bad_maps_and_masks_are_named(maps, masks, complaint):
    for measure in (explain.pointing_hits, explain.intersection_over_union):
        with pytest.raises(ValueError, match=complaint):
            measure(maps, masks)


BACKEND_SCRIPT = """
import json
import keras
import numpy as np
from medlib.evaluation import explain
from medlib.models import imaging
images = np.random.default_rng(0).random((2, 12, 12, 1), np.float32)
model = imaging.small_resnet((12, 12, 1), 3, width=4)
rng = np.random.default_rng(1)
model.set_weights([
    np.abs(rng.normal(0.5, 0.1, w.shape)) if "variance" in v.path
    else rng.normal(0, 0.2, w.shape)
    for w, v in zip(model.get_weights(), model.weights)
])
layer = [x.name for x in model.layers if len(x.output.shape) == 4][-1]
maps = {
    "gradient": explain.gradient(model, images, 1),
    "integrated_gradients": explain.integrated_gradients(model, images, 1, steps=4),
    "occlusion": explain.occlusion(model, images, 1),
    "grad_cam": np.stack(
        [explain.grad_cam(model, images, target, layer) for target in range(3)]
    ),
}
print(json.dumps([keras.backend.backend(), {k: v.tolist() for k, v in maps.items()}]))
"""


def test_both_backends_give_the_same_maps_for_the_same_weights(on_backend):
    pytest.importorskip("jax")
    on_tensorflow = on_backend("tensorflow", BACKEND_SCRIPT)
    on_jax = on_backend("jax", BACKEND_SCRIPT)
    for name, expected in on_tensorflow.items():
        assert np.ptp(expected) > 0, name
        assert np.allclose(on_jax[name], expected, atol=1e-4), name
