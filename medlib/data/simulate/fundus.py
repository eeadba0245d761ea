"""Fundus photograph: retina, optic disc, macula, branching vessels, lesions by grade.

The retina reflects red light most, blood least in green: haemoglobin absorbs green
light, so vessels, microaneurysms and haemorrhages are dark in the green channel, and
lipid exudates are bright yellow. The grades follow the international scale of diabetic
retinopathy (Wilkinson et al. 2003, Ophthalmology 110(9):1677,
doi:10.1016/S0161-6420(03)00475-5): 0 none, 1 microaneurysms only, 2 more than that,
3 severe haemorrhages, 4 new vessels. Neighbouring grades overlap on purpose, as they do
between graders.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from medlib.data.simulate import scene
from medlib.data.simulate.scene import column

LEAST_SIDE = 112
STEPS = 60  # points along one vessel
BRANCHES = 10
# Mean number of microaneurysms, haemorrhages, exudates and new vessels by grade.
LESIONS = np.array(
    [
        [0.4, 0.0, 0.1, 0.0],
        [6.0, 0.5, 0.8, 0.0],
        [12.0, 3.0, 5.0, 0.0],
        [18.0, 12.0, 7.0, 0.1],
        [16.0, 10.0, 8.0, 5.0],
    ]
)


def draw(
    labels: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images and lesion masks for grades 0 to 4.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Grades.
    size : int
        Side in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    images : ndarray of uint8, shape (n, size, size, 3)
    masks : ndarray of bool, shape (n, size, size)
    """
    count = len(labels)
    side = scene.fine_side(size, LEAST_SIDE)
    eye = rng.choice([-1, 1], count)
    # A grader's eye is not exact: some images look a grade better or worse.
    look = np.clip(labels + rng.choice([-1, 0, 1], count, p=[0.2, 0.6, 0.2]), 0, 4)
    parameters = {
        "disc_r": 0.5 + rng.normal(0, 0.03, count),
        "disc_c": 0.5 + eye * rng.uniform(0.22, 0.28, count),
        "macula_c": 0.5 - eye * rng.uniform(0.02, 0.08, count),
        "light_r": rng.normal(0.5, 0.15, count),
        "light_c": rng.normal(0.5, 0.15, count),
        "bright": rng.uniform(0.7, 1.15, count),
        "red": rng.uniform(0.6, 0.8, count),
        "green": rng.uniform(0.26, 0.42, count),
    }
    images = np.empty((count, size, size, 3), np.uint8)
    masks = np.empty((count, size, size), bool)
    rows, columns = scene.grid(side)
    for part in scene.chunks(count):
        p = {name: column(values[part]) for name, values in parameters.items()}
        vessels = _vessels(parameters, part, side, rng)
        dark, bright, mask = _lesions(look[part], vessels.shape, parameters, part, rng)
        picture = _retina(rows, columns, p, vessels, dark, bright, rng)
        images[part] = scene.to_bytes(scene.shrink(picture, size))
        found = mask & (np.hypot(rows - 0.5, columns - 0.5) < 0.48)
        masks[part] = scene.shrink(found.astype(float), size) >= 0.15
    return images, masks


def _retina(
    rows: np.ndarray,
    columns: np.ndarray,
    p: dict[str, np.ndarray],
    vessels: np.ndarray,
    dark: np.ndarray,
    bright: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the picture from 0 to 1, shape (n, side, side, 3)."""
    disc = np.exp(-((rows - p["disc_r"]) ** 2 + (columns - p["disc_c"]) ** 2) / 0.003)
    macula = np.exp(-((rows - 0.5) ** 2 + (columns - p["macula_c"]) ** 2) / 0.008)
    light = np.exp(-((rows - p["light_r"]) ** 2 + (columns - p["light_c"]) ** 2) / 0.5)
    texture = 1 + 0.05 * scene.smooth_noise(vessels.shape, 0.04, rng)
    light = light * p["bright"] * texture * (1 - 0.3 * macula)
    blood = np.clip(vessels + dark, 0, 1)
    red = p["red"] * light * (1 - 0.25 * blood) + 0.25 * disc + 0.25 * bright
    green = p["green"] * light * (1 - 0.65 * blood) + 0.40 * disc + 0.45 * bright
    blue = 0.12 * light * (1 - 0.4 * blood) + 0.18 * disc + 0.12 * bright
    inside = np.hypot(rows - 0.5, columns - 0.5) < 0.49
    picture = np.stack([red, green, blue], axis=-1) * inside[..., np.newaxis]
    return picture + rng.normal(0, 0.01, picture.shape).astype(np.float32)


def _stamp(
    shape: tuple[int, ...],
    points: np.ndarray,
    weights: np.ndarray,
    width: float,
) -> np.ndarray:
    """Draw soft dots at relative points, shape (n, k, 2), of a relative width."""
    side = shape[1]
    canvas = np.zeros(shape, np.float32)
    place = np.floor(points * side).astype(int)
    valid = np.all((place >= 0) & (place < side), axis=-1)
    image = np.broadcast_to(np.arange(shape[0])[:, None], valid.shape)
    # A dot keeps its darkness at any resolution: its area counts in pixels.
    dots = (
        np.broadcast_to(weights, valid.shape)[valid] * 2 * np.pi * (width * side) ** 2
    )
    np.add.at(canvas, (image[valid], *place[valid].T), dots)
    return ndimage.gaussian_filter(canvas, (0, width * side, width * side))


def _walk(
    start: np.ndarray, heading: np.ndarray, bend: float, rng: np.random.Generator
) -> np.ndarray:
    """Return paths that wander from their starts, shape (n, k, STEPS, 2)."""
    turns = np.cumsum(rng.normal(0, bend, (*heading.shape, STEPS)), axis=-1)
    angle = heading[..., np.newaxis] + turns
    steps = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * 0.55 / STEPS
    return start[..., np.newaxis, :] + np.cumsum(steps, axis=-2)


def _vessels(
    parameters: dict[str, np.ndarray],
    part: slice,
    side: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return vessels that leave the disc and branch, from 0 to 1, (n, side, side)."""
    disc = np.stack([parameters["disc_r"][part], parameters["disc_c"][part]], axis=-1)
    count = len(disc)
    shape = (count, side, side)
    start = np.repeat(disc[:, np.newaxis], BRANCHES, axis=1)
    # Arcades leave upwards and downwards and turn towards the macula.
    away = np.where(disc[:, 1] > 0.5, np.pi, 0.0)[:, np.newaxis]
    heading = away + rng.choice([-1, 1], (count, BRANCHES)) * rng.uniform(
        0.3, 1.9, (count, BRANCHES)
    )
    trunks = _walk(start, heading, 0.09, rng)
    fork = trunks[:, :, STEPS // 3]
    twigs = _walk(fork, heading + rng.normal(0, 0.7, heading.shape), 0.12, rng)
    thick = _stamp(shape, trunks.reshape(count, -1, 2), np.array(0.35), 0.006)
    thin = _stamp(shape, twigs.reshape(count, -1, 2), np.array(0.3), 0.004)
    return np.clip(thick + thin, 0, 1)


def _lesions(
    grades: np.ndarray,
    shape: tuple[int, ...],
    parameters: dict[str, np.ndarray],
    part: slice,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dark lesions, bright lesions (0 to 1) and their mask, (n, side, side)."""
    means = LESIONS[grades]
    sizes = np.array([[0.009, 1.0], [0.026, 1.0], [0.018, 1.0]])  # width, strength
    layers = []
    for kind, (width, strength) in enumerate(sizes):
        most = 40
        number = rng.poisson(means[:, kind] * rng.uniform(0.5, 1.5, len(grades)))
        radius = 0.44 * np.sqrt(rng.random((len(grades), most)))
        angle = rng.uniform(0, 2 * np.pi, radius.shape)
        points = 0.5 + radius[..., None] * np.stack([np.sin(angle), np.cos(angle)], -1)
        present = np.arange(most) < number[:, np.newaxis]
        layers.append(_stamp(shape, points, strength * present, width))
    disc = np.stack([parameters["disc_r"][part], parameters["disc_c"][part]], axis=-1)
    number = rng.poisson(means[:, 3])[:, np.newaxis]
    start = np.repeat(disc[:, np.newaxis], 8, axis=1)
    start = start + rng.normal(0, 0.03, start.shape)
    curls = _walk(start, rng.uniform(0, 2 * np.pi, start.shape[:2]), 0.6, rng)
    present = np.repeat(np.arange(8) < number, STEPS, axis=1)
    fresh = _stamp(shape, curls.reshape(len(grades), -1, 2), 0.35 * present, 0.004)
    dark = np.clip(layers[0] + layers[1] + fresh, 0, 1)
    bright = np.clip(layers[2], 0, 1)
    return dark, bright, (dark > 0.35) | (bright > 0.35)
