"""Run a benchmark: ``python -m medlib.benchmarks NAME``."""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results"
NAMES = (
    "convolution",
    "imaging",
    "full_size",
    "pretraining",
    "records_etl",
    "records",
    "neighbours",
    "readmission",
    "recommendation",
    "text",
    "visits",
)
PARTS = ("datasets", "methods", "seeds")  # what some of them can be narrowed to


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m medlib.benchmarks")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder")
    for part in PARTS:
        kind = int if part == "seeds" else str
        parser.add_argument(f"--{part}", nargs="+", type=kind, help="only these")
    options = parser.parse_args(arguments)

    from medlib.data import DataError

    run = importlib.import_module(f"medlib.benchmarks.{options.name}").run
    chosen = {part: getattr(options, part) for part in PARTS if getattr(options, part)}
    if unknown := chosen.keys() - inspect.signature(run).parameters:
        parser.error(f"--{min(unknown)} means nothing to {options.name}")
    try:
        run(options.results / f"{options.name}.json", **chosen)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
