"""Check that lessons have the shape that readers rely on.

``python -m tools.lint [TEXT …]`` reads the MyST texts and, for output lengths and the
promised running time, the stored notebooks beside them. Each rule is a function that
yields what is wrong, as a sentence with the remedy in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import ROOT, Lesson, LessonError, lessons, record_of

SECTIONS = [
    "You will be able to",
    "The case",
    "Check it",
    "On real data",
    "Break it",
    "What it costs",
    "Key points",
    "Exercises",
    "Check yourself",
    "Sources",
]
HEADER_FIELDS = ("**Reading**", "**Running**", "**Needs**", "**Data**")
MAX_LINES, MAX_COLUMNS, MAX_OUTPUT_LINES = 20, 88, 40
MIN_ALT = 40  # characters; less cannot say what a figure shows
# Cells with these tags may hold numbers in prose: worked by hand and asserted by the
# next cell, or taken from a source that the cell names.
NUMBER_TAGS = {"hand-worked", "cited"}
# A measured number looks like a decimal or a percentage; counts and sizes do not.
MEASURED = re.compile(r"(?<![\w.])\d*\.\d+|\d+\s?%")
MYST = re.compile(r"^(?:```|:::+)\s*\{(?!code-cell)|\{[a-z:-]+\}`", re.MULTILINE)
NOT_PROSE = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$|`[^`]*`|\]\([^)]*\)|https?://\S+|<[^>]+>",
    re.DOTALL,
)


def tags(cell: NotebookNode) -> set[str]:
    """Return a cell's tags."""
    return set(cell.metadata.get("tags", []))


def where(cell: NotebookNode) -> str:
    """Name a cell by how it begins."""
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"
    return f"the cell that begins '{first[:50]}'"


def prose(text: str) -> str:
    """Return the words of Markdown, without code, mathematics and addresses."""
    return NOT_PROSE.sub(" ", text)


def markdown(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the Markdown cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return level and words of every heading, in order."""
    pattern = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.MULTILINE)
    return [
        (len(match[1]), match[2])
        for cell in markdown(notebook)
        for match in pattern.finditer(re.sub(r"```.*?```", "", cell.source, flags=re.S))
    ]


def passages(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode, str]]:
    """Yield every stretch of Markdown with its section's words and its cell."""
    section = ""
    for cell in markdown(notebook):
        for text in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            heading = re.match(r"## +(.+)", text)
            section = heading[1].strip() if heading else section
            yield section, cell, text


def check_header(notebook: NotebookNode) -> Iterator[str]:
    """Title first, a promise, and the line of time, needs and data."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or not first.source.startswith("# "):
        yield "begin with a Markdown cell whose first line is the title, '# …'"
        return
    missing = [field for field in HEADER_FIELDS if field not in first.source]
    if missing:
        yield f"the first cell's header line lacks {', '.join(missing)}"
    if sum(level == 1 for level, _ in headings(notebook)) != 1:
        yield "have exactly one title ('# …')"


def check_sections(notebook: NotebookNode) -> Iterator[str]:
    """Every section of the arc is there, in its order."""
    present = [words for level, words in headings(notebook) if level == 2]
    for section in SECTIONS:
        if section not in present:
            yield f"the section '## {section}' is missing"
    order = [words for words in present if words in SECTIONS]
    expected = [section for section in SECTIONS if section in order]
    if order != expected:
        yield f"put the sections in this order: {', '.join(expected)}"


def check_heading_levels(notebook: NotebookNode) -> Iterator[str]:
    """No heading skips a level."""
    before = 0
    for level, words in headings(notebook):
        if level > before + 1:
            yield f"the heading '{words}' skips a level"
        before = level


def check_code(notebook: NotebookNode) -> Iterator[str]:
    """Code cells are short and narrow, and the first installs the package on Colab."""
    cells = code(notebook)
    if not cells or "google.colab" not in cells[0].source:
        yield "the first code cell must install the package on Colab, and only there"
    for cell in cells:
        lines = cell.source.splitlines()
        if len(lines) > MAX_LINES:
            yield f"{where(cell)} has {len(lines)} lines; split it at {MAX_LINES}"
        widest = max(map(len, lines), default=0)
        if widest > MAX_COLUMNS:
            yield f"{where(cell)} is {widest} columns wide; wrap it at {MAX_COLUMNS}"
        if re.search(r"\bnp\.load\([^)]*allow_pickle\s*=\s*True", cell.source):
            yield f"{where(cell)} loads pickled objects, which can run code"
    importing = [c for c in cells[1:] if re.search(r"^(import|from) ", c.source, re.M)]
    if len(importing) > 1:
        yield f"put all imports into one cell; {where(importing[1])} has more"


def check_portable(notebook: NotebookNode) -> Iterator[str]:
    """No MyST directive or role: they show as raw text outside the book."""
    for cell in markdown(notebook):
        if found := MYST.search(
            re.sub(r"^```(?!\{).*?^```", "", cell.source, flags=re.S | re.M)
        ):
            yield f"{where(cell)} uses MyST syntax ('{found[0]}'); write plain Markdown"


def check_numbers(notebook: NotebookNode) -> Iterator[str]:
    """Keep measured numbers out of prose."""
    for section, cell, text in passages(notebook):
        if tags(cell) & NUMBER_TAGS or section in ("Exercises", "Sources"):
            continue
        lines = [
            # Numbers of headings, lists, sections and lessons measure nothing.
            re.sub(r"^\s*(#+ .*|\d+\.\s)|\b\d+(\.\d+){2,}|[Ll]esson \d\.\d", "", line)
            for line in prose(text).splitlines()
            if not line.startswith(("**Reading**", "# "))
        ]
        if found := MEASURED.search("\n".join(lines)):
            yield (
                f"{where(cell)} has the number '{found[0].strip()}' in prose; print it "
                "from the cell that measures it, or tag the cell hand-worked or cited"
            )


def check_hand_worked(notebook: NotebookNode) -> Iterator[str]:
    """Have what was worked by hand asserted by the next code cell."""
    for index, cell in enumerate(notebook.cells):
        if "hand-worked" not in tags(cell):
            continue
        following = (c for c in notebook.cells[index + 1 :] if c.cell_type == "code")
        if "assert" not in getattr(next(following, None), "source", ""):
            yield f"{where(cell)} is hand-worked; the next code cell must assert it"


def check_figures(notebook: NotebookNode) -> Iterator[str]:
    """Give every figure alternative text, and a caption after it."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or "checker-test" in tags(cell):
            continue
        drawn = any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))
        draws = drawn or "plt.show()" in cell.source
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if alt and len(alt) < MIN_ALT:
            yield f"{where(cell)}: say in the alternative text what the figure shows"
        if draws and not alt:
            yield f"{where(cell)} draws without alternative text (mystnb.image.alt)"
        following = notebook.cells[index + 1 : index + 2]
        caption = bool(following) and following[0].source.startswith("**Figure ")
        if draws and not caption:
            yield f"{where(cell)} draws a figure; begin the next cell with '**Figure …'"


def check_exercises(notebook: NotebookNode) -> Iterator[str]:
    """Three to five exercises, each with a checker, its test and a solution."""
    count = sum(
        level == 3 and words.startswith("Exercise ")
        for level, words in headings(notebook)
    )
    if not 3 <= count <= 5:
        yield f"have three to five exercises ('### Exercise 1 (warm-up)'), not {count}"
    for tag in ("solution", "checker-test"):
        found = sum(tag in tags(cell) for cell in code(notebook))
        if found != count:
            yield f"{count} exercises need {count} code cells tagged {tag}, not {found}"


def check_questions(notebook: NotebookNode) -> Iterator[str]:
    """Four to six folded questions close the lesson."""
    count = sum(
        text.count("<details>")
        for section, _, text in passages(notebook)
        if section == "Check yourself"
    )
    if not 4 <= count <= 6:
        yield f"'Check yourself' needs four to six folded answers, not {count}"


def check_sources(notebook: NotebookNode) -> Iterator[str]:
    """Give every source an identifier."""
    text = "\n".join(cell.source for cell in markdown(notebook))
    last = text.rpartition("## Sources")[2]
    entries = re.findall(r"^[-*\d][. ]", last, flags=re.MULTILINE)
    named = re.findall(r"doi\.org/10\.|arxiv\.org/abs/|arXiv:|https://", last)
    if not entries or len(named) < len(entries):
        yield "give every source in '## Sources' a list item with a DOI or arXiv number"


def check_stored(lesson: Lesson) -> Iterator[str]:
    """Keep outputs short and the promised running time true."""
    stored = lesson.read_notebook()
    if stored is None:
        return
    for cell in code(stored):
        for output in cell.outputs:
            text = output.get("text", "") or output.get("data", {}).get(
                "text/plain", ""
            )
            if text.count("\n") > MAX_OUTPUT_LINES:
                yield f"{where(cell)} prints over {MAX_OUTPUT_LINES} lines; print less"
            if output.get("name") == "stderr":
                yield f"{where(cell)} writes to stderr: '{text.strip()[:60]}'"
    promised = re.search(r"\*\*Running\*\* (?:about )?(\d+) s", stored.cells[0].source)
    seconds = record_of(stored).get("seconds")
    if promised is None:
        yield "the header line must promise a running time: '**Running** 40 s …'"
    elif seconds is not None and not 0.4 <= seconds / int(promised[1]) <= 1.25:
        yield f"the header promises {promised[1]} s, the stored run took {seconds} s"


RULES = [
    check_header,
    check_sections,
    check_heading_levels,
    check_code,
    check_portable,
    check_numbers,
    check_hand_worked,
    check_figures,
    check_exercises,
    check_questions,
    check_sources,
]


def lint(lesson: Lesson) -> list[str]:
    """Return everything wrong with a lesson's shape, an empty list if nothing."""
    try:
        text = lesson.read_text()
    except LessonError as error:
        return [str(error)]
    stored = lesson.read_notebook()
    if stored is not None and len(stored.cells) == len(text.cells):
        for cell, executed in zip(text.cells, stored.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs = executed.get("outputs", [])
    found = [problem for rule in RULES for problem in rule(text)]
    found += check_stored(lesson)
    return [f"{lesson.name}: {problem}" for problem in found]


def main() -> int:
    """Lint the texts named on the command line, or all of them."""
    chosen = [Lesson(Path(name).resolve()) for name in sys.argv[1:]] or lessons()
    found = [problem for lesson in chosen for problem in lint(lesson)]
    for problem in found:
        print(problem)
    if not found:
        print(f"{len(chosen)} lessons of {ROOT.name}: nothing to mend")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
