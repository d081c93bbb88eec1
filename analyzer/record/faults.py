"""Faults of our own: named points where tests make one happen, and a place where a swallowed one is noted.

Each step of the recorder and the journal passes `reach("name")` while anything is armed. In use nothing ever is.
"""

import os
import sys
import traceback
from collections import deque
from contextlib import suppress

POINTS = frozenset(
    (
        "recorder.before", "recorder.after", "recorder.failed", "recorder.transaction", "recorder.text", "recorder.thread",
        "recorder.orm", "recorder.origin", "recorder.load", "recorder.flush", "recorder.scope", "recorder.parameters",
        "recorder.roots", "recorder.uses", "reads.load", "reads.read", "call_site.walk", "call_site.learn",
        "journal.define", "journal.write", "journal.start", "journal.header", "journal.open", "journal.append",
        "journal.rotate", "journal.resume",
    )
)  # fmt: skip
"""Every point there is; a test compares the list with the source and arms each of them."""
FAULT_LOG = "QUERYPROOF_FAULT_LOG"
"""Environment: a file that swallowed faults are appended to, so that a test run sees those of its child processes."""

armed: dict[str, "Armed"] = {}
swallowed: deque[BaseException] = deque(maxlen=100)


class Armed:
    """Raises `error` at the n-th time that its point is reached, and at every later one when it is to stay."""

    def __init__(self, error: type[BaseException], hit: int, stays: bool = False) -> None:
        self.error = error
        self.left = hit
        self.stays = stays
        self.fired = 0

    def reach(self) -> None:
        """Count one passage."""
        self.left -= 1
        if self.left == 0 or (self.stays and self.left < 0):
            self.fired += 1
            raise self.error("armed by a test")


def reach(point: str) -> None:
    """A step of ours begins. Call it only while something is armed: `if armed: reach(…)` costs next to nothing."""
    found = armed.get(point)
    if found is not None:
        found.reach()


def swallow(error: BaseException) -> None:
    """Note an error that the application will not see."""
    swallowed.append(error)
    log = os.environ.get(FAULT_LOG)
    if log:
        try:
            with open(log, "a", encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
        except OSError:
            # Standard error may be a file of the same full disk.
            with suppress(OSError, ValueError):
                sys.stderr.write(f"queryproof: {error!r}\n")
