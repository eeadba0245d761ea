"""Refuse arrays that do not fit, in words that say what is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

# Sizes, or names of sizes that may be anything from one on; a name that begins with a
# star stands for any number of axes.
Shape = Sequence[int | str]


def floats(name: str, values: ArrayLike, shape: Shape | None = None) -> np.ndarray:
    """Return finite floating-point numbers of a given shape.

    Integers are refused: an update smaller than one would be lost in them.

    Parameters
    ----------
    name : str
        What the caller calls the array.
    values : array_like
        What the caller was given.
    shape : sequence of int or str, optional
        For example ``("cases", 3)``: any number of rows, three columns; or
        ``("batch", "*spatial", "channels")``. Any shape if left out.

    Raises
    ------
    ValueError
        If the array has another dtype or shape, is empty, or holds NaN or infinity.
    """
    array = np.asarray(values)
    needed = "any shape" if shape is None else f"shape {describe(shape)}"
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name} has dtype {array.dtype}; floating-point numbers of {needed} are "
            f"needed, for example np.asarray({name}, float)"
        )
    _expect_shape(name, array, shape)
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} of shape {array.shape} holds NaN or infinity; finite numbers of "
            f"{needed} are needed"
        )
    return array


def class_labels(
    name: str, values: ArrayLike, classes: int, shape: Shape
) -> np.ndarray:
    """Return class indices of a given shape.

    Parameters
    ----------
    name, values, shape
        As in `floats`.
    classes : int
        How many classes there are; labels run from 0 to one less.

    Raises
    ------
    ValueError
        If the labels are not whole numbers, out of range, or of another shape.
    """
    array = np.asarray(values)
    needed = f"whole numbers from 0 to {classes - 1} of shape {describe(shape)}"
    if array.dtype.kind not in "biu":
        raise ValueError(
            f"{name} has dtype {array.dtype} and shape {array.shape}; {needed} are "
            f"needed, for example np.asarray({name}, int)"
        )
    _expect_shape(name, array, shape)
    array = array.astype(np.int64)
    if array.min() < 0 or array.max() >= classes:
        raise ValueError(
            f"{name} runs from {array.min()} to {array.max()}; {needed} are needed"
        )
    return array


def at_least(name: str, value: float, least: float, *, above: bool = False) -> float:
    """Return a number that is at least so large, or strictly above it.

    Raises
    ------
    ValueError
        If it is smaller, NaN or infinite.
    """
    enough = value > least if above else value >= least
    if not (enough and np.isfinite(value)):
        relation = "above" if above else "of at least"
        raise ValueError(f"{name} is {value}; one number {relation} {least} is needed")
    return float(value)


def share(name: str, value: float) -> float:
    """Return a number from 0 to below 1.

    Raises
    ------
    ValueError
        If it lies outside.
    """
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; one number from 0 to below 1 is needed")
    return float(value)


def describe(shape: Shape) -> str:
    """Write a shape as Python does, with names for the free sizes."""
    inside = ", ".join(str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def _expect_shape(name: str, array: np.ndarray, shape: Shape | None) -> None:
    if array.size == 0:
        needed = "" if shape is None else f"; {describe(shape)} is needed"
        raise ValueError(
            f"{name} has shape {array.shape}, it must not be empty{needed}"
        )
    if shape is not None and not _fits(array.shape, list(shape)):
        raise ValueError(f"{name} has shape {array.shape}; {describe(shape)} is needed")


def _fits(sizes: tuple[int, ...], shape: list[int | str]) -> bool:
    for place, wanted in enumerate(shape):
        if str(wanted).startswith("*"):
            free = len(sizes) - len(shape) + 1
            shape = shape[:place] + ["any"] * free + shape[place + 1 :]
            break
    return len(shape) == len(sizes) and all(
        isinstance(wanted, str) or wanted == size
        for wanted, size in zip(shape, sizes, strict=True)
    )
