"""The search for the best set of indexes: what the planner says feeds a model, the model proposes, the planner judges."""

import math
import time
from collections.abc import Callable, Iterable, Sequence

from ..recommendation import Alternative
from ..schema import Schema
from .banned import NOTHING, Banned
from .candidate_index import CandidateIndex
from .cost_model import CostModel
from .selection_limits import Limits, too_wide
from .selection_merges import Merge, Merges
from .selection_types import Constraints, TableWrites
from .set_search import MIN_STEP, SetSearch
from .workload_costs import IndexSet, WorkloadCosts, members
from .write_cost import WriteCosts

MAX_ROUNDS = 8
"""Of proposing and judging for one budget; two to four are usual."""
MIN_ROUND = 0.01
"""Of the objective: a round that lowers it less is the last."""
LEFT = 10
"""Times the cost that a set leaves."""
DISTURBED = 0.001
"""Of a text's cost: what a plan may cost more than another one of the same indexes before presence alone is held to matter."""
MUCH_LARGER = 1.25
"""Times the size of an index that serves a text better: of so much larger ones no use is seen."""
MIN_EXPLORED = 1e-4
"""Of the workload's cost: plans that could change less are not asked for. With three times as much TPC-DS ends two per cent worse."""
MAX_BESIDE = 3
"""Of the plans that a text would rather have than the one under a set, those looked at in a round, the best first."""
UNUSED = "no plan of a recorded query uses it"
"""Why an index was not taken that no query would use."""
FELT = 1.1
"""Times the cost of a query without an index: the planner does not know costs much better than by a tenth."""
MIN_GAIN = 0.01
"""Of a text's cost: an index that gains it less is of no interest to it."""


class Search:
    """Looks for sets. complete: whether it came to its end, which it does not when time runs out."""

    def __init__(
        self,
        costs: WorkloadCosts,
        schema: Schema,
        constraints: Constraints,
        writes: Sequence[TableWrites],
        progress: Callable[[str, int, int], None],
        banned: Banned = NOTHING,
    ) -> None:
        self.costs = costs
        self.complete = True
        self.model = CostModel(costs)
        self._constraints = constraints
        self._progress = progress
        self._writes = WriteCosts(schema, writes)
        self._kept: list[float] = []
        self._merges = Merges(costs, self.model, schema, constraints)
        self._end = None if constraints.max_seconds is None else time.monotonic() + constraints.max_seconds
        self._rejected = dict.fromkeys(banned.exact, "it was built and measured, and did not help")
        self._banned = banned
        self._alone: set[tuple[int, int]] = set()
        self._best: dict[int | None, IndexSet] = {}
        self._start: IndexSet = 0
        self.model.refresh()

    def offer(self, candidates: Iterable[CandidateIndex], bundles: Iterable[tuple[CandidateIndex, ...]] = ()) -> None:
        """Make candidates known that the constraints allow, and see which of them plans use."""
        offered = list(dict.fromkeys([*candidates, *(index for bundle in bundles for index in bundle)]))
        for done, index in enumerate(offered):
            if self.late():
                return
            reason = too_wide(index, self._constraints)
            if reason is not None:
                self._rejected[index] = reason
            else:
                self.costs.add(index)
            self._progress("Trying indexes", done + 1, len(offered))
        self._explore_all()

    def start_from(self, indexes: Iterable[CandidateIndex]) -> None:
        """Look beside this set, too: an earlier search may have found it on another way."""
        self._start = self.costs.numbered(one for one in indexes if one not in self._banned)

    def _explore_all(self) -> None:
        """Every text with all indexes of columns that it names, then without those just used and without larger ones on their
        tables, and so on: each plan is one good way, the next the best that takes less space."""
        for number, text in enumerate(self.costs.texts):
            base, rest = self.costs.price(number, 0).cost, text.own
            while rest and not self.late():
                price = self.costs.price(number, rest)
                if not price.used or price.cost > (1 - MIN_GAIN) * base:
                    break
                rest = self._smaller(rest, price.used)
            self._progress("Planning queries", number + 1, len(self.costs.texts))
        self.model.refresh()

    def _smaller(self, rest: IndexSet, used: IndexSet) -> IndexSet:
        """Of these indexes those that are not used, nor much larger than the largest used one of their table."""
        largest: dict[tuple[str, str], int] = {}
        for one in members(used):
            place = self.costs.place(one)
            largest[place] = max(largest.get(place, 0), self.costs.sizes[one])
        kept = rest & ~used
        for one in members(kept):
            if self.costs.sizes[one] > MUCH_LARGER * largest.get(self.costs.place(one), math.inf):
                kept &= ~(1 << one)
        return kept

    def best(self, budget: int | None) -> IndexSet:
        """The best set within the budget."""
        if budget in self._best:
            return self._best[budget]
        limits = Limits(self.costs, self._constraints, budget)
        limits.banned = self.costs.numbered(one for one in self.costs.indexes if one in self._banned)
        best, best_value = 0, self.objective(0)
        tried: set[IndexSet] = set()
        for _ in range(MAX_ROUNDS):
            if self.late():
                break
            steps = SetSearch(self.costs, self.model, limits, self.write_cost, self.late, MIN_STEP * self.scale(best))
            on = steps.best([best, self._start, *self._best.values()], relaxed=not tried)
            value = self._judged(on, limits)
            better = value is not None and value < (1 - MIN_ROUND) * best_value
            if value is not None and value < best_value:
                best, best_value = on, value
            if on in tried or (value is not None and not better):
                break
            tried.add(on)
            self._explore(on, limits)
        self._best[budget] = best
        return best

    def _judged(self, on: IndexSet, limits: Limits) -> float | None:
        """The objective by the planner's own prices; None when a query is slowed too much: the index to blame is then banned.

        A plan that costs more than the model thought tells of indexes that raise costs by their presence.
        """
        for number in range(len(self.costs.texts)):
            price = self.costs.price(number, on)
            if price.cost > (1 + DISTURBED) * self.model.cost(number, on):
                self._find_disturbing(number, on)
        self.model.refresh()
        slowed = limits.slowed(on)
        for fingerprint in slowed:
            numbers = self.costs.groups[fingerprint]
            relevant = [
                one for one in members(on) if any(self.costs.texts[text].relevant >> one & 1 for text in numbers)
            ]
            if not relevant:
                continue
            worst = min(relevant, key=lambda one: (self.costs.total(on & ~(1 << one), numbers), one))
            limits.banned |= 1 << worst
            slower = self.costs.total(on, numbers) / self.costs.total(0, numbers)
            self._rejected[self.costs.indexes[worst]] = (
                f"with it query {fingerprint} would be planned {slower:.2f} times as costly as today"
            )
        return None if slowed else self.objective(on)

    def _find_disturbing(self, number: int, on: IndexSet) -> None:
        cost, found = self.costs.price(number, on).cost, 0
        for one in members(on & self.costs.texts[number].relevant):
            if self.costs.price(number, on & ~(1 << one)).cost < (1 - DISTURBED) * cost:
                found |= 1 << one
        self.model.disturb(number, found)

    def _explore(self, on: IndexSet, limits: Limits) -> None:
        """Price the neighbours of a set: without one of its members, and with what any text would rather have beside it."""
        least = MIN_EXPLORED * self.scale(on)
        for merge in self._merges.best(on, least, limited=limits.budget is not None):
            if not self.late():
                self._try_merge(merge, on, least)
        self.model.refresh()
        fitting = sum(1 << one for one in members(self.model.used()) if limits.allow(1 << one))
        for number, text in enumerate(self.costs.texts):
            now = self.costs.price(number, on)
            matters = least / text.weight if text.weight else math.inf
            for one in members(now.used):
                # What it costs without is between what it costs now and the cheapest plan seen that does without.
                if self.model.cost(number, on & ~(1 << one)) - now.cost > matters:
                    self.costs.price(number, on & ~(1 << one))
            limit = min((1 - MIN_GAIN) * now.cost, now.cost - matters)
            rest = fitting & text.relevant & ~on
            # Nothing costs less than the floor: where the model knows a plan that reaches it, the planner is not asked for it.
            price = self.model.plan(number, on | rest)
            known = price.cost - self.model.floor(number) <= matters
            for _ in range(MAX_BESIDE):
                if not rest or self.model.floor(number) > limit or self.late():
                    break
                if not known:
                    price = self.costs.price(number, on | rest)
                known = False
                added = price.used & ~on
                if not added or price.cost > limit:
                    break
                if added & (added - 1):
                    self._take_apart(number, on, added, now.cost - matters)
                rest &= ~added
            self._progress("Comparing plans", number + 1, len(self.costs.texts))
        self.model.refresh()

    def _try_merge(self, merge: Merge, on: IndexSet, least: float) -> None:
        """Price one index in the place of two for the texts that either serves: as long as it does the second one's work too."""
        if merge.index in self._banned:
            return
        gains = self._merges.gains(merge.other, on)
        number = self.costs.add(merge.index) if gains else None
        if number is None:
            return
        without = on & ~(1 << merge.one | 1 << merge.other)
        first = max(gains, key=lambda text: (gains[text], -text))
        halfway = (self.model.cost(first, without) + self.model.cost(first, without | 1 << merge.other)) / 2
        if self.costs.price(first, without | 1 << number).cost > halfway:
            return
        own = self._merges.gains(merge.one, on)
        for text, gain in sorted(
            (text, max(own.get(text, 0.0), gains.get(text, 0.0))) for text in own.keys() | gains.keys()
        ):
            if gain > least:
                self.costs.price(text, without | 1 << number)

    def _take_apart(self, number: int, on: IndexSet, added: IndexSet, limit: float) -> None:
        """Price each of these indexes alone beside the set, unless it is known to bring something alone; once for a text, since
        it brings much the same beside the next set."""
        for one in members(added):
            if (number, one) not in self._alone and self.model.cost(number, on | 1 << one) > limit:
                self._alone.add((number, one))
                self.costs.price(number, on | 1 << one)

    def objective(self, on: IndexSet) -> float:
        """What is made as low as possible: the workload's cost, and what keeping the indexes costs its writes."""
        return self.costs.total(on) + sum(self.write_cost(one) for one in members(on))

    def allows(self, index: CandidateIndex) -> bool:
        """Whether nothing was found that speaks against the index."""
        return index not in self._banned and index not in self._rejected

    def write_cost(self, number: int) -> float:
        """Planner units that keeping the index costs in the recorded interval."""
        for one in range(len(self._kept), number + 1):
            self._kept.append(self._writes.cost(self.costs.indexes[one], self.costs.sizes[one]))
        return self._kept[number]

    def scale(self, on: IndexSet) -> float:
        """The cost that small gains are shares of: the workload's today, or where one query makes up nearly all of that and is
        cured, ten times what is left, so that what the others gain is not too little to be looked at."""
        return min(self.costs.total(0), LEFT * self.costs.total(on))

    def share(self, on: IndexSet) -> float:
        """The workload's cost under the set as a share of the cost before."""
        before = self.costs.total(0)
        return self.costs.total(on) / before if before else 1.0

    def rejected(self, best: IndexSet) -> tuple[Alternative, ...]:
        """What was looked at and not taken, with the reason."""
        reasons = dict(self._rejected) | self.costs.refused
        used = self.model.used()
        for number, index in enumerate(self.costs.indexes):
            if not best >> number & 1 and index not in reasons:
                reasons[index] = self._reason(number, best, used)
        return tuple(Alternative(index.target(index.schema, index.table), reason) for index, reason in reasons.items())

    def _reason(self, number: int, best: IndexSet, used: IndexSet) -> str:
        size, budget = self.costs.sizes[number], self._constraints.budget_bytes
        if not used >> number & 1:
            return UNUSED
        if budget is not None and size > budget:
            return "by itself it is larger than the budget"
        gain = self.model.total(best) - self.model.total(best | 1 << number)
        if 0 < gain <= self.write_cost(number):
            return "it would cost the writes more than it saves the queries"
        fits = Limits(self.costs, self._constraints, budget).allow(best | 1 << number)
        # Where a limit keeps it out, that is the reason, however little it would bring the whole.
        if gain <= (MIN_ROUND * self.scale(best) if fits else 0.0):
            return "the chosen indexes leave it next to nothing to save"
        with_it = best | 1 << number
        if fits and all(
            self.model.cost(text, best) <= FELT * self.model.cost(text, with_it)
            for text in range(len(self.costs.texts))
        ):
            return "by it no query would be planned a tenth cheaper"
        return "it saves less than the chosen indexes for the space or the number that is allowed"

    def late(self) -> bool:
        """Whether the time is over."""
        if self._end is not None and time.monotonic() > self._end:
            self.complete = False
        return not self.complete
