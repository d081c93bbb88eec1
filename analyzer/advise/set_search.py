"""The best set of indexes by the cost model alone: greedy steps by two criteria, then taking out and filling again.

Steps add whole plans' worth of indexes: two that serve only together are then found as well as one that serves alone. Gain
per byte leads under tight budgets, gain alone under wide ones (Schlosser, Kossmann & Boissier, "Efficient Scalable
Multi-attribute Index Selection Using Recursive Strategies", ICDE 2019; Chaudhuri & Narasayya, VLDB 1997).
"""

import math
from collections.abc import Callable, Iterable, Sequence

from .cost_model import CostModel
from .selection_limits import Limits
from .workload_costs import IndexSet, WorkloadCosts, members

RELAXATIONS = 12
"""Halvings of the price of a byte."""
MIN_STEP = 1e-4
"""Of the workload's cost: a step that gains less is none."""

Move = tuple[IndexSet, tuple[int, ...]]
"""Indexes to add together, and the texts for which they can matter."""


class SetSearch:
    """Looks for sets under limits. write_cost: of an index, by its number. late: whether the time is over."""

    def __init__(
        self,
        costs: WorkloadCosts,
        model: CostModel,
        limits: Limits,
        write_cost: Callable[[int], float],
        late: Callable[[], bool],
    ) -> None:
        self._costs = costs
        self._model = model
        self._limits = limits
        self._write_cost = write_cost
        self._late = late
        self._least = MIN_STEP * model.total(0)
        self._weights = [text.weight for text in costs.texts]
        self._sizes: dict[IndexSet, int] = {}
        self._kepts: dict[IndexSet, float] = {}
        self._moves: dict[IndexSet, Move] = {}
        self._by_text: list[list[Move]] = []
        for number in range(len(costs.texts)):
            plans = [used for used in model.plans(number) if limits.allow(used)]
            singles = [1 << one for used in plans for one in members(used)]
            self._by_text.append([self._move(added) for added in dict.fromkeys([*plans, *singles])])

    def best(self, starts: Iterable[IndexSet], *, relaxed: bool) -> IndexSet:
        """The best set found from nothing and from these starts. relaxed: look with a price on each byte too."""
        found = [self._filled(0, self._every(), per_byte=True), self._filled(0, self._every(), per_byte=False)]
        found += [self._filled(start, self._every(), per_byte=True) for start in starts if self._limits.allow(start)]
        found += self._relaxed() if relaxed else []
        ranked = sorted(dict.fromkeys(found), key=self._rank)
        return min((self._polished(on) for on in ranked[:3]), key=self._rank)

    def _relaxed(self) -> list[IndexSet]:
        """Sets found with a price on each byte in place of the budget, the price that just fits it: one with room left, filled,
        and one too large, from which what is lost least per byte is taken out (Lagrangian relaxation)."""
        if self._limits.budget is None:
            return []
        low, high = 0.0, self._model.total(0) / max(1, self._limits.budget)
        fits, over = 0, 0
        for _ in range(RELAXATIONS):
            price = (low + high) / 2
            on = self._at(price, fits)
            if self._room(on) >= 0:
                high, fits = price, on
            else:
                low, over = price, on
        return [self._filled(fits, self._every(), per_byte=True), self._shrunk(over)]

    def _at(self, price: float, on: IndexSet) -> IndexSet:
        """The set that steps up and down reach when each byte costs that much."""
        for _ in range(100):
            worth = self._worth(on, self._every(), 0, math.inf)
            gains = {added: gain - price * self._size(added) for added, gain in worth.values()}
            gains |= {
                1 << one: self.objective(on) - self.objective(on & ~(1 << one)) + price * self._size(1 << one)
                for one in members(on)
            }
            best = max(gains, key=lambda move: (gains[move], -move), default=0)
            if not best or gains[best] < self._least or self._late():
                break
            on ^= best
        return on

    def _shrunk(self, on: IndexSet) -> IndexSet:
        while self._room(on) < 0:
            value = self.objective(on)
            losses = {one: (self.objective(on & ~(1 << one)) - value) / self._size(1 << one) for one in members(on)}
            on &= ~(1 << min(losses, key=lambda one: (losses[one], one)))
        return self._filled(on, self._every(), per_byte=True)

    def objective(self, on: IndexSet) -> float:
        """What is made as low as possible: the workload's cost, and what the indexes cost its writes."""
        return self._model.total(on) + self._kept(on)

    def _rank(self, on: IndexSet) -> tuple[float, int, IndexSet]:
        return self.objective(on), self._size(on), on

    def _move(self, added: IndexSet) -> Move:
        if added not in self._moves:
            self._moves[added] = (added, tuple(self._model.touched(added)))
        return self._moves[added]

    def _every(self) -> list[Move]:
        return list(self._moves.values())

    def _filled(self, on: IndexSet, moves: Sequence[Move], *, per_byte: bool, barred: IndexSet = 0) -> IndexSet:
        """The set with the best step added until none is worth it.

        A step that is worth nothing is not looked at again: what indexes gain falls as others join them, and those that need
        each other come as one step.
        """
        while moves and not self._late():
            worth = self._worth(on, moves, barred, self._room(on))
            best, best_value = 0, 0.0
            for added, gain in worth.values():
                value = gain / max(1, self._size(added)) if per_byte else gain
                if value > best_value and self._limits.allow(on | added):
                    best, best_value = added, value
            if not best:
                break
            on |= best
            moves = list(worth)
        return on

    def _worth(
        self, on: IndexSet, moves: Iterable[Move], barred: IndexSet, room: float
    ) -> dict[Move, tuple[IndexSet, float]]:
        """The moves that gain something and fit, with what they add and gain."""
        weights, costs, cost = self._weights, self._model.costs(on), self._model.cost
        found: dict[Move, tuple[IndexSet, float]] = {}
        for move in moves:
            added = move[0] & ~on
            if not added or added & barred or self._size(added) > room:
                continue
            both, gain = on | added, -self._kept(added)
            for number in move[1]:
                gain += weights[number] * (costs[number] - cost(number, both))
            if gain >= self._least:
                found[move] = (added, gain)
        return found

    def _polished(self, on: IndexSet) -> IndexSet:
        """Take each member out, fill again with what else is worth it, and keep what is better; until nothing is."""
        on = self._pruned(on)
        improved = True
        while improved and not self._late():
            improved = False
            value, costs = self.objective(on), self._model.costs(on)
            worth = self._worth(on, self._every(), 0, math.inf)
            for out in sorted((1 << one for one in members(on)), key=lambda out: self.objective(on & ~out)):
                kept = on & ~out
                hurt = [number for number, cost in enumerate(self._model.costs(kept)) if cost > costs[number]]
                moves = list(dict.fromkeys([*worth, *(move for number in hurt for move in self._by_text[number])]))
                for per_byte in (True, False):
                    other = self._pruned(self._filled(kept, moves, per_byte=per_byte, barred=out))
                    if self.objective(other) < value - self._least / 10:
                        on, improved = other, True
                        break
                if improved or self._late():
                    break
        return on

    def _pruned(self, on: IndexSet) -> IndexSet:
        """The set without what gains nothing in it."""
        value = self.objective(on)
        for number in sorted(members(on), key=lambda one: (-self._costs.sizes[one], one)):
            without = on & ~(1 << number)
            lower = self.objective(without)
            if lower <= value + self._least / 100:
                on, value = without, lower
        return on

    def _kept(self, on: IndexSet) -> float:
        if on not in self._kepts:
            self._kepts[on] = sum(self._write_cost(number) for number in members(on))
        return self._kepts[on]

    def _size(self, on: IndexSet) -> int:
        if on not in self._sizes:
            self._sizes[on] = self._costs.size(on)
        return self._sizes[on]

    def _room(self, on: IndexSet) -> float:
        return math.inf if self._limits.budget is None else self._limits.budget - self._size(on)
