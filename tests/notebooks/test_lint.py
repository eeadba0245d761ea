"""The linter accepts a good lesson and names each fault of a bad one."""

import nbformat
import pytest
from samples import GOOD

from tools import lint
from tools.notebooks import Lesson


def found(folder, text, outputs=None):
    path = folder / "sample.md"
    path.write_text(text, encoding="utf-8")
    lesson = Lesson(path)
    if outputs is not None:
        notebook = lesson.read_text()
        for cell, output in zip(lint.code(notebook), outputs, strict=False):
            cell.outputs = output
        nbformat.write(notebook, lesson.notebook)
    return "\n".join(lint.lint(lesson))


@pytest.fixture(autouse=True)
def lessons_here(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.notebooks.LESSONS", tmp_path)


def test_a_good_lesson_passes(tmp_path):
    assert found(tmp_path, GOOD) == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("# 0.1 A sample", "A sample", "title"),
        ("**Needs** nothing · ", "", "lacks **Needs**"),
        ("## Break it", "## Breaking", "'## Break it' is missing"),
        ("## The case", "#### The case", "skips a level"),
        ("## Adding", "# Adding", "exactly one title"),
        ('if "google.colab" in sys.modules', "if False", "Colab"),
        ("total = 1.5 + 2.25", "total = 3.75\n" * 21, "split it at 20"),
        ("import math", "import math  # " + "x" * 90, "wrap it at 88"),
        ("import math", 'np.load("a.npz", allow_pickle=True)', "pickled"),
        ("total = 1.5", "import json\ntotal = 1.5", "all imports into one cell"),
        ("Nothing breaks.", "The accuracy is 0.87.", "number '0.87'"),
        ("Nothing breaks.", "It fails in 12 % of cases.", "number '12 %'"),
        ("Nothing breaks.", "See {doc}`other`.", "MyST syntax"),
        ("Nothing breaks.", "```{note}\nCareful.\n```", "MyST syntax"),
        ("assert math.isclose(total, 3.75)", "math.isclose(total, 3)", "hand-worked"),
        ("    alt: A bar of height two", "    other: A bar", "without alternative"),
        ("A bar of height two stands beside a bar of height three.", "Bars", "say in"),
        ("**Figure 1.** Two bars.", "Two bars.", "begin the next cell"),
        ("### Exercise 3 (stretch)", "### Another", "not 2"),
        ("[solution, hide-input]", "[hide-input]", "tagged solution"),
        ("[checker-test, hide-input]", "[hide-input]", "tagged checker-test"),
        ("<details><summary>Answer 4</summary>D.</details>", "", "not 3"),
        ("[doi:10.1000/1](https://doi.org/10.1000/1)", "A book.", "DOI"),
    ],
)
def test_a_bad_lesson_is_named(tmp_path, old, new, complaint):
    assert old in GOOD
    assert complaint in found(tmp_path, GOOD.replace(old, new, 1))


def test_sections_out_of_order(tmp_path):
    swapped = GOOD.replace("## Key points", "## X").replace(
        "## Break it", "## Key points"
    )
    assert "order" in found(tmp_path, swapped.replace("## X", "## Break it"))


def test_cited_numbers_may_stand_in_prose(tmp_path):
    cited = '+++ {"tags": ["cited"]}\n\nThey report 0.87.\n\n+++\n\nNothing.'
    assert found(tmp_path, GOOD.replace("Nothing breaks.", cited)) == ""


@pytest.mark.parametrize(
    "harmless", ["$p < 0.05$", "`stride=0.5`", "section 2.2.1", "[a](https://b.c/1.5)"]
)
def test_mathematics_code_and_addresses_are_not_prose(tmp_path, harmless):
    assert found(tmp_path, GOOD.replace("Nothing breaks.", harmless)) == ""


def test_long_outputs_and_stderr_are_named(tmp_path):
    stream = nbformat.v4.new_output
    text = found(
        tmp_path,
        GOOD,
        outputs=[
            [stream("stream", name="stdout", text="line\n" * 50)],
            [stream("stream", name="stderr", text="a warning")],
        ],
    )
    assert "over 40 lines" in text and "stderr: 'a warning'" in text


@pytest.mark.parametrize(("seconds", "fits"), [(2.0, True), (9.0, False), (0.1, False)])
def test_the_promised_running_time_is_the_measured_one(tmp_path, seconds, fits):
    path = tmp_path / "sample.md"
    path.write_text(GOOD, encoding="utf-8")
    lesson = Lesson(path)
    notebook = lesson.read_text()
    notebook.metadata["medlib"]["run"] = {"seconds": seconds}
    nbformat.write(notebook, lesson.notebook)
    assert ("promises 2 s" not in "\n".join(lint.lint(lesson))) is fits
