"""The tables of lessons on the landing page and the parts' openers."""

from __future__ import annotations

from collections.abc import Sequence

from course_book.course import Part, hours, lessons


def overview(parts: Sequence[Part]) -> str:
    """Return the map of the course as a table: what each lesson needs and takes."""
    lines = ["| lesson | needs | reading | running |", "|---|---|--:|--:|"]
    lines += [
        f"| {lesson.link} "
        f"| {', '.join(lesson.needs) or '–'} | {lesson.reading} min "
        f"| {lesson.seconds:.0f} s |"
        for lesson in lessons(parts)
    ]
    return "\n".join(lines) + "\n"


def table(part: Part, parts: Sequence[Part]) -> str:
    """Return the table of a part's lessons: what they answer, need and take.

    Below it stands which lessons of other parts are needed.
    """
    lines = [
        "| lesson | what it answers | needs | reading | running | memory |",
        "|---|---|---|---|---|---|",
    ]
    for lesson in part.lessons:
        lines.append(
            f"| {lesson.link} "
            f"| {lesson.question} | {', '.join(lesson.needs) or '–'} "
            f"| {lesson.reading} min | {lesson.seconds:.0f} s "
            f"| {lesson.gigabytes:.1f} GB |"
        )
    minutes = sum(lesson.reading for lesson in part.lessons)
    seconds = sum(lesson.seconds for lesson in part.lessons)
    lines.append(
        f"| **together** | {len(part.lessons)} lessons | | {hours(minutes)} "
        f"| {seconds:.0f} s | |"
    )
    needed = {number for lesson in part.lessons for number in lesson.needs}
    outside = [
        f"[{lesson.number}](../{lesson.file}.ipynb)"
        for lesson in lessons(parts)
        if lesson.number in needed and lesson.part != part.number
    ]
    if outside:
        lines += [
            "",
            f"From other parts you need {' · '.join(outside)}; each lesson's header "
            "says for what.",
        ]
    return "\n".join(lines) + "\n"
