"""What a workload costs under sets of indexes: asked from a what-if door, and never asked twice."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import StatementError
from ..postgres.outcome import ConnectionLost
from ..schema import Schema
from .candidate_index import CandidateIndex
from .selection_types import WeightedQuery
from .text_tables import Place, TextTables
from .what_if import WhatIf
from .write_cost import condition_columns, indexed_columns

IndexSet = int
"""A set of known indexes: bit n stands for the n-th one made known."""


@dataclass(frozen=True, slots=True)
class TextPrice:
    """A text under one set. on: that set; used: those of it in the plan; existing: `schema.name` of the existing ones in it."""

    on: IndexSet
    cost: float
    used: IndexSet
    existing: frozenset[str]


@dataclass(slots=True)
class Text:
    """A statement with its weight: calls of its group times its share. tables: None when it is not known what it reads.

    unnamed: whether it may compare columns that it does not name. relevant: the known indexes that its plans can depend on; own:
    those of them all whose columns, or whose condition's, it names. indifferent: handles of the others. prices: what has been asked so far; answered:
    which of them holds for a set.
    """

    sql: str
    weight: float
    tables: frozenset[tuple[str, str]] | None
    words: frozenset[str]
    unnamed: bool
    relevant: IndexSet = 0
    indifferent: set[str] = field(default_factory=set)
    own: IndexSet = 0
    prices: list[TextPrice] = field(default_factory=list)
    answered: dict[IndexSet, TextPrice] = field(default_factory=dict)
    without: dict[frozenset[str], list[TextPrice]] = field(default_factory=dict)


class WorkloadCosts:
    """Prices of every text under any set of indexes.

    A plan that used U of the indexes S is the plan under every set between U and S too: what it did not use makes no
    difference when it is not there. So one EXPLAIN answers for many sets (the relevant-index cache of Kossmann et al.,
    "Magic mirror in my hand", VLDB 2020, taken one step further).
    """

    def __init__(self, queries: Sequence[WeightedQuery], what_if: WhatIf, schema: Schema) -> None:
        self._what_if = what_if
        self.indexes: list[CandidateIndex] = []
        self.sizes: list[int] = []
        self.refused: dict[CandidateIndex, str] = {}
        self.unplanned: dict[str, str] = {}
        self.explained = 0
        """How many prices were asked from the planner."""
        self.texts: list[Text] = []
        self.groups: dict[str, list[int]] = {}
        """Numbers of the texts by fingerprint."""
        self._handles: list[str] = []
        self._bits: dict[str, IndexSet] = {}
        self._numbers: dict[CandidateIndex, int] = {}
        self._columns = {
            (table.schema, table.name): frozenset(column.name for column in table.columns) for table in schema.tables
        }
        reads = TextTables(schema)
        for query in queries:
            start = len(self.texts)
            self.texts += [
                Text(sql, query.calls * share, reads.of(sql), reads.words(sql), reads.unnamed(sql))
                for sql, share in query.texts
            ]
            numbers = list(range(start, len(self.texts)))
            try:
                for number in numbers:
                    self.price(number, 0)
            except StatementError as error:
                del self.texts[start:]
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
        columns, condition = indexed_columns(index), condition_columns(index)
        for text in self.texts:
            if self._concerns((index.schema, index.table), columns, condition, text):
                text.relevant |= 1 << number
                # Of a partial index whose condition the text names the plan may read every entry, whatever its keys are.
                if columns <= text.words or (condition and condition <= text.words):
                    text.own |= 1 << number
            else:
                text.indifferent.add(handle)
        return number

    def _concerns(self, place: Place, columns: frozenset[str], condition: frozenset[str], text: Text) -> bool:
        """Whether the text's plans can depend on the index. Of one whose columns it does not name it could at most count rows,
        which any other does as well, and of a partial one it has to name the condition's columns."""
        if text.tables is None or (place in text.tables and text.unnamed):
            return True
        if place not in text.tables or not condition <= text.words:
            return False
        return bool(columns & text.words) or not self._columns.get(place, frozenset()) & text.words

    def measured(self, sizes: Mapping[CandidateIndex, int]) -> None:
        """From now on these indexes take as many bytes."""
        for index, size in sizes.items():
            if index in self._numbers:
                self.sizes[self._numbers[index]] = size

    def numbered(self, indexes: Iterable[CandidateIndex]) -> IndexSet:
        """Those of the indexes that are known, as a set."""
        return sum(1 << self._numbers[index] for index in set(indexes) if index in self._numbers)

    def knows(self, index: CandidateIndex) -> bool:
        """Whether the index was made known or refused before."""
        return index in self._numbers or index in self.refused

    def price(self, number: int, on: IndexSet, without: Collection[str] = ()) -> TextPrice:
        """The text with just these known indexes switched on and the named existing ones switched off.

        Raises StatementError when the planner refuses the text at the first question. What it refuses later counts as no better
        than today, or without existing indexes as worse than anything.
        """
        text = self.texts[number]
        on &= text.relevant
        if without:
            if not (with_all := self.price(number, on)).existing & set(without):
                # A plan that uses none of them is the plan without them.
                return with_all
            known = text.without.setdefault(frozenset(without), [])
        elif on in text.answered:
            return text.answered[on]
        else:
            known = text.prices
        for price in known:
            if not on & ~price.on and not price.used & ~on:
                if not without:
                    text.answered[on] = price
                return price
        try:
            found = self._what_if.price(
                text.sql, [self._handles[one] for one in members(on)], without, text.indifferent
            )
        except ConnectionLost:
            raise
        except StatementError as error:
            if not text.prices:
                raise
            price = self._unpriced(number, on, bool(without), error)
            known.append(price)
            return price
        self.explained += 1
        used, existing = 0, set()
        for name in found.used:
            if name in self._bits:
                used |= self._bits[name]
            else:
                existing.add(name)
        price = TextPrice(on, found.cost, used, frozenset(existing))
        known.append(price)
        return price

    def _unpriced(self, number: int, on: IndexSet, without: bool, error: StatementError) -> TextPrice:
        today = self.texts[number].prices[0]
        fingerprint = next(one for one, numbers in self.groups.items() if number in numbers)
        self.unplanned[fingerprint] = f"under some of the indexes tried: {error}"
        return TextPrice(on, math.inf if without else today.cost, on, today.existing)

    def total(self, on: IndexSet, numbers: Iterable[int] | None = None) -> float:
        """Weighted cost of these texts, or of all."""
        wanted = range(len(self.texts)) if numbers is None else numbers
        return sum(self.texts[number].weight * self.price(number, on).cost for number in wanted)

    def weight(self, fingerprint: str) -> float:
        """Calls of the group."""
        return sum(self.texts[number].weight for number in self.groups[fingerprint])

    def place(self, number: int) -> tuple[str, str]:
        """Schema and name of the index's table."""
        return self.indexes[number].schema, self.indexes[number].table

    def size(self, on: IndexSet) -> int:
        """Bytes of the set."""
        return sum(self.sizes[one] for one in members(on))


def members(on: IndexSet) -> list[int]:
    """Numbers of the indexes in the set, in rising order."""
    found = []
    while on:
        lowest = on & -on
        found.append(lowest.bit_length() - 1)
        on ^= lowest
    return found
