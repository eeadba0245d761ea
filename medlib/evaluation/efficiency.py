"""What a Keras model costs: parameters, activations, training memory, time.

Sizes are counted from shapes, so they hold on every backend. Memory and time are
measured: memory in a fresh process, time by the median of several calls.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

# Arrays of a parameter's size that an optimiser keeps beside the parameter.
SLOTS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}
# These layers hand on what they get under another shape and hold no array of their own.
VIEWS = ("InputLayer", "Flatten", "Reshape")


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs.

    Attributes
    ----------
    name, kind : str
        The layer's name and class.
    output_shape : tuple of int
        Of one example, without the batch axis.
    parameters : int
        Weights of the layer, trained or not.
    parameter_bytes : int
        Their size in memory.
    activation_bytes : int
        Size of the output of one example; 0 where the layer only changes the shape.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    parameter_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class TrainingMemory:
    """Estimated bytes that one training step holds at once.

    Attributes
    ----------
    weights, gradients, optimiser, activations : int
        The four parts, in bytes.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int

    @property
    def total(self) -> int:
        """Sum of the four parts in bytes."""
        return self.weights + self.gradients + self.optimiser + self.activations


@dataclass(frozen=True)
class PeakMemory:
    """Memory of a fresh process in MB (10⁶ bytes).

    Attributes
    ----------
    before : float
        The most it held until the setup was done.
    peak : float
        The most it ever held.
    """

    before: float
    peak: float

    @property
    def added(self) -> float:
        """How far the code raised the peak, in MB."""
        return self.peak - self.before


@dataclass(frozen=True)
class Timing:
    """Wall time of repeated calls in seconds.

    Attributes
    ----------
    median, low, high : float
        Median, first and third quartile.
    repeats : int
        How many calls were timed.
    """

    median: float
    low: float
    high: float
    repeats: int

    def per_second(self, items: int) -> float:
        """Return the throughput, where each call handles so many items.

        Raises
        ------
        ValueError
            If there are no items.
        """
        if items < 1:
            raise ValueError(f"items is {items}; a call handles at least one")
        return items / self.median

    def __str__(self) -> str:
        parts = (1000 * self.median, 1000 * self.low, 1000 * self.high)
        return "{:.1f} ms [{:.1f}, {:.1f}]".format(*parts)


def itemsize(dtype: str) -> int:
    """Return the bytes of one number of a Keras type, for example 2 of bfloat16.

    Raises
    ------
    ValueError
        If Keras knows no such type.
    """
    name = keras.backend.standardize_dtype(dtype)
    if name == "bool":
        return 1
    bits = "".join(c for c in name.replace("bfloat", "").split("_")[0] if c.isdigit())
    return int(bits) // 8


def layer_costs(model: keras.Model) -> list[LayerCost]:
    """Return what each layer of a model costs, in order.

    Parameters
    ----------
    model : keras.Model
        A built Sequential or functional model whose layers each give one output of
        fixed shape. A model inside the model counts as one layer: its own inner
        activations are not seen.

    Raises
    ------
    ValueError
        If the model is not built, or a layer's output has no fixed shape.
    """
    if not model.built or not getattr(model, "outputs", None):
        raise ValueError(
            f"model '{model.name}' has no known shapes; give it a keras.Input, or "
            "build it with the functional interface"
        )
    costs = []
    for layer in model.layers:
        output = layer.output
        shape = getattr(output, "shape", (None, None))[1:]
        if None in shape:
            raise ValueError(
                f"layer '{layer.name}' gives the shape {tuple(shape)}; fix the input's "
                "size to count its activations"
            )
        kind = type(layer).__name__
        size = 0 if kind in VIEWS else math.prod(shape) * itemsize(output.dtype)
        costs.append(
            LayerCost(
                name=layer.name,
                kind=kind,
                output_shape=tuple(shape),
                parameters=layer.count_params(),
                parameter_bytes=_bytes(layer.weights),
                activation_bytes=size,
            )
        )
    return costs


def training_memory(
    model: keras.Model, batch_size: int, optimiser: str = "adam"
) -> TrainingMemory:
    """Estimate what one training step holds: weights, gradients, state, activations.

    Every layer's output is kept for the backward pass. Temporary buffers, the batch
    itself and the library come on top, so that the true peak is higher.

    Parameters
    ----------
    model : keras.Model
        As in `layer_costs`.
    batch_size : int
        Images per step.
    optimiser : {"sgd", "momentum", "rmsprop", "adam"}
        Keeps 0, 1, 1 or 2 more arrays of the size of the trained parameters.

    Raises
    ------
    ValueError
        If the batch is empty, the optimiser unknown, or `layer_costs` refuses.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; at least 1 is needed")
    if optimiser not in SLOTS:
        raise ValueError(f"optimiser is '{optimiser}'; known are {', '.join(SLOTS)}")
    trained = _bytes(model.trainable_weights)
    return TrainingMemory(
        weights=_bytes(model.weights),
        gradients=trained,
        optimiser=SLOTS[optimiser] * trained,
        activations=batch_size * sum(c.activation_bytes for c in layer_costs(model)),
    )


def _bytes(weights: list[Any]) -> int:
    """Return the size of variables in memory."""
    return sum(math.prod(w.shape) * itemsize(w.dtype) for w in weights)


# Runs in the fresh process. On Linux VmHWM is the process' own peak; the peak that
# getrusage reports there can include what the parent held when it started the child.
_MEASURE = """
import json, sys
from medlib import runtime

def peak_mb():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 / 1e6
                        for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return runtime.peak_memory_mb()

setup, code = json.load(sys.stdin)
names = {"__name__": "__main__"}
exec(compile(setup, "<setup>", "exec"), names)
before = peak_mb()
exec(compile(code, "<code>", "exec"), names)
print("\\n" + json.dumps([before, peak_mb()]))
"""


def peak_memory(code: str, setup: str = "", *, timeout: float = 600) -> PeakMemory:
    """Run code in a fresh Python process and return the most memory it held.

    A running process cannot tell: it never gives back its peak, and what it freed is
    used again before more is asked for.

    Parameters
    ----------
    code : str
        Python source, as in `timeit.timeit`. Runs on this process' backend.
    setup : str
        Source that runs before it and is not charged to it, such as imports.
    timeout : float
        Seconds after which the process is ended.

    Returns
    -------
    PeakMemory

    Raises
    ------
    RuntimeError
        If the code fails or is killed, with the end of its error output.
    TimeoutError
        If it takes longer than the timeout.
    """
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        run = subprocess.run(
            [sys.executable, "-c", _MEASURE],
            input=json.dumps([setup, code]),
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"the code did not end within {timeout:g} s; give it a longer timeout"
        ) from None
    if run.returncode:
        said = "\n".join(run.stderr.strip().splitlines()[-3:])
        how = f"exit code {run.returncode}"
        if run.returncode < 0:
            how = f"killed by signal {-run.returncode}, perhaps for want of memory"
        raise RuntimeError(f"the measured code failed ({how}): {said}")
    before, peak = json.loads(run.stdout.splitlines()[-1])
    return PeakMemory(before, peak)


def timing(call: Callable[[], Any], *, repeats: int = 10, warm_up: int = 1) -> Timing:
    """Return how long a call takes: median and quartiles over repeats.

    Parameters
    ----------
    call : callable
        Takes nothing. It must wait for its result, for example by turning it into a
        NumPy array: some backends return before they have computed.
    repeats : int
        How many calls to time.
    warm_up : int
        How many to make before, untimed: the first calls compile and fill caches.

    Raises
    ------
    ValueError
        If there is no repeat or the warm-up is negative.
    """
    if repeats < 1 or warm_up < 0:
        raise ValueError(
            f"repeats is {repeats} and warm_up {warm_up}; at least 1 and 0 are needed"
        )
    for _ in range(warm_up):
        call()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Timing(float(median), float(low), float(high), repeats)
