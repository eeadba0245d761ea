"""Set up a virtual environment from the hashed pins in ``requirements/``.

``python -m tools.environment GROUP`` needs nothing but Python itself. The groups are
those of ``pyproject.toml``: ``reader`` builds the book, ``development`` runs and tests
everything, ``lowest`` holds the oldest supported versions, in an environment of its
own. An environment that already matches its pins is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
ENVIRONMENTS = {
    "reader": ".venv",
    "development": ".venv",
    "lowest": ".venv-lowest",
}
# An environment for development can also build the book.
INCLUDES = {"reader": ("reader", "development"), "development": ("development",)}


def python_of(environment: Path) -> Path:
    """Return the interpreter inside a virtual environment, on any system."""
    windows = os.name == "nt"
    return environment / ("Scripts/python.exe" if windows else "bin/python")


def pins_of(group: str) -> Path:
    """Return the file with the hashed pins of a dependency group."""
    return ROOT / "requirements" / f"{group}.txt"


def fingerprint(group: str) -> str:
    """Return what an environment must have been made from to be current."""
    content = pins_of(group).read_bytes() + str(sys.version_info[:3]).encode()
    return hashlib.sha256(content).hexdigest()


def is_current(group: str, environment: Path) -> bool:
    """Tell whether the environment already holds what the group needs."""
    for holder in INCLUDES.get(group, (group,)):
        stamp = environment / f"installed-{holder}"
        if stamp.is_file() and stamp.read_text() == fingerprint(holder):
            return python_of(environment).exists()
    return False


def has_pip(environment: Path) -> bool:
    """Tell whether the environment can install: an interrupted one cannot."""
    python = python_of(environment)
    if not python.exists():
        return False
    command = [str(python), "-c", "import pip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install(group: str, environment: Path) -> None:
    """Create the environment if need be and install the group's pins into it.

    Raises
    ------
    SystemExit
        If pip fails; its own last lines say why.
    """
    pins = pins_of(group)
    total = sum(line[:1].isalnum() for line in pins.read_text().splitlines())
    print(f"Setting up {environment.name} for '{group}': up to {total} packages")
    if not has_pip(environment):
        try:
            venv.create(environment, with_pip=True)
        except subprocess.CalledProcessError:
            sys.exit(
                "This Python cannot make virtual environments: install its venv "
                "package (Debian and Ubuntu: apt install python3-venv)."
            )
    python = str(python_of(environment))
    run_pip([python, "-m", "pip", "install", "--require-hashes", "-r", str(pins)])
    if group != "reader":
        package = ["install", "--no-deps", "--no-build-isolation", "--editable"]
        run_pip([python, "-m", "pip", *package, str(ROOT)])
    (environment / f"installed-{group}").write_text(fingerprint(group))


def run_pip(command: list[str]) -> None:
    """Run pip, showing one moving line instead of hundreds."""
    moving = sys.stdout.isatty()
    process = subprocess.Popen(
        [*command, "--disable-pip-version-check", "--progress-bar", "off"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    tail: list[str] = []
    count = 0
    for line in process.stdout or ():
        tail = [*tail[-19:], line.rstrip()]
        if line.startswith(("Collecting ", "Installing ", "Obtaining ")):
            count += 1
            words = line.split()
            what = f"  {words[0].lower()} {words[1]} ({count})"
            if moving:
                print(f"\r{what:<70.70}", end="", flush=True)
            elif count % 25 == 0 or words[0] == "Installing":
                print(what, flush=True)
    if moving:
        print("\r" + " " * 70 + "\r", end="")
    if process.wait() != 0:
        print("\n".join(tail))
        sys.exit("pip could not install the packages: the lines above say why.")


def main() -> None:
    """Set up the environment that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tools.environment")
    parser.add_argument("group", choices=sorted(ENVIRONMENTS))
    group = parser.parse_args().group
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            f"Python {sys.version_info.major}.{sys.version_info.minor} runs here; the "
            f"course needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}. "
            "Name another one, for example: make book PYTHON=python3.12"
        )
    environment = ROOT / ENVIRONMENTS[group]
    if not is_current(group, environment):
        install(group, environment)


if __name__ == "__main__":
    main()
