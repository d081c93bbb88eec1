"""Indexes that a measurement has shown not to help, and those that would be no better."""

from collections.abc import Iterable
from dataclasses import dataclass

from .candidate_index import CandidateIndex


@dataclass(frozen=True, slots=True)
class SlowRead:
    """An index that a query read in place of the table, and became slower. columns: those that the query needs of it; whole: it was
    read from end to end, so that its order was of no use."""

    index: CandidateIndex
    columns: frozenset[str]
    whole: bool

    def again(self, other: CandidateIndex) -> bool:
        """Whether the query would read the other one just so."""
        place = other.schema, other.table, other.method, other.predicate
        slow = self.index
        if place != (slow.schema, slow.table, slow.method, slow.predicate) or not columns_of(other) >= self.columns:
            return False
        first = other.keys[0]
        return first == slow.keys[0] or (self.whole and first.column not in self.columns)


class Banned:
    """exact: built and measured in vain. slow: reads of those of them that made a query slower by being read in place of a table."""

    def __init__(self, exact: Iterable[CandidateIndex] = (), slow: Iterable[SlowRead] = ()) -> None:
        self.exact = frozenset(exact)
        self._slow = tuple(slow)

    def __contains__(self, index: CandidateIndex) -> bool:
        return index in self.exact or any(one.again(index) for one in self._slow)


NOTHING = Banned()


def columns_of(index: CandidateIndex) -> frozenset[str]:
    """Keys, an expression by its text, and included columns."""
    return frozenset(key.sql if key.column is None else key.column for key in index.keys) | frozenset(index.include)
