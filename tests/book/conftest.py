import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import book, pdf

PATIENCE = 900  # seconds


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """Return a folder that all processes of this test run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


def once(shared: Path, name: str, make: Callable[[], None]) -> None:
    """Make something in the first process that needs it; the others wait for it."""
    finished = shared / f"{name}-is-finished"
    try:
        (shared / f"{name}-is-being-made").mkdir()
    except FileExistsError:
        until = time.monotonic() + PATIENCE
        while not finished.exists() and time.monotonic() < until:
            time.sleep(0.2)
        assert finished.exists(), f"another test process did not finish the {name}"
    else:
        make()
        finished.touch()


@pytest.fixture(scope="session")
def built(shared):
    """Build the book as it stands now; return the folder of its pages."""
    once(shared, "book", book.build)
    return book.html_folder()


@pytest.fixture(scope="module")
def printed_file(shared, built, browser):
    """Print the book as it stands now; return the PDF's path."""
    target = shared / "paper" / "book.pdf"

    def make() -> None:
        target.parent.mkdir()
        pdf.make(book.ROOT, target, browser)

    once(shared, "PDF", make)
    return target


@pytest.fixture(scope="module")
def browser():
    """Start a Chromium; its event loop must end before other modules need their own."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing"
    )
    with sync_api.sync_playwright() as playwright:
        path = pdf.chromium(playwright)
        if path is None:
            pytest.skip("no Chromium here: install chromium to test pages and PDF")
        browser = playwright.chromium.launch(executable_path=path, args=pdf.QUIET)
        yield browser
        browser.close()
