"""Sizes equal hand calculations and Keras' own; memory and time are plausible."""

import os

import keras
import numpy as np
import pytest
from keras import layers

from medlib.evaluation import efficiency
from medlib.models import imaging

MB = 1_000_000


def small(pooled=False):
    return imaging.full_size_cnn((30, 30, 3), 2, pooled=pooled)


def test_layers_cost_what_was_counted_by_hand():
    costs = efficiency.layer_costs(small())
    # 30 → 28 → 14 → 12 → 6 → 4 → 2
    expected = [
        ("InputLayer", (30, 30, 3), 0, 0),
        ("Conv2D", (28, 28, 32), 32 * (27 + 1), 28 * 28 * 32),
        ("MaxPooling2D", (14, 14, 32), 0, 14 * 14 * 32),
        ("Conv2D", (12, 12, 64), 64 * (9 * 32 + 1), 12 * 12 * 64),
        ("MaxPooling2D", (6, 6, 64), 0, 6 * 6 * 64),
        ("Conv2D", (4, 4, 128), 128 * (9 * 64 + 1), 4 * 4 * 128),
        ("MaxPooling2D", (2, 2, 128), 0, 2 * 2 * 128),
        ("Flatten", (512,), 0, 0),
        ("Dense", (1024,), 1024 * 513, 1024),
        ("Dense", (2,), 2 * 1025, 2),
    ]
    found = [(c.kind, c.output_shape, c.parameters, c.activation_bytes) for c in costs]
    assert found == [(k, s, p, 4 * a) for k, s, p, a in expected]


def test_parameters_add_up_to_what_keras_counts():
    for model in (small(), small(pooled=True), imaging.small_resnet()):
        costs = efficiency.layer_costs(model)
        assert sum(c.parameters for c in costs) == model.count_params()
        held = sum(w.numpy().nbytes for w in model.weights)
        assert sum(c.parameter_bytes for c in costs) == held


def test_half_precision_halves_the_activations_and_not_the_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = efficiency.layer_costs(small())
    finally:
        keras.config.set_dtype_policy("float32")
    full = efficiency.layer_costs(small())
    for one, other in zip(half, full, strict=True):
        assert 2 * one.activation_bytes == other.activation_bytes
        assert one.parameter_bytes == other.parameter_bytes


@pytest.mark.parametrize(
    ("name", "optimiser"),
    [
        ("sgd", lambda: keras.optimizers.SGD()),
        ("momentum", lambda: keras.optimizers.SGD(momentum=0.9)),
        ("rmsprop", lambda: keras.optimizers.RMSprop()),
        ("adam", lambda: keras.optimizers.Adam()),
    ],
)
def test_the_optimisers_state_is_what_keras_allocates(name, optimiser):
    model = small()
    state = optimiser()
    state.build(model.trainable_variables)
    arrays = [v for v in state.variables if len(v.shape)]  # without step and rate
    held = sum(v.numpy().nbytes for v in arrays)
    assert efficiency.training_memory(model, 4, name).optimiser == held


def test_training_memory_by_hand():
    model = keras.Sequential(
        [keras.Input((10,)), layers.Dense(5), layers.Dense(3, trainable=False)]
    )
    memory = efficiency.training_memory(model, batch_size=7, optimiser="adam")
    assert memory.weights == 4 * (55 + 18)
    assert memory.gradients == 4 * 55  # the frozen layer has none
    assert memory.optimiser == 2 * 4 * 55
    assert memory.activations == 7 * 4 * (5 + 3)
    assert memory.total == 292 + 220 + 440 + 224


def test_itemsize_is_numpys():
    for name in ("float16", "float32", "float64", "int8", "uint8", "int64", "bool"):
        assert efficiency.itemsize(name) == np.dtype(name).itemsize
    assert efficiency.itemsize("bfloat16") == 2
    with pytest.raises(ValueError, match="nonsense"):
        efficiency.itemsize("nonsense")


def test_peak_memory_sees_what_the_code_held_and_freed():
    hold = "block = np.ones({} * 125_000); del block"  # so many MB
    small_one = efficiency.peak_memory(hold.format(50), "import numpy as np")
    large_one = efficiency.peak_memory(hold.format(350), "import numpy as np")
    assert large_one.peak - small_one.peak == pytest.approx(300, abs=30)
    assert large_one.added == pytest.approx(350, abs=40)


def test_peak_memory_does_not_count_the_parent():
    block = np.ones(50_000_000)  # 400 MB
    assert efficiency.peak_memory("pass").peak < block.nbytes / MB


def test_peak_memory_runs_on_this_backend():
    backend = keras.backend.backend()
    efficiency.peak_memory(
        f"import keras; assert keras.backend.backend() == '{backend}'"
    )


def test_failures_of_the_measured_code_are_told():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        efficiency.peak_memory("1 / 0")
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        efficiency.peak_memory("import time; time.sleep(60)", timeout=0.2)


@pytest.mark.skipif(os.name == "nt", reason="there are no signals on Windows")
def test_a_killed_process_is_told_apart():
    with pytest.raises(RuntimeError, match="killed by signal 9"):
        efficiency.peak_memory("import os; os.kill(os.getpid(), 9)")


def test_timing_counts_calls_and_orders_its_quantiles():
    calls = []
    timing = efficiency.timing(lambda: calls.append(1), repeats=7, warm_up=2)
    assert len(calls) == 9 and timing.repeats == 7
    assert 0 <= timing.low <= timing.median <= timing.high
    assert efficiency.Timing(0.5, 0.4, 0.6, 3).per_second(10) == 20
    assert str(efficiency.Timing(0.5, 0.4, 0.6, 3)) == "500.0 ms [400.0, 600.0]"


def test_unclear_requests_are_refused():
    class Shapeless(keras.Model):
        def call(self, x):
            return x

    any_size = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(2, 3)])
    for call, complaint in (
        (lambda: efficiency.layer_costs(Shapeless()), "no known shapes"),
        (lambda: efficiency.layer_costs(keras.Sequential()), "no known shapes"),
        (lambda: efficiency.layer_costs(any_size), "fix the input's size"),
        (lambda: efficiency.training_memory(small(), 0), "batch_size is 0"),
        (lambda: efficiency.training_memory(small(), 1, "lion"), "known are sgd"),
        (lambda: efficiency.timing(int, repeats=0), "repeats is 0"),
        (lambda: efficiency.timing(int, warm_up=-1), "warm_up -1"),
        (lambda: efficiency.Timing(1, 1, 1, 1).per_second(0), "items is 0"),
    ):
        with pytest.raises(ValueError, match=complaint):
            call()


BACKEND_SCRIPT = """
import json
import keras, numpy as np
from medlib.evaluation import efficiency
from medlib.models import imaging
model = imaging.full_size_cnn((30, 30, 3), 2)
memory = efficiency.training_memory(model, 8, "adam")
costs = [[c.kind, c.output_shape, c.parameter_bytes, c.activation_bytes]
         for c in efficiency.layer_costs(model)]
x = np.zeros((2, 30, 30, 3), "float32")
timing = efficiency.timing(lambda: np.asarray(model(x)), repeats=2)
used = efficiency.peak_memory("import keras; print(keras.backend.backend())")
assert used.peak > 0 and timing.median > 0
print(json.dumps([keras.backend.backend(), [memory.total, costs]]))
"""


def test_both_backends_give_the_same_sizes(on_backend):
    pytest.importorskip("jax")
    results = [on_backend(name, BACKEND_SCRIPT) for name in ("tensorflow", "jax")]
    assert results[0] == results[1]
