r"""Chest X-ray of a child: a parallel projection by the law of Beer and Lambert.

An X-ray that meets thicknesses :math:`d_k` of materials with attenuation
:math:`\mu_k` keeps

.. math:: I = I_0 \exp\Bigl(-\sum_k \mu_k d_k\Bigr)

of its photons. The detector counts them, which adds Poisson noise; what is shown is
:math:`-\ln(I / I_0)`, stretched to the image's own range as a viewer does. Attenuation
at about 60 keV, from mass attenuation coefficients (Hubbell and Seltzer, NIST,
https://www.nist.gov/pml/x-ray-mass-attenuation-coefficients): soft tissue 0.21, bone
0.5 (cancellous bone with its marrow), aerated lung 0.06 per centimetre.

Pneumonia fills air spaces with fluid: inside an opacity, lung attenuates like soft
tissue. It may be one consolidation or many faint, diffuse patches. Normal images carry
vessel markings that can be mistaken for the latter.
"""

from __future__ import annotations

import numpy as np

from medlib.data.simulate import scene
from medlib.data.simulate.scene import column

SOFT, BONE, LUNG = 0.21, 0.50, 0.06  # attenuation, 1/cm
PHOTONS = 4.0e3  # counted in each pixel of a 56-pixel image without a patient
LEAST_SIDE = 56
OPACITIES = 6  # at most so many in one image


def transmitted(thickness: dict[str, np.ndarray]) -> np.ndarray:
    """Return the share of photons that pass (Beer and Lambert).

    Parameters
    ----------
    thickness : dict of str to ndarray
        Centimetres of ``"soft"``, ``"bone"`` and ``"lung"`` along each ray.
    """
    attenuation = {"soft": SOFT, "bone": BONE, "lung": LUNG}
    return np.exp(-sum(attenuation[name] * cm for name, cm in thickness.items()))


def draw(
    labels: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images and opacity masks for labels (0 normal, 1 pneumonia).

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
        Where an opacity replaces more than a tenth of the lung's air.
    """
    count = len(labels)
    side = scene.fine_side(size, LEAST_SIDE)
    sick = labels == 1
    focal = rng.random(count) < 0.55
    parameters = {
        "depth": rng.uniform(11, 16, count),  # cm, front to back
        "shift": rng.normal(0, 0.03, count),
        "tilt": rng.normal(0, 0.06, count),
        "lung_w": rng.uniform(0.15, 0.19, count),
        "lung_h": rng.uniform(0.38, 0.46, count),
        "diaphragm": rng.uniform(0.2, 0.3, count),
        "lung_cm": rng.uniform(8, 11, count),
        "heart": rng.uniform(0.13, 0.19, count),
        "ribs": rng.uniform(8, 10, count),
        "rib_phase": rng.uniform(0, 1, count),
        "markings": rng.uniform(0.04, 0.14, count),
    }
    number = np.where(sick, np.where(focal, 1, OPACITIES), 0)
    blobs = {
        "side": rng.integers(0, 2, (count, OPACITIES)),
        "row": rng.uniform(-0.5, 0.6, (count, OPACITIES)),
        "column": rng.uniform(-0.6, 0.6, (count, OPACITIES)),
        "radius": rng.uniform(0.05, 0.13, (count, OPACITIES)),
        "share": np.where(focal[:, None], 1.0, 0.6)
        * rng.uniform(0.25, 1.15, (count, OPACITIES))
        * (np.arange(OPACITIES) < number[:, None]),
    }
    images = np.empty((count, size, size), np.uint8)
    masks = np.empty((count, size, size), bool)
    rows, columns = scene.grid(side)
    for part in scene.chunks(count):
        p = {name: column(values[part]) for name, values in parameters.items()}
        b = {name: values[part] for name, values in blobs.items()}
        thickness, filled = _chest(rows, columns, p, b, rng)
        # Finer pixels share the same light: noise per area stays what it is.
        photons = PHOTONS * (LEAST_SIDE / side) ** 2
        counts = rng.poisson(photons * transmitted(thickness)) + 1.0
        shown = scene.shrink(np.log(photons / counts), size)
        low, high = np.quantile(shown, [0.01, 0.99], axis=(1, 2), keepdims=True)
        images[part] = scene.to_bytes(0.05 + 0.85 * (shown - low) / (high - low))
        masks[part] = scene.shrink(filled, size) > 0.1
    return images, masks


def _chest(
    rows: np.ndarray,
    columns: np.ndarray,
    p: dict[str, np.ndarray],
    blobs: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return thicknesses in cm along each ray, and the share of lung that is filled."""
    x = columns - 0.5 - p["shift"] + p["tilt"] * (rows - 0.5)
    y = rows - 0.5
    body = p["depth"] * np.sqrt(np.clip(1 - (x / 0.62) ** 2, 0.02, 1))
    lung, centres = np.zeros_like(body), []
    for sign in (-1, 1):
        centre = sign * (p["lung_w"] + 0.055)
        centres.append(centre)
        across, along = (x - centre) / p["lung_w"], (y - 0.08) / p["lung_h"]
        above = y < p["diaphragm"] + 2.5 * (x - centre) ** 2
        inside = np.clip(1 - across**2 - along**2, 0, None) * above
        lung += p["lung_cm"] * np.sqrt(inside)
    # The heart lies left of the middle, which is on the right of the picture.
    heart = 1 - ((x - 0.05) / p["heart"]) ** 2 - ((y - 0.12) / 0.2) ** 2
    lung = np.maximum(lung - 9 * np.sqrt(np.clip(heart, 0, None)), 0)
    lung = np.minimum(lung, 0.8 * body)
    filled = np.zeros_like(body)
    for k in range(OPACITIES):
        chosen = column(blobs["side"][:, k])
        centre = np.where(chosen == 1, centres[1], centres[0])
        across = (x - centre - column(blobs["column"][:, k]) * p["lung_w"]) ** 2
        along = (y - column(blobs["row"][:, k]) * p["lung_h"]) ** 2
        radius = column(blobs["radius"][:, k])
        blob = np.exp(-(across + along) / (2 * radius**2))
        filled = np.maximum(filled, column(blobs["share"][:, k]) * blob)
    shape = (len(body), rows.shape[1], rows.shape[1])
    edge = np.exp(0.5 * scene.smooth_noise(shape, 0.03, rng))
    filled = np.clip(filled * edge, 0, 0.95) * (lung > 0.3)
    vessels = p["markings"] * np.abs(scene.smooth_noise(shape, 0.025, rng))
    air = lung * (1 - filled) * (1 - np.clip(vessels, 0, 0.9))
    waves = np.cos(2 * np.pi * (p["ribs"] * (y + 0.9 * x**2) + p["rib_phase"]))
    bone = 0.9 * np.clip(waves, 0, None) ** 4 * (np.abs(x) < 0.42) * (np.abs(y) < 0.42)
    bone = bone + 1.2 * np.exp(-((x / 0.045) ** 2))
    soft = np.maximum(body - air - bone, 0)
    return {"soft": soft, "bone": bone, "lung": air}, filled
