"""Three ways through the course, with hours computed from the lessons themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from sphinx.errors import ExtensionError

from course_book.course import Lesson, Part, by_number, shown

SESSION = 90  # minutes of a week in class


def load(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of each path, as ``book/paths.yml`` has them."""
    return yaml.safe_load((root / "book/paths.yml").read_text(encoding="utf-8"))


def reader(steps: Sequence[dict[str, Any]], parts: Sequence[Part]) -> str:
    """Return a reader's path as a list: what to read, how long, what it gives.

    Raises
    ------
    ExtensionError
        If a step names a lesson or a section that does not exist.
    """
    lines: list[str] = []
    total = 0.0
    for step in steps:
        lesson = _find(step["lesson"], parts)
        sections = step.get("read", list(lesson.sections))
        if unknown := [name for name in sections if name not in lesson.sections]:
            raise ExtensionError(
                f"book/paths.yml: lesson {lesson.number} has no section "
                f"'{unknown[0]}'; it has: {', '.join(filter(None, lesson.sections))}"
            )
        minutes = sum(lesson.sections[name] for name in sections)
        total += minutes
        read = ", ".join(f"*{name}*" for name in step.get("read", [])) or "all of it"
        lines.append(
            f"- **{lesson.link}**, {duration(minutes)}: {read}. You see {step['gain']}."
        )
    lines += ["", f"**Together:** {len(steps)} lessons, {duration(total)} of reading."]
    return "\n".join(lines) + "\n"


def lecturer(weeks: Sequence[dict[str, Any]], parts: Sequence[Part]) -> str:
    """Return the plan of a term, a section for each week.

    Raises
    ------
    ExtensionError
        If a week names a lesson that does not exist.
    """
    lines: list[str] = []
    total = 0.0
    for number, week in enumerate(weeks, start=1):
        lessons = [_find(name, parts) for name in week["lessons"]]
        reading = sum(lesson.reading for lesson in lessons)
        running = sum(lesson.seconds for lesson in lessons)
        alone = reading + running / 60
        total += alone
        lines += [
            f"### Week {number}: "
            + " and ".join(f"{le.number} {le.title}" for le in lessons),
            "",
            "- **Before class:** " + ", ".join(lesson.link for lesson in lessons)
            + f". {reading} min of reading, {running:.0f} s of running.",
            f"- **In class:** {week['class']}",
            f"- **Exercise in class:** {_exercise(week['exercise'], parts)}.",
            f"- **Homework:** {_exercise(week['homework'], parts)}.",
            f"- **Hours:** {duration(alone + SESSION)}: {duration(alone)} before class "
            f"and {duration(SESSION)} in class.",
            "",
        ]  # fmt: skip
    together = total + SESSION * len(weeks)
    lines.append(
        f"**The whole term:** {len(weeks)} weeks, {duration(together)}: "
        f"{duration(total)} of reading and running and "
        f"{duration(SESSION * len(weeks))} in class. Homework is not counted."
    )
    return "\n".join(lines) + "\n"


def duration(minutes: float) -> str:
    """Return minutes as hours and minutes, to the nearest five: ``"1 h 20 min"``."""
    hours, rest = divmod(shown(minutes), 60)
    said = [f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest)
    return " ".join(said)


def _find(number: str, parts: Sequence[Part]) -> Lesson:
    try:
        return by_number(parts)[number]
    except KeyError:
        raise ExtensionError(
            f"book/paths.yml names lesson {number}, which book/course.yml does not have"
        ) from None


def _exercise(name: str, parts: Sequence[Part]) -> str:
    """Return an exercise like ``"2.3/1"`` in words, with its lesson."""
    lesson, _, number = name.partition("/")
    return f"exercise {number} of lesson {_find(lesson, parts).number}"
