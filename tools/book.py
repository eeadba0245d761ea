"""Build, check and serve the book.

``python -m tools.book build``   build with warnings as errors, then check the pages
``python -m tools.book serve``   show the built book on this machine only
``python -m tools.book pdf``     build, print the pages into one PDF, link it

``--edition student`` takes the course without solutions instead, ``--edition
solutions`` the exercises with theirs; both lie in ``_build/`` (``tools.editions``).
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import subprocess
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOC = "book/_toc.yml"
SHARED = ("book/_static", "book/_extensions")  # what is part of every page
# Jupyter Book cannot be run with -m, and its script may not be on the path.
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main(prog_name='jupyter-book')"


class BookError(Exception):
    """The book cannot be built or is not whole; the message says what to do."""


def html_folder(root: Path = ROOT) -> Path:
    """Return the folder of the built pages."""
    return root / "_build" / "html"


def parts(root: Path = ROOT) -> list[tuple[str, list[str]]]:
    """Return the parts of the table of contents: each one's name and its pages.

    Pages have no suffix and stand in reading order. The first part is nameless and
    begins with the landing page.
    """
    import yaml

    found: list[tuple[str, list[str]]] = [("", [])]

    def walk(entry: Any) -> None:
        if isinstance(entry, list):
            for item in entry:
                walk(item)
        elif isinstance(entry, dict):
            if "caption" in entry:
                found.append((str(entry["caption"]), []))
            found[-1][1].extend(str(entry[k]) for k in ("root", "file") if k in entry)
            for key in ("parts", "chapters", "sections"):
                walk(entry.get(key))

    walk(yaml.safe_load((root / TOC).read_text(encoding="utf-8")))
    return found


def pages(root: Path = ROOT) -> list[str]:
    """Return the pages of the table of contents, without suffix, in reading order."""
    return [page for _, some in parts(root) for page in some]


def check_sources(root: Path = ROOT) -> None:
    """Check that each page of the table of contents has a source.

    Raises
    ------
    BookError
        If one is missing; the message names them all.
    """
    missing = [
        page
        for page in pages(root)
        if not any((root / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb"))
        or (page.startswith("notebooks/") and not (root / f"{page}.ipynb").is_file())
    ]
    if missing:
        raise BookError(
            f"{TOC} names pages that have no source: {', '.join(missing)}. A lesson "
            "needs its executed notebook: run `python -m tools.notebooks`."
        )


def check_pages(root: Path = ROOT) -> int:
    """Check that each page of the table of contents exists as HTML; count them.

    Raises
    ------
    BookError
        If one is missing or empty, whatever the build's exit status said.
    """
    missing = [
        page
        for page in pages(root)
        if not (path := html_folder(root) / f"{page}.html").is_file()
        or "<article" not in path.read_text(encoding="utf-8")
    ]
    if missing:
        raise BookError(f"these pages were not built: {', '.join(missing)}")
    return len(pages(root))


def changed_for_all_pages(root: Path, since: float) -> bool:
    """Say whether what all pages share has changed since a time, in seconds."""
    return any(
        path.stat().st_mtime > since
        for folder in SHARED
        for path in (root / folder).rglob("*.*")
        if "__pycache__" not in path.parts
    )


def build(root: Path = ROOT) -> None:
    """Build the book with warnings as errors, then check its pages.

    Raises
    ------
    BookError
        If Jupyter Book is not installed, a source is missing, the build warns or
        fails, or a page is missing.
    """
    if importlib.util.find_spec("jupyter_book") is None:
        raise BookError(
            "Jupyter Book is not installed in this Python: run `make book`, or "
            "`python -m tools.environment reader` and then the .venv's Python."
        )
    check_sources(root)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(root)]
    command += ["--toc", str(root / TOC), "-W", "-n", "--keep-going"]
    # Sphinx makes those pages anew whose own source has changed. Elsewhere that is too
    # little: a build that was cut off may have left half a search index behind.
    finished, started_at = root / "_build" / "finished", time.time()
    if not finished.exists() or changed_for_all_pages(root, finished.stat().st_mtime):
        command.append("--all")
    finished.unlink(missing_ok=True)
    started = time.perf_counter()
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status:
        raise BookError(f"the build failed with status {status}; see the lines above")
    count = check_pages(root)
    finished.touch()
    os.utime(finished, (started_at, started_at))
    seconds = time.perf_counter() - started
    print(f"{count} pages built and checked in {seconds:.0f} s. Open:")
    print(f"  {html_folder(root) / 'index.html'}")


def serve(root: Path = ROOT, port: int = 8000) -> None:
    """Serve the built pages on this machine until interrupted.

    Raises
    ------
    BookError
        If the book is not built, or the port is taken.
    """
    check_pages(root)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=html_folder(root))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise BookError(
            f"port {port} cannot be used ({error.strerror}); name another: --port 8001"
        ) from None
    with server:
        print(f"http://127.0.0.1:{server.server_port}/  (stop with Ctrl+C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tools.book")
    parser.add_argument("action", choices=("build", "serve", "pdf"))
    parser.add_argument("--edition", choices=("student", "solutions"))
    parser.add_argument("--port", type=int, default=8000, help="port of `serve`")
    arguments = parser.parse_args()
    try:
        root = ROOT
        if arguments.edition:
            from tools import editions

            make = arguments.action != "serve"
            act = editions.make if make else editions.folder
            root = act(arguments.edition)
        if arguments.action == "serve":
            serve(root, arguments.port)
        else:
            build(root)
        if arguments.action == "pdf":
            from tools import pdf

            pdf.make(root)
            build(root)  # the landing page now links it
    except BookError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    # Under the module's own name, so that all modules raise and catch one BookError.
    from tools import book

    book.main()
