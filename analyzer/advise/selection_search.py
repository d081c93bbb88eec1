"""The search for the best set of indexes within a budget."""

import time
from collections.abc import Callable, Iterable, Sequence

from ..recommendation import Alternative
from ..schema import Schema
from .candidate_index import CandidateIndex
from .selection_types import Constraints, TableWrites
from .workload_costs import IndexSet, WorkloadCosts, members
from .write_cost import WriteCosts

MIN_IMPROVEMENT = 0.003
"""Of the workload's cost: a step that gains less ends the search (Extend's own limit)."""


class Search:
    """Looks for sets. complete: whether it came to its end, which it does not when time runs out."""

    def __init__(
        self,
        costs: WorkloadCosts,
        schema: Schema,
        constraints: Constraints,
        writes: Sequence[TableWrites],
        progress: Callable[[str, int, int], None],
    ) -> None:
        self.costs = costs
        self.complete = True
        self._constraints = constraints
        self._progress = progress
        self._writes = WriteCosts(schema, writes)
        self._end = None if constraints.max_seconds is None else time.monotonic() + constraints.max_seconds
        self._rejected: dict[CandidateIndex, str] = {}
        self._before = costs.total(0)

    def offer(self, candidates: Iterable[CandidateIndex], bundles: Iterable[tuple[CandidateIndex, ...]] = ()) -> None:
        """Make candidates known that the constraints allow."""
        offered = list(dict.fromkeys([*candidates, *(index for bundle in bundles for index in bundle)]))
        for done, index in enumerate(offered):
            if self._late():
                return
            width = len(index.keys) + len(index.include)
            if self._constraints.max_width is not None and width > self._constraints.max_width:
                self._rejected[index] = f"{width} columns, of which {self._constraints.max_width} are allowed"
            else:
                self.costs.add(index)
            self._progress("Trying indexes", done + 1, len(offered))

    def best(self, budget: int | None) -> IndexSet:
        """The better of the sets that greedy steps find by gain per byte and by gain alone."""
        found = [self._greedy(budget, per_byte=True), self._greedy(budget, per_byte=False)]
        return min(found, key=lambda on: (self.objective(on), self.costs.size(on), on))

    def objective(self, on: IndexSet) -> float:
        """What is made as low as possible: the workload's cost, and what keeping the indexes costs its writes."""
        return self.costs.total(on) + sum(self.write_cost(one) for one in members(on))

    def write_cost(self, number: int) -> float:
        """Planner units that keeping the index costs in the recorded interval."""
        return self._writes.cost(self.costs.indexes[number])

    def share(self, on: IndexSet) -> float:
        """The workload's cost under the set as a share of the cost before."""
        return self.costs.total(on) / self._before if self._before else 1.0

    def rejected(self, best: IndexSet) -> tuple[Alternative, ...]:
        """What was looked at and not taken, with the reason."""
        reasons = dict(self._rejected) | self.costs.refused
        return tuple(Alternative(index.target(index.schema, index.table), reason) for index, reason in reasons.items())

    def _greedy(self, budget: int | None, *, per_byte: bool) -> IndexSet:
        on: IndexSet = 0
        while True:
            best, best_value = None, 0.0
            for number in range(len(self.costs.indexes)):
                if self._late():
                    return on
                if not self._allowed(on, number, budget):
                    continue
                gain = self._gain(on, number)
                if gain < MIN_IMPROVEMENT * self._before:
                    continue
                value = gain / self.costs.sizes[number] if per_byte else gain
                if value > best_value:
                    best, best_value = number, value
            if best is None:
                return on
            on |= 1 << best

    def _gain(self, on: IndexSet, number: int) -> float:
        one = 1 << number
        texts = self.costs.touched(one)
        return self.costs.total(on, texts) - self.costs.total(on | one, texts) - self.write_cost(number)

    def _allowed(self, on: IndexSet, number: int, budget: int | None) -> bool:
        limits, index = self._constraints, self.costs.indexes[number]
        if on >> number & 1:
            return False
        if budget is not None and self.costs.size(on) + self.costs.sizes[number] > budget:
            return False
        chosen = members(on)
        if limits.max_indexes is not None and len(chosen) >= limits.max_indexes:
            return False
        if limits.max_per_table is not None:
            beside = [one for one in chosen if self._place(one) == (index.schema, index.table)]
            if len(beside) >= limits.max_per_table:
                return False
        return self._slows_none(on | 1 << number)

    def _slows_none(self, on: IndexSet) -> bool:
        return all(
            self.costs.total(on, numbers) <= self._constraints.max_slowdown * self.costs.total(0, numbers)
            for numbers in self.costs.groups.values()
        )

    def _place(self, number: int) -> tuple[str, str]:
        index = self.costs.indexes[number]
        return index.schema, index.table

    def _late(self) -> bool:
        if self._end is not None and time.monotonic() > self._end:
            self.complete = False
        return not self.complete
