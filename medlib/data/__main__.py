"""Download all real data: ``python -m medlib.data [NAME …]``."""

from __future__ import annotations

import sys

from medlib.data import CATALOGUE, DataError, find, store


def main(names: list[str]) -> int:
    """Obtain every file of the named datasets (28-pixel images); count failures."""
    failures = 0
    chosen = [find(name) for name in names] or [
        entry for entry in CATALOGUE.values() if entry.files and entry.loader
    ]
    for info in chosen:
        files = [file for file in info.files if file.side in (28, None)]
        for number, file in enumerate(files, start=1):
            try:
                found = store.obtain(info, file)
                print(
                    f"{info.title}, {number} of {len(files)}: {file.name}, {found.copy}"
                )
            except DataError as error:
                failures += 1
                print(f"{info.title}: {error}", file=sys.stderr)
                break
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
