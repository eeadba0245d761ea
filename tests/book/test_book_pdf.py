"""The whole book as one PDF: complete, linked, typeset."""

import re
import unicodedata
from contextlib import nullcontext

import pytest
from bs4 import BeautifulSoup

from tools import book, pdf

pypdf = pytest.importorskip("pypdf", reason="pypdf is missing")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing")

BROKEN = """<html><body><p>{body}</p></body></html>"""


@pytest.fixture(scope="module")
def printed(printed_file):
    return pypdf.PdfReader(printed_file)


@pytest.fixture(scope="module")
def places(printed):
    return pdf.destinations(printed)


@pytest.fixture(scope="module")
def articles(built):
    found = {}
    for page in book.pages():
        html = (built / f"{page}.html").read_text(encoding="utf-8")
        found[page] = BeautifulSoup(html, "html.parser").find("article")
    return found


def title(article):
    return article.h1.get_text().rstrip("#").strip()


def outline(entries):
    for entry in entries:
        if isinstance(entry, list):
            yield from outline(entry)
        else:
            yield entry


def links(printed):
    for page in printed.pages:
        for annotation in page.get("/Annots", ()):
            yield annotation.get_object()


def text(printed, places, page):
    """Return the words of the pages of paper that hold a page of the book."""
    starts = [places[pdf.anchor(page)] for page in book.pages()]
    first = places[pdf.anchor(page)]
    last = next((n for n in starts if n > first), len(printed.pages) + 1)
    return "\n".join(printed.pages[n - 1].extract_text() for n in range(first, last))


def test_nothing_but_the_pdf_is_left(printed_file, built):
    assert [path.name for path in printed_file.parent.iterdir()] == ["book.pdf"]
    assert not (built / "print.htm").exists()


def test_every_page_of_the_book_is_there_and_in_the_outline(printed, places, articles):
    assert len(printed.pages) > 10 * len(articles)
    entries = {
        # Chromium drops the space where a heading's line ends.
        re.sub(r"\s", "", e.title): printed.get_destination_page_number(e) + 1
        for e in printed.outline
        for e in ([e] if not isinstance(e, list) else outline(e))
    }
    for page, article in articles.items():
        assert entries[re.sub(r"\s", "", title(article))] == places[pdf.anchor(page)], (
            page
        )


def test_contents_show_the_right_numbers_in_order(printed, places, articles):
    landing = places[pdf.anchor(book.pages()[0])]
    words = "\n".join(page.extract_text() for page in printed.pages[1 : landing - 1])
    numbers = [places[pdf.anchor(page)] for page in book.pages()]
    assert numbers == sorted(set(numbers))
    # Beside them stand the numbers of lessons and of the pages themselves.
    assert set(map(str, numbers)) <= set(re.findall(r"\d+", words))
    for article in articles.values():
        assert title(article) in " ".join(words.split())


def test_every_page_but_the_first_has_its_number(printed):
    assert not re.search(r"^1$", printed.pages[0].extract_text(), re.MULTILINE)
    for number in (3, 57, len(printed.pages) - 1):
        words = printed.pages[number - 1].extract_text()
        assert re.search(rf"^{number}$", words, re.MULTILINE), number


def test_links_lead_into_the_pdf_or_to_the_web(printed, places):
    inside = outside = 0
    for link in links(printed):
        if "/Dest" in link:
            assert str(link["/Dest"]).lstrip("/") in places
            inside += 1
        else:
            assert re.match(r"https?://|mailto:", link["/A"]["/URI"])
            outside += 1
    assert inside > 3 * len(book.pages())
    assert outside > 200


def test_every_figure_is_there(printed, articles):
    # Drawings become lines on the paper, pictures stay pictures.
    expected = sum(
        not image["src"].endswith(".svg")
        for article in articles.values()
        for image in article.find_all("img")
    )
    found = sum(
        image.get_object()["/Subtype"] == "/Image"
        for page in printed.pages
        for image in page["/Resources"].get("/XObject", {}).values()
    )
    assert found >= expected > 50


def test_lessons_are_typeset_and_whole(printed, places, articles):
    page = next(p for p in book.pages() if p.endswith("5_backpropagation"))
    words = text(printed, places, page)
    assert not re.search(r"\$\$|\\frac|\\begin\{|\\partial|\\\(", words)
    assert "∂" in words
    squeezed = re.sub(r"\s", "", words)
    for heading in articles[page].find_all(re.compile("^h[1-6]$")):
        assert re.sub(r"\s", "", heading.get_text().rstrip("#")) in squeezed
    # No line of code is cut off, and folded solutions are open.
    for block in articles[page].select("pre"):
        assert re.sub(r"\s", "", block.get_text()) in squeezed


def test_glossary_has_its_chinese(printed, places, articles):
    page = next(p for p in book.pages() if p.endswith("glossary"))
    chinese = set(re.findall(r"[\u4e00-\u9fff]", articles[page].get_text()))
    found = set(unicodedata.normalize("NFKC", text(printed, places, page)))
    # A font may name a few characters by the radicals that look like them.
    assert len(chinese - found) <= 0.03 * len(chinese)


# Its parts.


def soup(html):
    return BeautifulSoup(html, "html.parser")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="#end">x</a>', '<a href="#a-b-one--end">x</a>'),
        ('<h2 id="end">x</h2>', '<h2 id="a-b-one--end">x</h2>'),
        ('<a href="../c/two.html">x</a>', '<a href="#a-c-two">x</a>'),
        ('<a href="../c/two.html#in">x</a>', '<a href="#a-c-two--in">x</a>'),
        ('<a href="../../f.csv">x</a>', '<a href="https://o.org/f.csv">x</a>'),
        ('<a href="https://x.org/#a">x</a>', '<a href="https://x.org/#a">x</a>'),
        ('<img loading="lazy" src="../../_i/p.png"/>', '<img src="_i/p.png"/>'),
        ('<path marker-end="url(#m)"/>', '<path marker-end="url(#a-b-one--m)"/>'),
        ('<a class="headerlink" href="#a">#</a>', ""),
    ],
)
def test_places_of_a_page_are_its_own(html, expected):
    article = soup(html)
    pdf.retarget(article, "a/b/one", {"a/b/one", "a/c/two"}, "https://o.org")
    assert str(article) == str(soup(expected))


def test_what_is_folded_is_opened():
    article = soup(
        '<details class="hide"><summary>Show</summary><pre>code</pre></details>'
        "<details><summary>Solution</summary><p>Two.</p></details>"
    )
    pdf.unfold(article)
    assert str(article) == (
        '<pre>code</pre><div class="unfolded"><p class="summary">Solution</p>'
        "<p>Two.</p></div>"
    )


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('<span class="math">\\(a^2\\)</span>', r"the formula \\\(a\^2"),
        ('<img src="gone.png"/>', "the picture gone.png"),
    ],
)
def test_what_is_missing_on_paper_is_named(browser, tmp_path, body, word):
    source = tmp_path / "page.html"
    source.write_text(BROKEN.format(body=body))
    with pytest.raises(book.BookError, match=word):
        pdf.print_page(browser, source, tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_book_that_is_not_built_is_refused(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / book.TOC).write_text("format: jb-book\nroot: book/index\n")
    with pytest.raises(book.BookError, match="not built"):
        pdf.make(tmp_path)


def test_without_chromium_it_says_what_to_do(monkeypatch):
    # A second Playwright cannot run beside the tests' own.
    monkeypatch.setattr(sync_api, "sync_playwright", nullcontext)
    monkeypatch.setattr(pdf, "chromium", lambda playwright: None)
    with (
        pytest.raises(book.BookError, match="apt install chromium"),
        pdf.running_chromium(),
    ):
        pass
