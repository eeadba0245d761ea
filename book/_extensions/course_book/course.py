"""The course as data: its parts and lessons, what each needs and what it takes.

Titles, questions and needs stand in ``book/course.yml``. Reading times are computed
from the lessons' texts, running times and memory come from the record of the run that
made their stored outputs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sphinx.errors import ExtensionError

# How fast somebody reads who wants to understand: words of prose and lines of code a
# minute, and minutes for each displayed formula and each figure.
WORDS, CODE_LINES = 200, 20
FORMULA = FIGURE = 0.25
DISPLAYED = re.compile(r"\$\$.*?\$\$", re.DOTALL)
# Fenced code, formulas, code in a line, addresses and tags are no words.
NOT_WORDS = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$|`[^`]*`|\]\([^)]*\)|https?://\S+|<[^>]+>",
    re.DOTALL,
)
SECTION = re.compile(r"^(?=## )", re.MULTILINE)
FIGURES = {"image/png", "image/svg+xml"}
NEEDED = {"seconds", "peak_memory_mb", "versions"}
STEP = 5  # reading times are shown to the nearest five minutes


@dataclass(frozen=True)
class Lesson:
    """One lesson: what ``course.yml`` says of it and what its notebook tells.

    ``sections`` gives the minutes of reading of each section, exact; what stands before
    the first one has the name ``""``. ``run`` is the record of the stored run.
    """

    number: str
    title: str
    question: str
    file: str
    needs: tuple[str, ...]
    part: int
    sections: dict[str, float]
    run: dict[str, Any]

    @property
    def reading(self) -> int:
        """Minutes of reading, to the nearest five."""
        return shown(sum(self.sections.values()))

    @property
    def link(self) -> str:
        """A Markdown link with number and title, for pages below ``book/``."""
        return f"[{self.number} {self.title}](../{self.file}.ipynb)"

    @property
    def seconds(self) -> float:
        """Seconds that the stored run took, from a cold start to the last cell."""
        return float(self.run["seconds"])

    @property
    def gigabytes(self) -> float:
        """Peak memory of the stored run."""
        return float(self.run["peak_memory_mb"]) / 1000


@dataclass(frozen=True)
class Part:
    """One part of the course."""

    number: int
    title: str
    aim: str
    opener: str
    lessons: tuple[Lesson, ...]


def load(root: Path) -> list[Part]:
    """Return the parts of the course in ``book/course.yml``, with their lessons.

    Raises
    ------
    ExtensionError
        If a lesson has no notebook, or its notebook no record of its run.
    """
    stored = yaml.safe_load((root / "book/course.yml").read_text(encoding="utf-8"))
    return [
        Part(
            number,
            part["title"],
            part["aim"],
            part["opener"],
            tuple(_lesson(root, number, entry) for entry in part["lessons"]),
        )
        for number, part in enumerate(stored, start=1)
    ]


def lessons(parts: Iterable[Part]) -> list[Lesson]:
    """Return all lessons, in the order of the course."""
    return [lesson for part in parts for lesson in part.lessons]


def by_number(parts: Iterable[Part]) -> dict[str, Lesson]:
    """Return all lessons by their numbers, for example ``"2.3"``."""
    return {lesson.number: lesson for lesson in lessons(parts)}


def _lesson(root: Path, part: int, entry: dict[str, Any]) -> Lesson:
    path = root / f"{entry['file']}.ipynb"
    if not path.is_file():
        raise ExtensionError(
            f"book/course.yml names {entry['file']}, which has no notebook; run "
            "`python -m tools.notebooks`"
        )
    notebook = json.loads(path.read_text(encoding="utf-8"))
    run = notebook["metadata"].get("medlib", {}).get("run", {})
    if not set(run) >= NEEDED:
        raise ExtensionError(
            f"{entry['file']}.ipynb has no record of its run; run "
            "`python -m tools.notebooks`"
        )
    return Lesson(
        entry["number"],
        entry["title"],
        entry["question"],
        entry["file"],
        tuple(entry["needs"]),
        part,
        reading(notebook["cells"]),
        run,
    )


def reading(cells: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the minutes that reading each section of a notebook takes.

    The rule: 200 words of prose a minute, 20 lines of code a minute, a quarter of a
    minute for each displayed formula and each figure. Folded answers and solutions
    count, blank lines and printed outputs do not.
    """
    minutes = {"": 0.0}
    section = ""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            lines = sum(bool(line.strip()) for line in source.splitlines())
            figures = sum(
                bool(FIGURES & set(output.get("data", {})))
                for output in cell.get("outputs", [])
            )
            minutes[section] += lines / CODE_LINES + FIGURE * figures
            continue
        for text in SECTION.split(source):
            if heading := re.match(r"## +(.+)", text):
                section = heading[1].strip()
                minutes.setdefault(section, 0.0)
            words = len(re.findall(r"\w+", NOT_WORDS.sub(" ", text)))
            formulas = len(DISPLAYED.findall(text))
            minutes[section] += words / WORDS + FORMULA * formulas
    return minutes


def shown(minutes: float) -> int:
    """Return minutes to the nearest five, and at least five."""
    return max(STEP, STEP * round(minutes / STEP))


def hours(minutes: float) -> str:
    """Return minutes as hours, to the nearest half: ``"about 1.5 h"``."""
    return f"about {round(minutes / 30) / 2:g} h"
