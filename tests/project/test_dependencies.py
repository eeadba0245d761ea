"""The places that name dependencies agree, and none names a package index."""

import re
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

from tools import environment

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;]+)(?: ; (.+?))? \\$", re.MULTILINE)


def group(name: str) -> list[str]:
    """Return a dependency group's own requirement strings, includes resolved."""
    found: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        found += group(entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~; \[]", line)[0] for line in requirements}


def test_conda_environment_says_what_pyproject_says():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pip = next(e["pip"] for e in conda["dependencies"] if isinstance(e, dict))
    expected = PROJECT["project"]["dependencies"] + group("notebooks")
    assert sorted(pip) == sorted([*expected, "-e ."])


def test_conda_environment_names_a_supported_python():
    """Binder reads the version only from the form ``python=X.Y``."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python = next(e for e in conda["dependencies"] if str(e).startswith("python"))
    version = re.fullmatch(r"python=(\d+)\.(\d+)", python)
    assert version, python
    assert environment.OLDEST <= tuple(map(int, version.groups())) <= environment.NEWEST


def test_package_asks_for_the_oldest_supported_python():
    oldest = ".".join(map(str, environment.OLDEST))
    assert PROJECT["project"]["requires-python"] == f">={oldest}"


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_pins_are_hashed_and_name_no_host(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text)
    pins = [line for line in text.splitlines() if line[:1].isalnum()]
    assert pins and all("==" in line for line in pins)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_pins_cover_the_groups():
    pinned = {
        p.stem: {name for name, *_ in PIN.findall(p.read_text())} for p in REQUIREMENTS
    }
    package = names(PROJECT["project"]["dependencies"])
    assert names(group("reader")) <= pinned["reader"]
    assert package | names(group("development")) <= pinned["development"]
    assert package | names(group("unit")) <= pinned["lowest"]


def test_building_the_book_needs_no_tensorflow():
    text = (ROOT / "requirements" / "reader.txt").read_text(encoding="utf-8")
    assert "tensorflow" not in text and "keras" not in text


def test_reader_and_development_share_versions():
    versions = [
        {
            (name, version)
            for name, version, _ in PIN.findall(
                (ROOT / "requirements" / f"{group_name}.txt").read_text()
            )
        }
        for group_name in ("reader", "development")
    ]
    shared = {name for name, _ in versions[1]}
    assert {pin for pin in versions[0] if pin[0] in shared} <= versions[1]


def test_lowest_pins_are_the_lower_ends_of_the_ranges():
    text = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8")
    pinned = {name: version for name, version, _ in PIN.findall(text)}
    for requirement in PROJECT["project"]["dependencies"]:
        name, lower = re.sub(r"\[.*\]", "", requirement).split(">=")
        assert ".".join(pinned[name].split(".")[:2]) == ".".join(lower.split(".")[:2])


def test_no_upper_end_keeps_a_newer_tensorflow_from_colab():
    assert not [r for r in PROJECT["project"]["dependencies"] if "<" in r or "==" in r]


def test_an_environment_is_current_only_for_its_own_pins(tmp_path, monkeypatch):
    python = environment.python_of(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    assert not environment.is_current("reader", tmp_path)
    stamp = tmp_path / "installed-development"
    stamp.write_text(environment.fingerprint("development"))
    assert environment.is_current("development", tmp_path)
    assert environment.is_current("reader", tmp_path), "development includes reader"
    stamp.write_text("pins of last month")
    assert not environment.is_current("development", tmp_path)


def test_a_python_out_of_range_gets_one_clear_line(monkeypatch):
    monkeypatch.setattr(environment, "NEWEST", (3, 10))
    monkeypatch.setattr(environment, "OLDEST", (3, 9))
    monkeypatch.setattr("sys.argv", ["environment", "reader"])
    with pytest.raises(SystemExit, match=r"needs Python 3\.9 to 3\.10"):
        environment.main()


def test_an_environment_without_pip_is_completed(tmp_path, monkeypatch):
    """As an interrupted set-up leaves it, or another tool makes it."""
    venv.create(tmp_path, with_pip=False)
    assert environment.python_of(tmp_path).exists()
    monkeypatch.setattr(environment, "run_pip", lambda command: None)
    environment.install("reader", tmp_path)
    assert environment.has_pip(tmp_path)
    assert environment.is_current("reader", tmp_path)


def test_a_failing_pip_shows_its_last_lines(capfd):
    import sys

    with pytest.raises(SystemExit, match="pip could not install"):
        environment.run_pip(
            [sys.executable, "-m", "pip", "install", "--no-index", "no-such-package-x"]
        )
    assert "no-such-package-x" in capfd.readouterr().out
