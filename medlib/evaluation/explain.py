"""Maps of what a classifier looked at, and what such maps are worth.

The score that is explained is the log-odds of a class, ``ln(p / (1 - p))``. Written
with `keras.ops`; only the derivative is asked of the backend, TensorFlow or JAX.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops
from scipy import ndimage

Tensor = keras.KerasTensor
BATCH = 64  # images for which a derivative is taken at once


def logits_model(model: keras.Model) -> keras.Model:
    """Return the same network without its softmax.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential; its last layer is dense with a softmax. The weights of
        that layer are copied, all others shared.

    Raises
    ------
    ValueError
        If the last layer is another one.
    """
    last = model.layers[-1]
    softmax = (
        isinstance(last, layers.Dense) and last.activation is keras.activations.softmax
    )
    if not softmax:
        raise ValueError(
            f"the last layer is {type(last).__name__} '{last.name}'; a dense layer "
            "with a softmax is needed"
        )
    plain = layers.Dense(last.units, use_bias=last.use_bias)
    outputs = plain(last.input)
    plain.set_weights(last.get_weights())
    return keras.Model(model.inputs[0], outputs)


def log_odds(logits: Tensor, target: int) -> Tensor:
    r"""Return the log-odds of a class, shape (n,).

    .. math:: \ln\frac{p_t}{1 - p_t} = z_t - \ln \sum_{c \neq t} e^{z_c}

    Parameters
    ----------
    logits : tensor, shape (n, k)
        At least two classes.
    target : int
        The class.
    """
    others = [c for c in range(logits.shape[1]) if c != target]
    rest = ops.logsumexp(ops.take(logits, others, axis=1), axis=1)
    return logits[:, target] - rest


def _score(model: keras.Model, target: int) -> Callable[[Tensor], Tensor]:
    """Return the function from images to log-odds, or raise `ValueError`."""
    plain = logits_model(model)
    classes = plain.output_shape[-1]
    if not 0 <= target < classes:
        raise ValueError(
            f"target is {target}; the model has the classes 0 to {classes - 1}"
        )
    return lambda images: log_odds(plain(images, training=False), target)


def _images(images: np.ndarray) -> np.ndarray:
    """Return float32 images with a channel axis, or raise `ValueError`."""
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"images has shape {images.shape}; (n, height, width, channels) is needed"
        )
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"images is {images.dtype}; float images as from to_float are needed"
        )
    return images.astype(np.float32)


def _gradient(
    function: Callable[[Tensor], Tensor],
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that gives each example's derivative by its input.

    It is compiled: that is faster over many steps, and leaves out the derivatives by
    the weights, which nobody asked for.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def by_input(x: Tensor) -> Tensor:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                total = tf.reduce_sum(function(x))
            return tape.gradient(total, x)

        def call(x: np.ndarray) -> np.ndarray:
            # One trace for any number of images; TensorFlow keeps it.
            form = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
            return by_input.get_concrete_function(form)(tf.convert_to_tensor(x)).numpy()

        return call
    if backend == "jax":
        import jax

        compiled = jax.jit(jax.grad(lambda x: ops.sum(function(x))))
        return lambda x: np.asarray(compiled(x))
    raise NotImplementedError(
        f"no derivative for the backend {backend}; use tensorflow or jax"
    )


def _in_batches(
    function: Callable[[np.ndarray], np.ndarray], x: np.ndarray
) -> np.ndarray:
    return np.concatenate([function(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def scores(model: keras.Model, images: np.ndarray, target: int) -> np.ndarray:
    """Return the log-odds of a class, shape (n,); parameters as in `gradient`."""
    function = _score(model, target)
    return _in_batches(lambda x: ops.convert_to_numpy(function(x)), _images(images))


def gradient(model: keras.Model, images: np.ndarray, target: int) -> np.ndarray:
    """Return the derivative of the class's log-odds by each pixel value.

    Parameters
    ----------
    model : keras.Model
        A classifier that ends in a dense softmax.
    images : ndarray of float, shape (n, height, width, channels)
        As the model takes them.
    target : int
        The class.

    Returns
    -------
    ndarray, shape (n, height, width, channels)
        In log-odds per unit of pixel value.

    Raises
    ------
    ValueError
        If the model ends otherwise, the images have another form or there is no such
        class.
    NotImplementedError
        On other backends than TensorFlow and JAX.
    """
    return _in_batches(_gradient(_score(model, target)), _images(images))


def integrated_gradients(
    model: keras.Model,
    images: np.ndarray,
    target: int,
    *,
    baseline: np.ndarray | float = 0.0,
    steps: int = 32,
) -> np.ndarray:
    r"""Return how much each pixel adds on the straight way from a baseline.

    .. math:: a_i = (x_i - x'_i) \int_0^1
              \frac{\partial F}{\partial x_i}\big(x' + \alpha (x - x')\big)\, d\alpha

    By the midpoint rule. The sum over all pixels is :math:`F(x) - F(x')`, up to the
    error of the rule (Sundararajan, Taly and Yan 2017, arXiv:1703.01365).

    Parameters
    ----------
    model, images, target
        As in `gradient`.
    baseline : float or ndarray
        The image that stands for "nothing"; must fit the images.
    steps : int
        Points of the midpoint rule, at least one.

    Returns
    -------
    ndarray, shape (n, height, width, channels)
        In log-odds.

    Raises
    ------
    ValueError
        As in `gradient`, or if ``steps`` is below one or ``baseline`` does not fit.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; at least 1 is needed")
    images = _images(images)
    try:
        start = np.broadcast_to(np.asarray(baseline, np.float32), images.shape)
    except ValueError as error:
        raise ValueError(
            f"baseline has shape {np.shape(baseline)}, images {images.shape}"
        ) from error
    by_input = _gradient(_score(model, target))
    total = np.zeros_like(images)
    for step in range(steps):
        between = start + (images - start) * np.float32((step + 0.5) / steps)
        total += _in_batches(by_input, between)
    return (images - start) * total / steps


def occlusion(
    model: keras.Model,
    images: np.ndarray,
    target: int,
    *,
    size: int = 5,
    stride: int = 2,
    fill: float | None = None,
) -> np.ndarray:
    """Return how far the class's log-odds fall when a patch is covered.

    Each pixel gets the mean over the patches that cover it (Zeiler and Fergus 2014,
    arXiv:1311.2901).

    Parameters
    ----------
    model, images, target
        As in `gradient`.
    size, stride : int
        Side of the patch and distance between patches, in pixels.
    fill : float, optional
        Pixel value of the patch; each image's own mean if left out.

    Returns
    -------
    ndarray, shape (n, height, width)
        In log-odds; positive where covering takes evidence away.

    Raises
    ------
    ValueError
        As in `gradient`, or if the patch does not fit the image or the stride is out of
        1 to ``size``.
    """
    images = _images(images)
    count, height, width = images.shape[:3]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size is {size}; from 1 to {min(height, width)} is needed")
    if not 1 <= stride <= size:
        raise ValueError(f"stride is {stride}; from 1 to size ({size}) is needed")
    function = _score(model, target)

    def score(x: np.ndarray) -> np.ndarray:
        return _in_batches(lambda part: ops.convert_to_numpy(function(part)), x)

    before = score(images)
    value = images.mean(axis=(1, 2, 3), keepdims=True) if fill is None else fill
    falls, covered = np.zeros((count, height, width)), np.zeros((height, width))
    lefts = _starts(width, size, stride)
    for top in _starts(height, size, stride):
        # A row of patches is scored at once: few large batches cost less than many.
        changed = np.repeat(images[np.newaxis], len(lefts), axis=0)
        for copy, left in zip(changed, lefts, strict=True):
            copy[:, top : top + size, left : left + size] = value
        scores = score(changed.reshape(-1, *images.shape[1:])).reshape(-1, count)
        for left, after in zip(lefts, scores, strict=True):
            area = (slice(top, top + size), slice(left, left + size))
            falls[(slice(None), *area)] += (before - after)[:, None, None]
            covered[area] += 1
    return falls / covered


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Return where patches begin; the last one ends at the border."""
    return sorted({*range(0, length - size, stride), length - size})


def grad_cam(
    model: keras.Model, images: np.ndarray, target: int, layer: str
) -> np.ndarray:
    r"""Return where the feature maps of a layer speak for the class.

    .. math:: L = \mathrm{ReLU}\Big(\sum_k \alpha_k A^k\Big), \qquad
              \alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial F}{\partial A^k_{ij}}

    Enlarged to the image's size by linear interpolation (Selvaraju et al. 2017,
    arXiv:1610.02391).

    Parameters
    ----------
    model, images, target
        As in `gradient`.
    layer : str
        Name of a layer with feature maps (n, h, w, k) through which everything passes.

    Returns
    -------
    ndarray, shape (n, height, width)
        Zero or above, in log-odds per pixel of the layer.

    Raises
    ------
    ValueError
        As in `gradient`, or if there is no such layer or it has no feature maps.
    """
    images = _images(images)
    plain = logits_model(model)
    names = [one.name for one in plain.layers]
    if layer not in names:
        raise ValueError(f"there is no layer '{layer}'; there are: {', '.join(names)}")
    maps = plain.get_layer(layer).output
    if len(maps.shape) != 4:
        raise ValueError(f"the layer '{layer}' gives {maps.shape}, no feature maps")
    _score(model, target)  # refuses a class that is not there
    lower = keras.Model(plain.inputs[0], maps)
    upper = keras.Model(maps, plain.outputs[0])

    by_map = _gradient(lambda values: log_odds(upper(values, training=False), target))

    def one_batch(x: np.ndarray) -> np.ndarray:
        features = ops.convert_to_numpy(lower(x, training=False))
        slopes = by_map(features)
        weights = slopes.mean(axis=(1, 2), keepdims=True)
        coarse = np.maximum((weights * features).sum(axis=-1), 0)
        zoom = [
            1,
            *(a / b for a, b in zip(x.shape[1:3], coarse.shape[1:], strict=True)),
        ]
        # Cells are areas, not points: their borders, not their centres, must coincide.
        fine = ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)
        return np.maximum(fine, 0)

    return _in_batches(one_batch, images)


def _maps(maps: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return maps and masks, (n, height · width) each, or raise `ValueError`."""
    maps, masks = np.asarray(maps, dtype=float), np.asarray(masks)
    if maps.ndim != 3 or maps.shape != masks.shape or masks.dtype != bool:
        raise ValueError(
            f"maps has shape {maps.shape}, masks {masks.dtype} {masks.shape}; the same "
            "(n, height, width) is needed, masks of bool"
        )
    if not masks.any(axis=(1, 2)).all():
        raise ValueError("a mask is empty: there is nothing to hit in that image")
    if not np.all(np.isfinite(maps)):
        raise ValueError("maps holds NaN or infinity")
    return maps.reshape(len(maps), -1), masks.reshape(len(masks), -1)


def pointing_hits(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return how much of each map's maximum lies inside the mask, shape (n,).

    1 for a hit and 0 for a miss; where several pixels share the maximum, the share of
    them that lies inside, so that a constant map scores like chance (Zhang et al.
    2016, arXiv:1608.00507, call it the pointing game).

    Parameters
    ----------
    maps : ndarray, shape (n, height, width)
        The higher, the more important.
    masks : ndarray of bool, shape (n, height, width)
        The truth, not empty.

    Raises
    ------
    ValueError
        If the shapes differ, a mask is empty or a map is not finite.
    """
    values, inside = _maps(maps, masks)
    best = values == values.max(axis=1, keepdims=True)
    return (best & inside).sum(axis=1) / best.sum(axis=1)


def intersection_over_union(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the overlap of each mask with the map's highest pixels, shape (n,).

    As many pixels are taken as the mask has, so that no threshold has to be chosen; of
    equal pixels the first. Parameters and errors as in `pointing_hits`.
    """
    values, inside = _maps(maps, masks)
    ranks = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
    chosen = ranks < inside.sum(axis=1, keepdims=True)
    return (chosen & inside).sum(axis=1) / (chosen | inside).sum(axis=1)
