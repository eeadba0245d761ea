"""Find images that are the same, or nearly, by a perceptual hash.

A hash of a few bits finds candidates among millions of pairs; the correlation of the
pixels decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn


@dataclass(frozen=True)
class Pair:
    """Two images that look the same.

    Attributes
    ----------
    first, second : int
        Index in the first and in the second set.
    bits : int
        In how many bits their hashes differ.
    correlation : float
        Of their pixels; 1 for images that are equal up to brightness and contrast.
    equal : bool
        Whether every pixel is the same.
    """

    first: int
    second: int
    bits: int
    correlation: float
    equal: bool


def perceptual_hash(images: np.ndarray) -> np.ndarray:
    """Return 63 bits for each image: coarse structure, blind to brightness.

    The cosine transform of the grey image; of its 8 × 8 lowest frequencies all but the
    mean, each compared with their median.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, channels)
        At least 8 pixels a side.

    Returns
    -------
    ndarray of bool, shape (n, 63)

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    images = np.asarray(images)
    if images.ndim != 4 or min(images.shape[1:3]) < 8 or images.shape[3] < 1:
        raise ValueError(
            f"images has shape {images.shape}; (n, height, width, channels) with at "
            "least 8 pixels a side is needed"
        )
    grey = images.mean(axis=-1, dtype=np.float64)
    low = dctn(grey, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(grey), 64)[:, 1:]
    return low > np.median(low, axis=1, keepdims=True)


def near_duplicates(
    images: np.ndarray,
    others: np.ndarray | None = None,
    *,
    max_bits: int = 6,
    min_correlation: float = 0.99,
) -> list[Pair]:
    """Return the pairs of images that look the same, the most alike first.

    Parameters
    ----------
    images, others : ndarray, shapes (n, height, width, channels) and (m, …)
        Two sets; without ``others``, pairs within ``images``, each once.
    max_bits : int
        Hashes may differ in so many bits.
    min_correlation : float
        Pixels must correlate at least so well. An image without any contrast
        correlates with nothing but its equals.

    Raises
    ------
    ValueError
        If the images of the two sets differ in shape, or as `perceptual_hash`.
    """
    within = others is None
    others = images if others is None else others
    if images.shape[1:] != others.shape[1:]:
        raise ValueError(
            f"images are {images.shape[1:]}, others {others.shape[1:]}; bring them to "
            "one size first"
        )
    a, b = (perceptual_hash(v).astype(np.float32) for v in (images, others))
    pixels = [v.reshape(len(v), -1).astype(np.float64) for v in (images, others)]
    found = []
    for start in range(0, len(a), 1024):  # in blocks, so that memory stays small
        block = a[start : start + 1024]
        bits = block.sum(axis=1)[:, None] + b.sum(axis=1)[None] - 2 * block @ b.T
        for row, second in np.argwhere(bits <= max_bits):
            first = start + int(row)
            if within and second <= first:
                continue
            one, two = pixels[0][first], pixels[1][second]
            equal = bool(np.array_equal(one, two))
            correlation = 1.0 if equal else _correlation(one, two)
            if correlation >= min_correlation:
                count = round(float(bits[row, second]))
                found.append(Pair(first, int(second), count, correlation, equal))
    return sorted(found, key=lambda p: (-p.correlation, p.first, p.second))


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one - one.mean(), two - two.mean()
    scale = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / scale) if scale > 0 else 0.0
