"""Indexes that serve several candidates at once, so that a workload needs fewer of them.

Chains: Extending sets of equality columns A ⊂ B ⊂ C into one key order A, B∖A, C∖B (pg_qualstats). Pairs: K1, then what K2 has
more, cut to the width (Chaudhuri & Narasayya, "Index Merging", ICDE 1999, as the Database Tuning Advisor does).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import permutations

from .candidate_index import CandidateIndex, Key
from .candidates_btree import INCLUDE_MAX_COLUMNS, MAX_KEYS

MAX_PAIRED = 24
"""Candidates per table and condition that are merged pairwise: beyond it the pairs outnumber what can be tried."""

_Group = tuple[str, str, str | None]


def merges(candidates: Iterable[CandidateIndex]) -> tuple[CandidateIndex, ...]:
    """Merged B-trees per table and condition, without the candidates themselves; the same input gives the same output."""
    given = list(dict.fromkeys(candidates))
    groups: defaultdict[_Group, list[CandidateIndex]] = defaultdict(list)
    for index in given:
        if index.method == "btree" and not index.unique:
            groups[index.schema, index.table, index.predicate].append(index)
    found: dict[CandidateIndex, None] = {}
    for _, group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")):
        ordered = sorted(group, key=repr)
        found |= dict.fromkeys(_chains(ordered))
        for one, other in permutations(ordered[:MAX_PAIRED], 2):
            merged = _pair(one, other)
            if merged is not None:
                found.setdefault(merged)
    return tuple(index for index in found if index not in given)


def _pair(one: CandidateIndex, other: CandidateIndex) -> CandidateIndex | None:
    """`one` first, then the keys that only `other` has; columns that either includes are included."""
    names = {_place(key) for key in one.keys}
    keys = (*one.keys, *(key for key in other.keys if _place(key) not in names))
    if len(keys) > MAX_KEYS:
        return None
    columns = {key.column for key in keys}
    include = tuple(dict.fromkeys(name for name in (*one.include, *other.include) if name not in columns))
    if len(include) > INCLUDE_MAX_COLUMNS or (keys == one.keys and include == one.include):
        return None
    return CandidateIndex(
        one.schema, one.table, "btree", keys, include=include, predicate=one.predicate,
        shape="covering" if include else "composite", partitions=one.partitions,
    )  # fmt: skip


def _chains(group: list[CandidateIndex]) -> Iterator[CandidateIndex]:
    """For each longest chain of key sets, each inside the next, the one order that has them all as prefixes."""
    plain = [index for index in group if not index.include and not any(key.order for key in index.keys)]
    sets = sorted(
        {frozenset(map(_place, index.keys)) for index in plain}, key=lambda one: (len(one), sorted(map(repr, one)))
    )
    keys = {_place(key): key for index in plain for key in index.keys}
    for start in sets:
        chain = [start]
        for bigger in sets:
            if bigger > chain[-1] and len(bigger) <= MAX_KEYS:
                chain.append(bigger)
        if len(chain) > 1:
            order: list[tuple[str | None, str]] = []
            for step in chain:
                order += sorted(step - set(order), key=repr)
            first = plain[0]
            yield CandidateIndex(
                first.schema, first.table, "btree", tuple(keys[place] for place in order), predicate=first.predicate,
                shape="composite", partitions=first.partitions,
            )  # fmt: skip


def _place(key: Key) -> tuple[str | None, str]:
    return key.column, key.expression
