"""Remove what was built: ``python -m tools.clean``. Environments and data stay."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ["_build", "book/_generated", ".pytest_cache", ".ruff_cache", ".hypothesis"]

if __name__ == "__main__":
    for name in BUILT:
        if (ROOT / name).exists():
            shutil.rmtree(ROOT / name)
            print(f"removed {name}")
