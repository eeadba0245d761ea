"""The student edition has no solutions, the solutions edition has them all."""

import ast
import asyncio
import re
import shutil

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import book, editions
from tools.notebooks import Lesson, execute

LESSONS = [page for page in book.pages() if page.startswith("notebooks/")]
SOLUTION = "<details><summary>Solution</summary>\n\nAdd one.\n\n</details>"


def read(page):
    return nbformat.read(book.ROOT / f"{page}.ipynb", as_version=4)


def tagged(notebook, tag):
    return [c for c in notebook.cells if tag in c.metadata.get("tags", [])]


def names(source):
    """Return which names a cell makes and which it reads."""
    source = re.sub(r"^(\s*)%pip.*$", r"\1pass", source, flags=re.MULTILINE)
    made, read = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (made if isinstance(node.ctx, ast.Store) else read).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).partition(".")[0])
    return made, read


@pytest.mark.parametrize("page", LESSONS)
def test_student_has_every_exercise_and_no_solution(page):
    whole = read(page)
    made = editions.student(whole, page)
    nbformat.validate(made)
    text = "\n".join(cell.source for cell in made.cells)
    assert tagged(made, "solution") == tagged(made, "checker-test") == []
    assert "<summary>Solution" not in text
    assert "refuses(" not in text
    titles = re.findall(r"^### (Exercise .+)$", text, re.MULTILINE)
    assert len(titles) == len(tagged(whole, "solution")) >= 3
    # What is left is unchanged, and one cell for each attempt was added.
    attempts = [cell for cell in made.cells if cell.id.startswith("attempt-")]
    assert len(attempts) == len(titles)
    left = [cell for cell in made.cells if cell not in attempts]
    rest = iter(whole.cells)
    assert all(any(cell == other for other in rest) for cell in left)
    # Nothing but solutions is gone: headings, checkers, answers to questions.
    gone = [cell for cell in whole.cells if cell not in left]
    assert not any(re.search(r"^#{1,3} ", c.source, re.MULTILINE) for c in gone)
    assert not any(c.source.startswith("def check_") for c in gone)
    assert text.count("<summary>Answer") >= 4


@pytest.mark.parametrize("page", LESSONS)
def test_student_reads_no_name_that_only_a_solution_makes(page):
    whole = read(page)
    kept = {c.id for c in editions.student(whole, page).cells}
    code = [(c, names(c.source)) for c in whole.cells if c.cell_type == "code"]
    left = set().union(*(made for c, (made, _) in code if c.id in kept))
    lost = set().union(*(made for c, (made, _) in code if c.id not in kept)) - left
    assert {n for c, (_, used) in code if c.id in kept for n in used & lost} == set()


@pytest.mark.parametrize("page", LESSONS)
def test_attempt_names_the_checker_of_its_exercise(page):
    made = editions.student(read(page), page)
    source = "\n".join(c.source for c in made.cells if c.cell_type == "code")
    for cell in made.cells:
        if cell.id.startswith("attempt-"):
            # Nothing happens until a student writes something.
            assert ast.parse(cell.source).body == []
            (checker,) = re.findall(r"^# (check_\w+)\(", cell.source, re.MULTILINE)
            assert f"def {checker}(" in source


@pytest.mark.parametrize("page", LESSONS)
def test_solutions_have_every_exercise_with_its_solution_and_output(page):
    whole = read(page)
    made = editions.solutions(whole, page)
    nbformat.validate(made)
    text = "\n".join(cell.source for cell in made.cells)
    assert "<details>" not in text
    count = len(tagged(whole, "solution"))
    assert len(re.findall(r"^## Exercise ", text, re.MULTILINE)) == count
    assert text.count("**Solution.**") == text.count("*Outcome.*") == count
    assert not tagged(made, "hide-input")
    for tag in ("solution", "checker-test"):
        before, after = tagged(whole, tag), tagged(made, tag)
        assert [c.source for c in after] == [c.source for c in before]
        assert [c.outputs for c in after] == [c.outputs for c in before]


def exercise(*answer):
    return new_notebook(
        cells=[
            new_markdown_cell("# 9.9 Counting"),
            new_markdown_cell("## Exercises\n\n### Exercise 1 (warm-up)\n\nAdd one."),
            new_code_cell("def check_plus(candidate):\n    assert candidate(1) == 2"),
            *answer,
            new_markdown_cell("## Check yourself"),
        ]
    )


def ran(source, **more):
    return new_code_cell(
        source, metadata={"tags": ["solution"]}, **{"execution_count": 3} | more
    )


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ([], "'Exercise 1 (warm-up)' has no solution"),
        ([new_markdown_cell(f"Read this. {SOLUTION}")], "a cell of its own"),
        ([new_markdown_cell(SOLUTION), new_markdown_cell(SOLUTION)], "of its own"),
        ([new_markdown_cell(SOLUTION)], "0 cells are tagged solution"),
        ([new_markdown_cell(SOLUTION), ran("plus = 1")], "does not call its checker"),
        (
            [new_markdown_cell(SOLUTION), ran("check_plus(f)", execution_count=None)],
            "missing or failed",
        ),
        (
            [
                new_markdown_cell(SOLUTION),
                ran("check_plus(f)", outputs=[new_output("error", ename="E")]),
            ],
            "missing or failed",
        ),
    ],
)
def test_exercise_that_is_not_whole_is_named(answer, word):
    for make in (editions.student, editions.solutions):
        with pytest.raises(book.BookError, match=re.escape(word)):
            make(exercise(*answer), "9_none/9_counting")


def test_lesson_itself_stays_as_it_is():
    whole = exercise(new_markdown_cell(SOLUTION), ran("check_plus(lambda n: n + 1)"))
    before = nbformat.writes(whole)
    editions.student(whole, "9.9")
    editions.solutions(whole, "9.9")
    assert nbformat.writes(whole) == before


def small_course(root):
    """Copy what the editions read, with two lessons only."""
    for name in {*editions.COURSE, *editions.BOOK} - {"tools", "requirements"}:
        source, place = book.ROOT / name, root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=editions.UNWANTED, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)
    for page in (LESSONS[0], LESSONS[3]):
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(book.ROOT / f"{page}.ipynb", root / f"{page}.ipynb")
    chapters = [{"file": LESSONS[0]}, {"file": LESSONS[3]}]
    part = {"caption": "Part 1", "chapters": chapters}
    contents = {"format": "jb-book", "root": "book/index", "parts": [part]}
    (root / book.TOC).write_text(yaml.safe_dump(contents), encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    small_course(tmp_path)
    return tmp_path


def test_solutions_are_built_and_the_sources_stay(small):
    before = {p: p.read_bytes() for p in small.rglob("*") if p.is_file()}
    root = editions.make("solutions", small)
    assert root == small / "_build/solutions"
    book.build(root)
    html = book.html_folder(root)
    for page in (LESSONS[0], LESSONS[3]):
        text = (html / f"{page}.html").read_text(encoding="utf-8")
        assert text.count("<strong>Solution.</strong>") >= 3
    assert "Gradient descent" in (html / "book/index.html").read_text(encoding="utf-8")
    assert {p: p.read_bytes() for p in before} == before


def test_student_edition_is_a_course_to_hand_out(small):
    root = editions.make("student", small)
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    assert settings["title"].endswith("student edition")
    # No button opens the lessons with their solutions.
    assert not any(settings["launch_buttons"].values())
    assert settings["html"]["use_repository_button"] is False
    assert (root / "medlib/exercises.py").is_file()
    found = sorted(p.relative_to(root) for p in root.rglob("*.ipynb"))
    assert [p.with_suffix("").as_posix() for p in found] == [LESSONS[0], LESSONS[3]]
    for path in root.rglob("*"):
        if path.suffix in {".ipynb", ".md"}:
            assert "<summary>Solution" not in path.read_text(encoding="utf-8")
    # What an earlier run left is gone.
    (root / "notebooks/old.ipynb").write_text("{}")
    assert not (editions.make("student", small) / "notebooks/old.ipynb").exists()


@pytest.mark.slow
def test_student_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    page = next(p for p in LESSONS if p.endswith("4_gradient_descent"))
    made = editions.student(read(page), page)
    lesson = Lesson(tmp_path / "4_gradient_descent.md")
    lesson.text.write_text("text", encoding="utf-8")
    monkeypatch.setattr(Lesson, "read_text", lambda self: nbformat.from_dict(made))
    executed, record = asyncio.run(execute(lesson, source="practice"))
    code = [c for c in executed.cells if c.cell_type == "code" and c.source.strip()]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert record["seconds"] > 0


def test_student_edition_says_how_to_run_itself(monkeypatch):
    monkeypatch.syspath_prepend(book.ROOT / "book/_extensions")
    from course_book import fragments

    settings = {"html": {}, "title": "Course"}
    editions.configure_student(settings, book.ROOT, book.ROOT)
    address = {"repository_url": "https://o.org/a/b", "repository_branch": "main"}
    text = fragments.how_to_run(
        address | {"launch_buttons": settings["launch_buttons"]}
    )
    assert "in the folder of this edition" in text
    assert "o.org" not in text
