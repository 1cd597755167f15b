"""Waiting for what is to happen, with a deadline, never for a length of time."""
import os
import threading
import time

# Sanitized programs are slower; the deadlines stretch with them.
SCALE = float(os.environ.get("ADIT_TEST_SCALE", "1"))


class TooLate(AssertionError):
    """What was waited for did not happen in time."""


def deadline(timeout):
    """The moment, on the monotonic clock, `timeout` seconds (stretched by SCALE) from now."""
    return time.monotonic() + timeout * SCALE


def until(check, what, timeout=10):
    """Returns the first true value of check(); raises TooLate when there is none in time."""
    end = deadline(timeout)
    pause = threading.Event()
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise TooLate(f"not within {timeout * SCALE:g} s: {what}")
        pause.wait(0.02)
