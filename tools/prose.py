"""Check the spelling of everything that readers read, and find doubled words.

``python -m tools.prose [FILE …]`` reads lessons, pages of the book and the notes beside
them. Spelling is codespell's, with the course's British spelling: its list from British
to American is turned round. Code, mathematics, addresses and lists of sources are left
out; a figure's alternative text is not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.lint import NOT_PROSE
from tools.notebooks import ROOT

PATTERNS = ("*.md", "book/*.md", "notebooks/*/*.md")
GONE = "□"  # stands for what is no prose, so that its neighbours stay apart
CELL = re.compile(r"```\{code-cell\}[^\n]*\n(---\n.*?\n---\n)?(.*?)^```", re.S | re.M)
SOURCES = re.compile(r"^## Sources$.*", re.S | re.M)
BRITISH_TO_AMERICAN = "dictionary_en-GB_to_en-US.txt"
# American words that are British too, in another sense or as another part of speech.
BRITISH_TOO = {
    "analog",
    "ax",
    "check",
    "checks",
    "curb",
    "disk",
    "disks",
    "draft",
    "drafts",
    "inquiry",
    "judgment",
    "license",
    "licensed",
    "meter",
    "meters",
    "practice",
    "practices",
    "program",
    "programs",
    "story",
    "tire",
    "tires",
}
# Words of medicine that codespell's list lacks.
MEDICINE = {
    "anemia": "anaemia",
    "anesthesia": "anaesthesia",
    "edema": "oedema",
    "hematology": "haematology",
    "hemorrhage": "haemorrhage",
    "hospitalization": "hospitalisation",
    "hospitalized": "hospitalised",
    "ischemia": "ischaemia",
    "pediatric": "paediatric",
    "tumor": "tumour",
    "tumors": "tumours",
}
# What codespell takes for an error: a method's short name, a tool and two authors.
NO_ERRORS = {"als", "jupyter", "pinter", "strack"}
TWICE = re.compile(r"\b([^\W\d_]{2,})(\s+)\1\b", re.IGNORECASE)
TWICE_ALLOWED = {"had", "six", "that"}  # six: a number read digit by digit


def files() -> list[Path]:
    """Return every file of prose."""
    return sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


def prose(text: str) -> str:
    """Return Markdown with a mark for what is no prose; lines keep their numbers."""

    def blank(part: str) -> str:
        return GONE + "\n" * part.count("\n")

    text = SOURCES.sub("", text)
    text = CELL.sub(lambda cell: blank("\n") + (cell[1] or "") + blank(cell[2]), text)
    return NOT_PROSE.sub(lambda found: blank(found[0]), text)


def twice(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each word that stands twice in a row, and the word."""
    for found in TWICE.finditer(text):
        if found[1].lower() not in TWICE_ALLOWED and found[2].count("\n") < 2:
            yield text.count("\n", 0, found.start()) + 1, found[1]


def american() -> Iterator[str]:
    """Yield lines of a dictionary from American to British spelling."""
    import codespell_lib

    data = Path(codespell_lib.__file__).parent / "data" / BRITISH_TO_AMERICAN
    for line in data.read_text(encoding="utf-8").splitlines():
        british, _, words = line.partition("->")
        for word in words.split(","):
            if word.strip() and word.strip() not in BRITISH_TOO:
                yield f"{word.strip()}->{british}"
    yield from (f"{word}->{british}" for word, british in MEDICINE.items())


def misspelt(texts: dict[str, str]) -> Iterator[str]:
    """Yield what codespell finds in texts, with their names and lines."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder, "texts", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        dictionary = Path(folder, "american.txt")
        dictionary.write_text("\n".join(american()) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "codespell_lib", "--builtin", "clear,rare"]
        command += ["--dictionary", "-", "--dictionary", str(dictionary)]
        command += ["--ignore-words-list", ",".join(sorted(NO_ERRORS)), "."]
        done = subprocess.run(
            command,
            cwd=Path(folder, "texts"),
            env=os.environ | {"PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.stderr.strip():
            raise RuntimeError(f"codespell failed: {done.stderr.strip()}")
        yield from sorted(
            line.removeprefix("./").replace(" ==> ", ": better ")
            for line in done.stdout.splitlines()
        )


def check(paths: list[Path]) -> list[str]:
    """Return everything that is wrong in the prose of files."""
    texts = {
        path.relative_to(ROOT).as_posix(): prose(path.read_text(encoding="utf-8"))
        for path in paths
    }
    doubled = [
        f"{name}:{line}: '{word}' stands twice"
        for name, text in texts.items()
        for line, word in twice(text)
    ]
    return [*misspelt(texts), *doubled]


def main() -> int:
    """Check the files named on the command line, or all of them."""
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or files()
    found = check(chosen)
    for problem in found:
        print(problem)
    if not found:
        print(f"{len(chosen)} texts: spelling in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
