"""Keep each lesson's text, notebook and stored outputs together.

A lesson is a pair: the MyST text ``NAME.md``, which people edit and review, and the
executed notebook ``NAME.ipynb``, which readers run and the book shows. The notebook's
metadata keep a *record* of the run that made its outputs: hashes of the source and of
the code cells, the ``medlib`` modules it imported and their hash, the provenance of
every dataset, time and memory. From it this module tells what is out of sync or stale.
A change of prose alone is copied into the notebook; nothing is executed for it.

``python -m tools.notebooks``            sync all pairs, execute what is stale, store it
``python -m tools.notebooks --all``      execute everything, stale or not
``python -m tools.notebooks check``      report, change nothing
``python -m tools.notebooks practice``   execute all on the practice sets, store nothing
``python -m tools.notebooks --quick practice``   only enough to try every practice set
``python -m tools.notebooks portable``   execute as on an older processor, and list the
                                         compared outputs that move with it
``python -m tools.notebooks pull``       take edits made in a notebook into its text
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from medlib.data.catalogue import CATALOGUE
from tools.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
AT_ONCE = 2
CELL_TIMEOUT = 600  # seconds
# Cell metadata that tools add on the way and that are no part of the source.
TRANSIENT = {"execution", "collapsed", "scrolled", "outputId", "colab", "jupyter"}

# Two lessons run at once on two cores; without the limit their matrix products take
# turns waiting for each other.
KERNEL_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
}
# What an older processor would use: other kernels round otherwise, and training makes
# that visible. An output that differs then cannot be compared between machines.
OLDER_PROCESSOR = {
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
}
# TensorFlow asks the processor itself whether it knows bfloat16 and leaves such layers
# to oneDNN, which behaves as on an older one and refuses.
WITHOUT_ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "0"}
# TensorFlow's start-up messages on stderr, which no setting silences.
START_UP = re.compile(
    r"^(WARNING: All log messages before absl|[EIWF]\d{4} ).*\n?", re.M
)

# Runs in the kernel after the lesson's last cell and reports what the lesson used.
PROBE = """
import json, sys
def _probe():
    names = sorted(n for n in sys.modules if n == "medlib" or n.startswith("medlib."))
    used = sys.modules.get("medlib.data.provenance")
    runtime = __import__("medlib.runtime", fromlist=["runtime"])
    versions = {n: sys.modules[n].__version__ for n in
                ("numpy", "scipy", "sklearn", "keras", "tensorflow")
                if hasattr(sys.modules.get(n), "__version__")}
    versions["python"] = ".".join(map(str, sys.version_info[:3]))
    print(json.dumps({
        "modules": names,
        "provenance": [vars(p) for p in used.loaded()] if used else [],
        "peak_memory_mb": round(runtime.peak_memory_mb()),
        "versions": dict(sorted(versions.items())),
    }))
_probe()
"""


class LessonError(Exception):
    """A lesson's files contradict each other or a lesson failed to run."""


@dataclass(frozen=True)
class Lesson:
    """One lesson: a text and the notebook of the same name beside it."""

    text: Path

    @property
    def notebook(self) -> Path:
        """The executed notebook's path."""
        return self.text.with_suffix(".ipynb")

    @property
    def name(self) -> str:
        """The part's folder and the lesson, for example ``1_maths/1_convolution``."""
        return f"{self.text.parent.name}/{self.text.stem}"

    def read_text(self) -> NotebookNode:
        """Return the lesson as its text has it, without outputs.

        Raises
        ------
        LessonError
            If a cell's metadata cannot be read; the message names cell and line.
        """
        source = self.text.read_text(encoding="utf-8")
        try:
            return jupytext.reads(source, fmt="md:myst")
        except MystMetadataParsingError as error:
            raise LessonError(f"{self.text.name}: {error}") from None

    def read_notebook(self) -> NotebookNode | None:
        """Return the stored notebook, or None where there is none yet."""
        if not self.notebook.exists():
            return None
        return nbformat.read(self.notebook, as_version=4)

    def datasets(self) -> list[str]:
        """Return the names of the datasets that the lesson says it loads."""
        return list(self.read_text().metadata.get("medlib", {}).get("data", []))


def lessons(folder: Path = LESSONS) -> list[Lesson]:
    """Return every lesson, in the order of the course."""
    return [Lesson(path) for path in sorted(folder.glob("*/*.md"))]


def declares(text: NotebookNode, word: str) -> set[str]:
    """Return the datasets that a lesson says it loads.

    The word is ``"data"`` for real sets and ``"practice"`` for practice sets that are
    loaded on purpose, because their truth is known.
    """
    return set(text.metadata.get("medlib", {}).get(word, []))


def unplanned_practice(text: NotebookNode, loaded: list[dict[str, str]]) -> list[str]:
    """Return the titles of practice sets that a run used without being meant to."""
    planned = declares(text, "practice")
    return [
        entry["title"]
        for entry in loaded
        if entry["kind"] != "real" and entry["dataset"] not in planned
    ]


def source_hash(notebook: NotebookNode) -> str:
    """Hash what a lesson's author wrote: cell types, sources, lasting metadata."""
    cells = [
        [
            cell.cell_type,
            cell.source.strip(),
            {k: v for k, v in sorted(cell.metadata.items()) if k not in TRANSIENT},
        ]
        for cell in notebook.cells
    ]
    data = notebook.metadata.get("medlib", {}).get("data", [])
    parts = [cells, data]
    if practice := sorted(declares(notebook, "practice")):
        parts.append(practice)
    content = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def cells_hash(notebook: NotebookNode) -> str:
    """Hash the code alone: what decides whether stored outputs are still its own."""
    sources = [c.source.strip() for c in notebook.cells if c.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def medlib_hash(modules: list[str], root: Path = ROOT) -> str:
    """Hash the sources of the named ``medlib`` modules; a module gone changes it."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        base = root.joinpath(*name.split("."))
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        content = path.read_bytes() if path.exists() else b"missing"
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def record_of(notebook: NotebookNode | None) -> dict[str, Any]:
    """Return the record of the run that made the stored outputs, or an empty one."""
    return dict(notebook.metadata.get("medlib", {}).get("run", {})) if notebook else {}


def edited_in_notebook(lesson: Lesson) -> bool:
    """Tell whether the notebook, and not the text, was changed since the last run."""
    stored = lesson.read_notebook()
    recorded = record_of(stored).get("source_sha256")
    if stored is None or recorded is None:
        return False
    return recorded == source_hash(lesson.read_text()) != source_hash(stored)


def problems(lesson: Lesson, root: Path = ROOT) -> list[str]:
    """Return what is wrong with a lesson's stored notebook, an empty list if nothing.

    Checks that the pair is in sync, that every code cell ran in order without an error,
    that the outputs come from the current source and the current ``medlib``, and that
    they come from real data.
    """
    stored = lesson.read_notebook()
    if stored is None:
        return [f"{lesson.name}: no notebook yet; run `python -m tools.notebooks`"]
    found: list[str] = []
    text = lesson.read_text()
    current = source_hash(text)
    if source_hash(stored) != current:
        found.append("the text and the notebook differ")
    record = record_of(stored)
    if record.get("cells_sha256") != cells_hash(text):
        found.append("the outputs come from another version of the code cells")
    if record.get("medlib_sha256") != medlib_hash(record.get("modules", []), root):
        found.append("the outputs come from another version of medlib")
    code = [c for c in stored.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        found.append("not every code cell was executed, once and in order")
    if any(o.output_type == "error" for c in code for o in c.outputs):
        found.append("a stored output is an error")
    loaded = record.get("provenance", [])
    found += [
        f"the stored outputs use the practice set of {title}"
        for title in unplanned_practice(text, loaded)
    ]
    for kind, word in (("real", "data"), ("practice", "practice")):
        declared = sorted(declares(text, word))
        used = sorted({e["dataset"] for e in loaded if e["kind"] == kind})
        if declared != used:
            found.append(
                f"the text declares the {kind} data {declared}, the run loaded {used}"
            )
    remedy = "run `python -m tools.notebooks`"
    if edited_in_notebook(lesson):
        remedy = "the notebook was edited: `python -m tools.notebooks pull` keeps that"
    return [f"{lesson.name}: {what}; {remedy}" for what in found]


def sync(lesson: Lesson) -> bool:
    """Copy a change of prose into the notebook, keeping its outputs.

    Returns whether that was possible; it is not where the code cells changed too.
    """
    text, stored = lesson.read_text(), lesson.read_notebook()
    record = record_of(stored)
    if stored is None or record.get("cells_sha256") != cells_hash(text):
        return False
    executed = [cell for cell in stored.cells if cell.cell_type == "code"]
    current = [cell for cell in text.cells if cell.cell_type == "code"]
    if cells_hash(stored) != cells_hash(text):
        return False
    for cell, old in zip(current, executed, strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
    record["source_sha256"] = source_hash(text)
    store(text, record, lesson.notebook)
    return True


def renew(lesson: Lesson) -> None:
    """Record that the stored outputs hold for the text as it is now.

    For changes that cannot move an output, such as the repository's address.
    """
    text, stored = lesson.read_text(), lesson.read_notebook()
    record = record_of(stored)
    if stored is None or source_hash(text) != source_hash(stored):
        raise LessonError(f"{lesson.name}: the text and the notebook differ")
    record |= {"source_sha256": source_hash(text), "cells_sha256": cells_hash(text)}
    store(stored, record, lesson.notebook)


def store(notebook: NotebookNode, record: dict[str, Any], path: Path) -> None:
    """Store an executed notebook together with the record of its run."""
    name_cells(notebook)
    tidy(notebook)
    notebook.metadata.setdefault("medlib", {})["run"] = record
    write_whole(path, nbformat.writes(notebook) + "\n")


def name_cells(notebook: NotebookNode) -> None:
    """Give cells ids that depend on their source alone, so that diffs stay small."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def tidy(notebook: NotebookNode) -> None:
    """Remove what changes from run to run and tells a reader nothing; fold solutions.

    The tag that folds a cell in the book means nothing to JupyterLab: it has its own.
    """
    for cell in notebook.cells:
        for name in TRANSIENT:
            cell.metadata.pop(name, None)
        if "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type != "code":
            continue
        merged: list[NotebookNode] = []
        for output in cell.outputs:
            if output.get("name") == "stderr":
                output.text = START_UP.sub("", output.text)
                if not output.text.strip():
                    continue
            last = merged[-1] if merged else None
            if (
                output.output_type == "stream"
                and last is not None
                and last.output_type == "stream"
                and last.name == output.name
            ):
                last.text += output.text
            else:
                merged.append(output)
        cell.outputs = merged
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}


async def execute(
    lesson: Lesson,
    *,
    source: str,
    report: Any = print,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> tuple[NotebookNode, dict[str, Any]]:
    """Run a lesson's text in a fresh kernel.

    Parameters
    ----------
    lesson : Lesson
        The lesson; its files are left alone.
    source : {"real", "practice"}
        Which data it may use.
    report : callable
        Called with a line of progress now and then.
    settings : mapping of str to str
        Environment variables for the kernel beside the usual ones.

    Returns
    -------
    notebook : NotebookNode
        The executed notebook.
    record : dict
        What the run used and cost.

    Raises
    ------
    LessonError
        If a cell fails; the message shows the cell and the error.
    """
    notebook = lesson.read_text()
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(lesson.text.parent)}},
    )
    environment = os.environ | KERNEL_ENVIRONMENT | {"MEDLIB_SOURCE": source}
    environment |= dict(settings)
    begun = said = time.monotonic()
    async with client.async_setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            try:
                await client.async_execute_cell(cell, index)
            except CellExecutionError as error:
                raise LessonError(
                    f"{lesson.name}, cell {index + 1}:\n{error}"
                ) from None
            if time.monotonic() - said > 5:
                said = time.monotonic()
                report(f"  {lesson.name}: cell {index + 1} of {len(notebook.cells)}")
        seconds = time.monotonic() - begun
        probe = nbformat.v4.new_code_cell(PROBE)
        notebook.cells.append(probe)
        await client.async_execute_cell(
            probe, len(notebook.cells) - 1, store_history=False
        )
        notebook.cells.pop()
    record = json.loads("".join(o.text for o in probe.outputs if o.name == "stdout"))
    record["seconds"] = round(seconds, 1)
    record["source_sha256"] = source_hash(lesson.read_text())
    record["cells_sha256"] = cells_hash(notebook)
    record["medlib_sha256"] = medlib_hash(record["modules"])
    return notebook, record


def moved(stored: NotebookNode, again: NotebookNode) -> list[str]:
    """Return how the cells begin whose compared outputs differ between two runs."""
    return [
        old.source.strip().splitlines()[0]
        for old, new in zip(stored.cells, again.cells, strict=True)
        if old.cell_type == "code"
        and "nbval-ignore-output" not in old.metadata.get("tags", [])
        and compared(old) != compared(new)
    ]


def compared(cell: NotebookNode) -> list[str]:
    """Return what nbval compares of a cell's outputs: words, not pictures."""
    return [
        str(text)
        for output in cell.outputs
        for text in (
            [output.text] * (output.name == "stdout")
            if output.output_type == "stream"
            else [
                content
                for kind, content in sorted(output.get("data", {}).items())
                if not kind.startswith("image/")
            ]
        )
    ]


def quick_cover(chosen: list[Lesson]) -> list[Lesson]:
    """Return few and quick lessons that between them load every practice set of all.

    Greedy: of the lessons that load something new, the one with the fewest stored
    seconds for each new set. Data without files ship with a library, so that nothing
    is practised with them.
    """
    loads = {
        lesson: {name for name in lesson.datasets() if CATALOGUE[name].files}
        for lesson in chosen
    }
    cover: set[Lesson] = set()
    missing = set().union(*loads.values())
    while missing:
        best = min(
            (lesson for lesson in chosen if missing & loads[lesson]),
            key=lambda lesson: (
                record_of(lesson.read_notebook()).get("seconds", 60.0)
                / len(missing & loads[lesson])
            ),
        )
        cover.add(best)
        missing -= loads[best]
    return [lesson for lesson in chosen if lesson in cover]


async def make(
    lesson: Lesson, turn: asyncio.Semaphore, *, source: str, keep: bool
) -> str | None:
    """Execute one lesson when it is its turn; return what failed, or None."""
    async with turn:
        print(f"{lesson.name}: executing on {source} data", flush=True)
        try:
            notebook, record = await execute(lesson, source=source)
        except LessonError as error:
            return str(error)
        used = f"{record['seconds']:.0f} s, {record['peak_memory_mb']} MB"
        # Sets that ship with a library are real everywhere, so only the other
        # direction can go wrong.
        missed = unplanned_practice(lesson.read_text(), record["provenance"])
        if source == "real" and missed:
            return (
                f"{lesson.name}: used the practice set of {', '.join(missed)} where "
                "real data was asked for"
            )
        if keep:
            store(notebook, record, lesson.notebook)
        print(f"{lesson.name}: done ({used})", flush=True)
    return None


async def make_all(chosen: list[Lesson], *, source: str, keep: bool) -> list[str]:
    """Execute lessons, two at a time, and return what failed."""
    turn = asyncio.Semaphore(AT_ONCE)
    runs = [make(lesson, turn, source=source, keep=keep) for lesson in chosen]
    return [failure for failure in await asyncio.gather(*runs) if failure]


def pull(lesson: Lesson) -> bool:
    """Take edits made in a notebook into its text; return whether there were any."""
    stored = lesson.read_notebook()
    if stored is None or not edited_in_notebook(lesson):
        return False
    plain = lesson.read_text()
    plain.cells = stored.cells
    for cell in plain.cells:
        for name in TRANSIENT:
            cell.metadata.pop(name, None)
    write_whole(lesson.text, jupytext.writes(plain, fmt="md:myst"))
    return True


def current(lesson: Lesson) -> bool:
    """Tell whether nothing is wrong with a lesson's stored notebook."""
    return not problems(lesson)


def select(names: list[str]) -> list[Lesson]:
    """Return the lessons whose names contain one of the words; all without words.

    Raises
    ------
    LessonError
        If a word matches no lesson.
    """
    everything = lessons()
    if not names:
        return everything
    for name in names:
        if name in ACTIONS:
            raise LessonError(f"write '{name}' before --only, not behind it")
        if not any(name in lesson.name for lesson in everything):
            known = ", ".join(lesson.name for lesson in everything)
            raise LessonError(f"no lesson matches '{name}'; there are: {known}")
    return [le for le in everything if any(name in le.name for name in names)]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks")
    parser.add_argument(
        "action", nargs="?", default="store", choices=["store", *ACTIONS]
    )
    parser.add_argument("--all", action="store_true", help="also what is not stale")
    parser.add_argument("--only", nargs="+", default=[], help="parts of lesson names")
    parser.add_argument(
        "--quick", action="store_true", help="few lessons that load every dataset"
    )
    options = parser.parse_args(arguments)
    try:
        chosen = select(options.only)
        if options.quick:
            chosen = quick_cover(chosen)
        if options.action == "store":
            return store_action(chosen, everything=options.all)
        return ACTIONS[options.action](chosen)
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1


def store_action(chosen: list[Lesson], *, everything: bool) -> int:
    """Execute what is stale on real data and store it."""
    for lesson in chosen:
        if edited_in_notebook(lesson):
            raise LessonError(
                f"{lesson.name}: the notebook was edited, not its text. "
                "`python -m tools.notebooks pull` takes the edits into the text; "
                f"`git checkout` of {lesson.notebook.name} drops them."
            )
    due = [
        lesson
        for lesson in chosen
        if everything or not (current(lesson) or (sync(lesson) and current(lesson)))
    ]
    print(f"{len(chosen)} lessons, {len(due)} to execute", flush=True)
    failures = asyncio.run(make_all(due, source="real", keep=True))
    return tell(failures + [line for le in chosen for line in problems(le)])


def check_action(chosen: list[Lesson]) -> int:
    """Report what is out of sync or stale."""
    return tell([line for lesson in chosen for line in problems(lesson)])


def practice_action(chosen: list[Lesson]) -> int:
    """Execute lessons on the practice sets and store nothing."""
    return tell(asyncio.run(make_all(chosen, source="practice", keep=False)))


def portable_action(chosen: list[Lesson]) -> int:
    """Execute lessons as on an older processor; list compared outputs that move."""

    async def again(lesson: Lesson, turn: asyncio.Semaphore) -> list[str]:
        settings = dict(OLDER_PROCESSOR)
        if "bfloat16" in lesson.text.read_text(encoding="utf-8"):
            settings |= WITHOUT_ONEDNN
        async with turn:
            try:
                notebook, _ = await execute(lesson, source="real", settings=settings)
            except LessonError as error:
                return [str(error)]
        tidy(notebook)
        print(f"{lesson.name}: done", flush=True)
        return [
            f"{lesson.name}: the output of the cell that begins '{begin}' moves with "
            "the processor; tag it nbval-ignore-output and assert what matters"
            for begin in moved(lesson.read_notebook() or notebook, notebook)
        ]

    async def all_of_them() -> list[list[str]]:
        turn = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(again(lesson, turn) for lesson in chosen))

    return tell([line for lines in asyncio.run(all_of_them()) for line in lines])


def pull_action(chosen: list[Lesson]) -> int:
    """Take edits made in notebooks into their texts."""
    for lesson in chosen:
        if pull(lesson):
            print(f"{lesson.name}: text updated from the notebook")
    return 0


ACTIONS = {
    "check": check_action,
    "practice": practice_action,
    "portable": portable_action,
    "pull": pull_action,
}


def tell(failures: list[str]) -> int:
    """Print failures; return the exit code that fits them."""
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
