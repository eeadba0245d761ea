"""Print what the Makefile's targets do: ``python -m tools.help``."""

from __future__ import annotations

import re
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"


def targets(makefile: str) -> dict[str, str]:
    """Return each documented target with its description, in order."""
    found = re.findall(r"^([a-z-]+):.*?## (.+)$", makefile, flags=re.MULTILINE)
    return dict(found)


if __name__ == "__main__":
    listed = targets(MAKEFILE.read_text(encoding="utf-8"))
    width = max(map(len, listed))
    for name, description in listed.items():
        print(f"  make {name:<{width}}  {description}")
