from pathlib import Path

import pytest

from tools import book

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Keep these tests in one process: they share one build and one browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("book"))


@pytest.fixture(scope="session")
def built():
    """Build the book as it stands now; return the folder of its pages."""
    book.build()
    return book.html_folder()
