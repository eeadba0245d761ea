"""Every page of the book, in a real browser with the network cut."""

import functools

import page_checks as checks
import pytest
import yaml
from bs4 import BeautifulSoup

from tools import book

CONFIG = yaml.safe_load((book.ROOT / "_config.yml").read_text(encoding="utf-8"))
PAGES = [f"{page}.html" for page in book.pages()]
LESSONS = [page for page in PAGES if page.startswith("notebooks/")]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def served(built, browser):
    with checks.served(built) as base:
        visitor = checks.Visitor(browser, base)
        yield visitor
        visitor.close()


@pytest.fixture(scope="module")
def opened(built, browser):
    visitor = checks.Visitor(browser, built.resolve().as_uri() + "/")
    yield visitor
    visitor.close()


@pytest.fixture(autouse=True)
def desktop(request):
    """Start each test with a wide, light page."""
    for name in {"served", "opened"} & set(request.fixturenames):
        page = request.getfixturevalue(name).page
        page.set_viewport_size(checks.DESKTOP)
        page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("path", [*PAGES, "search.html"])
def test_page_over_http(served, built, path):
    page = served.open(path).page
    problems = checks.formulas(page) + checks.pictures(page)
    # The check of formulas would pass on a page that lost them all.
    if path in LESSONS and page.locator("mjx-container").count() == 0:
        problems.append("a lesson without a formula")
    own, figures = checks.weight(served.asked, served.base, built)
    if own > MEGABYTE or figures > 1.5 * MEGABYTE:
        problems.append(f"too heavy: {own} bytes of its own, {figures} of figures")

    checks.shorten_code(page)
    problems += checks.accessibility(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    # The rest does not depend on colours.
    dark = checks.accessibility(page, ["color-contrast", "link-in-text-block"])
    problems += [f"dark: {problem}" for problem in dark]

    page.set_viewport_size(checks.PHONE)
    problems += checks.sideways(page)
    # More scrolls on a phone, and all of it must be reachable with the keyboard. The
    # theme looks for what scrolls a third of a second after the width has changed.
    page.wait_for_timeout(500)
    problems += checks.accessibility(page, ["scrollable-region-focusable"])
    problems += checks.menu(page)
    assert problems + served.problems == []


@pytest.mark.parametrize("path", [*PAGES, "search.html"])
def test_page_from_a_file(opened, path):
    page = opened.open(path).page
    problems = checks.formulas(page) + opened.problems
    page.set_viewport_size(checks.PHONE)
    assert problems + checks.menu(page) == []


def test_internal_links(built):
    links = checks.Links(built)
    pages = [path for path in built.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) >= len(PAGES)
    assert {str(path): found for path in pages if (found := links.broken(path))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["served", "opened"])
def test_search_finds_a_word(request, way):
    visitor = request.getfixturevalue(way)
    page = visitor.open("search.html?q=cross-correlation").page
    page.locator("#search-results li a").first.wait_for(timeout=10_000)
    targets = page.locator("#search-results li a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert any("1_convolution.html" in target for target in targets)
    assert visitor.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["served", "opened"])
def test_entrance_leads_to_the_landing_page(request, way):
    visitor = request.getfixturevalue(way)
    visitor.open("index.html").page.wait_for_url("**/book/index.html")
    assert CONFIG["title"] in visitor.page.title()
    assert visitor.problems == []


def test_theme_switch_changes_light_to_dark(served):
    page = served.open(PAGES[0]).page
    theme = "document.documentElement.dataset.theme"
    seen = {page.evaluate(theme)}
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate(theme))
    page.evaluate("localStorage.clear()")
    assert seen == {"light", "dark"}


def soup_of(built, path):
    return BeautifulSoup((built / path).read_text(encoding="utf-8"), "html.parser")


@functools.cache
def said_of(built, path):
    """Return a page's first heading, its title, and what it says of itself."""
    soup, said = soup_of(built, path), {}
    for tag in soup.find_all("meta"):
        name = tag.get("name") or tag.get("property")
        said.setdefault(name, []).append(tag.get("content"))
    return soup.h1.get_text().rstrip("#"), soup.title.get_text(), said


@pytest.mark.parametrize("path", LESSONS)
def test_launch_buttons_name_the_repository(built, path):
    owner_name = "/".join(CONFIG["repository"]["url"].split("/")[-2:])
    branch = CONFIG["repository"]["branch"]
    notebook = path.replace(".html", ".ipynb")
    targets = {
        a["href"] for a in soup_of(built, path).select(".dropdown-launch-buttons a")
    }
    assert targets == {
        f"https://colab.research.google.com/github/{owner_name}/blob/{branch}/{notebook}",
        f"https://mybinder.org/v2/gh/{owner_name}/{branch}?urlpath=lab/tree/{notebook}",
    }


@pytest.mark.parametrize("path", PAGES)
def test_title_description_and_card(built, path):
    heading, title, said = said_of(built, path)
    assert heading in title
    (description,) = said["description"]
    assert 40 <= len(description) <= 200
    assert said["og:description"] == [description]
    (card_title,) = said["og:title"]
    assert card_title
    base = CONFIG["html"]["baseurl"]
    assert said["og:url"] == [f"{base}/{path}"]
    assert said["og:image"] == [f"{base}/_static/social-card.png"]
    assert (built / "_static/social-card.png").read_bytes().startswith(b"\x89PNG")


def test_descriptions_differ(built):
    said = {said_of(built, path)[2]["description"][0] for path in PAGES}
    assert len(said) == len(PAGES)


# The checks themselves: a page with one fault each, and the check must name it.

FAULTY = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<title>t</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>t</h1>{body}</main></body></html>"""


@pytest.fixture
def faulty(tmp_path, browser):
    with checks.served(tmp_path) as base:
        visitor = checks.Visitor(browser, base)

        def show(body):
            (tmp_path / "page.html").write_text(FAULTY.format(body=body))
            return visitor.open("page.html", until="load")

        yield show
        visitor.close()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('<img alt="a" src="https://example.org/a.png">', "outside request"),
        ('<script src="//example.org/a.js"></script>', "outside request"),
        ('<img alt="a" src="gone.png">', "missing: 404"),
        ("<script>nothing.at.all()</script>", "error: nothing is not defined"),
        ('<script>console.error("oh")</script>', "console: oh"),
    ],
)
def test_visit_reports(faulty, body, word):
    assert any(word in problem for problem in faulty(body).problems)


@pytest.mark.parametrize(
    ("check", "body", "word"),
    [
        ("formulas", r'<span class="math">\(a^2\)</span>', "left open"),
        ("formulas", r"<p>so $$a^2$$ it is</p>", "raw TeX"),
        ("formulas", '<mjx-merror data-mjx-error="x"></mjx-merror>', "in error"),
        ("pictures", '<img src="data:,">', "no alternative text"),
        ("pictures", '<img src="data:," alt="../_images/0ab.png">', "0ab.png"),
        ("pictures", '<svg role="img"></svg>', "no alternative text"),
        ("accessibility", '<p style="color:#ccc">faint words</p>', "contrast"),
        ("accessibility", "<button></button>", "button-name"),
        (
            "accessibility",
            '<pre tabindex="-1" style="width:9em;overflow:auto">'
            "a line of code that is wider than its box</pre>",
            "scrollable-region",
        ),
        ("menu", "<p>no button</p>", "no menu"),
        ("menu", '<button class="primary-toggle">m</button>', "does not open"),
    ],
)
def test_check_reports(faulty, check, body, word):
    problems = getattr(checks, check)(faulty(body).page)
    assert any(word in problem for problem in problems), problems


def test_shortened_code_keeps_one_word_of_each_kind(faulty):
    code = '<div class="highlight"><pre>{}</pre></div>'
    words = '<span class="n">plain</span> <span class="k">faint</span> ' * 3
    page = faulty(f"<style>.k {{color: #ccc}}</style>{code.format(words)}").page
    checks.shorten_code(page)
    assert page.locator("pre").text_content() == "plain faint " * 3
    assert page.locator("pre span").count() == 2
    (problem,) = checks.accessibility(page)
    assert "color-contrast" in problem and "faint" in problem


def test_sideways_reports(faulty):
    page = faulty('<div style="width:900px">wide</div>').page
    page.set_viewport_size(checks.PHONE)
    assert "scrolls sideways" in checks.sideways(page)[0]


def test_links_report(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<a href="gone.html">a</a><a href="#no">b</a><a id="c" href="#c">')
    found = checks.Links(tmp_path).broken(page)
    assert found == ["broken link: gone.html", "broken anchor: #no"]
