"""The map of the course: a picture whose arrows are the lessons' prerequisites.

It is drawn twice, wide and narrow, and the style sheet shows the one that fits; its
colours are the style sheet's too. Lessons are links in reading order. From each lesson
that others need a line leads down beside the list and back into each of them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from course_book.course import Lesson, Part, by_number, hours, lessons

ENTRY = 6  # between two arrows that enter the same lesson
CORNER = 4
ARROW = 14  # room between a lesson and the first line
HEAD, GAP = 34, 5  # a part's heading; between lessons
LINE = 18  # a line of text


@dataclass(frozen=True)
class Look:
    """How one of the two drawings differs from the other."""

    name: str
    width: int
    letters: int  # of a lesson's title in one line
    heading: int  # letters of a part's title in one line
    row: int  # least height of a lesson
    lane: int  # between two lines that lead down
    aims: bool  # whether parts say what they are about


WIDE = Look("wide", 720, 60, 60, 27, 14, aims=True)
NARROW = Look("narrow", 360, 24, 26, 46, 10, aims=False)


def picture(parts: Sequence[Part], here: int | None = None) -> str:
    """Return the map as HTML, with a caption.

    Parameters
    ----------
    parts : sequence of Part
        The course.
    here : int, optional
        The part whose page the map stands on; it is highlighted.
    """
    minutes = sum(lesson.reading for lesson in lessons(parts))
    seconds = sum(lesson.seconds for lesson in lessons(parts))
    return (
        '<figure class="course-map">\n'
        f"{_drawing(parts, WIDE, here)}\n{_drawing(parts, NARROW, here)}\n"
        "<figcaption>An arrow leads from a lesson to each lesson that needs it. Point "
        "at a lesson, or move to it with the Tab key, to see only what it needs. "
        "With each lesson: reading time · running time. All "
        f"{len(lessons(parts))} lessons: {hours(minutes)} of reading, "
        f"{seconds / 60:.0f} min of running.</figcaption>\n</figure>\n"
    )


def needed_by(parts: Sequence[Part]) -> dict[str, list[str]]:
    """Return, for each lesson that others need, their numbers, in reading order."""
    needed: dict[str, list[str]] = {}
    for lesson in lessons(parts):
        for number in lesson.needs:
            needed.setdefault(number, []).append(lesson.number)
    return needed


def lanes(parts: Sequence[Part]) -> dict[str, int]:
    """Return the lane in which the line of each needed lesson leads down.

    Short lines lie inside and long ones outside; lines that share a stretch of the way,
    its ends too, never share a lane.
    """
    place = {lesson.number: i for i, lesson in enumerate(lessons(parts))}
    spans = {
        number: (place[number], place[users[-1]])
        for number, users in needed_by(parts).items()
    }
    taken: list[list[tuple[int, int]]] = []
    found: dict[str, int] = {}
    for number in sorted(spans, key=lambda n: (spans[n][1] - spans[n][0], spans[n])):
        start, end = spans[number]
        taken.append([])  # there is always one more lane
        found[number] = next(
            lane
            for lane, others in enumerate(taken)
            if all(end < first or last < start for first, last in others)
        )
        taken[found[number]].append((start, end))
    return found


def _drawing(parts: Sequence[Part], look: Look, here: int | None) -> str:
    lane_of = lanes(parts)
    right = (
        look.width - ARROW - look.lane * (max(lane_of.values()) + 1)
    )  # of the lessons
    lane_x = {
        number: right + ARROW + look.lane * lane for number, lane in lane_of.items()
    }
    body: list[str] = []
    top = 0
    leaves: dict[str, int] = {}  # the height at which a lesson's line leaves it
    for part in parts:
        heading = textwrap.wrap(f"Part {part.number} · {part.title}", look.heading)
        body.append(_heading(part, heading, look, top))
        top += HEAD + LINE * (len(heading) - 1)
        for lesson in part.lessons:
            lines = textwrap.wrap(lesson.title, look.letters)
            # The innermost line enters first, so that those from outside pass below.
            needs = sorted(lesson.needs, key=lane_of.__getitem__)
            ports = len(needs) + (lesson.number in lane_of)
            text = LINE * (len(lines) + (look is NARROW))
            height = max(look.row, text + 10, ENTRY * ports + 10)
            first = top + (height - ENTRY * (ports - 1)) / 2
            enters = {number: first + ENTRY * i for i, number in enumerate(needs)}
            leaves[lesson.number] = first + ENTRY * len(needs)
            arrows = "".join(
                _arrow(
                    number,
                    lesson,
                    right,
                    lane_x[number],
                    leaves[number],
                    enters[number],
                )
                for number in needs
            )
            chosen = here in (None, part.number)
            body.append(
                f'<g class="lesson part-{part.number}{"" if chosen else " elsewhere"}">'
                f"{_box(lesson, lines, look, top, right, height)}{arrows}</g>"
            )
            top += height + GAP
        top += GAP
    names = by_number(parts)
    told = " ".join(
        f"{number} {names[number].title} leads to {', '.join(users)}."
        for number, users in needed_by(parts).items()
    )
    return (
        f'<svg class="{look.name}" viewBox="0 0 {look.width} {top}" role="group" '
        'aria-label="Map of the course" focusable="false">'
        f"<desc>{escape(told)}</desc>\n" + "\n".join(body) + "\n</svg>"
    )


def _heading(part: Part, lines: list[str], look: Look, top: int) -> str:
    aim = f'<tspan class="aim" dx="10">{escape(part.aim)}</tspan>' if look.aims else ""
    return (
        f'<text class="head part-{part.number}"><a href="../{part.opener}.html">'
        f"{_lines(lines, 2, top + 23)}</a>{aim}</text>"
    )


def _box(
    lesson: Lesson, lines: list[str], look: Look, top: int, right: float, height: float
) -> str:
    """Return a lesson's box: a link with number, title and times."""
    times = f"{lesson.reading} min · {lesson.seconds:.0f} s"
    needs = ", ".join(lesson.needs) or "no other lesson"
    name = (
        f"{lesson.number} {lesson.title} {times}: {lesson.reading} minutes to read, "
        f"{lesson.seconds:.0f} seconds to run, needs {needs}"
    )
    text = LINE * (len(lines) + (look is NARROW))
    base = top + (height - text) / 2 + 13
    if look is NARROW:
        place = f'x="44" y="{base + LINE * len(lines):g}"'
    else:
        place = f'x="{right - 10}" y="{base:g}" text-anchor="end"'
    return (
        f'<a href="../{lesson.file}.html"><title>{escape(name)}</title>'
        f'<rect x="2" y="{top + 1}" width="{right - 2}" height="{height - 2:g}" '
        'rx="6"/>'
        f'<text class="number" x="12" y="{base:g}">{lesson.number}</text> '
        f"<text>{_lines(lines, 44, base)}</text> "
        f'<text class="times" {place}>{times}</text></a>'
    )


def _lines(lines: list[str], left: float, top: float) -> str:
    """Return lines of text; a space lets what reads them aloud hear where one ends."""
    return " ".join(
        f'<tspan x="{left:g}" y="{top + LINE * i:g}">{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )


def _arrow(
    source: str, target: Lesson, right: float, lane: float, start: float, end: float
) -> str:
    """Return the arrow from a lesson out to its lane, down, and back into another."""
    curve = CORNER
    line = (
        f"M{right} {start:g}H{lane - curve}q{curve} 0 {curve} {curve}"
        f"V{end - curve:g}q0 {curve} {-curve} {curve}H{right + 6}"
    )
    point = f"M{right + 1} {end:g}l7 -3v6z"
    return (
        f'<g class="need part-{source[0]}" data-from="{source}" '
        f'data-to="{target.number}"><path d="{line}"/>'
        f'<path class="point" d="{point}"/></g>'
    )
