"""The Makefile says what it can do, and `clean` removes only what was built."""

from pathlib import Path

from tools import clean, help

ROOT = Path(__file__).resolve().parents[2]
PROMISED = [
    "book",
    "pdf",
    "student",
    "solutions",
    "test",
    "test-fast",
    "notebooks",
    "lint",
    "data",
    "serve",
    "clean",
    "help",
]


def test_help_lists_every_promised_target():
    listed = help.targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(PROMISED) <= set(listed)
    assert all(listed.values())


def test_clean_keeps_sources_environments_and_data(tmp_path):
    for name in ("_build/html", "book/_generated", "book/_static", ".venv", "data"):
        (tmp_path / name).mkdir(parents=True)
    assert clean.clean(tmp_path) == ["_build", "book/_generated"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"book", ".venv", "data"}
    assert (tmp_path / "book" / "_static").exists()
