"""Functions that each commit one named sin, and clean twins that must stay silent."""

from .cartesian_join import SCENARIOS as _CARTESIAN
from .missing_index import SCENARIOS as _INDEX
from .missing_pagination import SCENARIOS as _PAGINATION
from .n_plus_one import SCENARIOS as _N_PLUS_ONE
from .scenario import Scenario
from .select_star import SCENARIOS as _STAR

SCENARIOS: tuple[Scenario, ...] = (*_INDEX, *_N_PLUS_ONE, *_STAR, *_PAGINATION, *_CARTESIAN)

__all__ = ["SCENARIOS", "Scenario"]
