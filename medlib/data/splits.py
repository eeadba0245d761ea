"""Splits by patient, and by hospital where the claim is about other hospitals.

Nothing that belongs together is ever parted. Where two kinds of group are given, such
as patients and hospitals, everything that either of them ties together stays together:
a patient who was in two hospitals ties these.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.model_selection import StratifiedGroupKFold

# The names of the Medical Event Data Standard, version 0.4.
TRAIN, TUNING, HELD_OUT = "train", "tuning", "held_out"
NAMES = (TRAIN, TUNING, HELD_OUT)


def tied(*groups: Sequence | np.ndarray) -> np.ndarray:
    """Return a number for every case; cases that any group ties share it.

    Parameters
    ----------
    *groups : array-like, each of shape (n,)
        For example the patient and the hospital of each case.

    Returns
    -------
    ndarray of int, shape (n,)
        The connected components, from 0.

    Raises
    ------
    ValueError
        If there is no group, the lengths differ, or a value is missing.
    """
    if not groups:
        raise ValueError("give at least one group, for example the patients")
    arrays = [np.asarray(group) for group in groups]
    count = len(arrays[0])
    if any(array.shape != (count,) for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ValueError(
            f"groups have the shapes {shapes}; each needs one value a case"
        )
    if any(pd.isna(array).any() for array in arrays):
        raise ValueError("a case has no group (NULL); give it one of its own first")
    rows, columns, nodes = [], [], count
    for array in arrays:
        _, inverse = np.unique(array, return_inverse=True)
        rows.append(np.arange(count))
        columns.append(nodes + inverse)
        nodes += int(inverse.max(initial=-1)) + 1
    edges = (np.concatenate(rows), np.concatenate(columns))
    graph = sparse.coo_array((np.ones(len(edges[0])), edges), shape=(nodes, nodes))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    return np.unique(labels[:count], return_inverse=True)[1]


def folds(
    labels: Sequence | np.ndarray,
    *groups: Sequence | np.ndarray,
    count: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Return the fold of every case, groups whole and labels balanced.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Classes whose shares should be alike in all folds.
    *groups : array-like, each of shape (n,)
        What must not be parted; see `tied`.
    count : int
        Number of folds, at least 2.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    ndarray of int, shape (n,)
        From 0 to ``count - 1``: the fold in which a case is held out.

    Raises
    ------
    ValueError
        If there are fewer tied groups, or cases of the commonest class, than folds; or
        the lengths differ.
    """
    together = tied(*groups)
    labels = np.asarray(labels)
    if labels.shape != together.shape:
        raise ValueError(f"{len(labels)} labels for {len(together)} cases")
    if count < 2:
        raise ValueError(f"count is {count}; at least 2 folds are needed")
    found = len(np.unique(together))
    if found < count:
        raise ValueError(f"{found} groups cannot make {count} folds")
    most = np.unique(labels, return_counts=True)[1].max()
    if most < count:
        raise ValueError(f"labels with at most {most} cases cannot make {count} folds")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    assigned = np.empty(len(labels), dtype=int)
    with warnings.catch_warnings():
        # Of a class with fewer cases than folds some folds hold none; that is no error.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = splitter.split(np.zeros(len(labels)), labels, together)
        for fold, (_, held_out) in enumerate(parts):
            assigned[held_out] = fold
    check(assigned, *groups)
    return assigned


def assign(
    labels: Sequence | np.ndarray,
    *groups: Sequence | np.ndarray,
    parts: tuple[int, int, int] = (7, 1, 2),
    seed: int = 0,
) -> np.ndarray:
    """Return the MEDS split of every case, groups whole and labels balanced.

    Parameters
    ----------
    labels, groups, seed
        As for `folds`.
    parts : (int, int, int)
        Tenths, or any whole parts, for train, tuning and held_out. The sizes are met as
        well as whole groups allow.

    Returns
    -------
    ndarray of str, shape (n,)
        ``"train"``, ``"tuning"`` or ``"held_out"``.

    Raises
    ------
    ValueError
        As in `folds`, or if a part is negative or train has none.
    """
    if len(parts) != 3 or min(parts) < 0 or parts[0] < 1:
        raise ValueError(f"parts is {parts}; give three whole parts, train at least 1")
    named = np.repeat(NAMES, parts)
    fold = folds(labels, *groups, count=len(named), seed=seed)
    assigned = named[fold]
    check(assigned, *groups)
    return assigned


def check(split: Sequence | np.ndarray, *groups: Sequence | np.ndarray) -> None:
    """Refuse a split that parts a group.

    Raises
    ------
    ValueError
        If cases of one group are in two splits; names the group and the splits.
    """
    split = np.asarray(split)
    for group in groups:
        group = np.asarray(group)
        if group.shape != split.shape:
            raise ValueError(f"{len(group)} groups for {len(split)} cases")
        names, inverse = np.unique(group, return_inverse=True)
        order = np.lexsort((split, inverse))
        same = np.diff(inverse[order]) == 0
        parted = same & (split[order][1:] != split[order][:-1])
        if parted.any():
            where = order[1:][parted][0]
            name = names[inverse[where]]
            sides = sorted(set(split[inverse == inverse[where]].tolist()))
            raise ValueError(
                f"'{name}' is in {' and '.join(map(str, sides))}: its cases resemble "
                "each other, so a test on them is no test. Split by group."
            )
