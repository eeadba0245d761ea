"""What the exercises share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def refuses(checker: Callable[[Any], None], attempt: Any) -> bool:
    """Tell whether a checker refuses an attempt with a message that helps.

    Parameters
    ----------
    checker : callable
        Takes an attempt; raises ``AssertionError`` with a message if it is wrong.
    attempt : object
        A wrong answer.
    """
    try:
        checker(attempt)
    except AssertionError as error:
        return bool(str(error))
    return False
