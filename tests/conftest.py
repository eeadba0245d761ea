"""What all tests share."""

import os


def pytest_configure(config):
    """Give each of several test processes cores of its own.

    Kernels, browsers and a second backend are started below them and keep to these. Two
    TensorFlows with two threads each on the same two cores hold each other up: lessons
    took up to three times as long.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    cores = sorted(os.sched_getaffinity(0))
    if count <= len(cores):
        os.sched_setaffinity(0, cores[number % count :: count])


def pytest_itemcollected(item):
    """Mark what starts a browser, Spark or Keras on another backend as slow."""
    if {"browser", "spark", "on_backend"} & set(item.fixturenames):
        item.add_marker("slow")
