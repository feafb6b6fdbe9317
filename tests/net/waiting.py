# SPDX-License-Identifier: MIT
"""Waiting for what must come."""
import inspect
import time

SECONDS = 20                    # the deadline of every wait that names none


class Failed(AssertionError):
    """What was expected did not come."""


def until(condition, what=None, seconds=SECONDS):
    """Asks until the answer is true, and gives it back."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what or inspect.getsource(condition).strip()}")
        time.sleep(0.01)
