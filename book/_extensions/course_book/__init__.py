"""The book's own Sphinx extension.

It writes the pages' generated parts (`fragments`), brings local mathematics and the
social card (`assets`), ties the glossary and the lessons together (`terms`), and mends
what the theme leaves to mend (`pages`). It needs only what building the book needs: no
TensorFlow, no pandas.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_book import assets, fragments, pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def source_hash() -> str:
    """Return a hash of the extension's own source."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to the build."""
    # Pages are written anew when this extension changes.
    app.add_config_value("course_book_source", source_hash(), "html")
    app.add_config_value("course_book_fragments", True, "env")
    app.connect("builder-inited", fragments.write)
    app.connect("builder-inited", assets.bring)
    app.connect("builder-inited", pages.add_filters)
    app.connect("build-finished", assets.write_entrance)
    app.setup_extension("course_book.terms")
    # After every other extension, because it takes away what they added.
    app.connect("html-page-context", pages.mend, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
