"""Remove what was built: ``python -m tools.clean``. Environments and data stay."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ["_build", "book/_generated", ".pytest_cache", ".ruff_cache", ".hypothesis"]


def clean(root: Path = ROOT) -> list[str]:
    """Remove what was built below a root; return the names of what was there."""
    there = [name for name in BUILT if (root / name).exists()]
    for name in there:
        shutil.rmtree(root / name)
    return there


if __name__ == "__main__":
    for removed in clean():
        print(f"removed {removed}")
