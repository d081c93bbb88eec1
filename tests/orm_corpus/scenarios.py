"""All scenarios. Needs SQLAlchemy and queryproof's `propagate` only: other tools are tried on them too."""

from . import asynchronous, columns, fetched, interleaved, lazy, lazy_twins, loops, writes
from .labels import SCENARIOS, Scenario

MODULES = (asynchronous, columns, fetched, interleaved, lazy, lazy_twins, loops, writes)
ALL: list[Scenario] = SCENARIOS
"""What these modules hold."""
