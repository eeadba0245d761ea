r"""Breast ultrasound: layered tissue, a lesion, and fully developed speckle.

Many scatterers smaller than a wavelength lie in each resolution cell, so the echo is a
circular complex Gaussian field. With echogenicity :math:`e(x, y)` (amplitude), complex
white noise :math:`n` and point spread function :math:`h`, wider across than along the
beam, the envelope is

.. math:: A = \lvert h * (e\, n) \rvert ,

which is Rayleigh distributed where :math:`e` is constant (Wagner et al. 1983, IEEE
Transactions on Sonics and Ultrasonics 30(3):156, doi:10.1109/T-SU.1983.31404). Depth
attenuates by :math:`10^{-\alpha y/20}` in decibels, the machine compensates most of it,
and what is shown is :math:`20 \log_{10} A`, cut to a dynamic range of 40 dB.

Signs of malignancy, as in the BI-RADS lexicon: irregular or spiculated margin, taller
than wide, posterior shadow. Benign: smooth, wider than tall, posterior enhancement.
Both kinds overlap on purpose, and some images of the second class hold no lesion.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from medlib.data.simulate import scene
from medlib.data.simulate.scene import column

DYNAMIC_RANGE_DB = 40.0
LEAST_SIDE = 112  # rendered at least so fine, so that speckle is resolved
PSF_AXIAL, PSF_LATERAL = 0.009, 0.02  # standard deviations, relative to the image
NO_LESION = 0.2  # share of class 1 without any lesion
ATYPICAL = 0.11  # share of lesions that look like the other class


def envelope(echogenicity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the speckled envelope of a field of scatterers.

    Parameters
    ----------
    echogenicity : ndarray, shape (n, side, side)
        Amplitude of the scatterers.
    rng : Generator
        Source of the scatterers' phases.

    Returns
    -------
    ndarray, shape (n, side, side)
        Mean square equal to that of a constant echogenicity.
    """
    side = echogenicity.shape[1]
    sigma = (0, PSF_AXIAL * side, PSF_LATERAL * side)
    parts = [
        ndimage.gaussian_filter(
            echogenicity * rng.standard_normal(echogenicity.shape, dtype=np.float32),
            sigma,
            mode="wrap",
        )
        for _ in range(2)
    ]
    # A Gaussian kernel of width s keeps 1 / (2 s sqrt(pi)) of white noise's power.
    kept = 1 / (4 * np.pi * sigma[1] * sigma[2])
    return np.hypot(*parts) / np.sqrt(2 * kept)


def draw(
    labels: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images and lesion masks for labels (0 malignant, 1 normal or benign).

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Classes.
    size : int
        Side in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    images : ndarray of uint8, shape (n, size, size)
    masks : ndarray of bool, shape (n, size, size)
    """
    count = len(labels)
    side = scene.fine_side(size, LEAST_SIDE)
    look = np.where(rng.random(count) < ATYPICAL, 1 - labels, labels)
    lesion = (labels == 0) | (rng.random(count) >= NO_LESION)
    malignant = look == 0
    parameters = {
        "row": rng.uniform(0.32, 0.58, count),
        "column": rng.uniform(0.3, 0.7, count),
        "radius": rng.uniform(0.09, 0.24, count) * np.where(malignant, 1.1, 0.95),
        # Height over width.
        "aspect": np.exp(
            np.where(malignant, 0.0, -0.4) + 0.22 * rng.normal(size=count)
        ),
        "spiky": np.where(malignant, 0.1, 0.035) * rng.uniform(0.4, 1.4, count),
        "echo": np.where(malignant, 0.07, 0.1) * rng.uniform(0.5, 1.6, count),
        "behind": np.where(
            malignant, rng.uniform(0.35, 0.95, count), rng.uniform(0.85, 1.5, count)
        ),
        "fat": rng.uniform(0.12, 0.3, count),
        "gland": rng.uniform(0.25, 0.4, count),
        "gain": rng.normal(0, 3.5, count),  # dB
    }
    waves = np.arange(2, 10)
    phases = rng.uniform(0, 2 * np.pi, (count, len(waves)))
    weights = rng.normal(size=(count, len(waves)))
    images = np.empty((count, size, size), np.uint8)
    masks = np.empty((count, size, size), bool)
    rows, columns = scene.grid(side)
    for part in scene.chunks(count):
        p = {name: column(values[part]) for name, values in parameters.items()}
        away_r, away_c = rows - p["row"], columns - p["column"]
        angle = np.arctan2(away_r / p["aspect"], away_c)
        ripple = sum(
            column(weights[part, k]) * np.cos(wave * angle + column(phases[part, k]))
            for k, wave in enumerate(waves)
        )
        reach = p["radius"] * (1 + p["spiky"] * ripple)
        inside = np.hypot(away_r / p["aspect"], away_c) < np.maximum(reach, 0.02)
        inside &= column(lesion[part])
        tissue = _tissue(rows, columns, p, rng)
        shadow_width = np.abs(away_c) < 0.8 * p["radius"]
        below = (away_r > 0) & shadow_width & ~inside & column(lesion[part])
        tissue = np.where(below, tissue * p["behind"], tissue)
        tissue = np.where(inside, p["echo"], tissue)
        # Attenuation of 30 dB over the depth; time-gain compensation mends most of it.
        left_over = 10 ** (-(30 - 18) * rows / 20)
        decibels = 20 * np.log10(envelope(tissue * left_over, rng) + 1e-6) + p["gain"]
        shown = scene.shrink(1 + (decibels - 8) / DYNAMIC_RANGE_DB, size)
        images[part] = scene.to_bytes(shown)
        masks[part] = scene.shrink(inside.astype(float), size) >= 0.5
    return images, masks


def _tissue(
    rows: np.ndarray,
    columns: np.ndarray,
    p: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the echogenicity of skin, fat, gland and muscle, shape (n, side, side)."""
    shape = (len(p["fat"]), rows.shape[1], rows.shape[1])
    wave = 0.03 * scene.smooth_noise(shape, 0.12, rng)
    depth = rows + wave
    skin = depth < 0.05
    fat = depth < p["fat"]
    gland = depth < p["fat"] + p["gland"]
    texture = np.exp(0.35 * scene.smooth_noise(shape, 0.05, rng))
    stripes = 0.45 + 0.2 * np.sin(2 * np.pi * (depth * 14 + columns))
    return np.where(
        skin, 1.2, np.where(fat, 0.4, np.where(gland, 0.85, stripes)) * texture
    )
