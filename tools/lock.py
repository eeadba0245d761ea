"""Write the hashed pins in ``requirements/`` anew from ``pyproject.toml``.

``python -m tools.lock`` resolves for every supported system and Python at once. The
files name no package index, so that they install from whichever one a machine uses.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--quiet",
]
# `reader` is pinned to what `development` chose: both share one environment.
COMMANDS = {
    "development": ["pyproject.toml", "--group=development"],
    "reader": ["--group=reader", "--constraints=requirements/development.txt"],
    "lowest": ["pyproject.toml", "--group=unit", "--resolution=lowest-direct"],
}


def main() -> None:
    """Compile every requirements file, each beside the old one and then renamed."""
    for group, arguments in COMMANDS.items():
        target = ROOT / "requirements" / f"{group}.txt"
        beside = target.with_suffix(".new")
        if group != "lowest" and target.exists():
            # Keep the versions in use; `--upgrade` asks for newer ones.
            beside.write_bytes(target.read_bytes())
        print(f"Resolving {group} …", flush=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", *arguments]
        command += [*OPTIONS, *sys.argv[1:], f"--output-file={beside}"]
        outcome = subprocess.run(command, cwd=ROOT, check=False)
        if outcome.returncode:
            beside.unlink(missing_ok=True)
            sys.exit(f"The pins of '{group}' could not be resolved; {target} is kept.")
        beside.replace(target)


if __name__ == "__main__":
    main()
