r"""Convolution and pooling, forwards and backwards, in NumPy.

Arrays are channels-last, as in Keras: signals ``(batch, *spatial, channels)`` with one,
two or three spatial axes, kernels ``(*spatial, in_channels, out_channels)``. What deep
learning calls convolution is cross-correlation,

.. math:: y[b, p, o] = \sum_{k, i} x[b, s\,p + d\,k, i]\; w[k, i, o] ,

with stride :math:`s` and dilation :math:`d` on the padded input; convolution proper
turns the kernel round first. Integers are refused; float32 stays float32.
Dumoulin and Visin (arXiv:1603.07285) draw every case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from medlib.maths.checks import at_least, floats

Padding = str | int | Sequence[int]
Steps = int | Sequence[int]


# ------------------------------------------------------------------ sizes and checking


def output_size(
    size: int,
    kernel: int,
    *,
    padding: Padding = "valid",
    stride: int = 1,
    dilation: int = 1,
) -> int:
    r"""Return how many values come out along one axis.

    .. math:: \Bigl\lfloor \frac{n + p - d\,(k - 1) - 1}{s} \Bigr\rfloor + 1

    Parameters
    ----------
    size, kernel : int
        Length of the input and of the kernel.
    padding : {"valid", "same"} or int
        No padding; as much as makes the output ``ceil(size / stride)`` long, the odd
        one behind; or so many zeros on both sides.
    stride, dilation : int
        Step between outputs, and between the values that one kernel takes in.

    Raises
    ------
    ValueError
        If a number is out of range or the kernel does not fit.
    """
    before, after = _pads((size,), (kernel,), padding, (stride,), (dilation,))[0]
    return _outputs((size + before + after,), (kernel,), (stride,), (dilation,))[0]


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Return how many input values one output value depends on, along one axis.

    Parameters
    ----------
    layers : sequence of (kernel, stride)
        From the input to the output, convolutions and poolings alike.

    Raises
    ------
    ValueError
        If a kernel or a stride is below one.
    """
    field = jump = 1
    for kernel, stride in layers:
        if kernel < 1 or stride < 1:
            raise ValueError(
                f"layers holds ({kernel}, {stride}); both must be at least 1"
            )
        field += (kernel - 1) * jump
        jump *= stride
    return field


def _signal(name: str, values: np.ndarray) -> np.ndarray:
    array = floats(name, values, ("batch", "*spatial", "channels"))
    if not 3 <= array.ndim <= 5:
        raise ValueError(
            f"{name} has shape {array.shape}; (batch, *spatial, channels) with one to "
            "three spatial axes is needed"
        )
    return array


def _each(name: str, value: Steps, axes: int) -> tuple[int, ...]:
    """Return one number for each axis, all at least one."""
    steps = (value,) * axes if isinstance(value, int | np.integer) else tuple(value)
    if len(steps) != axes or min(steps) < 1:
        raise ValueError(
            f"{name} is {value}; {axes} whole numbers from 1 on are needed"
        )
    return tuple(int(step) for step in steps)


def _pads(
    spatial: Sequence[int],
    kernel: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    """Return zeros before and behind each spatial axis."""
    axes = len(spatial)
    if padding == "valid":
        return [(0, 0)] * axes
    if padding == "same":
        pads = []
        for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
            total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
            pads.append((total // 2, total - total // 2))
        return pads
    if isinstance(padding, str):
        raise ValueError(f"padding is '{padding}'; use 'valid', 'same' or a number")
    amounts = (padding,) * axes if isinstance(padding, int | np.integer) else padding
    if len(amounts) != axes or min(amounts) < 0:
        raise ValueError(f"padding is {padding}; {axes} numbers from 0 on are needed")
    return [(int(p), int(p)) for p in amounts]


def _outputs(
    padded: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """Return the size of the output along each axis."""
    sizes = []
    for n, k, s, d in zip(padded, kernel, stride, dilation, strict=True):
        if k < 1 or s < 1 or d < 1:
            raise ValueError(f"kernel {k}, stride {s}, dilation {d}: at least 1 each")
        reach = d * (k - 1) + 1
        if n < reach:
            raise ValueError(
                f"kernel reaches over {reach} values, the padded input has {n}; pad it "
                "more or use a smaller kernel or dilation"
            )
        sizes.append((n - reach) // s + 1)
    return tuple(sizes)


def _pad(x: np.ndarray, pads: list[tuple[int, int]], value: float = 0.0) -> np.ndarray:
    if not any(before or after for before, after in pads):
        return x
    return np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=value)


def _taps(
    kernel: Sequence[int],
    outputs: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Return, for each place in the kernel, the inputs it meets: an index of slices.

    One kernel place meets a regular grid of inputs, so a whole convolution is a short
    loop over the kernel's places, each a single array operation.
    """
    found = []
    for place in product(*map(range, kernel)):
        inputs = tuple(
            slice(k * d, k * d + (n - 1) * s + 1, s)
            for k, n, s, d in zip(place, outputs, stride, dilation, strict=True)
        )
        found.append((place, (slice(None), *inputs)))
    return found


# ------------------------------------------------------------------------- convolution


def correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    padding: Padding = "valid",
    stride: Steps = 1,
    dilation: Steps = 1,
) -> np.ndarray:
    """Return the cross-correlation of a batch with a bank of kernels.

    Parameters
    ----------
    x : ndarray, shape (batch, *spatial, in_channels)
        One to three spatial axes.
    kernel : ndarray, shape (*kernel_size, in_channels, out_channels)
        One kernel for each output channel.
    padding, stride, dilation
        As in `output_size`; one number, or one for each spatial axis.

    Returns
    -------
    ndarray, shape (batch, *output_size, out_channels)

    Raises
    ------
    ValueError
        If shapes do not fit, or values are empty, not finite, not floating point or
        out of range.
    """
    x, kernel, geometry = _prepare(x, kernel, padding, stride, dilation)
    pads, outputs, steps, gaps = geometry
    padded = _pad(x, pads)
    channels = kernel.shape[-1]
    y = np.zeros((len(x), *outputs, channels), np.result_type(x, kernel))
    for place, inputs in _taps(kernel.shape[:-2], outputs, steps, gaps):
        y += padded[inputs] @ kernel[place]
    return y


def convolve(
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    padding: Padding = "valid",
    stride: Steps = 1,
    dilation: Steps = 1,
) -> np.ndarray:
    """Return the convolution proper: `correlate` with the kernel turned round.

    Parameters, result and errors as in `correlate`.
    """
    turned = np.flip(np.asarray(kernel), axis=tuple(range(np.ndim(kernel) - 2)))
    return correlate(x, turned, padding=padding, stride=stride, dilation=dilation)


def correlate_gradients(
    x: np.ndarray,
    kernel: np.ndarray,
    upstream: np.ndarray,
    *,
    padding: Padding = "valid",
    stride: Steps = 1,
    dilation: Steps = 1,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the gradients of a loss for the input and for the kernel.

    With :math:`g = \partial L / \partial y`,

    .. math::
        \frac{\partial L}{\partial w[k, i, o]}
        = \sum_{b, p} x[b, s p + d k, i]\, g[b, p, o] , \qquad
        \frac{\partial L}{\partial x[b, q, i]}
        = \sum_{s p + d k = q} \sum_o w[k, i, o]\, g[b, p, o] .

    Parameters
    ----------
    x, kernel, padding, stride, dilation
        As given to `correlate`.
    upstream : ndarray, shape of the output of `correlate`
        :math:`\partial L / \partial y`.

    Returns
    -------
    for_input : ndarray, shape of ``x``
    for_kernel : ndarray, shape of ``kernel``

    Raises
    ------
    ValueError
        As `correlate`, and if ``upstream`` has another shape than the output.
    """
    x, kernel, geometry = _prepare(x, kernel, padding, stride, dilation)
    pads, outputs, steps, gaps = geometry
    upstream = floats("upstream", upstream, (len(x), *outputs, kernel.shape[-1]))
    padded = _pad(x, pads)
    for_padded = np.zeros_like(padded, dtype=np.result_type(x, kernel))
    for_kernel = np.zeros_like(kernel)
    flat = upstream.reshape(-1, kernel.shape[-1])
    for place, inputs in _taps(kernel.shape[:-2], outputs, steps, gaps):
        for_padded[inputs] += upstream @ kernel[place].T
        for_kernel[place] = padded[inputs].reshape(-1, x.shape[-1]).T @ flat
    return for_padded[_inside(pads, x.shape)], for_kernel


def _prepare(
    x: np.ndarray, kernel: np.ndarray, padding: Padding, stride: Steps, dilation: Steps
) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Check the arguments; return arrays and (pads, outputs, strides, dilations)."""
    x = _signal("x", x)
    axes = x.ndim - 2
    sides = ("height", "width") if axes == 2 else ("length", "height", "width")[:axes]
    kernel = floats("kernel", kernel, (*sides, x.shape[-1], "out_channels"))
    steps, gaps = _each("stride", stride, axes), _each("dilation", dilation, axes)
    size = kernel.shape[:axes]
    pads = _pads(x.shape[1:-1], size, padding, steps, gaps)
    padded = [n + sum(pad) for n, pad in zip(x.shape[1:-1], pads, strict=True)]
    return x, kernel, (pads, _outputs(padded, size, steps, gaps), steps, gaps)


def _inside(pads: list[tuple[int, int]], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the index of the original values inside the padded ones."""
    spatial = zip(pads, shape[1:-1], strict=True)
    return (slice(None), *(slice(p[0], p[0] + n) for p, n in spatial), slice(None))


def conv2d(
    image: np.ndarray,
    kernel: np.ndarray,
    *,
    padding: Padding = "valid",
    stride: Steps = 1,
    dilation: Steps = 1,
) -> np.ndarray:
    """Return the cross-correlation of one plain image with one plain kernel.

    Parameters
    ----------
    image : ndarray, shape (height, width)
        One channel, no batch.
    kernel : ndarray, shape (kernel_height, kernel_width)
        One kernel.
    padding, stride, dilation
        As in `correlate`.

    Returns
    -------
    ndarray, shape (output_height, output_width)

    Raises
    ------
    ValueError
        As `correlate`.
    """
    image = floats("image", image, ("height", "width"))
    kernel = floats("kernel", kernel, ("height", "width"))
    x, bank = image[np.newaxis, ..., np.newaxis], kernel[..., np.newaxis, np.newaxis]
    _, _, (pads, outputs, steps, gaps) = _prepare(x, bank, padding, stride, dilation)
    padded = _pad(x, pads)[0, ..., 0]
    y = np.zeros(outputs, np.result_type(image, kernel))
    term = np.empty_like(y)
    for place, inputs in _taps(kernel.shape, outputs, steps, gaps):
        # Scaling into one scratch array keeps the loop inside the cache.
        np.multiply(padded[inputs[1:]], kernel[place], out=term)
        y += term
    return y


def convolution_matrix(
    kernel: np.ndarray,
    shape: tuple[int, int],
    *,
    padding: Padding = "valid",
    stride: Steps = 1,
    dilation: Steps = 1,
) -> np.ndarray:
    """Return the matrix that does what `conv2d` does, on a flattened image.

    Parameters
    ----------
    kernel : ndarray, shape (kernel_height, kernel_width)
        One kernel.
    shape : tuple of int
        Height and width of the image.
    padding, stride, dilation
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (output_height * output_width, height * width)
        Almost all zeros, and the same few weights in every row.

    Raises
    ------
    ValueError
        As `conv2d`.
    """
    height, width = (int(at_least("shape", side, 1)) for side in shape)
    unit = np.eye(height * width).reshape(-1, height, width, 1)
    bank = floats("kernel", kernel, ("height", "width"))[..., np.newaxis, np.newaxis]
    how = {"padding": padding, "stride": stride, "dilation": dilation}
    # Column j is what the image with a single one at place j turns into.
    return correlate(unit, bank, **how).reshape(height * width, -1).T


# ----------------------------------------------------------------------------- pooling


def max_pool(
    x: np.ndarray,
    size: Steps = 2,
    *,
    stride: Steps | None = None,
    padding: Padding = "valid",
) -> np.ndarray:
    """Return the largest value of each window.

    Parameters
    ----------
    x : ndarray, shape (batch, *spatial, channels)
        One to three spatial axes.
    size : int or sequence of int
        Of the window.
    stride : int or sequence of int, optional
        As long as the window if left out.
    padding
        As in `output_size`; what is padded never wins.

    Returns
    -------
    ndarray, shape (batch, *output_size, channels)

    Raises
    ------
    ValueError
        As `correlate`.
    """
    x, size, (pads, outputs, steps, gaps) = _prepare_pool(x, size, stride, padding)
    padded = _pad(x, pads, -np.inf)
    windows = [padded[inputs] for _, inputs in _taps(size, outputs, steps, gaps)]
    return np.maximum.reduce(windows)


def max_pool_gradient(
    x: np.ndarray,
    upstream: np.ndarray,
    size: Steps = 2,
    *,
    stride: Steps | None = None,
    padding: Padding = "valid",
) -> np.ndarray:
    """Return the gradient for the input of `max_pool`.

    Each window hands its gradient to its largest value, the first one where several
    are equal. Parameters as in `max_pool`; ``upstream`` has the shape of its output.
    """
    x, size, (pads, outputs, steps, gaps) = _prepare_pool(x, size, stride, padding)
    upstream = floats("upstream", upstream, (len(x), *outputs, x.shape[-1]))
    padded = _pad(x, pads, -np.inf)
    taps = _taps(size, outputs, steps, gaps)
    winner = np.argmax(np.stack([padded[inputs] for _, inputs in taps]), axis=0)
    for_padded = np.zeros(padded.shape, np.result_type(x, upstream))
    for index, (_, inputs) in enumerate(taps):
        for_padded[inputs] += np.where(winner == index, upstream, 0)
    return for_padded[_inside(pads, x.shape)]


def average_pool(
    x: np.ndarray,
    size: Steps = 2,
    *,
    stride: Steps | None = None,
    padding: Padding = "valid",
) -> np.ndarray:
    """Return the mean of each window; what is padded does not count.

    Parameters, result and errors as in `max_pool`.
    """
    x, size, (pads, outputs, steps, gaps) = _prepare_pool(x, size, stride, padding)
    taps = _taps(size, outputs, steps, gaps)
    padded, present = _pad(x, pads), _pad(np.ones_like(x), pads)
    return sum(padded[i] for _, i in taps) / sum(present[i] for _, i in taps)


def average_pool_gradient(
    x: np.ndarray,
    upstream: np.ndarray,
    size: Steps = 2,
    *,
    stride: Steps | None = None,
    padding: Padding = "valid",
) -> np.ndarray:
    """Return the gradient for the input of `average_pool`.

    Each window shares its gradient equally. Parameters as in `max_pool_gradient`.
    """
    x, size, (pads, outputs, steps, gaps) = _prepare_pool(x, size, stride, padding)
    upstream = floats("upstream", upstream, (len(x), *outputs, x.shape[-1]))
    taps = _taps(size, outputs, steps, gaps)
    present = _pad(np.ones_like(x), pads)
    share = upstream / sum(present[inputs] for _, inputs in taps)
    for_padded = np.zeros(present.shape, np.result_type(x, upstream))
    for _, inputs in taps:
        for_padded[inputs] += share
    return for_padded[_inside(pads, x.shape)]


def _prepare_pool(
    x: np.ndarray, size: Steps, stride: Steps | None, padding: Padding
) -> tuple[np.ndarray, tuple[int, ...], tuple]:
    """Check the arguments; return the array, the window and the geometry."""
    x = _signal("x", x)
    axes = x.ndim - 2
    window = _each("size", size, axes)
    steps = window if stride is None else _each("stride", stride, axes)
    ones = (1,) * axes
    pads = _pads(x.shape[1:-1], window, padding, steps, ones)
    if any(max(pad) >= n for pad, n in zip(pads, window, strict=True) if n > 1):
        raise ValueError(
            f"padding is {padding}; a window of {window} could be all zeros"
        )
    padded = [n + sum(pad) for n, pad in zip(x.shape[1:-1], pads, strict=True)]
    return x, window, (pads, _outputs(padded, window, steps, ones), steps, ones)
