"""Handwritten digits: scikit-learn's 8 × 8 digits, enlarged and moved at random.

Real handwriting, so that the shapes are true: each picture is one of the 1,797 digits
of Alpaydin and Kaynak (doi:10.24432/C50P49), enlarged to the middle of the frame, then
turned, scaled, sheared and shifted. Train and test use different originals.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

FILLED = 20 / 28  # a digit's share of the frame, as in MNIST
CHUNK = 2000


def originals() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the original digits of each split: images (n, 8, 8) 0 to 1, labels (n,).

    Every fifth digit is for testing; they are in the order of their writers.
    """
    from sklearn.datasets import load_digits

    source = load_digits()
    testing = np.arange(len(source.target)) % 5 == 0
    return {
        "train": (source.images[~testing] / 16, source.target[~testing]),
        "test": (source.images[testing] / 16, source.target[testing]),
    }


def make(size: int, seed: int, counts: dict[str, int]) -> dict[str, np.ndarray]:
    """Make a practice MNIST; see `medlib.data.simulate.practice`."""
    made: dict[str, np.ndarray] = {}
    for index, (split, (images, labels)) in enumerate(originals().items()):
        rng = np.random.default_rng([seed, index])
        chosen = rng.integers(0, len(labels), counts.get(split, 0))
        parts = [
            _move(images[chosen[start : start + CHUNK]], size, rng)
            for start in range(0, len(chosen), CHUNK)
        ]
        empty = np.empty((0, size, size), np.uint8)
        made[f"{split}_images"] = np.concatenate(parts or [empty])
        made[f"{split}_labels"] = labels[chosen].astype(np.uint8)[:, np.newaxis]
    return made


def _move(images: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Enlarge digits with a random affine map, shape (n, size, size) of uint8."""
    count = len(images)
    turn = rng.normal(0, 0.15, count)
    zoom = np.exp(rng.normal(0, 0.08, (2, count))) * 8 / FILLED
    shear = rng.normal(0, 0.15, count)
    shift = rng.normal(0, 0.04, (2, count, 1, 1))
    axis = (np.arange(size) + 0.5) / size - 0.5
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    rows, columns = rows - shift[0], columns - shift[1]
    sine, cosine = (f(turn)[:, None, None] for f in (np.sin, np.cos))
    source_r = zoom[0][:, None, None] * (cosine * rows + sine * columns) + 3.5
    source_c = zoom[1][:, None, None] * (cosine * columns - sine * rows) + 3.5
    source_c = source_c + shear[:, None, None] * (source_r - 3.5)
    image = np.broadcast_to(np.arange(count)[:, None, None], source_r.shape)
    drawn = ndimage.map_coordinates(
        images, [image, source_r, source_c], order=1, mode="constant"
    )
    # Enlarged strokes are soft; MNIST's are nearly black on white.
    return np.round(255 * np.clip(1.6 * drawn - 0.15, 0, 1)).astype(np.uint8)
