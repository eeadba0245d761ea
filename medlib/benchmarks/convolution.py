"""Speed of `medlib.maths.convolution` beside SciPy on the same arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from medlib.benchmarks import report
from medlib.maths import convolution

MODULES = ["maths.convolution", "benchmarks.convolution"]
REPEATS = 15


def median_ms(function: Callable[[], Any]) -> float:
    """Return the median wall time of several calls in milliseconds."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - begun))
    return float(np.median(times))


def run(path: Path) -> None:
    """Time 3 × 3 and 7 × 7 kernels on square images and write the records."""
    rng = np.random.default_rng(0)
    records = []
    for side, size in ((512, 3), (512, 7), (2048, 3)):
        image, kernel = rng.normal(size=(side, side)), rng.normal(size=(size, size))
        ours = median_ms(lambda a=image, k=kernel: convolution.conv2d(a, k))
        theirs = median_ms(lambda a=image, k=kernel: signal.correlate2d(a, k, "valid"))
        difference = convolution.conv2d(image, kernel) - signal.correlate2d(
            image, kernel, "valid"
        )
        records.append(
            {
                "image_side": side,
                "kernel_side": size,
                "medlib_ms": round(ours, 3),
                "scipy_ms": round(theirs, 3),
                "ratio": round(ours / theirs, 3),
                "largest_difference": float(np.abs(difference).max()),
                "code_version": report.code_version(MODULES),
                **report.environment(),
            }
        )
        print(f"{side}² image, {size}² kernel: {ours:.2f} ms, SciPy {theirs:.2f} ms")
    report.write(path, "convolution", records)
