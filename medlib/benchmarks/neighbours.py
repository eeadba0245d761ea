"""Neighbours of items at the size of a large hospital: time and memory beside others.

Simulated patients, because no open set is so large: item i of 2,000 is drawn with a
probability that falls as 1 / (i + 50), about 20 items a patient. Each measurement runs
in a fresh process; the best of some repeats counts, compilation not. The libraries
`implicit` and `similaripy` are measured where they are installed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from medlib.benchmarks import report

MODULES = [
    "benchmarks.neighbours",
    "models.recommend.lists",
    "models.recommend.neighbours",
]
PATIENTS = (10_000, 100_000, 300_000, 1_000_000)
ITEMS = 2000
BASKET = 20  # mean number of items of a patient
DRAWN = 20.4  # draws for that many different ones
K = 50
THREADS = 2
REPEATS = 3
ASKED = 200  # patients who are asked about one by one


def simulated(patients: int, seed: int = 0) -> sparse.csr_array:
    """Return interactions of 0 and 1, float32, shape (patients, `ITEMS`)."""
    rng = np.random.default_rng(seed)
    weight = 1 / (np.arange(ITEMS) + 50)
    edges = np.cumsum(weight / weight.sum())
    sizes = rng.poisson(DRAWN, patients)
    items = np.searchsorted(edges, rng.random(sizes.sum())).clip(max=ITEMS - 1)
    rows = np.repeat(np.arange(patients), sizes)
    pairs = np.unique(rows * np.int64(ITEMS) + items)
    starts = np.zeros(patients + 1, np.int64)
    np.cumsum(np.bincount(pairs // ITEMS, minlength=patients), out=starts[1:])
    parts = (np.ones(len(pairs), np.float32), (pairs % ITEMS).astype(np.int32))
    return sparse.csr_array((*parts, starts.astype(np.int32)), shape=(patients, ITEMS))


def ours(interactions: sparse.csr_array) -> Any:
    """Count pairs straight into a dense array, and keep the nearest."""
    from medlib.models.recommend import ItemNeighbours

    return ItemNeighbours(K).fit(interactions)


def scipy_product(interactions: sparse.csr_array) -> Any:
    """Multiply the sparse arrays; no neighbours are chosen."""
    return interactions.T @ interactions


def implicit(interactions: sparse.csr_array) -> Any:
    """Fit implicit's cosine recommender."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=K, num_threads=THREADS)
    model.fit(sparse.csr_matrix(interactions), show_progress=False)
    return model


def similaripy(interactions: sparse.csr_array) -> Any:
    """Compute similaripy's cosine."""
    import similaripy

    items = sparse.csr_matrix(interactions.T)
    return similaripy.cosine(items, k=K, num_threads=THREADS, verbose=False)


METHODS: dict[str, Callable[[sparse.csr_array], Any]] = {
    "ours": ours,
    "scipy": scipy_product,
    "implicit": implicit,
    "similaripy": similaripy,
}


def measure(method: str, patients: int, queue: Any) -> None:
    """Fit some times; put the best time, the peak memory and what one patient takes."""
    from medlib import runtime
    from medlib.models import recommend

    runtime.set_threads(THREADS)
    METHODS[method](simulated(20_000))  # compiled before it is timed
    interactions = simulated(patients)
    before = runtime.peak_memory_mb()
    seconds = []
    for _ in range(REPEATS):
        with runtime.Stopwatch() as watch:
            model = METHODS[method](interactions)
        seconds.append(watch.seconds)
    found: dict[str, Any] = {
        "interactions": int(interactions.nnz),
        "seconds": round(min(seconds), 3),
        "slowest": round(max(seconds), 3),
        "data_mb": round(before),
        "peak_memory_mb": round(runtime.peak_memory_mb()),
    }
    if method == "ours":
        waits = []
        for row in range(ASKED):
            basket = interactions[[row]]
            with runtime.Stopwatch() as watch:
                recommend.recommend(model.scores(basket), basket, 10)
            waits.append(1000 * watch.seconds)
        found["one_patient_ms"] = round(float(np.median(waits)), 2)
        found["one_patient_slowest_ms"] = round(float(np.max(waits)), 2)
    queue.put(found)


def in_fresh_process(method: str, patients: int) -> dict[str, Any]:
    """Return what `measure` found."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(method, patients, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{method}, {patients:,} patients: it failed; see above")
    return queue.get()


def version(method: str) -> str:
    """Return the version of a library."""
    return importlib.metadata.version({"ours": "numba"}.get(method, method))


def run(path: Path, patients: tuple[int, ...] = PATIENTS) -> None:
    """Measure each method at each size, and write the records."""
    records = []
    for method in METHODS:
        if method != "ours" and importlib.util.find_spec(method) is None:
            print(f"{method} is not installed and is left out: pip install {method}")
            continue
        for count in patients:
            found = in_fresh_process(method, count)
            records.append(
                {
                    "method": method,
                    "library_version": version(method),
                    "patients": count,
                    "items": ITEMS,
                    "neighbours": K,
                    "threads": THREADS,
                    **found,
                    **report.environment(),
                    "code_version": report.code_version(MODULES),
                }
            )
            print(f"{method}, {count:,}: {found['seconds']} s", flush=True)
    report.write(path, "neighbours", records)
