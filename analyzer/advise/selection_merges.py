"""Which indexes to merge: pairs of which a set holds at least one, and what one index in their place would save."""

from dataclasses import dataclass

from ..schema import Schema
from .candidate_duplicates import already_there
from .candidate_index import CandidateIndex
from .candidates_merge import merged
from .cost_model import CostModel
from .index_size import index_size
from .selection_limits import too_wide
from .selection_types import Constraints
from .workload_costs import IndexSet, WorkloadCosts, members

MAX_PROPOSED = 32
"""Merges for one set: each is created, and priced for a text or more."""
MAX_SIZE = 0.9
"""Of what the two take: a merge that is hardly smaller saves nothing."""
SMALL = 0.01
"""Of the set's size: smaller members do not tell what a byte is worth."""


@dataclass(frozen=True, slots=True)
class Merge:
    """The index, and the numbers of the two whose place it takes: the first one's keys stand in front."""

    index: CandidateIndex
    one: int
    other: int


class Merges:
    """Proposes merges, each once."""

    def __init__(self, costs: WorkloadCosts, model: CostModel, schema: Schema, constraints: Constraints) -> None:
        self._costs = costs
        self._model = model
        self._tables = {(table.schema, table.name): table for table in schema.tables}
        self._constraints = constraints
        self._seen: set[CandidateIndex] = set()
        self._known: dict[tuple[int, int], tuple[Merge, float] | None] = {}
        self._sizes: dict[int, float] = {}

    def best(self, on: IndexSet, least: float, *, limited: bool) -> list[Merge]:
        """Merges for this set, the most promising first. least: workload cost that one must save. limited: whether bytes count."""
        places: dict[tuple[str, str, str | None], list[int]] = {}
        for number in members(self._model.used() | on):
            index = self._costs.indexes[number]
            if index.method == "btree" and not index.unique:
                places.setdefault((index.schema, index.table, index.predicate), []).append(number)
        price = self._byte_price(on) if limited else 0.0
        found: dict[CandidateIndex, tuple[float, Merge]] = {}
        for numbers in places.values():
            inside = [number for number in numbers if on >> number & 1]
            gains = {number: sum(self.gains(number, on).values()) for number in numbers} if inside else {}
            for one in inside:
                for other in numbers:
                    gain = 0.0 if on >> other & 1 else gains[other]
                    freed = self._costs.sizes[one] + (self._costs.sizes[other] if on >> other & 1 else 0)
                    # A merge is no smaller than the smaller of the two.
                    smallest = min(self._costs.sizes[one], self._costs.sizes[other])
                    if one == other or gain + price * (freed - smallest) <= least:
                        continue
                    for merge, size in self._of(one, other):
                        worth = gain + price * (freed - size)
                        if worth > least and worth > found.get(merge.index, (0.0,))[0]:
                            found[merge.index] = (worth, merge)
        best = sorted(found.values(), key=lambda one: (-one[0], one[1].one, one[1].other))[:MAX_PROPOSED]
        self._seen |= {merge.index for _, merge in best}
        return [merge for _, merge in best]

    def gains(self, number: int, on: IndexSet) -> dict[int, float]:
        """By text, the weighted cost that the index saves in the set, or would save beside it."""
        bit, found = 1 << number, {}
        for text in self._model.touched(bit):
            gain = self._model.cost(text, on & ~bit) - self._model.cost(text, on | bit)
            if gain > 0:
                found[text] = gain * self._costs.texts[text].weight
        return found

    def _of(self, one: int, other: int) -> list[tuple[Merge, float]]:
        """Both ways to merge the two that are new, each with its size."""
        found = []
        for pair in ((one, other), (other, one)):
            if pair not in self._known:
                self._known[pair] = self._merge(*pair)
            known = self._known[pair]
            if known is not None and known[0].index not in self._seen and not self._costs.knows(known[0].index):
                found.append(known)
        return found

    def _merge(self, one: int, other: int) -> tuple[Merge, float] | None:
        """With its size, estimated without creating it: as the size of the first one, by how much it is wider."""
        first = self._costs.indexes[one]
        index, table = merged(first, self._costs.indexes[other]), self._tables.get((first.schema, first.table))
        if index is None or table is None or too_wide(index, self._constraints) or already_there(index, table):
            return None
        if one not in self._sizes:
            self._sizes[one] = self._costs.sizes[one] / index_size(first, table).bytes
        size = self._sizes[one] * index_size(index, table).bytes
        worth_it = size < MAX_SIZE * (self._costs.sizes[one] + self._costs.sizes[other])
        return (Merge(index, one, other), size) if worth_it else None

    def _byte_price(self, on: IndexSet) -> float:
        """What a byte is worth: the least that a byte of a member of some size brings."""
        least = SMALL * self._costs.size(on)
        found = [
            sum(self.gains(one, on).values()) / self._costs.sizes[one]
            for one in members(on)
            if self._costs.sizes[one] >= least
        ]
        return min(found, default=0.0)
