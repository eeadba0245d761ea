"""Pairs stay in sync, stale outputs are noticed, edits are never lost."""

import asyncio

import nbformat
import pytest
from samples import GOOD

from tools import notebooks
from tools.notebooks import Lesson


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Return a lesson that has been executed and stored."""
    monkeypatch.setattr(notebooks, "LESSONS", tmp_path)
    text = tmp_path / "0_part" / "1_sample.md"
    text.parent.mkdir()
    text.write_text(GOOD, encoding="utf-8")
    made = Lesson(text)
    notebook = made.read_text()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text=f"output {count}\n")]
    record = {
        "source_sha256": notebooks.source_hash(notebook),
        "cells_sha256": notebooks.cells_hash(notebook),
        "modules": ["medlib"],
        "medlib_sha256": notebooks.medlib_hash(["medlib"]),
        "provenance": [],
    }
    notebooks.store(notebook, record, made.notebook)
    return made


def edit(lesson, old, new):
    text = lesson.text.read_text(encoding="utf-8")
    assert old in text
    lesson.text.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_notebook(lesson, change):
    stored = lesson.read_notebook()
    change(stored)
    nbformat.write(stored, lesson.notebook)


def test_a_stored_lesson_has_no_problem(lesson):
    assert notebooks.problems(lesson) == []


def test_a_missing_notebook_is_named(lesson):
    lesson.notebook.unlink()
    assert "no notebook yet" in notebooks.problems(lesson)[0]


def test_changed_prose_is_out_of_sync_and_copied_without_execution(lesson):
    edit(lesson, "A ward counts beds.", "A ward counts patients.")
    assert any("differ" in line for line in notebooks.problems(lesson))
    assert notebooks.sync(lesson)
    assert notebooks.problems(lesson) == []
    stored = lesson.read_notebook()
    assert any("counts patients" in cell.source for cell in stored.cells)
    outputs = [c.outputs for c in stored.cells if c.cell_type == "code"]
    assert outputs[0][0].text == "output 1\n", "the outputs were kept"


def test_changed_code_is_stale_and_not_synced(lesson):
    before = lesson.notebook.read_bytes()
    edit(lesson, "total = 1.5 + 2.25", "total = 2.25 + 1.5")
    assert any("code cells" in line for line in notebooks.problems(lesson))
    assert not notebooks.sync(lesson)
    assert lesson.notebook.read_bytes() == before


def test_a_changed_module_makes_outputs_stale(lesson, tmp_path):
    package = tmp_path / "medlib"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '0.0.0'\n")
    lines = notebooks.problems(lesson, root=tmp_path)
    assert any("another version of medlib" in line for line in lines)


def test_a_module_that_was_not_used_leaves_outputs_current(lesson, tmp_path):
    package = tmp_path / "medlib"
    package.mkdir()
    source = (notebooks.ROOT / "medlib" / "__init__.py").read_bytes()
    (package / "__init__.py").write_bytes(source)
    (package / "other.py").write_text("unused = True\n")
    assert notebooks.problems(lesson, root=tmp_path) == []


def test_an_edited_notebook_is_not_overwritten(lesson, capsys):
    def change(stored):
        stored.cells[-1].source += "\n- Another source."

    edit_notebook(lesson, change)
    edited = lesson.notebook.read_bytes()
    assert any("pull" in line for line in notebooks.problems(lesson))
    with pytest.raises(notebooks.LessonError, match="was edited"):
        notebooks.store_action([lesson], everything=True)
    assert lesson.notebook.read_bytes() == edited


def test_pull_takes_a_notebook_edit_into_the_text(lesson):
    def change(stored):
        stored.cells[-1].source += "\n- Another source."

    edit_notebook(lesson, change)
    assert notebooks.pull(lesson)
    assert "Another source." in lesson.text.read_text(encoding="utf-8")
    stored = lesson.read_notebook()
    assert notebooks.source_hash(lesson.read_text()) == notebooks.source_hash(stored)


def test_practice_outputs_are_not_accepted(lesson):
    def change(stored):
        stored.metadata["medlib"]["run"]["provenance"] = [
            {"dataset": "breastmnist", "title": "BreastMNIST", "kind": "practice"}
        ]

    edit_notebook(lesson, change)
    lines = notebooks.problems(lesson)
    assert any("practice set of BreastMNIST" in line for line in lines)
    assert any("declares the practice data []" in line for line in lines)


def test_practice_set_loaded_on_purpose_is_declared(lesson):
    entries = [
        {"dataset": "breastmnist", "title": "BreastMNIST", "kind": kind}
        for kind in ("real", "practice")
    ]

    def change(stored):
        stored.metadata["medlib"]["run"]["provenance"] = entries

    edit_notebook(lesson, change)
    text = lesson.read_text()
    assert notebooks.unplanned_practice(text, entries) == ["BreastMNIST"]
    text.metadata["medlib"] = {"data": ["breastmnist"], "practice": ["breastmnist"]}
    assert notebooks.unplanned_practice(text, entries) == []


def test_errors_and_idle_cells_are_not_accepted(lesson):
    def change(stored):
        code = [cell for cell in stored.cells if cell.cell_type == "code"]
        code[0].execution_count = None
        code[1].outputs = [
            nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
        ]

    edit_notebook(lesson, change)
    text = "\n".join(notebooks.problems(lesson))
    assert "not every code cell was executed" in text and "is an error" in text


def test_writing_is_atomic(lesson, monkeypatch):
    before = lesson.notebook.read_bytes()

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        stored = lesson.read_notebook()
        notebooks.store(stored, notebooks.record_of(stored), lesson.notebook)
    assert lesson.notebook.read_bytes() == before
    assert list(lesson.notebook.parent.glob("*.new")) == []


def test_ids_depend_on_the_source_alone(lesson):
    first, second = lesson.read_text(), lesson.read_text()
    notebooks.name_cells(first)
    notebooks.name_cells(second)
    assert [c.id for c in first.cells] == [c.id for c in second.cells]
    assert len({c.id for c in first.cells}) == len(first.cells)


def test_an_unknown_lesson_is_named(lesson):
    with pytest.raises(notebooks.LessonError, match="no lesson matches 'zebra'"):
        notebooks.select(["zebra"])


@pytest.mark.slow
def test_execution_stores_outputs_and_their_record(lesson):
    notebook, record = asyncio.run(notebooks.execute(lesson, source="practice"))
    text = "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "total: 3.75" in text
    assert record["provenance"] == [] and record["peak_memory_mb"] > 10
    assert record["cells_sha256"] == notebooks.cells_hash(lesson.read_text())


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_the_stored_notebook_kept(lesson):
    before = lesson.notebook.read_bytes()
    edit(lesson, "total = 1.5 + 2.25", "total = 1 / 0")
    failures = asyncio.run(notebooks.make_all([lesson], source="real", keep=True))
    assert "ZeroDivisionError" in failures[0] and "1_sample" in failures[0]
    assert lesson.notebook.read_bytes() == before


def test_only_compared_outputs_can_move(lesson):
    stored, again = lesson.read_notebook(), lesson.read_notebook()
    assert notebooks.moved(stored, again) == []
    code = [cell for cell in again.cells if cell.cell_type == "code"]
    code[0].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="a warning\n"),
        nbformat.v4.new_output("display_data", {"image/png": "picture"}),
        *code[0].outputs,
    ]
    assert notebooks.moved(stored, again) == []
    code[-1].outputs[0].text = "another number\n"
    assert notebooks.moved(stored, again) == [code[-1].source.splitlines()[0]]
    old = [cell for cell in stored.cells if cell.cell_type == "code"]
    old[-1].metadata["tags"] = ["nbval-ignore-output"]
    assert notebooks.moved(stored, again) == []


def test_the_quick_cover_loads_every_practice_set_with_fewer_lessons():
    everything = notebooks.lessons()
    cover = notebooks.quick_cover(everything)
    left_out = {name for le in everything for name in le.datasets()} - {
        name for le in cover for name in le.datasets()
    }
    assert left_out <= {"digits", "wisconsin", "diabetes-progression"}
    assert len(cover) < len(everything) / 2


def test_what_the_book_folds_is_folded_in_jupyterlab_too(lesson):
    stored = lesson.read_notebook()
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    code[0].metadata["tags"] = ["solution", "hide-input"]
    code[1].metadata["tags"] = []
    notebooks.tidy(stored)
    assert code[0].metadata["jupyter"] == {"source_hidden": True}
    assert "jupyter" not in code[1].metadata
