import pytest

from tools import book


@pytest.fixture(scope="session")
def built():
    """Build the book as it stands now; return the folder of its pages."""
    book.build()
    return book.html_folder()
