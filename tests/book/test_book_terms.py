"""The glossary and the lessons lead to each other."""

import io
import json
import os
import re
import sys

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx

from tools import book

EXTENSIONS = book.ROOT / "book/_extensions"
sys.path.insert(0, str(EXTENSIONS))

from course_book import terms  # noqa: E402

GLOSSARY = book.ROOT / "book/glossary.md"
CHINESE = re.compile("[\u4e00-\u9fff]")


def entries():
    """Return terms and definition of each entry, as written."""
    text = GLOSSARY.read_text(encoding="utf-8")
    (body,) = re.findall(r"^:::\{glossary\}\n(.*?)^:::", text, re.S | re.M)
    found = []
    for block in body.strip().split("\n\n"):
        lines = block.splitlines()
        heads = [line for line in lines if not line.startswith(" ")]
        found.append((heads, " ".join(lines[len(heads) :]).strip()))
    return found


def names():
    return [term for heads, _ in entries() for term in heads]


def test_every_entry_has_chinese_and_a_definition():
    for heads, definition in entries():
        match = re.fullmatch(r"\{zh\}`([^`]+)` (.+)", definition)
        assert match, heads
        assert CHINESE.search(match[1]), heads
        assert match[2][0].isupper() or match[2].startswith("{term}`"), heads
        assert match[2].endswith("."), heads


def test_no_term_stands_twice_and_all_are_in_order():
    lowered = [name.casefold() for name in names()]
    assert len(set(lowered)) == len(lowered) > 200
    first = [heads[0].casefold() for heads, _ in entries()]
    assert first == sorted(first)


def test_exceptions_name_terms_of_the_glossary():
    assert set(terms.FORMS) | set(terms.ONLY_BOLD) <= set(names())
    assert all(terms.ONLY_BOLD.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The kernel slides.", ["kernel"]),
        ("Kernels slide, and a kernel rests.", ["kernel", "kernel"]),
        ("A mini-batch and a mini\nbatch.", ["mini-batch", "mini-batch"]),
        ("The receptive fields, matrices, entropies.", ["receptive field", "entropy"]),
        ("Cross entropy, batch normalisation.", ["cross-entropy", "batch norm"]),
        ("The MAP is no map.", ["MAP"]),
        ("Subkernel, kernel-free, non-kernel, kernelled.", []),
        ("The calibrated answers.", ["calibration"]),
        ("A code is only linked in bold.", []),
    ],
)
def test_words_are_matched(text, found):
    glossary = ["kernel", "mini-batch", "batch", "receptive field", "entropy"]
    glossary += ["cross-entropy", "batch norm", "MAP", "calibration", "code"]
    matcher = terms.Matcher(glossary)
    text = text.replace("normalisation", "norm")
    assert [term for term, _, _ in matcher.running(text)] == found


def test_a_bold_word_is_a_term_only_as_a_whole():
    matcher = terms.Matcher(["code", "batch"])
    assert matcher.whole("Codes") == "code"
    assert matcher.whole("Code of the week") is None


LESSON = """# 1.1 A lesson with a kernel

**Reading** 1 min · a kernel

- A `kernel`, $kernel$, [kernel](https://example.org); the **codes** and a code.

## A kernel

| kernel |
|---|
| kernel |

> The kernels slide. A kernel slides.

## Check yourself

A stride?

## Sources

- The stride of a kernel.
"""
BOOK = """# Glossary

:::{glossary}
code
  {zh}`编码` What an event is.

kernel
  {zh}`卷积核` A small array. It is also called a {term}`code`.

stride
  {zh}`步幅` How far it moves.
:::
"""
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
project, extensions = "t", ["myst_parser", "course_book.terms"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
nitpicky, html_theme, root_doc = True, "basic", "index"
"""


@pytest.fixture
def small(tmp_path):
    """Make a book of one lesson and a glossary; return a function that builds it."""
    for name, text in {
        "conf.py": CONF,
        "index.md": "# Start\n\n```{toctree}\nnotebooks/1_a/1_b\nbook/glossary\n```\n",
        "book/glossary.md": BOOK,
        "notebooks/1_a/1_b.md": LESSON,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def build():
        warnings = io.StringIO()
        folders = [tmp_path, tmp_path, tmp_path / "html", tmp_path / "trees"]
        app = Sphinx(*map(str, folders), "html", status=None, warning=warnings)
        app.build()
        build.warnings = warnings.getvalue()
        return {
            name: BeautifulSoup(
                (tmp_path / "html" / f"{name}.html").read_text(encoding="utf-8"),
                "html.parser",
            )
            for name in ("book/glossary", "notebooks/1_a/1_b")
        }

    build.folder = tmp_path
    return build


def change(path, old, new):
    """Change a file so that Sphinx, which looks at its time, sees it."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    later = path.stat().st_mtime + 2
    os.utime(path, (later, later))


def test_first_uses_are_linked_and_lead_back(small):
    pages = small()
    assert small.warnings == ""
    links = pages["notebooks/1_a/1_b"].select("a.course-term")
    assert [a.get_text() for a in links] == ["codes", "kernels"]
    assert [a["href"].rpartition("#")[2] for a in links] == ["term-code", "term-kernel"]
    assert links[1].find_parent("blockquote")
    assert links[1]["title"] == "A small array. It is also called a code."
    glossary = pages["book/glossary"]
    back = glossary.select("a.course-term-lesson")
    assert [a.get_text() for a in back] == [
        "Defined in lesson 1.1",
        "Used in lesson 1.1",
    ]
    anchors = [a["href"].rpartition("#")[2] for a in back]
    assert anchors == [a["id"] for a in links]
    (word,) = glossary.select("#term-kernel > span[lang=zh-Hans]")
    assert word.get_text() == "卷积核"
    index = (small.folder / "html/searchindex.js").read_text(encoding="utf-8")
    assert json.dumps("卷积核") in index


def test_a_changed_glossary_reaches_an_unchanged_lesson(small):
    small()
    change(small.folder / "book/glossary.md", "A small array.", "An array.")
    (link,) = small()["notebooks/1_a/1_b"].select("#use-kernel")
    assert link["title"].startswith("An array.")


def test_a_changed_lesson_reaches_the_unchanged_glossary(small):
    small()
    change(
        small.folder / "notebooks/1_a/1_b.md", "The kernels slide. A", "A **stride**, a"
    )
    back = small()["book/glossary"].select("a.course-term-lesson")
    assert [a["href"].rpartition("#")[2] for a in back] == [
        "use-code",
        "use-kernel",
        "use-stride",
    ]


def test_an_entry_without_chinese_is_a_warning(small):
    change(small.folder / "book/glossary.md", "{zh}`步幅` ", "")
    small()
    assert "'stride' has no Chinese" in small.warnings


def test_lessons_and_glossary_of_the_book_lead_to_each_other(built):
    def soup(page):
        html = (built / f"{page}.html").read_text(encoding="utf-8")
        return BeautifulSoup(html, "html.parser")

    linked = 0
    for page in book.pages():
        links = soup(page).select("a.course-term")
        targets = [a["href"] for a in links]
        assert len(set(targets)) == len(targets), page
        assert all(a["title"] for a in links)
        assert not any(a.find_parent(["h1", "h2", "h3", "table", "pre"]) for a in links)
        assert not (links and page in terms.UNLINKED_PAGES)
        if page.startswith("notebooks/"):
            linked += len(links)
            assert links, page
    assert linked > 400
    glossary = soup("book/glossary")
    heads = glossary.select("dl.glossary dt")
    assert len(heads) == len(names())
    assert len(glossary.select("dl.glossary dt > span[lang=zh-Hans]")) == len(entries())
    back = glossary.select("a.course-term-lesson")
    assert len(back) > 0.9 * len(entries())


def test_a_node_that_forgot_its_parent_is_read():
    paragraph = nodes.paragraph("", "", nodes.emphasis("", "the kernel"))
    paragraph[0][0].parent = None
    document = nodes.section("", nodes.title("", "Title"), paragraph)
    found, _ = terms.uses(document, terms.Matcher(["kernel"]))
    assert [use.term for use in found] == ["kernel"]


FENCED = re.compile(r"```.*?```", re.S)
FORMULA = re.compile(r"\$\$(.*?)\$\$|\$([^$\n]+)\$", re.S)
NAMED = re.compile(
    r"\\(?:mathrm|text|operatorname|mathbb|begin|end)\{[^}]*\}"
    r"|_\{(?:in|out)\}"
)
LETTER = re.compile(r"\\([A-Za-z]+)|([A-Za-z])")
COMMANDS = "alpha beta gamma delta epsilon eta theta kappa lambda mu omega pi rho sigma"
GREEK = {*COMMANDS.split(), "tau", "varphi", "Phi", "Delta", "ell"}
COUNTING = set("ijkle")  # indices, and the base of the natural logarithm


def letters(formula):
    """Return the letters of a formula, without the names of functions."""
    found = LETTER.findall(NAMED.sub("", formula))
    return {
        letter or command for command, letter in found if letter or command in GREEK
    }


def test_every_letter_of_the_lessons_stands_in_the_notation():
    lessons_of = {}
    text = (book.ROOT / "book/notation.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("| $"):
            for inline in re.findall(r"\$([^$]+)\$", line.split(" | ")[0]):
                for letter in letters(inline):
                    lessons = re.findall(r"\[(\d\.\d)\]", line)
                    lessons_of.setdefault(letter, set()).update(lessons)
    missing = set()
    for path in sorted((book.ROOT / "notebooks").glob("*/*.md")):
        lesson = f"{path.parent.name[0]}.{path.name[0]}"
        prose = FENCED.sub("", path.read_text(encoding="utf-8"))
        for display, inline in FORMULA.findall(prose):
            missing |= {
                f"{letter} in lesson {lesson}"
                for letter in letters(display or inline) - COUNTING
                if lesson not in lessons_of.get(letter, ())
            }
    assert missing == set(), "add them to book/notation.md, or use a letter it has"
