"""The status page: versions, and what was measured beside what was promised."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

from course_book.course import Lesson, Part, lessons

# What the course promises, on two CPU cores.
LESSON_SECONDS, LESSON_GIGABYTES = 90, 2
OWN_BYTES, FIGURE_BYTES = 1_000_000, 1_500_000
# What, with which command, its place in the stored measurements, and at most how many
# seconds.
TIMES = (
    ("All {count} lessons once", "make notebooks", ("notebooks", "seconds"), 18 * 60),
    ("The book, nothing installed", "make book", ("book", "seconds"), 180),
    ("The book again, after an edit", "make book", ("book", "again"), 30),
    ("All tests", "make test", ("test", "seconds"), 25 * 60),
    ("The quick tests", "make test-fast", ("test-fast", "seconds"), 180),
)
TESTS = {
    "medlib": "of the package `medlib`",
    "notebooks": "of the lessons",
    "book": "of the book",
    "project": "of the tools and the project's files",
}
# Names of packages, as the record of a lesson's run and as the pins have them.
PACKAGES = {
    "NumPy": ("numpy", "numpy"),
    "SciPy": ("scipy", "scipy"),
    "scikit-learn": ("sklearn", "scikit-learn"),
    "Keras": ("keras", "keras"),
    "TensorFlow": ("tensorflow", "tensorflow"),
    "pandas": ("", "pandas"),
    "Matplotlib": ("", "matplotlib"),
    "DuckDB": ("", "duckdb"),
    "Ibis": ("", "ibis-framework"),
    "JAX": ("", "jax"),
    "Jupyter Book": ("", "jupyter-book"),
}
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)
BUSY = 0.5  # load per core before measuring began
NOTHING = "not measured yet"


def page(root: Path, parts: Sequence[Part]) -> str:
    """Return the status page's generated part."""
    measured = load(root)
    blocks = [
        versions(root, parts),
        budgets(measured, parts),
        lesson_costs(parts),
        page_weights(measured.get("pages"), parts),
        test_counts(measured.get("tests")),
    ]
    return "\n".join(blocks)


def load(root: Path) -> dict[str, dict[str, Any]]:
    """Return what ``python -m tools.status`` stored, nothing where there is no file.

    Raises
    ------
    ExtensionError
        If the file is not a status file.
    """
    path = root / "results/status.json"
    if not path.is_file():
        return {}
    try:
        measured = json.loads(path.read_text(encoding="utf-8"))["measured"]
        for name, values in measured.items():
            missing = {"date", "device", "load"} - set(values)
            if missing:
                raise KeyError(f"{name}: {', '.join(sorted(missing))}")
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ExtensionError(
            f"results/status.json is not a status file ({error!r}); measure again: "
            "python -m tools.status"
        ) from error
    return measured


def newest(root: Path) -> str:
    """Return a sentence with the date of the newest stored measurement, if any."""
    dates = [values["date"] for values in load(root).values()]
    for path in sorted((root / "results").glob("*.json")):
        stored = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(stored, dict) and "date" in stored:
            dates.append(stored["date"])
    return f" The newest stored measurement is of {max(dates)}." if dates else ""


def versions(root: Path, parts: Sequence[Part]) -> str:
    """Return the table of versions: what the lessons ran with, and what is pinned."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    import medlib

    # A package may have one pin for each of several versions of Python.
    pins: dict[str, list[str]] = {}
    stored = (root / "requirements/development.txt").read_text(encoding="utf-8")
    for name, version in PIN.findall(stored):
        pins.setdefault(name, []).append(version)
    lines = [
        "## Versions",
        "",
        f"The course is version {medlib.__version__}.{newest(root)}",
        "",
        "| | the stored outputs were made with | pinned for Python 3.11 to 3.13 |",
        "|---|---|---|",
        f"| Python | {_used('python', parts)} | – |",
    ]
    for name, (imported, pinned) in PACKAGES.items():
        used = _used(imported, parts) if imported else "–"
        lines.append(f"| {name} | {used} | {', '.join(pins.get(pinned, ['–']))} |")
    return "\n".join([*lines, ""])


def _used(name: str, parts: Sequence[Part]) -> str:
    """Return the versions of a package that the lessons' records name."""
    found = {lesson.run["versions"].get(name) for lesson in lessons(parts)} - {None}
    return ", ".join(sorted(found)) or "–"


def budgets(measured: dict[str, dict[str, Any]], parts: Sequence[Part]) -> str:
    """Return the table of what is promised beside what was measured."""
    everything = lessons(parts)
    slowest = max(everything, key=lambda lesson: lesson.seconds)
    largest = max(everything, key=lambda lesson: lesson.gigabytes)
    rows = [
        ("One lesson, cold start to last cell", f"{LESSON_SECONDS} s",
         f"{slowest.seconds:.0f} s (the longest: {slowest.number})",
         slowest.seconds / LESSON_SECONDS),
        ("Memory of one lesson", f"{LESSON_GIGABYTES} GB",
         f"{largest.gigabytes:.1f} GB (the largest: {largest.number})",
         largest.gigabytes / LESSON_GIGABYTES),
    ]  # fmt: skip
    for what, command, (name, field), most in TIMES:
        seconds = measured.get(name, {}).get(field)
        rows.append(
            (
                f"{what.format(count=len(everything))}, `{command}`",
                clock(most),
                NOTHING if seconds is None else clock(seconds),
                None if seconds is None else seconds / most,
            )
        )
    for what, most, field in (
        ("One page, gzipped, mathematics included", OWN_BYTES, "own"),
        ("Figures of one page", FIGURE_BYTES, "figures"),
    ):
        weights = measured.get("pages", {}).get("weights", [])
        heaviest = max(weights, key=lambda row: row[field], default=None)
        rows.append(
            (what, megabytes(most), NOTHING, None)
            if heaviest is None
            else (
                what,
                megabytes(most),
                f"{megabytes(heaviest[field])} (the heaviest: "
                f"{short(heaviest['page'], parts)})",
                heaviest[field] / most,
            )
        )
    over = [what for what, _, _, share in rows if share is not None and share > 1]
    unknown = [what for what, _, _, share in rows if share is None]
    said = [
        "**Exceeded:** " + "; ".join(over) + "."
        if over
        else "**Nothing that was measured exceeds its budget.**"
    ]
    if unknown:
        said.append("Not measured yet: " + "; ".join(unknown) + ".")
    lines = [
        "## Budgets",
        "",
        " ".join(said),
        "",
        "| what | at most | measured | |",
        "|---|--:|--:|---|",
        *(
            f"| {what} | {most} | {value} | {verdict(share)} |"
            for what, most, value, share in rows
        ),
        "",
        *origins(measured),
    ]
    return "\n".join(lines)


def verdict(share: float | None) -> str:
    """Return whether a budget is kept, of which ``share`` is used."""
    if share is None:
        return ""
    if share <= 1:
        return "kept"
    return f"**exceeded** by {max(1, round(100 * (share - 1)))} %"


def origins(measured: dict[str, dict[str, Any]]) -> list[str]:
    """Return the lines that say when, on what and how idle things were measured."""
    groups: dict[str, list[str]] = {}
    for name in sorted(measured):
        values = measured[name]
        said = f"{values['date']}, {values['device']}"
        if "seconds" in values and values["load"] > BUSY:
            said += (
                ", **busy with other work** (load "
                f"{values['load']} per core), so its times are too long"
            )
        groups.setdefault(said, []).append(f"`{name}`")
    lines = [
        f"- Measured {said}: {', '.join(names)}." for said, names in groups.items()
    ]
    lines.append(
        "- Lessons: the record of the run that made the stored outputs, on two cores."
    )
    return [*lines, ""]


def lesson_costs(parts: Sequence[Part]) -> str:
    """Return the table of each lesson's time and memory."""
    rows = lessons(parts)
    seconds = sum(lesson.seconds for lesson in rows)
    lines = [
        "## Each lesson",
        "",
        f"At most {LESSON_SECONDS} s and {LESSON_GIGABYTES} GB. The stored runs add up "
        f"to {clock(seconds)}.",
        "",
        "| lesson | time | memory | |",
        "|---|--:|--:|---|",
    ]
    lines += [
        f"| {lesson.link} "
        f"| {lesson.seconds:.0f} s | {lesson.gigabytes:.1f} GB | {_kept(lesson)} |"
        for lesson in rows
    ]
    return "\n".join([*lines, ""])


def _kept(lesson: Lesson) -> str:
    return verdict(
        max(lesson.seconds / LESSON_SECONDS, lesson.gigabytes / LESSON_GIGABYTES)
    )


def page_weights(pages: dict[str, Any] | None, parts: Sequence[Part]) -> str:
    """Return the table of the pages' weights."""
    lines = ["## Each page", ""]
    if pages is None:
        return "\n".join([*lines, missing("pages"), ""])
    lines += [
        "What a browser loads, gzipped. The page's own weight is text, style, scripts, "
        f"fonts and mathematics, at most {megabytes(OWN_BYTES)}; its figures have at "
        f"most {megabytes(FIGURE_BYTES)}.",
        "",
        "| page | own | figures | |",
        "|---|--:|--:|---|",
    ]
    for row in pages["weights"]:
        share = max(row["own"] / OWN_BYTES, row["figures"] / FIGURE_BYTES)
        lines.append(
            f"| {long(row['page'], parts)} | {megabytes(row['own'])} "
            f"| {megabytes(row['figures'])} | {verdict(share)} |"
        )
    return "\n".join([*lines, ""])


def short(page: str, parts: Sequence[Part]) -> str:
    """Return a page's short name: a lesson's number, another page's file name."""
    numbers = {lesson.file: lesson.number for lesson in lessons(parts)}
    return numbers.get(page, page.removeprefix("book/"))


def long(page: str, parts: Sequence[Part]) -> str:
    """Return a page's name, a lesson's as a link."""
    links = {lesson.file: lesson.link for lesson in lessons(parts)}
    return links.get(page, page.removeprefix("book/"))


def test_counts(tests: dict[str, Any] | None) -> str:
    """Return the table of how many tests there are."""
    lines = ["## Tests", ""]
    if tests is None:
        return "\n".join([*lines, missing("tests"), ""])
    lines += ["| tests | how many |", "|---|--:|"]
    for name, count in tests["counts"].items():
        lines.append(f"| {TESTS.get(name, f'`tests/{name}`')} | {count:,} |")
    lines.append(f"| **together** | {sum(tests['counts'].values()):,} |")
    return "\n".join([*lines, ""])


def missing(name: str) -> str:
    """Return what the page says where nothing was measured."""
    return (
        f"Not measured yet. `python -m tools.status {name}` measures it and writes "
        "`results/status.json`."
    )


def clock(seconds: float) -> str:
    """Return seconds as ``"45 s"`` or, from two minutes on, ``"3.5 min"``."""
    said = f"{seconds:.0f} s" if seconds < 120 else f"{round(seconds / 60, 1):g} min"
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def megabytes(size: int) -> str:
    """Return bytes as megabytes with two decimals."""
    return f"{size / 1e6:.2f}\N{NO-BREAK SPACE}MB"
