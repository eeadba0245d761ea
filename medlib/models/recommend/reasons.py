"""Reasons for a suggestion: the parts that its score is the sum of.

They are reasons of the model: what made this number. They say nothing about whether
the suggestion is right, or what would happen if somebody followed it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from medlib.models.recommend.lists import checked

if TYPE_CHECKING:
    from medlib.models.recommend.hybrid import Blend

NAMED = 2  # items that a line names


@dataclass(frozen=True)
class Reason:
    """One part of a score.

    Attributes
    ----------
    kind : {"item", "patient", "term", "feature", "popularity", "part"}
        An item of the basket; a similar patient of the fit; a term that the basket and
        the item share; a feature that the patient and those who had the item share; the
        share of patients who had the item, where there is nothing better; a part of a
        blend.
    which : int or str
        The column of the item, term or feature, or the row of the patient; under
        popularity the suggested item; for a part its name.
    adds : float
        What it adds to the score; below zero where it speaks against. All reasons of a
        suggestion sum to its score.
    shared : tuple of int
        Items of the basket that a patient has too, or that carry the term.
    place : int or None
        Where a part has the item in its own list, from 1.
    """

    kind: str
    which: int | str
    adds: float
    shared: tuple[int, ...] = ()
    place: int | None = None


def checked_pair(basket: object, item: int, items: int) -> sparse.csr_array:
    """Return one basket, checked as `lists.checked` does.

    Raises
    ------
    ValueError
        If there is not exactly one row, or no such item.
    """
    basket = checked("basket", basket, items)
    if basket.shape[0] != 1 or not 0 <= item < items:
        raise ValueError(
            f"basket has {basket.shape[0]} rows and item is {item}; one row and "
            f"an item from 0 to {items - 1} are needed"
        )
    return basket


def by_popularity(shares: np.ndarray, item: int) -> list[Reason]:
    """Return the only reason that popularity has: the share of patients who had it.

    Parameters
    ----------
    shares : ndarray, shape (items,)
        As `lists.popularity` gives them.
    item : int
        The suggestion.

    Raises
    ------
    ValueError
        If there is no such item.
    """
    if not 0 <= item < len(shares):
        raise ValueError(
            f"item is {item}; an item from 0 to {len(shares) - 1} is needed"
        )
    return [Reason("popularity", int(item), float(shares[item]))]


def strongest_first(reasons: Iterable[Reason]) -> list[Reason]:
    """Return reasons by the size of what they add; of equal ones the earlier first."""
    return sorted(reasons, key=lambda reason: -abs(reason.adds))


def of_basket(basket: sparse.csr_array, added: np.ndarray) -> list[Reason]:
    """Return the items of one basket as reasons; ``added`` in the basket's order."""
    pairs = zip(basket.indices, added, strict=True)
    return strongest_first(
        Reason("item", int(which), float(adds)) for which, adds in pairs if adds
    )


def of_blend(
    blend: Blend,
    parts: Mapping[str, np.ndarray],
    item: int,
    known: sparse.csr_array | None = None,
) -> list[Reason]:
    """Return what each part adds to the blended score, and where it has the item.

    A part adds its weight times its scaled score; these sum to the blend. They can't be
    taken apart further: a rank depends on all the other items, so a part's own reasons
    sum to its own score and not to what it adds here. Show them beside it.

    Parameters
    ----------
    blend : Blend
        The weights and the scale.
    parts : dict of str to ndarray, each of shape (1, items)
        One patient's scores, as in `Blend.scores`.
    item : int
        The suggestion.
    known : csr_array, shape (1, items), optional
        Items that are left out of the lists, as in `lists.recommend`.

    Raises
    ------
    ValueError
        If the parts are not as the blend needs them, are of several patients, or there
        is no such item.
    """
    shape = blend.scores(parts).shape
    if shape[0] != 1:
        raise ValueError(f"parts has {shape[0]} rows; those of one patient are needed")
    left = sparse.csr_array(shape) if known is None else known
    left = checked_pair(left, item, shape[1])
    listed = left.toarray()[0] == 0
    listed[item] = True
    return strongest_first(
        Reason(
            "part",
            name,
            float(weight * blend._scaled(np.asarray(parts[name], float))[0, item]),
            place=1 + int(np.sum(parts[name][0][listed] > parts[name][0, item])),
        )
        for name, weight in blend.weights.items()
    )


def explain(
    reasons: Sequence[Reason], names: Mapping[str, Sequence[str]], *, top: int = 3
) -> list[str]:
    """Return reasons as short lines, the strongest first.

    Similar patients become one line. What does not fit into ``top`` lines is summed up
    in a last one, so that the lines still add up to the score.

    Parameters
    ----------
    reasons : sequence of Reason
        Of one suggestion.
    names : dict of str to sequence of str
        Under ``item``, ``term`` and ``feature`` the names of the columns. A kind that
        is absent is shown by number.
    top : int
        Lines before the last one, at least 1.

    Raises
    ------
    ValueError
        If ``top`` is below 1 or a name is missing.
    """
    if top < 1:
        raise ValueError(f"top is {top}; at least 1 line is needed")
    if not reasons:
        return ["nothing speaks for it: the score is zero"]
    alike = [reason for reason in reasons if reason.kind == "patient"]
    lines = [(r.adds, _line(r, names)) for r in reasons if r.kind != "patient"]
    if alike:
        lines.append((sum(r.adds for r in alike), _of_patients(alike, names)))
    lines.sort(key=lambda line: -abs(line[0]))
    shown = [f"{adds:+.3f} {line}" for adds, line in lines[:top]]
    if rest := lines[top:]:
        shown.append(f"{sum(adds for adds, _ in rest):+.3f} from {len(rest)} more")
    return shown


def _line(reason: Reason, names: Mapping[str, Sequence[str]]) -> str:
    word = "because of" if reason.adds > 0 else "in spite of"
    if reason.kind == "popularity":
        share = f"{reason.adds:.0%}" if reason.adds >= 0.1 else f"{reason.adds:.1%}"
        return f"because {share} of all patients had it"
    if reason.kind == "part":
        return f"because '{reason.which}' has it at place {reason.place}"
    name = _name(reason.kind, reason.which, names)
    if reason.kind == "term":
        return f"{word} '{name}', as in {_listed(reason.shared, names)}"
    if reason.kind == "feature":
        return f"{word} '{name}', as in others who had it"
    return f"{word} {name}"


def _of_patients(alike: Sequence[Reason], names: Mapping[str, Sequence[str]]) -> str:
    had = [reason for reason in alike if reason.adds > 0]
    often = Counter(item for reason in had for item in reason.shared)
    common = sorted(often, key=lambda item: (-often[item], item))
    said = f"because {len(had)} of {len(alike)} similar patients had it"
    return f"{said}; shared: {_listed(common, names)}" if common else said


def _listed(items: Sequence[int], names: Mapping[str, Sequence[str]]) -> str:
    said = ", ".join(_name("item", item, names) for item in items[:NAMED])
    return f"{said} and {len(items) - NAMED} more" if len(items) > NAMED else said


def _name(kind: str, which: int | str, names: Mapping[str, Sequence[str]]) -> str:
    if kind not in names:
        return f"{kind} {which}"
    if not 0 <= int(which) < len(names[kind]):
        raise ValueError(
            f"names['{kind}'] has {len(names[kind])} names; {kind} {which} has none"
        )
    return names[kind][int(which)]
