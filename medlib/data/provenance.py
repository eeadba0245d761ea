"""Where data came from: carried by every dataset, printed by every lesson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_loaded: list[Provenance] = []


@dataclass(frozen=True)
class Provenance:
    """Origin of one loaded dataset.

    Attributes
    ----------
    dataset, title : str
        Name in the catalogue and name for people.
    kind : {"real", "practice"}
        Real data, or the simulated practice set of the same form.
    detail : str
        Which copy of the real files, or how the practice set was made.
    licence : str
        Licence of the real data.
    sha256 : str
        SHA-256 of the file read (the first, where there are several); empty for a
        practice set and for data that ships inside a library.
    """

    dataset: str
    title: str
    kind: Literal["real", "practice"]
    detail: str
    licence: str
    sha256: str = ""

    def __str__(self) -> str:
        """Say it in one line, the same on every machine."""
        if self.kind == "practice":
            return f"{self.title}: PRACTICE SET, not real data ({self.detail})"
        mark = f", sha256 {self.sha256[:12]}…" if self.sha256 else ""
        return f"{self.title}: real data, {self.detail}, {self.licence}{mark}"


def record(provenance: Provenance) -> Provenance:
    """Remember that a dataset was loaded in this process, and hand it back."""
    if provenance not in _loaded:
        _loaded.append(provenance)
    return provenance


def loaded() -> tuple[Provenance, ...]:
    """Return what was loaded in this process, in order, each once."""
    return tuple(_loaded)
