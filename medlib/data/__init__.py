"""Data: real sets with their provenance, and practice sets where those cannot be had.

>>> from medlib.data import load
>>> data = load("breastmnist")
>>> print(data.provenance)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from medlib.data.catalogue import CATALOGUE, find
from medlib.data.errors import (
    CorruptData,
    DataError,
    DataUnavailable,
    Leakage,
    NoImage,
)

if TYPE_CHECKING:
    from medlib.data.cases import CaseTable
    from medlib.data.images import ImageSet
    from medlib.data.records import Records
    from medlib.data.signals import Ecg
    from medlib.data.text import TextSet

__all__ = [
    "CATALOGUE",
    "CorruptData",
    "DataError",
    "DataUnavailable",
    "Leakage",
    "NoImage",
    "find",
    "load",
]

SOURCES = ("auto", "real", "practice")
RECORDS = ("eicu-demo", "mimic-iv-demo")
BUNDLED = ("digits", "wisconsin", "diabetes-progression")


def load(
    name: str,
    *,
    source: Literal["auto", "real", "practice"] = "auto",
    size: int = 28,
    seed: int = 0,
) -> ImageSet | CaseTable | Ecg | Records | TextSet:
    """Load a dataset by its name in the catalogue.

    Parameters
    ----------
    name : str
        For example ``"breastmnist"``; `CATALOGUE` lists all.
    source : {"auto", "real", "practice"}
        ``"auto"`` gives real data where they can be had and otherwise says in one line
        that it gives the practice set. The environment variable ``MEDLIB_SOURCE``
        replaces ``"auto"``, never the other two.
    size : int
        Side of the images in pixels.
    seed : int
        Seed of the practice set.

    Returns
    -------
    ImageSet, CaseTable, Ecg, Records or TextSet
        With its provenance.

    Raises
    ------
    ValueError
        If there is no such dataset, source or size.
    DataUnavailable
        If real data were asked for and cannot be had.
    CorruptData
        If a file is not what it should be; a practice set never hides that.
    """
    info = find(name)
    if source == "auto":
        source = os.environ.get("MEDLIB_SOURCE", "auto")  # type: ignore[assignment]
    if source not in SOURCES:
        raise ValueError(f"source (or MEDLIB_SOURCE) is '{source}'; use {SOURCES}")
    if not info.loader:
        raise ValueError(
            f"{info.title} is in the catalogue, but no lesson uses it yet; loaders: "
            + ", ".join(entry.name for entry in CATALOGUE.values() if entry.loader)
        )
    if name in BUNDLED:
        return _bundled(name)
    if source != "practice":
        try:
            return _real(name, size)
        except DataUnavailable as error:
            if source == "real":
                raise
            first = str(error).split(". ")[0]
            print(f"{info.title}: {first}; this is the practice set.")
    return _practice(name, size, seed)


def _bundled(name: str) -> ImageSet | CaseTable:
    """Load what ships with scikit-learn."""
    if name == "digits":
        from medlib.data import images

        return images.load_digits(find(name))
    from medlib.data import cases

    return cases.load_bundled(find(name))


def _real(name: str, size: int) -> ImageSet | CaseTable | Ecg | Records | TextSet:
    """Load real files."""
    if name in RECORDS:
        from medlib.data import records

        return records.load_real(find(name))
    if name == "mit-bih-100":
        from medlib.data import signals

        return signals.load_real(find(name))
    if name == "uci-diabetes-130":
        from medlib.data import cases

        return cases.load_real(find(name))
    if name == "mts-dialog":
        from medlib.data import text

        return text.load_real(find(name))
    from medlib.data import images

    return images.load_real(find(name), size=size)


def _practice(
    name: str, size: int, seed: int
) -> ImageSet | CaseTable | Ecg | Records | TextSet:
    """Make a practice set."""
    if name in RECORDS:
        from medlib.data import records

        return records.load_practice(find(name), seed=seed)
    if name == "mit-bih-100":
        from medlib.data import signals

        return signals.load_practice(find(name), seed=seed)
    if name == "uci-diabetes-130":
        from medlib.data import cases

        return cases.load_practice(find(name), seed=seed)
    if name == "mts-dialog":
        from medlib.data import text

        return text.load_practice(find(name), seed=seed)
    from medlib.data import images

    return images.load_practice(find(name), size=size, seed=seed)
