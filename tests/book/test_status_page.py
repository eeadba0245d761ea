"""The status page: what is kept, what is exceeded, what was not measured."""

import json
import sys

import pytest
from sphinx.errors import ExtensionError

from tools import book
from tools import status as measuring

sys.path.insert(0, str(book.ROOT / "book/_extensions"))

from course_book import course, status

ABOUT = {"date": "2026-01-02", "device": "2 CPU cores", "load": 0.01}


def lesson(number, seconds=40.0, memory=1500, **versions):
    run = {"seconds": seconds, "peak_memory_mb": memory, "versions": versions}
    return course.Lesson(number, "Title", "Why?", f"n/{number}", (), 1, {"": 30}, run)


def one_part(*lessons):
    return [course.Part(1, "One", "aim", "book/1", lessons)]


PARTS = one_part(lesson("1.1", numpy="2.4"), lesson("1.2", 60.0, 900, numpy="2.4"))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "requirements").mkdir()
    pins = (
        "numpy==2.4 ; python_version < '3.12' \\\n    --hash=x\n"
        "numpy==2.5 ; python_version >= '3.12' \\\n    --hash=y\nscipy==1.17 \\\n"
    )
    (tmp_path / "requirements/development.txt").write_text(pins)
    return tmp_path


def store(root, **measured):
    values = {name.replace("_", "-"): ABOUT | what for name, what in measured.items()}
    (root / "results/status.json").write_text(json.dumps({"measured": values}))
    return status.load(root)


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_page_without_measurements_says_so(root):
    text = plain(status.page(root, PARTS))
    assert text.count("| not measured yet |") == len(status.TIMES) + 2
    assert "Not measured yet. `python -m tools.status pages` measures it" in text
    assert "Not measured yet. `python -m tools.status tests` measures it" in text
    assert "**Nothing that was measured exceeds its budget.**" in text
    assert "newest stored measurement" not in text


def test_budgets_are_kept_or_exceeded_as_the_numbers_say(root):
    measured = store(
        root,
        book={"seconds": 180.0, "installing": 100.0, "again": 30.4},
        test={"seconds": 1800.0},
        pages={"weights": [
            {"page": "book/a", "own": 1_000_000, "figures": 10},
            {"page": "n/1.2", "own": 20, "figures": 1_500_001},
        ]},
    )  # fmt: skip
    parts = one_part(lesson("1.1", 90.0, 2000), lesson("1.2", 30.0, 1000))
    text = plain(status.budgets(measured, parts))
    assert "| 90 s | 90 s (the longest: 1.1) | kept |" in text
    assert "| 2 GB | 2.0 GB (the largest: 1.1) | kept |" in text
    assert "`make book` | 3 min | 3 min | kept |" in text
    assert "`make book` | 30 s | 30 s | **exceeded** by 1 % |" in text
    assert "`make test` | 25 min | 30 min | **exceeded** by 20 % |" in text
    assert "`make test-fast` | 3 min | not measured yet | |" in text.replace(
        "|  |", "| |"
    )
    assert "| 1.00 MB | 1.00 MB (the heaviest: a) | kept |" in text
    assert "| 1.50 MB | 1.50 MB (the heaviest: 1.2) | **exceeded**" in text
    weights = plain(status.page_weights(measured["pages"], parts))
    assert "| a | 1.00 MB | 0.00 MB | kept |" in weights
    assert "| [1.2 Title](../n/1.2.ipynb) | 0.00 MB | 1.50 MB | **exc" in weights
    exceeded = text.partition("**Exceeded:** ")[2].partition(". ")[0]
    assert exceeded.split("; ") == [
        "The book again, after an edit, `make book`",
        "All tests, `make test`",
        "Figures of one page",
    ]


def test_lesson_that_exceeds_time_or_memory_is_named(root):
    parts = one_part(lesson("1.1", 99.0, 100), lesson("1.2", 9.0, 2500), lesson("1.3"))
    rows = [line for line in status.lesson_costs(parts).splitlines() if "[1." in line]
    assert "99 s | 0.1 GB | **exceeded** by 10 % |" in rows[0]
    assert "9 s | 2.5 GB | **exceeded** by 25 % |" in rows[1]
    assert rows[2].endswith("40 s | 1.5 GB | kept |")
    text = status.budgets({}, parts)
    assert "**Exceeded:** One lesson, cold start to last cell; Memory of one" in text


def test_busy_machine_is_confessed(root):
    measured = store(root, book={"seconds": 1, "again": 1}, tests={"counts": {}})
    assert "busy" not in "".join(status.origins(measured))
    for values in measured.values():
        values["load"] = 3.1
    slow, rest, _, _ = status.origins(measured)
    assert "2026-01-02, 2 CPU cores, **busy with other work** (load 3.1" in slow
    assert slow.endswith(": `book`.")
    # Only times suffer from other work, counts do not.
    assert rest == "- Measured 2026-01-02, 2 CPU cores: `tests`."


def test_versions_are_those_of_the_runs_and_the_pins(root):
    parts = one_part(lesson("1.1", numpy="2.4"), lesson("1.2", numpy="2.3", scipy="1"))
    (root / "results/a.json").write_text('{"date": "2026-01-05"}')
    store(root, tests={"counts": {}})
    text = status.versions(root, parts)
    assert "| NumPy | 2.3, 2.4 | 2.4, 2.5 |" in text
    assert "| SciPy | 1 | 1.17 |" in text
    assert "newest stored measurement is of 2026-01-05." in text


def test_tests_are_counted_by_what_they_test(root):
    measured = store(root, tests={"counts": {"medlib": 1200, "book": 30, "new": 1}})
    text = status.test_counts(measured["tests"])
    assert "| of the package `medlib` | 1,200 |" in text
    assert "| `tests/new` | 1 |" in text
    assert "| **together** | 1,231 |" in text


@pytest.mark.parametrize(
    "content", ['{"measured": ', "[]", '{"measured": {"book": {"seconds": 1}}}']
)
def test_broken_file_is_named_with_its_remedy(root, content):
    (root / "results/status.json").write_text(content)
    with pytest.raises(ExtensionError, match=r"results/status\.json.*tools\.status"):
        status.page(root, PARTS)


def test_the_page_names_only_what_the_tool_can_measure():
    names = {name for _, _, (name, _), _ in status.TIMES} | {"pages", "tests"}
    assert names == set(measuring.MEASURES)


def test_the_page_and_the_tests_of_the_pages_have_the_same_limits():
    tests = (book.ROOT / "tests/book/test_book_pages.py").read_text(encoding="utf-8")
    assert "MEGABYTE = 1_000_000" in tests
    assert "own > MEGABYTE or figures > 1.5 * MEGABYTE" in tests
    assert (status.OWN_BYTES, status.FIGURE_BYTES) == (1_000_000, 1_500_000)
