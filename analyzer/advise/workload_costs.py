"""What a workload costs under sets of indexes: asked from a what-if door, and never asked twice."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..errors import StatementError
from ..schema import Schema
from ..sql.parse import analyse
from .candidate_index import CandidateIndex
from .selection_types import WeightedQuery
from .what_if import WhatIf

IndexSet = int
"""A set of known indexes: bit n stands for the n-th one made known."""


@dataclass(frozen=True, slots=True)
class TextPrice:
    """A text under one set. used: those of the set in its plan; existing: `schema.name` of the existing ones in it."""

    cost: float
    used: IndexSet
    existing: frozenset[str]


@dataclass(slots=True)
class _Text:
    """A statement with its weight: calls of its group times its share. tables: None when it is not known what it reads."""

    sql: str
    weight: float
    tables: frozenset[tuple[str, str]] | None
    relevant: IndexSet = 0


class WorkloadCosts:
    """Prices of every text under any set of indexes.

    A plan that used U of the indexes S is the plan under every set between U and S too: what it did not use makes no
    difference when it is not there. So one EXPLAIN answers for many sets (the cache of "Index selection" by relevant
    indexes, Kossmann et al., VLDB 2020, taken one step further).
    """

    def __init__(self, queries: Sequence[WeightedQuery], what_if: WhatIf, schema: Schema) -> None:
        self._what_if = what_if
        self._family = _families(schema)
        self.indexes: list[CandidateIndex] = []
        self.sizes: list[int] = []
        self.refused: dict[CandidateIndex, str] = {}
        self.unplanned: dict[str, str] = {}
        self.explained = 0
        """How many prices were asked from the planner."""
        self._handles: list[str] = []
        self._bits: dict[str, IndexSet] = {}
        self._numbers: dict[CandidateIndex, int] = {}
        self._seen: dict[tuple[int, frozenset[str]], list[tuple[IndexSet, TextPrice]]] = {}
        self.texts: list[_Text] = []
        self.groups: dict[str, list[int]] = {}
        for query in queries:
            numbers = []
            for sql, share in query.texts:
                self.texts.append(_Text(sql, query.calls * share, self._tables(sql, schema)))
                numbers.append(len(self.texts) - 1)
            try:
                for number in numbers:
                    self.price(number, 0)
            except StatementError as error:
                del self.texts[len(self.texts) - len(numbers) :]
                self.unplanned[query.fingerprint] = str(error)
            else:
                self.groups[query.fingerprint] = numbers

    def add(self, index: CandidateIndex) -> int | None:
        """Make the index known and return its number; None when PostgreSQL refuses it (`refused` then says why)."""
        if index in self._numbers or index in self.refused:
            return self._numbers.get(index)
        try:
            handle = self._what_if.add(index)
        except StatementError as error:
            self.refused[index] = str(error)
            return None
        number = len(self.indexes)
        self.indexes.append(index)
        self.sizes.append(self._what_if.size_bytes(handle))
        self._handles.append(handle)
        self._bits[handle] = 1 << number
        self._numbers[index] = number
        for text in self.texts:
            if text.tables is None or (index.schema, index.table) in text.tables:
                text.relevant |= 1 << number
        return number

    def price(self, number: int, on: IndexSet, without: Collection[str] = ()) -> TextPrice:
        """The text with just these known indexes switched on and the named existing ones switched off.

        Raises StatementError when the planner refuses the text, which it does at the first question or never.
        """
        text = self.texts[number]
        on &= text.relevant
        seen = self._seen.setdefault((number, frozenset(without)), [])
        for asked, price in seen:
            if not on & ~asked and not price.used & ~on:
                return price
        found = self._what_if.price(text.sql, [self._handles[one] for one in members(on)], without)
        self.explained += 1
        used, existing = 0, set()
        for name in found.used:
            if name in self._bits:
                used |= self._bits[name]
            else:
                existing.add(name)
        price = TextPrice(found.cost, used, frozenset(existing))
        seen.append((on, price))
        return price

    def total(self, on: IndexSet, numbers: Iterable[int] | None = None) -> float:
        """Weighted cost of these texts, or of all."""
        wanted = range(len(self.texts)) if numbers is None else numbers
        return sum(self.texts[number].weight * self.price(number, on).cost for number in wanted)

    def touched(self, on: IndexSet) -> list[int]:
        """The texts for which any of these indexes could make a difference."""
        return [number for number, text in enumerate(self.texts) if text.relevant & on]

    def size(self, on: IndexSet) -> int:
        """Bytes of the set."""
        return sum(self.sizes[one] for one in members(on))

    def _tables(self, sql: str, schema: Schema) -> frozenset[tuple[str, str]] | None:
        statement = analyse(sql, schema)
        if statement.problem:
            return None
        found: set[tuple[str, str]] = set()
        for scan in statement.scans:
            table = schema.table(scan.table, scan.schema)
            if table is not None:
                found |= self._family.get((table.schema, table.name), frozenset())
        return frozenset(found)


def members(on: IndexSet) -> list[int]:
    """Numbers of the indexes in the set, in rising order."""
    found = []
    while on:
        lowest = on & -on
        found.append(lowest.bit_length() - 1)
        on ^= lowest
    return found


def _families(schema: Schema) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """Each table with its partitions at every depth and all that it is a partition of: an index on one concerns the others."""
    children: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
        (table.schema, table.name): table.partitions for table in schema.tables
    }
    parents = {part: parent for parent, parts in children.items() for part in parts}
    return {place: frozenset({*_below(place, children), *_above(place, parents)}) for place in children}


def _below(
    place: tuple[str, str], children: dict[tuple[str, str], tuple[tuple[str, str], ...]]
) -> list[tuple[str, str]]:
    found = [place]
    for part in children.get(place, ()):
        found += _below(part, children)
    return found


def _above(place: tuple[str, str], parents: dict[tuple[str, str], tuple[str, str]]) -> list[tuple[str, str]]:
    found = []
    while place in parents:
        place = parents[place]
        found.append(place)
    return found
