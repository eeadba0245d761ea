"""Bring what pages load: local mathematics, the social card, the entrance page."""

from __future__ import annotations

import importlib.util
import shutil
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# The package's folder has a hyphen in its name, so it can be found but not imported.
MATHJAX_PACKAGE = "sphinx-mathjax-offline"
# 2.2 MB of the package's 24 MB: everything that TeX to CHTML loads.
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts")
ENTRANCE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
<meta name="description" content="The entrance to the book {title}."/>
<link rel="canonical" href="{page}"/>
<script>location.replace("{page}" + location.hash);</script>
</head>
<body><main><h1>{title}</h1><p><a href="{page}">Open the book</a></p></main></body>
</html>
"""


def mathjax_folder() -> Path:
    """Return where the installed package keeps MathJax.

    Raises
    ------
    ExtensionError
        If the package is not installed.
    """
    spec = importlib.util.find_spec(MATHJAX_PACKAGE)
    if spec is None or spec.origin is None:
        raise ExtensionError(
            f"mathematics needs the package {MATHJAX_PACKAGE}: "
            "run `python -m tools.environment reader`"
        )
    return Path(spec.origin).parent / "static" / "mathjax"


def bring(app: Sphinx) -> None:
    """Put MathJax and the social card into the output, where they are not yet."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for part in MATHJAX_PARTS:
        source, target = mathjax_folder() / part, static / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file() and not target.exists():
            shutil.copyfile(source, target)
        elif source.is_dir() and not target.exists():
            shutil.copytree(source, target)
    card = static / "social-card.png"
    if not card.exists() or card.stat().st_mtime < Path(__file__).stat().st_mtime:
        draw_card(app.config.html_title, card)


def draw_card(title: str, path: Path) -> None:
    """Draw the picture that a shared link shows, 1200 × 630 pixels."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#0b2239")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 12), ylim=(0, 6.3))
    axes.axis("off")
    time = np.linspace(0, 12, 3000)
    # One beat as a sum of bumps for the P, Q, R, S and T waves: place, width, height.
    waves = [(0.7, 0.09, 0.14), (1.0, 0.03, -0.16), (1.08, 0.035, 1.3),
             (1.16, 0.03, -0.3), (1.55, 0.13, 0.3)]  # fmt: skip
    beat = sum(h * np.exp(-(((time % 2.4) - at) ** 2) / 2 / w**2) for at, w, h in waves)
    axes.plot(time, 1.2 + beat, color="#56b4e9", linewidth=3)
    words = title.split(" from ")
    axes.text(0.8, 4.75, words[0], color="white", fontsize=58, weight="bold")
    axes.text(0.8, 3.85, " ".join(["from", *words[1:]]), color="white", fontsize=40)
    axes.text(0.8, 3.2, "An executable course", color="#e69f00", fontsize=24)
    figure.savefig(path, metadata={"Software": None})


def pdf_link(outdir: Path) -> str:
    """Return a link to the printed book for the landing page, where there is one."""
    printed = next(outdir.glob("*.pdf"), None)
    if printed is None:
        return ""
    size = printed.stat().st_size / 1e6
    return (
        f'<p class="pdf-link"><strong>On paper.</strong> <a href="../{printed.name}">'
        f"The whole book as a PDF</a> ({size:.0f} MB).</p>\n"
    )


def write_entrance(app: Sphinx, error: Exception | None) -> None:
    """Write ``index.html``, which leads to the landing page."""
    if error is None and app.builder.format == "html":
        page = f"{app.config.root_doc}.html"
        html = ENTRANCE.format(title=escape(app.config.html_title), page=page)
        Path(app.outdir, "index.html").write_text(html, encoding="utf-8")
