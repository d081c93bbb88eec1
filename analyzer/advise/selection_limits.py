"""What a set of indexes must keep to."""

from .candidate_index import CandidateIndex
from .selection_types import Constraints
from .workload_costs import IndexSet, WorkloadCosts

WIDE = "it has "
"""How the reason begins for an index of too many columns."""


class Limits:
    """The constraints, for one budget in bytes (None: no limit). banned: indexes that no set may hold."""

    def __init__(self, costs: WorkloadCosts, constraints: Constraints, budget: int | None) -> None:
        self._costs = costs
        self._constraints = constraints
        self._tables: dict[tuple[str, str], IndexSet] = {}
        self._placed = 0
        self.budget = budget
        self.banned: IndexSet = 0

    def allow(self, on: IndexSet) -> bool:
        """Whether size and numbers are within the limits."""
        if on & self.banned or (self.budget is not None and self._costs.size(on) > self.budget):
            return False
        return not self.crowd(on)

    def crowd(self, on: IndexSet) -> IndexSet:
        """Those that are too many together, one of which has to go; nothing when the numbers are within the limits."""
        most, most_per_table = self._constraints.max_indexes, self._constraints.max_per_table
        if most_per_table is not None:
            self._place()
            for table in self._tables.values():
                if (on & table).bit_count() > most_per_table:
                    return on & table
        return on if most is not None and on.bit_count() > most else 0

    def slowed(self, on: IndexSet) -> list[str]:
        """Fingerprints of the queries that would be planned at more than the allowed factor of their cost today."""
        return [
            fingerprint
            for fingerprint, numbers in self._costs.groups.items()
            if self._costs.total(on, numbers) > self._constraints.max_slowdown * self._costs.total(0, numbers)
        ]

    def _place(self) -> None:
        for number in range(self._placed, len(self._costs.indexes)):
            index = self._costs.indexes[number]
            place = (index.schema, index.table)
            self._tables[place] = self._tables.get(place, 0) | 1 << number
        self._placed = len(self._costs.indexes)


def too_wide(index: CandidateIndex, constraints: Constraints) -> str | None:
    """Why the index has too many columns, or None."""
    width = len(index.keys) + len(index.include)
    if constraints.max_width is None or width <= constraints.max_width:
        return None
    return f"{WIDE}{width} columns, and {constraints.max_width} are allowed"
