"""What the image simulators share: a grid in relative units, blobs, and pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

CHUNK = 64  # images rendered at once: bounds memory


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column coordinates from 0 to 1, shape (1, side, side) each."""
    axis = (np.arange(side) + 0.5) / side
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return rows[np.newaxis], columns[np.newaxis]


def fine_side(size: int, least: int) -> int:
    """Return a multiple of ``size`` of at least ``least``, to render on and shrink."""
    return size * max(1, -(-least // size))


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Average blocks, shape (n, side, side, …) to (n, size, size, …)."""
    factor = images.shape[1] // size
    count, rest = len(images), images.shape[3:]
    blocks = images.reshape(count, size, factor, size, factor, *rest)
    return blocks.mean(axis=(2, 4))


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Turn values from 0 to 1 into 8-bit pixels; what lies outside is clipped."""
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def chunks(count: int) -> Iterator[slice]:
    """Yield slices that cover ``count`` images."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def column(values: np.ndarray) -> np.ndarray:
    """Give per-image values, shape (n,), the axes of images: (n, 1, 1)."""
    return np.asarray(values)[:, np.newaxis, np.newaxis]


def smooth_noise(
    shape: tuple[int, ...], scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Return Gaussian noise of unit variance, smooth over ``scale`` of the image.

    Parameters
    ----------
    shape : tuple of int
        (n, side, side).
    scale : float
        Standard deviation of the smoothing kernel, relative to the side.
    rng : Generator
        Source of randomness. The noise is drawn on a grid that depends on ``scale``
        alone, so that every image size shows the same texture.
    """
    coarse = int(np.clip(np.ceil(2 / scale), 4, 256))
    noise = rng.standard_normal((shape[0], coarse, coarse)).astype(np.float32)
    sigma = scale * coarse
    noise = ndimage.gaussian_filter(noise, (0, sigma, sigma), mode="wrap")
    noise /= noise.std(axis=(1, 2), keepdims=True) + 1e-9
    place = (np.arange(shape[1]) + 0.5) / shape[1] * coarse - 0.5
    rows = ndimage.map_coordinates  # bilinear interpolation, one call for all images
    index = np.meshgrid(np.arange(shape[0]), place, place, indexing="ij")
    return rows(noise, index, order=1, mode="nearest").astype(np.float32)
