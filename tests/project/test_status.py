"""The tool behind the status page: what it runs, counts, copies and stores."""

import json
import subprocess
import sys

import pytest

from tools import status


@pytest.fixture
def stored(tmp_path, monkeypatch):
    path = tmp_path / "results/status.json"
    monkeypatch.setattr(status, "STATUS", path)
    return path


def test_one_measurement_leaves_the_others_as_they_are(stored):
    status.store("book", {"seconds": 1}, stored)
    status.store("test", {"seconds": 2}, stored)
    status.store("book", {"seconds": 3}, stored)
    assert status.read(stored) == {"book": {"seconds": 3}, "test": {"seconds": 2}}
    assert [path.name for path in stored.parent.iterdir()] == ["status.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"measured": 1}'])
def test_a_file_of_another_kind_is_not_overwritten(stored, content):
    stored.parent.mkdir()
    stored.write_text(content)
    with pytest.raises(status.StatusError, match=r"not a status file.*move it away"):
        status.store("book", {"seconds": 1}, stored)
    assert stored.read_text() == content


def test_failing_command_is_shown_with_its_last_lines(tmp_path):
    code = "print('the reason'); raise SystemExit(3)"
    with pytest.raises(status.StatusError, match=r"status 3[\s\S]*the reason"):
        status.timed([sys.executable, "-c", code], tmp_path)


def test_command_sees_its_folder_and_environment(tmp_path):
    code = "import os; print(os.getcwd(), os.environ['EXTRA'])"
    seconds, said = status.timed([sys.executable, "-c", code], tmp_path, EXTRA="yes")
    assert seconds >= 0
    assert said.split() == [str(tmp_path.resolve()), "yes"]


def test_copy_has_what_git_knows_or_would_add_and_nothing_built(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "copy"
    (root / "sub").mkdir(parents=True)
    for name in ("known.txt", "gone.txt", "sub/new.txt", "built.txt"):
        (root / name).write_text(name)
    (root / ".gitignore").write_text("built.txt\n")
    for arguments in (["init", "-q"], ["add", "known.txt", "gone.txt"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    (root / "known.txt").write_text("edited")
    (root / "gone.txt").unlink()
    status.copy_sources(root, folder)
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there == {"known.txt", "sub/new.txt", ".gitignore"}
    assert (folder / "known.txt").read_text() == "edited"


def test_folder_that_is_no_repository_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(status.StatusError, match="git cannot list the files"):
        status.copy_sources(tmp_path, tmp_path / "copy")


def test_tests_are_counted_by_folder(monkeypatch):
    listed = (
        "tests/medlib/maths/test_a.py::test_one[x/y::z]\n"
        "tests/medlib/test_b.py::TestC::test_two\n"
        "tests/book/test_d.py::test_three\n\n3 tests collected in 1.00s\n"
    )
    monkeypatch.setattr(status, "timed", lambda *_: (1.0, listed))
    assert status.measure_tests() == {"counts": {"book": 1, "medlib": 2}}
    monkeypatch.setattr(status, "timed", lambda *_: (1.0, "no tests collected\n"))
    with pytest.raises(status.StatusError, match="listed no test"):
        status.measure_tests()


def test_outcome_of_the_tests_is_kept(monkeypatch):
    said = "SKIPPED [1] tests/x.py: 9 passed by\n== 12 passed, 3 skipped in 2.00s ==\n"
    monkeypatch.setattr(status, "timed", lambda *_: (2.5, said))
    assert status.measure_test() == {"seconds": 2.5, "passed": 12, "skipped": 3}


def test_command_line_measures_what_it_is_asked_for_in_one_go(stored, monkeypatch):
    def fails():
        raise status.StatusError("no luck")

    about = {"date": "2026-01-02", "device": "d", "load": 0.5, "python": "3.11.7"}
    monkeypatch.setattr(status, "circumstances", lambda: about)
    monkeypatch.setattr(
        status, "MEASURES", {"one": lambda: {"seconds": 1.5}, "two": fails}
    )
    assert status.main(["one"]) == 0
    assert status.read(stored) == {"one": about | {"seconds": 1.5}}
    stored.unlink()
    # What was measured before a failure is kept.
    assert status.main([]) == 1
    assert list(status.read(stored)) == ["one"]
    with pytest.raises(SystemExit):
        status.main(["three"])


def test_circumstances_say_when_on_what_and_how_busy():
    about = status.circumstances()
    assert json.loads(json.dumps(about)) == about
    assert "CPU cores" in about["device"]
    assert about["load"] >= 0
