"""What every results file says about its run, and how it is written."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import medlib
from medlib import runtime
from medlib.evaluation.metrics import Interval

PACKAGE = Path(medlib.__file__).resolve().parent


def code_version(modules: Sequence[str]) -> str:
    """Return the package's version and a short hash of the modules that matter.

    Parameters
    ----------
    modules : sequence of str
        Names below ``medlib``, for example ``"models.imaging"``.
    """
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(
            PACKAGE.joinpath(*name.split(".")).with_suffix(".py").read_bytes()
        )
    return f"{medlib.__version__}+{digest.hexdigest()[:12]}"


def environment() -> dict[str, Any]:
    """Return device, backend and versions of this run."""
    import keras

    return {
        "device": runtime.device(),
        "backend": keras.backend.backend(),
        "versions": runtime.versions(),
    }


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a results file, none where there is no file.

    Raises
    ------
    ValueError
        If the file is not a results file; it is not overwritten then.
    """
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["records"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a results file ({error!r}); move it away and run again"
        ) from error


def has_comparisons(path: Path) -> bool:
    """Tell whether a results file is finished: its methods have been compared."""
    if not path.exists():
        return False
    return bool(json.loads(path.read_text(encoding="utf-8")).get("comparisons"))


def write(
    path: Path, benchmark: str, records: list[dict[str, Any]], **others: Any
) -> None:
    """Write records beside the results file and rename it into its place.

    ``others`` are further fields of the document.
    """
    document = {
        "benchmark": benchmark,
        "date": datetime.date.today().isoformat(),
        "records": records,
        **others,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".json.new")
    try:
        text = json.dumps(document, indent=1, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def scores_path(path: Path) -> Path:
    """Return where the scores of test cases lie that belong to a results file."""
    return path.with_name(path.stem + "_scores.npz")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return stored arrays by their names; none where there is no file."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, compressed, beside the file and rename it into its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new.npz")
    try:
        np.savez_compressed(beside, **arrays)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def difference(found: Interval, **about: Any) -> dict[str, Any]:
    """Return a comparison as results files hold it."""
    return {
        **about,
        "difference": round(found.estimate, 5),
        "low": round(found.low, 5),
        "high": round(found.high, 5),
    }
