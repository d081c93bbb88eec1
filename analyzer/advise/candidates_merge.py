"""One index in the place of two: its keys, then what the other one has more, cut to the width.

(Chaudhuri & Narasayya, "Index Merging", ICDE 1999, as the Database Tuning Advisor does; Extend appends columns likewise.)
"""

from .candidate_index import CandidateIndex, Key
from .candidates_btree import INCLUDE_MAX_COLUMNS, MAX_KEYS


def merged(one: CandidateIndex, other: CandidateIndex) -> CandidateIndex | None:
    """`one` first, then the keys that only `other` has; columns that either includes are included.

    None unless both are B-trees of one table with one condition, neither is unique, and the two make a third.
    """
    if (one.schema, one.table, one.predicate) != (other.schema, other.table, other.predicate):
        return None
    if one.method != "btree" or other.method != "btree" or one.unique or other.unique:
        return None
    places = {_place(key) for key in one.keys}
    keys = (*one.keys, *(key for key in other.keys if _place(key) not in places))
    columns = {key.column for key in keys}
    include = tuple(dict.fromkeys(name for name in (*one.include, *other.include) if name not in columns))
    if len(keys) > MAX_KEYS or len(include) > INCLUDE_MAX_COLUMNS:
        return None
    found = CandidateIndex(
        one.schema, one.table, "btree", keys, include=include, predicate=one.predicate,
        shape="covering" if include else "composite", partitions=one.partitions,
    )  # fmt: skip
    return None if found in (one, other) else found


def _place(key: Key) -> tuple[str | None, str]:
    return key.column, key.expression
