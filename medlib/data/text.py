"""Clinical dialogues, and the few lines that turn words into numbers.

The dialogues are those of MTS-Dialog (Ben Abacha et al., EACL 2023,
doi:10.18653/v1/2023.eacl-main.168): a conversation between doctor and patient, and the
section of the note that a clinician wrote from it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medlib.data import provenance, store
from medlib.data.errors import CorruptData
from medlib.data.provenance import Provenance

if TYPE_CHECKING:
    from medlib.data.catalogue import Dataset

# The official files by split; the names of the test sets are those of the challenges.
FILES = {
    "train": "MTS-Dialog-TrainingSet.csv",
    "val": "MTS-Dialog-ValidationSet.csv",
    "test1": "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv",
    "test2": "MTS-Dialog-TestSet-2-MEDIQA-Sum-2023.csv",
}
COLUMNS = ("ID", "section_header", "section_text", "dialogue")
PADDING, UNKNOWN = 0, 1  # the first two numbers of every vocabulary
# Letters of any script with at most one apostrophe inside, a single digit, or "?".
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d|\?")


@dataclass(frozen=True)
class Texts:
    """Dialogues of one split.

    Attributes
    ----------
    dialogues : tuple of str
        One conversation each, a line for each turn, the speaker before a colon.
    labels : ndarray of int64, shape (n,)
        Index of the section in the catalogue's classes.
    """

    dialogues: tuple[str, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TextSet:
    """A set of dialogues with its official splits.

    Attributes
    ----------
    info : Dataset
        The catalogue's entry.
    train, val, test1, test2 : Texts
        The splits; the test sets belong to two challenges.
    provenance : Provenance
        Where the dialogues came from.
    """

    info: Dataset
    train: Texts
    val: Texts
    test1: Texts
    test2: Texts
    provenance: Provenance

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(getattr(self, name))}" for name in FILES)
        return f"<{self.info.title}: {sizes}; {self.provenance.kind} data>"


def load_real(info: Dataset) -> TextSet:
    """Load the real dialogues; see `medlib.data.load`."""
    files = {file.name: file for file in info.files}
    found = {split: store.obtain(info, files[name]) for split, name in FILES.items()}
    splits = {
        split: read_csv(file.path, info, count=info.splits[split])
        for split, file in found.items()
    }
    first = found["train"]
    origin = provenance.record(
        Provenance(
            info.name, info.title, "real", first.copy, info.licence, first.sha256
        )
    )
    return TextSet(info=info, provenance=origin, **splits)


def load_practice(info: Dataset, *, seed: int) -> TextSet:
    """Make the practice dialogues; see `medlib.data.load`."""
    from medlib.data import simulate

    arrays = simulate.practice(info.name, seed=seed)
    splits = {
        split: Texts(
            tuple(arrays[f"{split}_dialogue"].tolist()),
            _labels(pd.Series(arrays[f"{split}_header"]), info, "the practice set"),
        )
        for split in FILES
    }
    origin = provenance.record(
        Provenance(
            info.name,
            info.title,
            "practice",
            f"{info.practice}; seed {seed}",
            info.licence,
        )
    )
    return TextSet(info=info, provenance=origin, **splits)


def read_csv(path: Path, info: Dataset, *, count: int) -> Texts:
    """Read one split.

    Parameters
    ----------
    path : Path
        A CSV file in UTF-8 with the columns of `COLUMNS`.
    info : Dataset
        The catalogue's entry; its classes are the sections there can be.
    count : int
        How many dialogues there must be.

    Raises
    ------
    CorruptData
        If the file is no such table: not UTF-8, truncated, a column missing, a number
        twice, an unknown section, an empty dialogue, or another count.
    """
    remedy = "Delete it and load again."
    try:
        content = path.read_bytes().decode("utf-8")
        table = pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as bad:
        raise CorruptData(
            f"{path} is not a whole UTF-8 table ({bad}). {remedy}"
        ) from bad
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise CorruptData(f"{path} lacks the columns {', '.join(missing)}. {remedy}")
    if len(table) != count:
        raise CorruptData(f"{path} has {len(table)} dialogues, not {count}. {remedy}")
    if table["ID"].duplicated().any():
        twice = table["ID"][table["ID"].duplicated()].iloc[0]
        raise CorruptData(f"{path}: the ID {twice} stands in several rows. {remedy}")
    empty = table["dialogue"].str.strip() == ""
    if empty.any():
        raise CorruptData(
            f"{path}: the dialogue with ID {table['ID'][empty].iloc[0]} is empty. "
            + remedy
        )
    labels = _labels(table["section_header"], info, str(path))
    turns = table["dialogue"].str.replace("\r\n", "\n", regex=False)
    return Texts(tuple(turns.tolist()), labels)


def _labels(headers: pd.Series, info: Dataset, source: str) -> np.ndarray:
    """Return class indices, shape (n,)."""
    index = {name: number for number, name in enumerate(info.classes)}
    found = headers.map(index)
    if found.isna().any():
        odd = headers[found.isna()].iloc[0]
        raise CorruptData(
            f"{source}: '{odd}' is not one of the {len(index)} sections "
            f"{', '.join(info.classes)}"
        )
    return found.to_numpy(np.int64)


def words(text: str) -> list[str]:
    """Split a text into lower-case words, single digits and question marks.

    >>> words("Doctor: Are you 76? Don't worry.")
    ['doctor', 'are', 'you', '7', '6', '?', "don't", 'worry']
    """
    return WORD.findall(text.lower().replace("’", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows, each with its number.

    Number 0 is padding, number 1 stands for every unknown word; the known ones follow.

    Attributes
    ----------
    known : tuple of str
        The word with number ``i + 2`` at place ``i``.
    """

    known: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], *, at_least: int = 2) -> Vocabulary:
        """Collect the words of training texts, the commonest first.

        Parameters
        ----------
        texts : iterable of str
            Training texts only: what stands in test texts is not known beforehand.
        at_least : int
            How often a word must occur to be known.

        Raises
        ------
        ValueError
            If ``at_least`` is below one or no word occurs so often.
        """
        if at_least < 1:
            raise ValueError(f"at_least is {at_least}; it must be 1 or more")
        counts = Counter(word for text in texts for word in words(text))
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        known = tuple(word for word, count in ranked if count >= at_least)
        if not known:
            raise ValueError(f"texts has no word that occurs {at_least} times or more")
        return cls(known)

    def __len__(self) -> int:
        """Count the numbers in use, padding and unknown among them."""
        return len(self.known) + 2

    def encode(self, texts: Sequence[str], length: int) -> np.ndarray:
        """Turn texts into rows of numbers of one length.

        Longer texts lose their end, shorter ones are padded there. A text without any
        word becomes one unknown word, so that a model always has something to read.

        Parameters
        ----------
        texts : sequence of str
            At least none.
        length : int
            Words for each text, at least one.

        Returns
        -------
        ndarray of int32, shape (n, length)

        Raises
        ------
        ValueError
            If the length is below one, or ``texts`` is a single string.
        """
        if length < 1:
            raise ValueError(f"length is {length}; at least one word is needed")
        if isinstance(texts, str):
            raise ValueError("texts is one string; a sequence of them is needed")
        number = {word: place + 2 for place, word in enumerate(self.known)}
        rows = np.full((len(texts), length), PADDING, dtype=np.int32)
        for row, text in zip(rows, texts, strict=True):
            found = [number.get(word, UNKNOWN) for word in words(text)[:length]]
            row[: max(1, len(found))] = found or UNKNOWN
        return rows
