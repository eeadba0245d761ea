"""Print the built book into one PDF, without TeX.

The built pages are put into one document in reading order, with one namespace for all
anchors, and a headless Chromium prints it. Links between pages lead to places inside
the PDF; headings become its outline.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlparse

from tools import book

if TYPE_CHECKING:
    from bs4 import Tag
    from pypdf import PdfReader

NAME = "medical-ai-from-first-principles.pdf"
STYLE = Path(__file__).with_name("print.css")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAPER = 680  # CSS pixels between the margins of A4 that print.css sets
TYPESETTING = 300_000  # milliseconds, at most
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MISSING = (
    "printing needs the package {package}: run `make pdf`, or "
    "`python -m tools.environment development` and then the .venv's Python."
)
# Each coloured word of code costs the tagged PDF an object; keywords, strings and
# comments keep their colour, the others are black.
COLOUR = re.compile(r'<span class="(?!k|s(?!i)|c|ow)[a-z][a-z0-9]?">([^<]*)</span>')
# What the pages say to MathJax, and no copies of formulas for what paper cannot do.
MATHJAX = """{options: {
  enableMenu: false,
  enableAssistiveMml: false,
  processHtmlClass: "tex2jax_process|mathjax_process|math|output_area",
}}"""
# Only the numbers show: what is printed over the table of contents.
NUMBERS = """
html, body { background: none !important; }
body * { visibility: hidden; }
.contents .page { visibility: visible; }
.contents a::after { visibility: hidden; }
@page { @bottom-center { content: ""; } }
"""

# Waits for formulas and figures, shrinks what is wider than the paper and returns what
# is missing.
PREPARE = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await Promise.allSettled([...document.images].map(image => image.decode()));
  const wide = (element) => element.scrollWidth > element.clientWidth + 1;
  for (const box of document.querySelectorAll("div.math, .output.text_html"))
    if (wide(box)) box.style.zoom = 0.98 * box.clientWidth / box.scrollWidth;
  const right = document.body.getBoundingClientRect().right;
  for (const table of document.querySelectorAll("table")) {
    const place = table.getBoundingClientRect();
    if (place.right > right + 1)
      table.style.zoom = 0.98 * (right - place.left) / place.width;
  }
  return [
    ...[...document.querySelectorAll(".math")]
      .filter(formula => !formula.querySelector("mjx-container"))
      .map(formula => `the formula ${formula.textContent.trim()}`),
    ...[...document.images]
      .filter(image => !image.naturalWidth)
      .map(image => `the picture ${image.getAttribute("src")}`),
  ];
}"""


@dataclass
class Chapter:
    """One page of the book on its way into the document."""

    page: str
    part: str
    title: str
    article: Tag

    @property
    def anchor(self) -> str:
        """The place inside the PDF where the chapter begins."""
        return anchor(self.page)


def anchor(page: str, place: str = "") -> str:
    """Return the name of a place of a page inside the one document."""
    name = f"{page}--{place}" if place else page
    return re.sub(r"[^\w.-]", "-", name)


def pdf_file(root: Path = book.ROOT) -> Path:
    """Return where the PDF lies, among the pages that are published."""
    return book.html_folder(root) / NAME


def chapters(root: Path) -> Iterator[Chapter]:
    """Yield the built pages in reading order, ready for paper."""
    from bs4 import BeautifulSoup

    folder, base = book.html_folder(root), online(root)
    known = set(book.pages(root))
    for part, pages in book.parts(root):
        for page in pages:
            html = (folder / f"{page}.html").read_text(encoding="utf-8")
            html = COLOUR.sub(r"\1", html)
            article = BeautifulSoup(html, "html.parser").find("article")
            retarget(article, page, known, base)
            unfold(article)
            title = article.find("h1").get_text().strip()
            # A part's opener has its name and stands for it.
            sink_headings(article, deeper=0 if part in ("", title) else 1)
            yield Chapter(page, part, title, article)


def online(root: Path) -> str:
    """Return the address of the published book, without a closing slash."""
    return str(configuration(root).get("html", {}).get("baseurl", "")).rstrip("/")


def configuration(root: Path) -> dict[str, Any]:
    """Return the book's configuration."""
    import yaml

    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))


def retarget(article: Tag, page: str, known: set[str], base: str) -> None:
    """Let anchors, links and pictures of one page work inside the one document."""
    for tag in article.select("a.headerlink, script"):
        tag.decompose()
    for tag in article.find_all(id=True):
        tag["id"] = anchor(page, tag["id"])
    # Arrow heads of drawings are named by address.
    for tag in article.select("[marker-end], [marker-start]"):
        for name in {"marker-end", "marker-start"} & set(tag.attrs):
            tag[name] = f"url(#{anchor(page, tag[name][5:-1])})"
    for tag in article.find_all(("a", "img")):
        kind = "href" if tag.name == "a" else "src"
        target = tag.get(kind)
        if not target or urlparse(target).scheme:
            continue
        # Any address will do to find out where a relative one leads.
        path, place = urldefrag(urljoin(f"https://x/{page}.html", target))
        path, place = unquote(urlparse(path).path.lstrip("/")), unquote(place)
        if tag.name == "img":
            tag["src"] = path
            tag.attrs.pop("loading", None)
        elif path.removesuffix(".html") in known:
            tag["href"] = "#" + anchor(path.removesuffix(".html"), place)
        else:
            tag["href"] = f"{base}/{path}"


def unfold(article: Tag) -> None:
    """Open what a reader of the pages opens with a click."""
    for details in article.find_all("details"):
        summary = details.find("summary", recursive=False)
        if "hide" in details.get("class", []):
            # The input of a cell, whose summary only says that it can be shown.
            summary.decompose()
            details.unwrap()
            continue
        summary.name, summary["class"] = "p", ["summary"]
        details.name, details["class"] = "div", ["unfolded"]


def sink_headings(article: Tag, deeper: int) -> None:
    """Put headings below their part's, and let the style know what they were."""
    for heading in article.find_all(re.compile("^h[1-6]$")):
        level = int(heading.name[1])
        classes = "chapter-title" if level == 1 else f"level-{level}"
        heading["class"] = [*heading.get("class", []), classes]
        heading.name = f"h{min(level + deeper, 6)}"


def document(root: Path) -> str:
    """Return the whole book as one HTML document, to lie beside the pages."""
    from bs4 import BeautifulSoup

    settings = configuration(root)
    landing = f"{book.pages(root)[0]}.html"
    html = (book.html_folder(root) / landing).read_text(encoding="utf-8")
    head = BeautifulSoup(html, "html.parser").head
    styles = [
        urljoin(f"https://x/{landing}", link["href"]).removeprefix("https://x/")
        for link in head.select("link[rel=stylesheet]")
    ]
    about = head.find("meta", attrs={"name": "description"})
    all_chapters = list(chapters(root))
    parts = [
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>'
        f'<meta charset="utf-8"/><title>{escape(settings["title"])}</title>',
        *(f'<link rel="stylesheet" href="{href}"/>' for href in styles),
        f"<style>{STYLE.read_text(encoding='utf-8')}</style>",
        f"<script>window.MathJax = {MATHJAX}</script>",
        '<script defer src="_static/mathjax/tex-chtml.js"></script></head><body>',
        title_page(settings, about["content"] if about else "", online(root)),
        contents(all_chapters),
    ]
    part = ""
    for chapter in all_chapters:
        parts.append(f'<section class="chapter" id="{chapter.anchor}">')
        if chapter.part != part:
            part = chapter.part
            if part != chapter.title:
                parts.append(f'<h1 class="part">{escape(part)}</h1>')
        parts.append(f"{chapter.article}</section>")
    parts.append("</body></html>")
    return "\n".join(parts)


def title_page(settings: dict[str, Any], about: str, address: str) -> str:
    """Return the first page: name, purpose, address, licence."""
    link = f'<p><a href="{address}">{address}</a></p>' if address else ""
    return (
        f'<section class="title-page"><div class="name">{escape(settings["title"])}'
        f'</div><p class="kind">{escape(about)}</p><div class="colophon">'
        f"<p>Copyright {escape(str(settings.get('copyright', '')))} "
        f"{escape(settings.get('author', ''))}</p>{link}"
        "<p>Text and figures: CC BY 4.0. Code: MIT. Each dataset has its own licence."
        "</p></div></section>"
    )


def contents(all_chapters: list[Chapter]) -> str:
    """Return the table of contents, with places for numbers known after printing."""
    lines, part = ['<section class="contents"><h1>Contents</h1><ol>'], ""
    for chapter in all_chapters:
        opens = chapter.part != part
        part = chapter.part
        if opens and part != chapter.title:
            lines.append(f'<li class="part-name">{escape(part)}</li>')
        kind = ' class="part-name"' if part == chapter.title else ""
        lines.append(
            f'<li{kind}><a href="#{chapter.anchor}">{escape(chapter.title)}'
            '<span class="page"></span></a></li>'
        )
    return "\n".join([*lines, "</ol></section>"])


def chromium(playwright: Any) -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    own = Path(playwright.chromium.executable_path)
    return str(own) if own.exists() else None


@contextmanager
def running_chromium() -> Iterator[Any]:
    """Start a Chromium, yield it and end it.

    Raises
    ------
    BookError
        If Playwright or a browser is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise book.BookError(MISSING.format(package=error.name)) from None
    with sync_playwright() as playwright:
        path = chromium(playwright)
        if path is None:
            raise book.BookError(
                "printing needs Chromium or Chrome: install one (Debian and Ubuntu: "
                "apt install chromium), or run `python -m playwright install chromium`."
            )
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def make(
    root: Path = book.ROOT, target: Path | None = None, browser: Any = None
) -> None:
    """Print the built pages into one PDF.

    Parameters
    ----------
    root : Path
        The root of the book.
    target : Path, optional
        Where the PDF goes; among the pages that are published if not given.
    browser : Browser, optional
        A running Chromium of Playwright; one is started if not given.

    Raises
    ------
    BookError
        If the book is not built, a package or a browser is missing, or a formula or
        a figure did not get onto the paper.
    """
    count = book.check_pages(root)
    if browser is None:
        with running_chromium() as browser:
            make(root, target, browser)
        return
    try:
        from pypdf import PdfReader, PdfWriter
    except ImportError as error:
        raise book.BookError(MISSING.format(package=error.name)) from None
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # Chromium's PDF is sound
    started = time.perf_counter()
    target = target or pdf_file(root)
    # The document lies beside the pages, so that it finds their figures and styles; it
    # is no page of the book, so its name does not end as theirs do.
    source = book.html_folder(root) / "print.htm"
    beside, numbers = target.with_suffix(".new"), target.with_suffix(".numbers")
    try:
        source.write_text(html := document(root), encoding="utf-8")
        print_page(browser, source, beside)
        pages = destinations(PdfReader(beside))
        source.write_text(with_numbers(html, pages), encoding="utf-8")
        print_page(browser, source, numbers, final=False)
        writer = PdfWriter(clone_from=beside)
        for page, over in zip(writer.pages, PdfReader(numbers).pages, strict=False):
            page.merge_page(over)
        writer.add_metadata({"/Author": str(configuration(root).get("author", ""))})
        writer.write(beside)
        beside.replace(target)
    finally:
        for temporary in (source, beside, numbers):
            temporary.unlink(missing_ok=True)
    size, seconds = target.stat().st_size / 1e6, time.perf_counter() - started
    print(f"{count} pages of the book printed on {len(writer.pages)} of paper")
    print(f"  {target} ({size:.1f} MB, {seconds:.0f} s)")


def destinations(pdf: PdfReader) -> dict[str, int]:
    """Return the page of each named place, counted from one."""
    numbers = {
        page.indirect_reference.idnum: number
        for number, page in enumerate(pdf.pages, start=1)
    }
    return {
        name.lstrip("/"): numbers[place.raw_get("/Page").idnum]
        for name, place in pdf.named_destinations.items()
    }


def with_numbers(html: str, pages: dict[str, int]) -> str:
    """Return only the first pages of the document, with nothing but page numbers."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for chapter in soup.select(".chapter, script"):
        chapter.decompose()
    for link in soup.select(".contents a"):
        link.find(class_="page").string = str(pages[link["href"][1:]])
        del link["href"]
    soup.style.append(NUMBERS)
    return str(soup)


def print_page(browser: Any, source: Path, target: Path, final: bool = True) -> None:
    """Print one HTML file, when its formulas and figures are there.

    Only a final one has an outline and tags.

    Raises
    ------
    BookError
        If a formula stays raw or a figure is missing.
    """
    page = browser.new_page(viewport={"width": PAPER, "height": 1000})
    page.set_default_timeout(TYPESETTING)
    page.emulate_media(media="print", color_scheme="light")
    page.goto(source.as_uri(), wait_until="load")
    if missing := page.evaluate(PREPARE):
        raise book.BookError(
            f"on paper are missing {len(missing)} things, the first is {missing[0]}; "
            "build the book anew"
        )
    page.pdf(
        path=target,
        prefer_css_page_size=True,
        print_background=final,
        outline=final,
        tagged=final,
    )
    page.close()
