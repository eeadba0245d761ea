"""The tables on the parts' opener pages, from the lessons themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from sphinx.errors import ExtensionError

READING = re.compile(r"\*\*Reading\*\* (\d+) min")


def part(root: Path, number: int) -> str:
    """Return the table of a part's lessons: question, reading, running, memory.

    Lessons without a notebook stand in it as planned.

    Raises
    ------
    ExtensionError
        If a lesson's header or the record of its run is missing.
    """
    parts = yaml.safe_load((root / "book/course.yml").read_text(encoding="utf-8"))
    lines = [
        "| lesson | what it answers | reading | running | memory |",
        "|---|---|---|---|---|",
    ]
    minutes = seconds = ready = 0
    for lesson in parts[number - 1]["lessons"]:
        title, question = f"{lesson['number']} {lesson['title']}", lesson["question"]
        path = root / f"{lesson['file']}.ipynb"
        if not path.is_file():
            lines.append(f"| {title} | {question} | planned | | |")
            continue
        reading, run = _costs(path)
        minutes, seconds, ready = minutes + reading, seconds + run["seconds"], ready + 1
        memory = run["peak_memory_mb"] / 1000
        lines.append(
            f"| [{title}](../{lesson['file']}.ipynb) | {question} | {reading} min "
            f"| {run['seconds']:.0f} s | {memory:.1f} GB |"
        )
    if ready:
        hours = round(minutes / 30) / 2
        lines.append(
            f"| **together** | {ready} lessons | about {hours:g} h "
            f"| {seconds:.0f} s | |"
        )
    return "\n".join(lines) + "\n"


def _costs(path: Path) -> tuple[int, dict[str, Any]]:
    """Return a lesson's reading time in minutes and the record of its stored run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    reading = READING.search("".join(notebook["cells"][0]["source"]))
    run = notebook["metadata"].get("medlib", {}).get("run", {})
    if reading is None or not {"seconds", "peak_memory_mb"} <= set(run):
        raise ExtensionError(
            f"{path} has no reading time in its header or no record of its run; run "
            "`make notebooks`"
        )
    return int(reading[1]), run
