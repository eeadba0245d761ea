"""Seeds, time and memory."""

import random

import numpy as np
import pytest

from medlib import runtime


def test_the_same_seed_gives_the_same_draws():
    draws = []
    for _ in range(2):
        runtime.seed_everything(5)
        draws.append((random.random(), np.random.random()))  # noqa: NPY002
    assert draws[0] == draws[1]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        runtime.seed_everything(seed)


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="count is 0"):
        runtime.set_threads(0)


def test_peak_memory_grows_with_what_is_held():
    import psutil

    held = psutil.Process().memory_info().rss / 1e6
    block = np.ones(40_000_000)  # 320 MB
    assert runtime.peak_memory_mb() >= min(held + 250, block.nbytes / 1e6)


def test_progress_passes_everything_through(capsys):
    assert list(runtime.progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == "", "quick loops show no bar"


def test_stopwatch_stops():
    with runtime.Stopwatch() as watch:
        inside = watch.seconds
    assert 0 <= inside <= watch.seconds == watch.seconds


def test_description_names_backend_and_device():
    import keras

    text = runtime.describe()
    assert keras.__version__ in text and keras.backend.backend() in text
    assert not runtime.in_colab()
