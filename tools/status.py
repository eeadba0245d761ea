"""Measure what the book's status page shows and store it in ``results/status.json``.

``python -m tools.status``                measure everything; about an hour
``python -m tools.status pages tests``    measure some things, keep the rest as it is

===========  =========================================================================
tests        how many tests there are, of what
book         building the book in an empty copy with nothing installed, and again
             after an edit; packages come from the index, not from pip's cache
pages        build the book here and weigh each page as a browser loads it
notebooks    executing all lessons on real data, in a copy
test-fast    running the quick tests: no notebook, browser, Spark or long training
test         running every test
===========  =========================================================================

Each is stored as soon as it is measured, with date, device and how busy the machine was
when this began. Times mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools import book, pdf
from tools.environment import ENVIRONMENTS, python_of
from tools.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
STATUS = ROOT / "results" / "status.json"
PYTEST = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal"]
EDITED = "book/medicine.md"  # what is edited between the two builds
COUNTED = re.compile(r"^tests/(\w+)/\S*::", re.MULTILINE)
OUTCOME = re.compile(r"(\d+) (passed|skipped)")

Measured = dict[str, Any]


class StatusError(Exception):
    """Something could not be measured; the message says what and why."""


def timed(
    command: Sequence[str], folder: Path, **environment: str
) -> tuple[float, str]:
    """Run a command; return its seconds and what it wrote.

    Raises
    ------
    StatusError
        If it fails; the message ends with its last lines.
    """
    started = time.perf_counter()
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise StatusError(
            f"'{' '.join(command)}' failed with status {done.returncode}, so nothing "
            f"is stored for it:\n{tail}"
        )
    return round(seconds, 1), done.stdout


def copy_sources(root: Path, folder: Path) -> None:
    """Copy what git knows or would add, as it is now: no environment, nothing built.

    Raises
    ------
    StatusError
        If the root is no git repository.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StatusError(f"git cannot list the files of {root}: {error}") from None
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():  # a file that git knows may have been deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def measure_tests() -> Measured:
    """Count the tests of each folder below ``tests``."""
    _, listed = timed(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header"], ROOT
    )
    counts = Counter(COUNTED.findall(listed))
    if not counts:
        raise StatusError(f"pytest listed no test below {ROOT / 'tests'}")
    return {"counts": dict(sorted(counts.items()))}


def measure_book() -> Measured:
    """Time the build with nothing installed, and again after an edit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_sources(ROOT, folder)
        set_up = [sys.executable, "-m", "tools.environment", "reader"]
        python = str(python_of(folder / ENVIRONMENTS["reader"]))
        build = [python, "-m", "tools.book", "build"]
        installing, _ = timed(set_up, folder, PIP_NO_CACHE_DIR="1")
        building, _ = timed(build, folder)
        with (folder / EDITED).open("a", encoding="utf-8") as page:
            page.write("\nOne more sentence.\n")
        checking, _ = timed(set_up, folder)
        again, _ = timed(build, folder)
    return {
        "seconds": round(installing + building, 1),
        "installing": installing,
        "again": round(checking + again, 1),
    }


def measure_pages() -> Measured:
    """Build the book and weigh each page, as the tests of the pages do."""
    sys.path.insert(0, str(ROOT / "tests" / "book"))
    import page_checks as checks

    book.build()
    folder = book.html_folder()
    weights = []
    with pdf.running_chromium() as browser, checks.served(folder) as base:
        for page in book.pages():
            # A new visitor for each page, so that nothing comes from a cache.
            visitor = checks.Visitor(browser, base)
            visitor.open(f"{page}.html")
            own, figures = checks.weight(visitor.asked, base, folder)
            weights.append({"page": page, "own": own, "figures": figures})
            visitor.close()
    return {"weights": weights}


def measure_notebooks() -> Measured:
    """Time executing every lesson on real data, in a copy."""
    with tempfile.TemporaryDirectory() as name:
        copy_sources(ROOT, Path(name))
        command = [sys.executable, "-m", "tools.notebooks", "--all"]
        seconds, _ = timed(command, Path(name))
    return {"seconds": seconds}


def measure_test_fast() -> Measured:
    """Time the quick tests."""
    return _run_tests(["-m", "not slow"])


def measure_test() -> Measured:
    """Time all tests."""
    return _run_tests([])


def _run_tests(arguments: list[str]) -> Measured:
    seconds, said = timed([*PYTEST, *arguments], ROOT)
    last = said.rstrip().rsplit("\n", 1)[-1]
    return {"seconds": seconds} | {what: int(n) for n, what in OUTCOME.findall(last)}


MEASURES: dict[str, Callable[[], Measured]] = {
    "tests": measure_tests,
    "book": measure_book,
    "pages": measure_pages,
    "notebooks": measure_notebooks,
    "test-fast": measure_test_fast,
    "test": measure_test,
}


def circumstances() -> Measured:
    """Return when and on what is measured, and how busy it is: the load per core."""
    import psutil

    cores = os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 1e9
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{cores} CPU cores ({platform.machine()}), {memory:.0f} GB memory",
        "python": platform.python_version(),
        "load": round(psutil.getloadavg()[0] / cores, 2),
    }


def read(path: Path = STATUS) -> dict[str, Measured]:
    """Return what is stored, nothing where there is no file.

    Raises
    ------
    StatusError
        If the file is not what this module writes; it is not overwritten then.
    """
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["measured"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StatusError(
            f"{path} is not a status file ({error!r}); move it away and run again"
        ) from error


def store(name: str, measured: Measured, path: Path = STATUS) -> None:
    """Store one measurement beside the others; the file is whole at any time."""
    document = {"measured": read(path) | {name: measured}}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.status")
    parser.add_argument("what", nargs="*", help=f"some of: {', '.join(MEASURES)}")
    chosen = parser.parse_args(arguments).what or list(MEASURES)
    if unknown := [name for name in chosen if name not in MEASURES]:
        parser.error(f"'{unknown[0]}' is none of: {', '.join(MEASURES)}")
    about = circumstances()
    print(
        f"The load is {about['load']} per core; on a busy machine times are too long, "
        "and the status page says so.",
        flush=True,
    )
    try:
        for name in chosen:
            print(f"{name}: measuring", flush=True)
            measured = MEASURES[name]()
            store(name, about | measured, STATUS)
            seconds = measured.get("seconds")
            print(
                f"{name}: stored" + (f" ({seconds} s)" if seconds else ""), flush=True
            )
    except (StatusError, book.BookError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
