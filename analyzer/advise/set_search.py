"""The best set of indexes by the cost model alone: greedy steps by two criteria, then taking out and filling again.

Steps add whole plans' worth of indexes: two that serve only together are then found as well as one that serves alone. Gain
per byte leads under tight budgets, gain alone under wide ones (Schlosser, Kossmann & Boissier, "Efficient Scalable
Multi-attribute Index Selection Using Recursive Strategies", ICDE 2019; Chaudhuri & Narasayya, VLDB 1997).
"""

import math
from collections.abc import Callable, Iterable

import numpy as np

from .cost_model import CostModel
from .move_table import MoveState, MoveTable
from .selection_limits import Limits
from .workload_costs import IndexSet, WorkloadCosts, members

RELAXATIONS = 12
"""Halvings of the price of a byte."""
MAX_STEPS = 100
"""Up and down at one price."""
POLISHED = 3
"""Of the sets found, the best ones that are polished."""
MIN_STEP = 1e-4
"""Of the workload's cost: a step that gains less is none."""


class SetSearch:
    """Looks for sets under limits. write_cost: of an index, by its number. late: whether the time is over. least: a step that gains
    less is none."""

    def __init__(
        self,
        costs: WorkloadCosts,
        model: CostModel,
        limits: Limits,
        write_cost: Callable[[int], float],
        late: Callable[[], bool],
        least: float,
    ) -> None:
        self._limits = limits
        self._late = late
        self._least = least
        moves: dict[IndexSet, None] = {}
        for number in range(len(costs.texts)):
            plans = [used for used in model.plans(number) if limits.allow(used)]
            moves |= dict.fromkeys(plans)
            moves |= dict.fromkeys(1 << one for used in plans for one in members(used))
        self._table = MoveTable(
            model,
            [text.weight for text in costs.texts],
            list(moves),
            costs.sizes,
            [write_cost(number) for number in range(len(costs.indexes))],
        )
        self._nothing = MoveState(self._table)

    def best(self, starts: Iterable[IndexSet], *, relaxed: bool) -> IndexSet:
        """The best set found from nothing and from these starts. relaxed: look with a price on each byte too."""
        found = [self._filled(self._nothing, per_byte=True), self._filled(self._nothing, per_byte=False)]
        found += [self._filled(self._state(on), per_byte=True) for on in starts if self._limits.allow(on)]
        found += [self._within(state) for state in self._relaxed()] if relaxed else []
        ranked = sorted({state.on: state for state in found}.values(), key=_rank)
        return min((self._polished(state) for state in ranked[:POLISHED]), key=_rank).on

    def _state(self, on: IndexSet) -> MoveState:
        state = self._nothing.copy()
        state.change(on)
        return state

    def _relaxed(self) -> list[MoveState]:
        """Sets found with a price on each byte in place of the budget, the price that just fits it: one with room left, filled,
        and one too large, from which what is lost least per byte is taken out (Lagrangian relaxation)."""
        if self._limits.budget is None:
            return []
        low, high = 0.0, self._nothing.cost / max(1, self._limits.budget)
        fits, over = self._nothing, self._nothing
        for _ in range(RELAXATIONS):
            price = (low + high) / 2
            state = self._at(price, fits)
            if self._room(state) >= 0:
                high, fits = price, state
            else:
                low, over = price, state
        return [self._filled(fits, per_byte=True), self._shrunk(over)]

    def _at(self, price: float, start: MoveState) -> MoveState:
        """The set that steps up and down reach when each byte costs that much."""
        state, sizes = start.copy(), self._table.sizes
        for _ in range(MAX_STEPS):
            worth = (state.added > 0) & (state.gains >= self._least)
            ups = np.where(worth, state.gains - price * state.added, -np.inf)
            inside = np.array(members(state.on), dtype=np.intp)
            downs = price * sizes[inside] - state.losses[inside]
            up, down = ups.max(initial=-np.inf), downs.max(initial=-np.inf)
            if max(up, down) < self._least or self._late():
                break
            state.change(
                self._table.moves[int(ups.argmax())] & ~state.on if up >= down else 1 << int(inside[downs.argmax()])
            )
        return state

    def _shrunk(self, start: MoveState) -> MoveState:
        state = start.copy()
        while self._room(state) < 0:
            inside = np.array(members(state.on), dtype=np.intp)
            state.change(1 << int(inside[(state.losses[inside] / self._table.sizes[inside]).argmin()]))
        return self._filled(state, per_byte=True)

    def _filled(self, start: MoveState, *, per_byte: bool, barred: int | None = None) -> MoveState:
        """The set with the best step added until none is worth it. barred: an index that may not come in.

        A step that is worth nothing is not looked at again: what indexes gain falls as others join them, and those that need
        each other come as one step.
        """
        state = start.copy()
        active = np.ones(len(self._table.moves), dtype=bool) if barred is None else ~self._table.holds[:, barred]
        while not self._late():
            active &= (state.added > 0) & (state.added <= self._room(state)) & (state.gains >= self._least)
            numbers = np.flatnonzero(active)
            if not len(numbers):
                break
            gains = state.gains[numbers]
            best = int(numbers[(gains / state.added[numbers] if per_byte else gains).argmax()])
            added = self._table.moves[best] & ~state.on
            if self._limits.allow(state.on | added):
                state.change(added)
            else:
                active[best] = False
        return state

    def _polished(self, start: MoveState) -> MoveState:
        """Take each member out, fill again with what else is worth it, and keep what is better; until nothing is."""
        state = self._pruned(start)
        improved = True
        while improved and not self._late():
            improved = False
            for out in sorted(members(state.on), key=lambda one: (state.losses[one], one)):
                other = self._refilled(state, out)
                if other is not None:
                    state, improved = other, True
                if improved or self._late():
                    break
        return state

    def _refilled(self, state: MoveState, out: int) -> MoveState | None:
        """A better set than this one without one of its members, or None."""
        without = state.copy()
        without.change(1 << out)
        for per_byte in (True, False):
            other = self._pruned(self._filled(without, per_byte=per_byte, barred=out))
            if other.cost < state.cost - self._least / 10:
                return other
        return None

    def _pruned(self, start: MoveState) -> MoveState:
        """The set without what gains nothing in it."""
        state, sizes = start.copy(), self._table.sizes
        for number in sorted(members(state.on), key=lambda one: (-sizes[one], one)):
            if state.losses[number] <= self._least / 100:
                state.change(1 << number)
        return state

    def _within(self, start: MoveState) -> MoveState:
        """The set without what is lost least of those that are too many, filled again; a price on bytes knows no numbers."""
        state = start.copy()
        while crowd := self._limits.crowd(state.on):
            inside = np.array(members(crowd), dtype=np.intp)
            state.change(1 << int(inside[state.losses[inside].argmin()]))
        return state if state.on == start.on else self._filled(state, per_byte=True)

    def _room(self, state: MoveState) -> float:
        return math.inf if self._limits.budget is None else self._limits.budget - state.size


def _rank(state: MoveState) -> tuple[float, float, IndexSet]:
    return state.cost, state.size, state.on
