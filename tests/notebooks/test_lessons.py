"""Every lesson: in sync, current, from real data, well shaped, and re-executed."""

import asyncio
import os
import subprocess
import sys

import pytest

from medlib.data import DataUnavailable, load
from tools import lint, notebooks

LESSONS = notebooks.lessons()


def test_there_are_lessons():
    assert LESSONS


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_stored_outputs_are_current_and_real(lesson):
    assert notebooks.problems(lesson) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_shape(lesson):
    assert lint.lint(lesson) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_cost_is_within_the_budget(lesson):
    record = notebooks.record_of(lesson.read_notebook())
    assert record["seconds"] <= 90 and record["peak_memory_mb"] <= 2000


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_execution(lesson):
    """With real data nbval compares outputs; without, practice sets are used."""
    try:
        for name in lesson.datasets():
            load(name, source="real")
    except DataUnavailable:
        asyncio.run(notebooks.execute(lesson, source="practice"))
        return
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]
    plain = ["-p", "no:cacheprovider", "-p", "no:xdist", "--quiet"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plain, str(lesson.notebook)],
        env=os.environ | notebooks.KERNEL_ENVIRONMENT | {"MEDLIB_SOURCE": "real"},
        cwd=notebooks.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:]
