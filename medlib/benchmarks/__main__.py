"""Run a benchmark: ``python -m medlib.benchmarks convolution|imaging``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results"


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m medlib.benchmarks")
    parser.add_argument("name", choices=["convolution", "imaging"])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder")
    parser.add_argument("--datasets", nargs="+", help="imaging only")
    parser.add_argument("--methods", nargs="+", help="imaging only")
    parser.add_argument("--seeds", nargs="+", type=int, help="imaging only")
    options = parser.parse_args(arguments)
    path = options.results / f"{options.name}.json"
    if options.name == "convolution":
        from medlib.benchmarks import convolution

        convolution.run(path)
        return 0
    from medlib.benchmarks import imaging
    from medlib.data import DataError

    chosen = {
        name: getattr(options, name)
        for name in ("datasets", "methods", "seeds")
        if getattr(options, name)
    }
    try:
        imaging.run(path, **chosen)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
