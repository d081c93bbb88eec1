"""How fast the machine is at the moment, by a statement that no index concerns."""

import time

from .index_advice import Measure

STATEMENT = "SELECT count(*) FROM generate_series(1, 200000) AS given (n) WHERE n % 7 = 0"
FRESH_S = 1.0
"""Seconds for which an answer holds: statements of milliseconds must not wait for it each time."""


class Yardstick:
    """Times one fixed statement. What is measured while it takes twice its shortest time is thought to take twice as long, too."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._asked_at = -FRESH_S
        self._ms = 1.0

    def __call__(self) -> float:
        """Milliseconds that it takes now, or took within the last second."""
        if time.monotonic() - self._asked_at >= FRESH_S:
            self._ms = self._measure(STATEMENT).execution_ms or 1.0
            self._asked_at = time.monotonic()
        return self._ms
