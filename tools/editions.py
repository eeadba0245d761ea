"""Make the two editions for teaching from the stored lessons.

The *student* edition is the whole course without solutions: of each exercise, what
stands between its solution and the next heading is gone (the solution's text and cell,
what it prints, and the cell that tries the checker on wrong answers, which gives much
away). An empty cell for the attempt takes its place. "Check yourself" keeps its
answers: they are for a reader who checks alone, and explain each wrong option.

The *solutions* edition has the exercises alone, with everything that the student
edition lacks, unfolded.

Both are made below ``_build/`` from copies; the sources are only read.
"""

from __future__ import annotations

import ast
import copy
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools import book

HEADING = re.compile(r"^#{1,3} .+", re.MULTILINE)
EXERCISE = re.compile(r"^### (Exercise \d+ .+)", re.MULTILINE)
FOLDED = re.compile(
    r"<details>\s*<summary>Solution</summary>(.*)</details>\s*", re.DOTALL
)
# What a student needs to read, to run and to build; texts of lessons stay behind.
COURSE = [
    "_config.yml", "LICENSE", "README.md", "book", "environment.yml", "medlib",
    "pyproject.toml", "requirements", "results", "tools",
]  # fmt: skip
# What pages of solutions are built with.
BOOK = ["_config.yml", "book/_extensions", "book/_static", "book/_templates"]
BOOK += ["book/references.bib"]
UNWANTED = shutil.ignore_patterns("__pycache__", "_generated", ".*")
ATTEMPT = """# Your attempt. Then take away the # and run:
# {call}"""
ACCEPTED = (
    "*Outcome.* `{checker}` accepts this solution; the last cell shows wrong answers, "
    "and the checker refuses each."
)


@dataclass(frozen=True)
class Exercise:
    """Where an exercise stands among the cells of a notebook.

    Its task is ``cells[first:answer]``, its solution ``cells[answer:end]``.
    """

    title: str
    first: int
    answer: int
    end: int


def exercises(notebook: NotebookNode, name: str) -> list[Exercise]:
    """Return the exercises of a lesson.

    Raises
    ------
    BookError
        If an exercise has no solution, or a cell mixes a solution with other text.
    """
    found: list[Exercise] = []
    title, first, answer = "", 0, None
    for index, cell in enumerate([*notebook.cells, new_markdown_cell("# The end")]):
        if cell.cell_type != "markdown":
            continue
        heading = HEADING.search(cell.source)
        if heading and title:
            if answer is None:
                raise book.BookError(f"{name}: '{title}' has no solution")
            found.append(Exercise(title, first, answer, index))
        if heading:
            match = EXERCISE.search(cell.source)
            title, first, answer = (match[1] if match else ""), index, None
        if "<summary>Solution</summary>" in cell.source:
            if not (title and answer is None and FOLDED.fullmatch(cell.source.strip())):
                raise book.BookError(
                    f"{name}: a solution must be a cell of its own below its exercise; "
                    f"see the cell that begins '{cell.source.strip()[:60]}'"
                )
            answer = index
    return found


def solution_cell(cells: list[NotebookNode], where: str) -> NotebookNode:
    """Return the one code cell tagged ``solution``, which ran without an error.

    Raises
    ------
    BookError
        If there is none or more than one, or it did not run.
    """
    tagged = [c for c in cells if "solution" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise book.BookError(f"{where}: {len(tagged)} cells are tagged solution, not 1")
    (cell,) = tagged
    failed = any(output.output_type == "error" for output in cell.outputs)
    if failed or cell.execution_count is None:
        raise book.BookError(f"{where}: the solution's stored run is missing or failed")
    return cell


def call_of_checker(cell: NotebookNode, where: str) -> str:
    """Return how a solution's cell calls the exercise's checker.

    Raises
    ------
    BookError
        If it calls none.
    """
    for node in ast.parse(cell.source).body:
        call = ast.unparse(node)
        if isinstance(node, ast.Expr) and call.startswith("check_"):
            return call
    raise book.BookError(f"{where}: the solution does not call its checker")


def student(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a lesson without solutions, with an empty cell for each attempt."""
    made = copy.deepcopy(notebook)
    for number, exercise in reversed([*enumerate(exercises(notebook, name), 1)]):
        where = f"{name}, {exercise.title}"
        answer = made.cells[exercise.answer : exercise.end]
        call = call_of_checker(solution_cell(answer, where), where)
        attempt = new_code_cell(ATTEMPT.format(call=call), id=f"attempt-{number}")
        made.cells[exercise.answer : exercise.end] = [attempt]
    return made


def solutions(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return the exercises of a lesson with their solutions, unfolded."""
    title = HEADING.search(notebook.cells[0].source)[0]
    about = (
        "The exercises of the lesson with their solutions and outputs. The cells are "
        "the lesson's own and run there, not alone."
    )
    made = copy.deepcopy(notebook)
    cells = [new_markdown_cell(f"{title}\n\n{about}", id="solutions")]
    for number, exercise in enumerate(exercises(notebook, name), 1):
        where = f"{name}, {exercise.title}"
        task = made.cells[exercise.first : exercise.answer]
        answer = made.cells[exercise.answer : exercise.end]
        # The first one's cell begins with the section's heading.
        begin = EXERCISE.search(task[0].source).start()
        task[0].source = task[0].source[begin:].removeprefix("#")
        text = FOLDED.fullmatch(answer[0].source.strip())[1].strip()
        answer[0].source = f"**Solution.** {text}"
        cell = solution_cell(answer, where)
        checker = call_of_checker(cell, where).partition("(")[0]
        outcome = new_markdown_cell(
            ACCEPTED.format(checker=checker), id=f"outcome-{number}"
        )
        answer.insert(answer.index(cell) + 1, outcome)
        for shown in answer:
            if tags := shown.metadata.get("tags"):
                shown.metadata["tags"] = [tag for tag in tags if tag != "hide-input"]
                shown.metadata.pop("jupyter", None)
        cells += [*task, *answer]
    made.cells = cells
    return made


def folder(edition: str, root: Path = book.ROOT) -> Path:
    """Return where an edition is made."""
    return root / "_build" / edition


def make(edition: str, root: Path = book.ROOT) -> Path:
    """Make an edition anew, ready to build; return its folder.

    Raises
    ------
    BookError
        If a source is missing or an exercise is not whole.
    """
    book.check_sources(root)
    target = folder(edition, root)
    shutil.rmtree(target, ignore_errors=True)
    change, copied, configure = EDITIONS[edition]
    for name in copied:
        source, place = root / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=UNWANTED)
        elif source.is_file():
            shutil.copy2(source, place)
    for page in book.pages(root):
        if (source := root / f"{page}.ipynb").is_file():
            changed = change(nbformat.read(source, as_version=4), page)
            place = target / f"{page}.ipynb"
            place.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(changed, place)
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    configure(settings, root, target)
    write_yaml(target / "_config.yml", settings)
    return target


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write a mapping as YAML, in its order."""
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")


def configure_student(settings: dict[str, Any], root: Path, target: Path) -> None:
    """Take away the buttons that lead to the lessons with their solutions."""
    settings["title"] += ": student edition"
    settings["launch_buttons"] = {"binderhub_url": "", "colab_url": ""}
    settings.setdefault("html", {})["use_repository_button"] = False


def configure_solutions(settings: dict[str, Any], root: Path, target: Path) -> None:
    """Give the pages of solutions a landing page and a table of contents."""
    settings["title"] += ": solutions"
    settings["launch_buttons"] = {"binderhub_url": "", "colab_url": ""}
    sphinx = settings.setdefault("sphinx", {}).setdefault("config", {})
    sphinx["course_book_fragments"] = False  # no page here includes one
    parts = [
        {"caption": name, "chapters": [{"file": page} for page in lessons]}
        for name, pages in book.parts(root)
        if (lessons := [page for page in pages if (root / f"{page}.ipynb").is_file()])
    ]
    contents = {"format": "jb-book", "root": "book/index", "parts": parts}
    write_yaml(target / book.TOC, contents)
    lines = [
        "---",
        "description: Every exercise of the course with its solution and its output, "
        "for lecturers.",
        "---",
        "",
        f"# {settings['title']}",
        "",
        "Every exercise with its solution, for lecturers. `make student` makes the "
        "course without them.",
    ]
    for part in parts:
        lines += ["", f"## {part['caption']}", ""]
        lines += [f"- [](../{e['file']}.ipynb)" for e in part["chapters"]]
    landing = target / "book/index.md"
    landing.write_text("\n".join([*lines, ""]), encoding="utf-8")


Change = Callable[[NotebookNode, str], NotebookNode]
Configure = Callable[[dict[str, Any], Path, Path], None]
EDITIONS: dict[str, tuple[Change, list[str], Configure]] = {
    "student": (student, COURSE, configure_student),
    "solutions": (solutions, BOOK, configure_solutions),
}
