"""One command changes the repository's address everywhere."""

import subprocess
from pathlib import Path

import pytest

from tools import address

ROOT = Path(__file__).resolve().parents[2]
NEW = "https://github.com/some-hospital/teaching"


@pytest.fixture
def project(tmp_path):
    """Copy the project's own files into a fresh checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout here: which files are the project's is not known")
    for path in address.tracked(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def test_no_file_keeps_the_old_address(project):
    old = address.current(project)
    changed = {
        path.relative_to(project).as_posix() for path in address.replace(NEW, project)
    }
    assert {"_config.yml", "pyproject.toml", "README.md"} <= changed
    assert address.current(project) == NEW
    for path in address.tracked(project):
        assert old.encode() not in path.read_bytes(), path


def test_lessons_stay_current_without_execution(project):
    from tools import notebooks

    def stale() -> dict[str, list[str]]:
        found = notebooks.lessons(project / "notebooks")
        return {le.text.stem: notebooks.problems(le, project) for le in found}

    current = [name for name, found in stale().items() if not found]
    address.replace(NEW, project)
    after = stale()
    assert [name for name in current if after[name]] == []


@pytest.mark.parametrize(
    "wrong", ["", "github.com/a/b", "https://github.com/a", "https://github.com/a/b/"]
)
def test_what_is_no_address_is_refused_and_changes_nothing(project, wrong):
    before = address.current(project)
    with pytest.raises(ValueError, match="OWNER/NAME"):
        address.replace(wrong, project)
    assert address.current(project) == before
