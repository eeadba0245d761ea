"""Mend each page: what it loads, how it describes itself, how it can be operated."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DESCRIPTION_LENGTH = 200  # characters; search engines and cards cut longer ones
CARD = "_static/social-card.png"

ICON_SCRIPT = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>\s*")
# What is replaced in the HTML of a page's body, and by what.
REPLACED = {
    # The label contradicts the visible text "Show code cell source".
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # Its entries have a role of their own, so it is no list.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}
# Settings for the thebe service, which stand in each page even when it is off.
THEBE = re.compile(
    r'<script type="text/x-thebe-config">.*?</script>\s*'
    r"|<script>kernelName = .*?</script>\s*",
    re.DOTALL,
)
# The summaries on the search page are fetched, which a browser refuses on file://.
LOCAL_SEARCH = """<script>
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
</script>"""


def add_filters(app: Sphinx) -> None:
    """Give the templates a filter that drops the theme's 1.5 MB icon script.

    The icons come from the theme's icon font, which the style sheet loads.
    """
    templates = getattr(app.builder, "templates", None)
    if templates is not None:
        templates.environment.filters["without_icon_script"] = without_icon_script


def without_icon_script(html: str) -> str:
    """Return the HTML of a page's head without the icon script."""
    return ICON_SCRIPT.sub("", html)


def mend(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Change what one page loads and says; Sphinx calls it for each page."""
    # Sphinx also loads MathJax on a page whose subpages have formulas.
    unwanted = ["thebe", "THEBE"]
    if 'class="math' not in context.get("body", ""):
        unwanted += ["mathjax", "MathJax"]
    for files in ("script_files", "css_files"):
        context[files] = [
            file
            for file in context[files]
            if not any(word in _described(file) for word in unwanted)
        ]
    if context.get("body"):
        for old, new in REPLACED.items():
            context["body"] = context["body"].replace(old, new)
        context["body"] = THEBE.sub("", context["body"])
    context["metatags"] = context.get("metatags", "") + _metatags(
        app, pagename, context, doctree
    )
    context["local_search"] = LOCAL_SEARCH if pagename == "search" else ""


def _described(file: Any) -> str:
    """Return the address of a script or style sheet and what it says inline."""
    return f"{file.filename} {file.attributes}"


def description(text: str) -> str:
    """Return the first sentences of a text that fit into a description."""
    return shortened(" ".join(text.split()), DESCRIPTION_LENGTH)


def shortened(text: str, length: int) -> str:
    """Return the beginning of a text, at most so many characters, cut at a word."""
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(",;: ") + "…"


def _metatags(
    app: Sphinx, pagename: str, context: dict[str, Any], doctree: nodes.document | None
) -> str:
    """Return the page's description and its social card."""
    text = app.env.metadata.get(pagename, {}).get("description", "")
    if not text and doctree is not None:
        text = next((p.astext() for p in doctree.findall(nodes.paragraph)), "")
    title = re.sub("<[^>]+>", "", str(context.get("title", "")))
    text = description(text or f"{title}: {app.config.html_title}")
    base = app.config.html_baseurl.rstrip("/")
    properties = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": text,
        "og:url": f"{base}/{pagename}.html",
        "og:image": f"{base}/{CARD}",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": f"{app.config.html_title}: an ECG trace and the course's title",
    }
    tags = [f'<meta name="description" content="{escape(text)}"/>']
    tags += [
        f'<meta property="{name}" content="{escape(value)}"/>'
        for name, value in properties.items()
    ]
    tags.append('<meta name="twitter:card" content="summary_large_image"/>')
    return "\n".join(tags)
