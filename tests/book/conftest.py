import time

import pytest

from tools import book

PATIENCE = 300  # seconds


@pytest.fixture(scope="session")
def built(tmp_path_factory, worker_id):
    """Build the book as it stands now; return the folder of its pages.

    Two processes must not build at once: the first one builds, others wait for it.
    """
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent  # of all processes of this run
    finished = shared / "book-is-built"
    try:
        (shared / "book-is-being-built").mkdir()
    except FileExistsError:
        until = time.monotonic() + PATIENCE
        while not finished.exists() and time.monotonic() < until:
            time.sleep(0.2)
        assert finished.exists(), "another test process did not finish the book"
    else:
        book.build()
        finished.touch()
    return book.html_folder()
