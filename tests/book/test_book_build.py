"""The build: whole, strict, and clear about what is missing."""

import re
import shutil

import pytest
import yaml

from tools import book, editions, pdf

TINY_CONFIG = {
    "title": "Tiny",
    "only_build_toc_files": True,
    "execute": {"execute_notebooks": "off"},
    "exclude_patterns": ["_build"],
}


@pytest.fixture
def tiny(tmp_path):
    """Make a book of two pages with the default theme."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(TINY_CONFIG))
    toc = {
        "format": "jb-book",
        "root": "book/index",
        "chapters": [{"file": "book/two"}],
    }
    (tmp_path / book.TOC).write_text(yaml.safe_dump(toc))
    (tmp_path / "book/index.md").write_text("# One\n\n[two](two.md)\n")
    (tmp_path / "book/two.md").write_text("# Two\n")
    return tmp_path


def test_every_page_of_the_contents_is_built(built):
    assert book.check_pages() == len(book.pages()) > 0
    for page in book.pages():
        assert (built / f"{page}.html").is_file()


def test_every_lesson_is_in_the_contents():
    notebooks = book.ROOT / "notebooks"
    lessons = {
        path.relative_to(book.ROOT).with_suffix("").as_posix()
        for path in notebooks.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    assert lessons == {page for page in book.pages() if page.startswith("notebooks/")}


def test_data_page_has_every_dataset_of_the_catalogue(built):
    from medlib.data.catalogue import CATALOGUE

    html = (built / "book/data.html").read_text(encoding="utf-8")
    for entry in CATALOGUE.values():
        assert f'id="dataset-{entry.name}"' in html
        assert entry.doi in html
        assert entry.licence_url in html


def test_no_page_shows_a_path_of_the_machine_that_ran_it(built):
    path = re.compile(r"site-packages|/(?:home|root|Users)/\w|[A-Z]:\\\\?Users")
    assert {
        page: found.group()
        for page in book.pages()
        if (found := path.search((built / f"{page}.html").read_text(encoding="utf-8")))
    } == {}


def test_tiny_book_is_built_and_opens_at_its_landing_page(tiny, capfd):
    book.build(tiny)
    assert (book.html_folder(tiny) / "index.html").is_file()
    assert capfd.readouterr().out.rstrip().endswith("index.html")


def test_build_that_was_cut_off_is_made_anew(tiny):
    book.build(tiny)
    (tiny / "_build/finished").unlink()
    index = book.html_folder(tiny) / "searchindex.js"
    whole = index.read_bytes()
    index.write_bytes(whole[: len(whole) // 2])
    book.build(tiny)
    assert index.read_bytes() == whole


def test_build_that_fails_is_not_taken_for_a_whole_one(tiny):
    book.build(tiny)
    (tiny / "book/two.md").write_text("# Two\n\n[gone](gone.md)\n")
    with pytest.raises(book.BookError, match="build failed"):
        book.build(tiny)
    assert not (tiny / "_build/finished").exists()


def test_new_style_reaches_every_page(tiny):
    config = yaml.safe_load((tiny / "_config.yml").read_text())
    shared = {"html_static_path": ["book/_static"], "html_css_files": ["course.css"]}
    config.setdefault("sphinx", {}).setdefault("config", {}).update(shared)
    (tiny / "_config.yml").write_text(yaml.safe_dump(config))
    style = tiny / "book/_static/course.css"
    for colour in ("red", "blue"):
        style.parent.mkdir(exist_ok=True)
        style.write_text(f"p {{ color: {colour}; }}\n")
        book.build(tiny)
        built = book.html_folder(tiny)
        assert (built / "_static/course.css").read_bytes() == style.read_bytes()
        pages = [
            (built / "book" / f"{name}.html").read_text() for name in ("index", "two")
        ]
        versions = [re.search(r"course\.css\?v=(\w+)", page).group(1) for page in pages]
        assert versions[0] == versions[1]


def test_warning_fails_the_build(tiny):
    (tiny / "book/two.md").write_text("# Two\n\n[gone](gone.md)\n")
    with pytest.raises(book.BookError, match="build failed"):
        book.build(tiny)


def test_missing_source_is_named_before_the_build(tiny):
    (tiny / "book/two.md").unlink()
    with pytest.raises(book.BookError, match="book/two"):
        book.build(tiny)


def test_lesson_without_notebook_is_named_with_its_remedy(tiny):
    toc = yaml.safe_load((tiny / book.TOC).read_text())
    toc["chapters"].append({"file": "notebooks/9_none"})
    (tiny / book.TOC).write_text(yaml.safe_dump(toc))
    (tiny / "notebooks").mkdir()
    (tiny / "notebooks/9_none.md").write_text("# A text without its notebook\n")
    with pytest.raises(book.BookError, match=r"notebooks/9_none.*tools\.notebooks"):
        book.build(tiny)


@pytest.mark.parametrize("fault", ["gone", "empty"])
def test_missing_page_is_reported_whatever_the_exit_status(tiny, fault):
    folder = book.html_folder(tiny) / "book"
    folder.mkdir(parents=True)
    for name in ("index", "two"):
        (folder / f"{name}.html").write_text("<article>text</article>")
    assert book.check_pages(tiny) == 2
    (folder / "two.html").write_text("")
    if fault == "gone":
        (folder / "two.html").unlink()
    with pytest.raises(book.BookError, match="book/two"):
        book.check_pages(tiny)


def test_without_jupyter_book_one_line_says_what_to_do(tiny, monkeypatch):
    monkeypatch.setattr(book.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(book.BookError, match="make book") as caught:
        book.build(tiny)
    assert "\n" not in str(caught.value)


def test_serve_refuses_a_book_that_is_not_built(tiny):
    shutil.rmtree(tiny / "_build", ignore_errors=True)
    with pytest.raises(book.BookError, match="not built"):
        book.serve(tiny)


def test_parts_have_their_names_and_pages(tiny):
    toc = yaml.safe_load((tiny / book.TOC).read_text())
    toc["parts"] = [{"caption": "Part 1", "chapters": toc.pop("chapters")}]
    (tiny / book.TOC).write_text(yaml.safe_dump(toc))
    assert book.parts(tiny) == [("", ["book/index"]), ("Part 1", ["book/two"])]
    assert book.pages(tiny) == ["book/index", "book/two"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("build", ["build ROOT"]),
        ("build --edition student", ["make student", "build EDITION"]),
        ("serve --edition student", ["serve EDITION"]),
        ("pdf", ["build ROOT", "print ROOT", "build ROOT"]),
        (
            "pdf --edition solutions",
            ["make solutions", "build EDITION", "print EDITION", "build EDITION"],
        ),
    ],
)
def test_command_line(monkeypatch, tmp_path, words, expected):
    done = []

    def note(what):
        name = {book.ROOT: "ROOT", tmp_path: "EDITION"}
        return lambda root, *more: done.append(f"{what} {name[root]}")

    def make(edition):
        done.append(f"make {edition}")
        return tmp_path

    monkeypatch.setattr(book, "build", note("build"))
    monkeypatch.setattr(book, "serve", note("serve"))
    monkeypatch.setattr(pdf, "make", note("print"))
    monkeypatch.setattr(editions, "make", make)
    monkeypatch.setattr(editions, "folder", lambda edition: tmp_path)
    monkeypatch.setattr("sys.argv", ["tools.book", *words.split()])
    book.main()
    assert done == expected


def test_landing_page_links_the_pdf_only_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(book.ROOT / "book/_extensions")
    from course_book import assets

    assert assets.pdf_link(tmp_path) == ""
    (tmp_path / pdf.NAME).write_bytes(bytes(2_400_000))
    link = assets.pdf_link(tmp_path)
    assert f'href="../{pdf.NAME}"' in link
    assert "(2 MB)" in link
