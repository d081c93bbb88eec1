"""What adding indexes to a set gains and taking them out loses, as arrays over all moves.

A set changes by few indexes at a time, and few texts have plans with them: only those texts are judged anew, all their moves
and plans at once as words of bits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cost_model import CostModel
from .workload_costs import IndexSet, members

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

MAX_KEPT = 4_000
"""Answers kept per text: a few kilobytes each."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one text under one set, weighted. cost: its own; gains: of its moves; losses: of its members, 0 of those not in the set."""

    cost: float
    gains: Floats
    losses: Floats


class TextMoves:
    """Plans of one text, and the moves that can matter for it. Bits count the indexes that its plans use."""

    def __init__(self, model: CostModel, number: int, weight: float, holds: NDArray[np.bool_]) -> None:
        plans, mask, disturbing = model.ranked(number), model.used_in(number), model.disturbing(number)
        self.mask = mask
        self.members = np.array(members(mask), dtype=np.intp)
        self._weight = weight
        self._costs = np.array([plan.cost for plan in plans]) * weight
        self._needs = self._words(_matrix((plan.used for plan in plans), holds.shape[1]))
        self._forbids = self._words(_matrix((disturbing & ~plan.on for plan in plans), holds.shape[1]))
        self._disturbed = bool(disturbing)
        self.moves = np.flatnonzero(holds[:, self.members].any(axis=1)) if mask else np.empty(0, dtype=np.intp)
        found = np.unique(self._words(holds[self.moves]), axis=0, return_inverse=True)
        self._added: Words = found[0]
        self._which: NDArray[np.intp] = found[1].reshape(-1)
        self._singles = self._words(np.eye(holds.shape[1], dtype=bool)[self.members])
        self._answers: dict[IndexSet, Answer] = {}

    def at(self, on: IndexSet, flags: NDArray[np.bool_]) -> Answer:
        """What the moves do for the text under the set, given as bits and as flags."""
        key = on & self.mask
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= MAX_KEPT:
                self._answers.clear()
            found = self._answers[key] = self._answer(flags)
        return found

    def _answer(self, flags: NDArray[np.bool_]) -> Answer:
        on = self._words(flags[None, :])
        first = int(self._first(on, 0, len(self._costs))[0])
        cost = float(self._cost(np.array([first]))[0])
        losses = np.zeros(len(self.members))
        inside = np.flatnonzero(flags[self.members])
        if self._disturbed:
            # Presence alone changes costs: no plan can be passed over.
            after = self._cost(self._first(on | self._added, 0, len(self._costs)))
            without = self._cost(self._first(on & ~self._singles[inside], 0, len(self._costs)))
        else:
            after = self._cost(self._first(on | self._added, 0, first))
            without = self._cost(self._first(on & ~self._singles[inside], first, len(self._costs)))
        losses[inside] = without - cost
        return Answer(cost, (cost - after)[self._which], losses)

    def _first(self, sets: Words, start: int, end: int) -> NDArray[np.intp]:
        """Number of the cheapest plan from start that each set allows; end when there is none."""
        if start == end or not len(sets):
            return np.full(len(sets), end, dtype=np.intp)
        barred = np.zeros((len(sets), end - start), dtype=bool)
        for word in range(sets.shape[1]):
            one = sets[:, word, None]
            barred |= (self._needs[None, start:end, word] & ~one) != 0
            if self._disturbed:
                barred |= (self._forbids[None, start:end, word] & one) != 0
        found = np.argmin(barred, axis=1)
        return np.where(barred[np.arange(len(sets)), found], end, found + start)

    def _cost(self, plans: NDArray[np.intp]) -> Floats:
        return self._costs[np.minimum(plans, len(self._costs) - 1)]

    def _words(self, flags: NDArray[np.bool_]) -> Words:
        """Rows of flags of all indexes as words of 64 bits of the text's own."""
        words = max(1, -(-len(self.members) // 64))
        bits = np.zeros((len(flags), words * 64), dtype=bool)
        bits[:, : len(self.members)] = flags[:, self.members]
        return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


class MoveTable:
    """All moves, each a set of indexes to add together. sizes, kept: bytes and write cost of each index."""

    def __init__(
        self,
        model: CostModel,
        weights: Sequence[float],
        moves: Sequence[IndexSet],
        sizes: Sequence[int],
        kept: Sequence[float],
    ) -> None:
        self.moves = moves
        self.sizes = np.array(sizes, dtype=np.float64)
        self.kept = np.array(kept, dtype=np.float64)
        self.holds = _matrix(moves, len(sizes))
        self.texts = [TextMoves(model, number, weight, self.holds) for number, weight in enumerate(weights)]


class MoveState:
    """One set of indexes and what every move would change.

    cost: of the workload and of its writes. gains: what each move lowers it by; losses: what taking an index out raises it
    by, 0 for those not in the set; added: bytes that each move adds.
    """

    def __init__(self, table: MoveTable, on: IndexSet = 0) -> None:
        self.table = table
        self.on: IndexSet = 0
        self.size = 0.0
        self._flags = np.zeros(len(table.sizes), dtype=bool)
        answers = [text.at(0, self._flags) for text in table.texts]
        self.cost = sum(answer.cost for answer in answers)
        self.gains = -(table.holds @ table.kept)
        self.losses = np.zeros(len(table.sizes))
        self.added = table.holds @ table.sizes
        for text, answer in zip(table.texts, answers, strict=True):
            self.gains[text.moves] += answer.gains
        self.change(on)

    def copy(self) -> "MoveState":
        """A state that changes by itself."""
        other = MoveState.__new__(MoveState)
        other.table, other.on, other.size, other.cost = self.table, self.on, self.size, self.cost
        other._flags, other.gains = self._flags.copy(), self.gains.copy()
        other.losses, other.added = self.losses.copy(), self.added.copy()
        return other

    def change(self, flip: IndexSet) -> None:
        """Add those of these indexes that are not in the set, and take out those that are."""
        if not flip:
            return
        before, table = self.on, self.table
        flags = self._flags.copy()
        for one in members(flip):
            sign = -1.0 if flags[one] else 1.0
            flags[one] = not flags[one]
            holds = table.holds[:, one]
            self.size += sign * table.sizes[one]
            self.cost += sign * table.kept[one]
            self.added[holds] -= sign * table.sizes[one]
            self.gains[holds] += sign * table.kept[one]
            self.losses[one] -= sign * table.kept[one]
        self.on = before ^ flip
        for text in table.texts:
            if text.mask & flip:
                old, new = text.at(before, self._flags), text.at(self.on, flags)
                self.cost += new.cost - old.cost
                self.gains[text.moves] += new.gains - old.gains
                self.losses[text.members] += new.losses - old.losses
        self._flags = flags


def _matrix(sets: Iterable[IndexSet], width: int) -> NDArray[np.bool_]:
    """A row of flags for each set."""
    length = max(1, -(-width // 8))
    rows: list[Any] = [np.frombuffer(one.to_bytes(length, "little"), dtype=np.uint8) for one in sets]
    if not rows:
        return np.zeros((0, width), dtype=bool)
    return np.unpackbits(np.stack(rows), axis=1, bitorder="little")[:, :width].astype(bool)
