"""What a run depends on: seeds, device, threads, time and memory."""

from __future__ import annotations

import os
import platform
import random
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

# TensorFlow reports every processor feature on start-up; a reader needs none of it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil
from tqdm import tqdm

T = TypeVar("T")


def seed_everything(seed: int = 0) -> None:
    """Set the seeds of Python, NumPy and Keras and ask for deterministic operations.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Raises
    ------
    ValueError
        If the seed is out of range.

    Notes
    -----
    On a CPU the same seed then gives the same weights, bit for bit. Between processors
    and versions the last digits may differ.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; it must lie in 0 to 2**32 - 1")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - Keras and scikit-learn draw from it
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def set_threads(count: int) -> None:
    """Limit TensorFlow to so many threads; call it before the first operation.

    Raises
    ------
    ValueError
        If the count is below one.
    """
    if count < 1:
        raise ValueError(f"count is {count}; at least one thread is needed")
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)


def device() -> str:
    """Return the device that Keras computes on, for example ``"CPU"``."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        for kind in ("TPU", "GPU"):
            if found := tf.config.list_physical_devices(kind):
                details = tf.config.experimental.get_device_details(found[0])
                return str(details.get("device_name", kind))
        return "CPU"
    if backend == "jax":
        import jax

        return str(jax.devices()[0].device_kind).upper()
    return backend


def versions() -> dict[str, str]:
    """Return the versions of Python and of what was imported of the usual packages."""
    names = ("numpy", "scipy", "sklearn", "keras", "tensorflow", "jax")
    found = {
        name: str(sys.modules[name].__version__)
        for name in names
        if hasattr(sys.modules.get(name), "__version__")
    }
    return {"python": platform.python_version(), **found}


def describe() -> str:
    """Say in one line what this run computes with."""
    import keras

    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{known}; {keras.backend.backend()} on {device()}"


def in_colab() -> bool:
    """Tell whether this runs on Google Colab."""
    return "google.colab" in sys.modules


def progress(
    iterable: Iterable[T], description: str = "", total: int | None = None
) -> Iterator[T]:
    """Iterate with a progress bar that appears only if it takes over five seconds.

    Parameters
    ----------
    iterable : iterable
        What to go through.
    description : str
        What is being done.
    total : int, optional
        How many there are, where the iterable cannot tell.

    Yields
    ------
    The items of the iterable.
    """
    yield from tqdm(iterable, desc=description, total=total, delay=5, leave=False)


def peak_memory_mb() -> float:
    """Return the largest memory this process has held so far, in MB (10⁶ bytes)."""
    if os.name == "nt":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class Stopwatch:
    """Measure the wall time of a block.

    Attributes
    ----------
    seconds : float
        Time since the block began; fixed when it ends.

    Examples
    --------
    >>> with Stopwatch() as watch:
    ...     total = sum(range(1000))
    >>> watch.seconds >= 0
    True
    """

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._ended: float | None = None

    def __enter__(self) -> Stopwatch:
        self._begun, self._ended = time.perf_counter(), None
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time in seconds."""
        return (self._ended or time.perf_counter()) - self._begun
