"""A checker counts as refusing only with a message."""

from medlib.exercises import refuses


def silent(attempt):
    if not attempt:
        raise AssertionError


def helpful(attempt):
    assert attempt, "attempt must be true"


def test_refusal_needs_a_message():
    assert refuses(helpful, False)
    assert not refuses(helpful, True)
    assert not refuses(silent, False)
