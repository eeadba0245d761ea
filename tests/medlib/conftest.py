"""What several test modules of medlib share."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def on_backend():
    """Run a script on a Keras backend, in a process of its own; return what it found.

    The script's last line is a JSON list: the backend used, and what was found.
    """

    def run(backend, script, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        used, found = json.loads(done.stdout.splitlines()[-1])
        assert used == backend
        return found

    return run
