"""Change the repository's address everywhere: ``python -m tools.address URL``.

The one address stands in ``_config.yml``. Every other tracked file that names it (the
lessons' first cells, the package's metadata, the README) is rewritten with it. Stored
outputs do not depend on it, so their records are renewed and nothing is executed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
FORM = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]*[\w-]")


def current(root: Path = ROOT) -> str:
    """Return the repository address that ``_config.yml`` holds."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return str(config["repository"]["url"])


def pages_address(repository: str) -> str:
    """Return where a host publishes the book of a repository."""
    owner, name = repository.split("/")[-2:]
    return f"https://{owner}.github.io/{name}"


def tracked(root: Path) -> list[Path]:
    """Return the files that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in listed.split("\0") if name]


def replace(new: str, root: Path = ROOT) -> list[Path]:
    """Write the new address in place of the current one; return the files changed.

    Raises
    ------
    ValueError
        If the new address is no repository's address.
    """
    if not FORM.fullmatch(new):
        raise ValueError(
            f"'{new}' is not a repository's address; it looks like "
            "https://github.com/OWNER/NAME, without .git or a closing slash"
        )
    new = new.removesuffix(".git")
    old = current(root)
    pairs = [(old, new), (pages_address(old), pages_address(new))]
    # Binder and badges name the repository as OWNER/NAME.
    pairs.append(("/".join(old.split("/")[-2:]), "/".join(new.split("/")[-2:])))
    fresh = [le for le in lessons_of(root) if not notebooks.problems(le, root)]
    changed = []
    for path in tracked(root):
        if not path.is_file():
            continue
        try:
            before = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        after = before
        for was, becomes in pairs:
            after = after.replace(was, becomes)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            changed.append(path)
    for lesson in fresh:
        notebooks.renew(lesson)
    return changed


def lessons_of(root: Path) -> list[notebooks.Lesson]:
    """Return the lessons below a root."""
    return notebooks.lessons(root / "notebooks")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit("Name the new address: make address URL=https://github.com/OWNER/NAME")
    try:
        for path in replace(sys.argv[1]):
            print(f"changed {path.relative_to(ROOT)}")
    except ValueError as error:
        sys.exit(str(error))
