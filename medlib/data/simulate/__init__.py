"""Practice sets: simulated data with the form of the real sets and a known truth.

Every image comes from a scene that is drawn first, in relative units (the image is one
unit wide), and rendered after: the same seed gives the same scenes at any size. Nothing
here is a patient. What a model learns on a practice set says nothing about medicine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medlib.data.simulate import (
    cases,
    digits,
    ecg,
    fundus,
    radiograph,
    text,
    ultrasound,
)

Images = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.ndarray, int, np.random.Generator], Images]

# Cases of each class in the official splits, counted in the official files
# (Yang et al. 2023, doi:10.1038/s41597-022-01721-8).
CLASS_COUNTS: dict[str, dict[str, tuple[int, ...]]] = {
    "breastmnist": {"train": (147, 399), "val": (21, 57), "test": (42, 114)},
    "retinamnist": {
        "train": (486, 128, 206, 194, 66),
        "val": (54, 12, 28, 20, 6),
        "test": (174, 46, 92, 68, 20),
    },
    "pneumoniamnist": {"train": (1214, 3494), "val": (135, 389), "test": (234, 390)},
}
DRAW: dict[str, Draw] = {
    "breastmnist": ultrasound.draw,
    "retinamnist": fundus.draw,
    "pneumoniamnist": radiograph.draw,
}
RECORDS = ("eicu-demo", "mimic-iv-demo")  # tables, not arrays: `simulate.records`
NAMES = (
    *DRAW,
    "mnist",
    "mit-bih-100",
    "uci-diabetes-130",
    "mts-dialog",
    *RECORDS,
)
SMALLEST = 8  # pixels


def practice(
    name: str,
    *,
    size: int = 28,
    seed: int = 0,
    counts: dict[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Make a practice set.

    Parameters
    ----------
    name : str
        Name of the real set in the catalogue.
    size : int
        Side of the images in pixels, at least 8.
    seed : int
        The same seed gives the same set.
    counts : dict of str to int, optional
        Cases in each split; the official numbers if left out. The classes keep their
        official proportions.

    Returns
    -------
    dict of str to ndarray
        As in MedMNIST's files: ``{split}_images`` uint8 (n, size, size[, 3]) and
        ``{split}_labels`` uint8 (n, 1); where there are lesions also ``{split}_masks``
        bool (n, size, size). For the electrocardiogram: ``signal`` in millivolts,
        ``beats`` and ``symbols``. For the encounters: the columns of the real table
        and ``truth``. For the dialogues: ``{split}_dialogue`` and ``{split}_header``.

    Raises
    ------
    ValueError
        If the name is unknown, the size too small, or a count negative.
    """
    if name not in NAMES:
        raise ValueError(f"'{name}' has no practice set; there are: {', '.join(NAMES)}")
    if name in RECORDS:
        raise ValueError(
            f"'{name}' is made of tables; see medlib.data.simulate.records"
        )
    if size < SMALLEST:
        raise ValueError(f"size is {size} pixels; at least {SMALLEST} are needed")
    if counts and min(counts.values()) < 0:
        raise ValueError(f"counts is {counts}; a split cannot have fewer than 0 cases")
    if name == "mit-bih-100":
        return ecg.record(np.random.default_rng(seed))
    if name == "uci-diabetes-130":
        return cases.make(np.random.default_rng(seed))
    if name == "mts-dialog":
        return text.make(np.random.default_rng(seed))
    if name == "mnist":
        return digits.make(size, seed, counts or {"train": 60_000, "test": 10_000})
    made: dict[str, np.ndarray] = {}
    for index, (split, per_class) in enumerate(CLASS_COUNTS[name].items()):
        rng = np.random.default_rng([seed, index])
        total = sum(per_class) if counts is None else counts.get(split, 0)
        labels = rng.permutation(_labels(per_class, total))
        images, masks = DRAW[name](labels, size, rng)
        made[f"{split}_images"], made[f"{split}_masks"] = images, masks
        made[f"{split}_labels"] = labels.astype(np.uint8)[:, np.newaxis]
    return made


def _labels(per_class: tuple[int, ...], total: int) -> np.ndarray:
    """Return ``total`` labels in the proportions of ``per_class``."""
    edges = np.cumsum((0, *per_class)) / sum(per_class) * total
    return np.repeat(np.arange(len(per_class)), np.diff(np.round(edges).astype(int)))
