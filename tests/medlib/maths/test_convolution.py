"""Convolution and pooling agree with SciPy, TensorFlow and finite differences."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from medlib.maths import convolution as c

TOLERANCE = 1e-6  # relative, float64
shared = settings(max_examples=40, deadline=None, derandomize=True)


def relative_error(ours, theirs):
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12)


@st.composite
def layers(draw, axes=2):
    """Draw an input, a bank of kernels and how to apply it, all fitting together."""
    size = [draw(st.integers(1, 4)) for _ in range(axes)]
    dilation = draw(st.integers(1, 2))
    # TensorFlow allows a stride or a dilation, not both.
    stride = draw(st.integers(1, 3)) if dilation == 1 else 1
    spatial = [dilation * (k - 1) + 1 + draw(st.integers(0, 6)) for k in size]
    batch, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(size=(batch, *spatial, inputs))
    kernel = rng.normal(size=(*size, inputs, outputs))
    padding = draw(st.sampled_from(["valid", "same"]))
    return x, kernel, {"stride": stride, "dilation": dilation, "padding": padding}


def tensorflow_convolution(x, kernel, stride, dilation, padding):
    import tensorflow as tf

    return tf.nn.convolution(
        x, kernel, strides=stride, dilations=dilation, padding=padding.upper()
    )


@pytest.mark.parametrize("axes", [1, 2])
def test_forward_and_gradients_equal_tensorflow(axes):
    tf = pytest.importorskip("tensorflow")

    @shared
    @given(layers(axes))
    def check(layer):
        x, kernel, how = layer
        tx, tk = tf.constant(x), tf.constant(kernel)
        with tf.GradientTape() as tape:
            tape.watch([tx, tk])
            theirs = tensorflow_convolution(tx, tk, **how)
            upstream = np.cos(np.arange(theirs.numpy().size)).reshape(theirs.shape)
            loss = tf.reduce_sum(theirs * upstream)
        for_x, for_kernel = tape.gradient(loss, [tx, tk])
        assert relative_error(c.correlate(x, kernel, **how), theirs) <= TOLERANCE
        ours_x, ours_kernel = c.correlate_gradients(x, kernel, upstream, **how)
        assert relative_error(ours_x, for_x) <= TOLERANCE
        assert relative_error(ours_kernel, for_kernel) <= TOLERANCE

    check()


@shared
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9))
def test_plain_images_equal_scipy(kh, kw, more_rows, more_columns):
    rng = np.random.default_rng(kh * 1000 + kw * 100 + more_rows * 10 + more_columns)
    image = rng.normal(size=(kh + more_rows, kw + more_columns))
    kernel = rng.normal(size=(kh, kw))
    correlated = signal.correlate2d(image, kernel, mode="valid")
    assert relative_error(c.conv2d(image, kernel), correlated) <= TOLERANCE
    convolved = signal.convolve2d(image, kernel, mode="valid")
    bank = kernel[..., None, None]
    ours = c.convolve(image[None, ..., None], bank)[0, ..., 0]
    assert relative_error(ours, convolved) <= TOLERANCE


def test_same_padding_equals_scipy_for_odd_kernels():
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(9, 7)), rng.normal(size=(5, 3))
    theirs = signal.correlate2d(image, kernel, mode="same")
    assert relative_error(c.conv2d(image, kernel, padding="same"), theirs) <= TOLERANCE


def test_number_padding_equals_scipy_full():
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(6, 8)), rng.normal(size=(3, 4))
    theirs = signal.correlate2d(image, kernel, mode="full")
    assert relative_error(c.conv2d(image, kernel, padding=(2, 3)), theirs) <= TOLERANCE


def test_by_hand():
    image, kernel = [[1.0, 2, 0], [0, 1, 3], [2, 1, 0]], [[1.0, 0], [0, -1]]
    assert c.conv2d(image, kernel).tolist() == [[0, -1], [-1, 1]]
    x = np.array([1.0, 2, 3]).reshape(1, 3, 1)
    g = np.array([0.0, 1, 0.5]).reshape(3, 1, 1)
    assert c.convolve(x, g, padding=2).ravel().tolist() == [0, 1, 2.5, 4, 1.5]


def test_integers_are_refused_and_float32_stays():
    integers = np.arange(9).reshape(3, 3)
    with pytest.raises(ValueError, match=r"image has dtype int64; floating-point"):
        c.conv2d(integers, np.ones((2, 2)))
    single = integers.astype(np.float32)
    assert c.conv2d(single, single[:2, :2]).dtype == np.float32


def test_gradients_equal_finite_differences():
    rng = np.random.default_rng(3)
    x, kernel = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(3, 2, 2, 3))
    how = {"stride": 2, "padding": 1, "dilation": 1}
    upstream = rng.normal(size=c.correlate(x, kernel, **how).shape)
    for_x, for_kernel = c.correlate_gradients(x, kernel, upstream, **how)

    def loss(x, kernel):
        return np.sum(upstream * c.correlate(x, kernel, **how))

    for gradient, values, change in (
        (for_x, x, lambda moved: loss(moved, kernel)),
        (for_kernel, kernel, lambda moved: loss(x, moved)),
    ):
        for index in itertools.islice(np.ndindex(values.shape), 0, None, 5):
            moved = values.copy()
            moved[index] += 1e-6
            above = change(moved)
            moved[index] -= 2e-6
            numeric = (above - change(moved)) / 2e-6
            assert gradient[index] == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_matrix_does_what_the_convolution_does(stride):
    rng = np.random.default_rng(4)
    image, kernel = rng.normal(size=(5, 6)), rng.normal(size=(3, 2))
    matrix = c.convolution_matrix(kernel, (5, 6), stride=stride, padding=1)
    product = (matrix @ image.ravel()).reshape(
        c.conv2d(image, kernel, stride=stride, padding=1).shape
    )
    expected = signal.correlate2d(np.pad(image, 1), kernel, mode="valid")
    assert relative_error(product, expected[::stride, ::stride]) <= TOLERANCE


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (2, 1)])
def test_pooling_and_its_gradient_equal_tensorflow(axes, kind, padding, size, stride):
    tf = pytest.importorskip("tensorflow")
    x = np.random.default_rng(5).normal(size=(2, *(7, 6, 5)[:axes], 3))
    tx = tf.constant(x)
    pool = tf.nn.max_pool if kind == "max" else tf.nn.avg_pool
    data = {1: "NWC", 2: "NHWC", 3: "NDHWC"}[axes]
    with tf.GradientTape() as tape:
        tape.watch(tx)
        theirs = pool(tx, size, stride, padding.upper(), data_format=data)
        upstream = np.sin(1 + np.arange(theirs.numpy().size)).reshape(theirs.shape)
        loss = tf.reduce_sum(theirs * upstream)
    gradient = tape.gradient(loss, tx)
    how = {"stride": stride, "padding": padding}
    forward, backward = (
        (c.max_pool, c.max_pool_gradient)
        if kind == "max"
        else (c.average_pool, c.average_pool_gradient)
    )
    assert relative_error(forward(x, size, **how), theirs) <= TOLERANCE
    assert relative_error(backward(x, upstream, size, **how), gradient) <= TOLERANCE


# TensorFlow has no volumes in float64 on a CPU, so SciPy and linearity stand witness.
@shared
@given(layers(3))
def test_volumes_equal_scipy_and_gradients_are_the_adjoint(layer):
    x, kernel, how = layer
    y = c.correlate(x, kernel, **how)
    rng = np.random.default_rng(0)
    upstream = rng.normal(size=y.shape)
    for_x, for_kernel = c.correlate_gradients(x, kernel, upstream, **how)
    # The output is linear in each argument: both sides are the same number.
    loss = np.sum(upstream * y)
    scale = np.sum(np.abs(upstream * y)) + 1e-12
    assert abs(np.sum(for_x * x) - loss) <= TOLERANCE * scale
    assert abs(np.sum(for_kernel * kernel) - loss) <= TOLERANCE * scale
    other = rng.normal(size=x.shape)
    moved = np.sum(upstream * c.correlate(other, kernel, **how))
    assert np.sum(for_x * other) == pytest.approx(moved, rel=1e-6, abs=1e-9)
    if how == {"stride": 1, "dilation": 1, "padding": "valid"}:
        theirs = sum(
            signal.correlate(x[0, ..., i], kernel[..., i, 0], mode="valid")
            for i in range(x.shape[-1])
        )
        assert relative_error(y[0, ..., 0], theirs) <= TOLERANCE


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (2, 1)])
def test_pooling_of_volumes_equals_sliding_windows(size, stride):
    x = np.random.default_rng(6).normal(size=(2, 7, 6, 5, 3))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size,) * 3, axis=(1, 2, 3))
    windows = windows[:, ::stride, ::stride, ::stride]
    largest, mean = windows.max(axis=(-3, -2, -1)), windows.mean(axis=(-3, -2, -1))
    assert np.array_equal(c.max_pool(x, size, stride=stride), largest)
    assert relative_error(c.average_pool(x, size, stride=stride), mean) <= TOLERANCE
    upstream = np.random.default_rng(7).normal(size=largest.shape)
    # Pooling is linear where the order does not change: its gradient gives it back.
    for_max = c.max_pool_gradient(x, upstream, size, stride=stride)
    assert np.sum(for_max * x) == pytest.approx(np.sum(upstream * largest))
    for_mean = c.average_pool_gradient(x, upstream, size, stride=stride)
    assert np.sum(for_mean * x) == pytest.approx(np.sum(upstream * mean))


def test_equal_values_hand_the_gradient_to_the_first():
    x = np.ones((1, 4, 1))
    gradient = c.max_pool_gradient(x, np.array([[[5.0], [7.0]]]), 2)
    assert gradient.ravel().tolist() == [5, 0, 7, 0]


@shared
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_output_size_equals_counting(size, kernel, stride, dilation):
    reach = dilation * (kernel - 1) + 1
    places = [p for p in range(0, size, stride) if p + reach <= size]
    if not places:
        with pytest.raises(ValueError, match="kernel reaches over"):
            c.output_size(size, kernel, stride=stride, dilation=dilation)
    else:
        got = c.output_size(size, kernel, stride=stride, dilation=dilation)
        assert got == len(places)
    same = c.output_size(size, kernel, stride=stride, padding="same")
    assert same == -(-size // stride)


def test_receptive_field_equals_what_an_impulse_reaches():
    steps = [(3, 1), (2, 2), (3, 1), (2, 2)]
    reached = 0
    for place in range(32):
        x = np.zeros((1, 32, 1))
        x[0, place] = 1
        for kernel, stride in steps:
            x = c.correlate(x, np.ones((kernel, 1, 1)), stride=stride)
        reached += x[0, 0, 0] != 0
    assert c.receptive_field(steps) == reached == 10


X, K = np.ones((1, 5, 5, 2)), np.ones((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: c.correlate(np.ones((5, 5)), K), "x has shape"),
        (lambda: c.correlate(X, np.ones((3, 3, 3, 4))), "kernel has shape"),
        (lambda: c.correlate(X, np.ones((3, 2, 4))), "kernel has shape"),
        (lambda: c.correlate(X, np.ones((6, 3, 2, 4))), "kernel reaches over 6"),
        (lambda: c.correlate(X * np.nan, K), r"x of shape \(1, 5, 5, 2\) holds NaN"),
        (
            lambda: c.correlate(X, K * np.inf),
            "kernel of shape .* holds NaN or infinity",
        ),
        (lambda: c.correlate(np.ones((0, 5, 5, 2)), K), "it must not be empty"),
        (lambda: c.correlate(X, K, padding="full"), "padding is 'full'"),
        (lambda: c.correlate(X, K, padding=-1), "padding is -1"),
        (lambda: c.correlate(X, K, padding=(1, 1, 1)), "2 numbers from 0 on"),
        (lambda: c.correlate(X, K, stride=0), "stride is 0"),
        (lambda: c.correlate(X, K, dilation=(1, 0)), "dilation is"),
        (lambda: c.correlate(X.astype(complex), K), "dtype complex128"),
        (lambda: c.correlate_gradients(X, K, np.ones((1, 2, 2, 4))), "upstream has"),
        (lambda: c.max_pool(np.ones((2, 2))), "x has shape"),
        (lambda: c.max_pool(X, 6), "kernel reaches over 6"),
        (lambda: c.max_pool(X, 0), "size is 0"),
        (lambda: c.average_pool(X, 2, padding=2), "could be all zeros"),
        (lambda: c.max_pool_gradient(X, np.ones((1, 3, 3, 2))), "upstream has shape"),
        (lambda: c.conv2d(np.ones(4), np.ones((2, 2))), r"image .* \(height, width\)"),
        (lambda: c.conv2d(np.ones((4, 4)), np.ones(4)), r"kernel .* \(height, width\)"),
        (lambda: c.convolution_matrix(np.ones((2, 2)), (0, 4)), "shape is 0"),
        (lambda: c.convolution_matrix(np.ones(2), (4, 4)), "kernel has shape"),
        (lambda: c.correlate(X.astype(int), K), r"x has dtype int64.*\*spatial"),
        (lambda: c.correlate(X, K.astype(int)), r"kernel has dtype.*2, out_channels"),
        (lambda: c.max_pool(X.astype(np.uint8)), "x has dtype uint8"),
        (
            lambda: c.correlate_gradients(X, K, np.ones((1, 3, 3, 4), int)),
            r"upstream has dtype int64; .* \(1, 3, 3, 4\)",
        ),
        (lambda: c.receptive_field([(3, 0)]), "at least 1"),
        (lambda: c.output_size(5, 3, stride=0), "at least 1 each"),
    ],
)
def test_bad_input_names_the_argument(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
