"""Indexes that a measurement has shown not to help, and those that would be no better."""

from collections.abc import Iterable

from .candidate_index import CandidateIndex


class Banned:
    """exact: built and measured in vain. alone: those of them that made a query slower which read them in place of their table: what
    begins with the same key and holds all their columns would be read just so."""

    def __init__(self, exact: Iterable[CandidateIndex] = (), alone: Iterable[CandidateIndex] = ()) -> None:
        self.exact = frozenset(exact)
        self._alone = frozenset(alone)

    def __contains__(self, index: CandidateIndex) -> bool:
        return index in self.exact or any(_stands_in(index, one) for one in self._alone)


NOTHING = Banned()


def _stands_in(index: CandidateIndex, slow: CandidateIndex) -> bool:
    return (
        (index.schema, index.table, index.method, index.predicate, index.keys[0])
        == (slow.schema, slow.table, slow.method, slow.predicate, slow.keys[0])
    ) and _columns(index) >= _columns(slow)


def _columns(index: CandidateIndex) -> frozenset[str]:
    return frozenset(key.sql if key.column is None else key.column for key in index.keys) | frozenset(index.include)
