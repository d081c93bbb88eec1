"""Candidate indexes for what one statement asks of one table.

Key order follows equality → sort → range, equality columns by falling number of distinct values. Sources: the rules that
CockroachDB's index recommender publishes (equality, range, join and order columns combined), equality–sort–range.
"""

import re
from collections.abc import Iterator

from ..schema import Schema, Table
from ..sql.predicates import CONVERTED, PARAMETRIC, SAME_ROW, VOLATILE
from ..sql.statement import Predicate, TableScan
from .candidate_duplicates import already_there, collated, conditions, unique_lookup
from .candidate_index import CandidateIndex
from .candidate_types import why_not_indexable
from .candidates_btree import Option, btrees, covering, ordered, wanted
from .candidates_methods import brins, gins, gists, hashes, with_condition
from .candidates_partial import partial
from .unique_key import made_unique, unique_key

__all__ = ["candidates", "obstacles", "together"]

_OF_A_DAY = re.compile(r"(?i)\bdate_trunc\(|\bto_char\(|::date$")
"""Expressions that are equal for all moments of a day, a month or a year."""
_FROM_POINT = re.compile(r"(?i)<->.*\bpoint\b|\bpoint\b.*<->")
_SEARCHED = "value = ANY(array column) is no condition of any operator class"


def candidates(scan: TableScan, table: Table, schema: Schema) -> tuple[CandidateIndex, ...]:
    """Candidates in order of preference, without those that an existing index already serves; empty if none fits."""
    equal = frozenset(
        one.column for one in scan.predicates if one.kind == "equality" and not one.join and one.column is not None
    )
    if unique_lookup(table, equal) is not None:
        return ()
    joined = equal | {
        one.column for one in scan.predicates if one.kind in ("equality", "in") and one.column is not None
    }
    found: dict[CandidateIndex, None] = {}
    implied = conditions(scan)
    patterns = frozenset(one.expression for one in scan.predicates if one.kind == "like-prefix")
    key = unique_key(scan, table)
    for option in _options(scan, table, schema):
        if already_there(option.index, table, option.free, patterns, implied) is None and not _repeats_key(
            option, table, joined
        ):
            index = option.index if key is None else made_unique(option.index, key)
            if index is not None:
                found.setdefault(index)
    return tuple(found)


def _options(scan: TableScan, table: Table, schema: Schema) -> Iterator[Option]:
    asked = wanted(scan, table, schema)
    other = [*gins(scan, table, schema), *gists(scan, table, schema)]
    yield from map(Option, other)
    yield from (Option(index) for one in other if (index := with_condition(one, scan, table)) is not None)
    yield from partial(scan, table, asked)
    plain = list(btrees(scan, table, asked))
    yield from plain
    yield from map(Option, hashes(scan, table, asked))
    yield from covering(scan, table, plain)
    yield from covering(scan, table, list(ordered(table, asked)), needed=False)
    yield from map(Option, brins(scan, table, asked))
    for bundle in together(scan, table, schema):
        yield from (Option(index, 1) for index in bundle)


def together(scan: TableScan, table: Table, schema: Schema) -> tuple[tuple[CandidateIndex, ...], ...]:
    """Sets of indexes that serve only together: one for each branch of an OR, whose bitmaps PostgreSQL then unites."""
    found = []
    for branches in scan.or_branches:
        bundle: list[CandidateIndex] = []
        for branch in branches:
            inner = TableScan(scan.schema, scan.table, scan.alias, branch, (), (), None, False)
            asked = wanted(inner, table, schema)
            best = next(iter([*map(Option, gins(inner, table, schema)), *btrees(inner, table, asked)]), None)
            if best is None:
                break
            if already_there(best.index, table, best.free) is None:
                bundle.append(best.index)
        else:
            if bundle:
                found.append(tuple(dict.fromkeys(bundle)))
    return tuple(dict.fromkeys(found))


def _repeats_key(option: Option, table: Table, equal: frozenset[str]) -> bool:
    """Whether the index begins with all columns of a unique key: behind those, further keys find nothing more."""
    index = option.index
    if index.method != "btree" or index.include or index.predicate:
        return False
    for existing in table.indexes:
        if not (existing.unique and existing.valid and existing.predicate is None and existing.method == "btree"):
            continue
        names = {name.strip('"') for name in existing.columns}
        leading = [key.column for key in index.keys[: len(names)]]
        if (
            len(index.keys) >= len(names)
            and set(leading) == names
            and names <= equal
            and all(collated(existing, place, name, table) for place, name in enumerate(existing.columns))
        ):
            return True
    return False


def obstacles(scan: TableScan, table: Table, schema: Schema) -> tuple[tuple[str, str], ...]:
    """Conditions of the scan that no index can serve as they are written, each with the reason."""
    found: dict[str, str] = {}
    for predicate in scan.predicates:
        reason = _obstacle(predicate, table, schema)
        if reason is not None:
            found.setdefault(predicate.expression, reason)
    return tuple(found.items())


def _obstacle(predicate: Predicate, table: Table, schema: Schema) -> str | None:
    column = table.column(predicate.column) if predicate.column is not None else None
    if predicate.kind == "other":
        if predicate.operator == "= ANY" and column is not None and column.type.endswith("[]"):
            return f"{_SEARCHED}: write {predicate.expression} @> ARRAY[value], which a GIN index serves"
        return {
            "<>": "<> keeps nearly every row: no index narrows it",
            "IS DISTINCT FROM": "IS DISTINCT FROM keeps nearly every row: no index narrows it",
            "IS NOT DISTINCT FROM": "IS NOT DISTINCT FROM uses no index: write =, and IS NULL where that is meant",
            SAME_ROW: "it compares two columns of the same row: every row has to be looked at",
            VOLATILE: "its value changes from row to row (random() and the like): every row has to be looked at",
            PARAMETRIC: "its expression holds a parameter where an index needs a constant (pg_stat_statements writes all of them "
            "so): give a journal or a .sql file with the statement as it is sent",
            CONVERTED: "the other side's type makes PostgreSQL convert the column: give a value of the column's own type",
        }.get(predicate.operator)
    if predicate.column is None:
        reason = why_not_indexable(predicate.expression, table, schema)
        if reason is not None and predicate.kind in ("equality", "range") and _OF_A_DAY.search(predicate.expression):
            return f"{reason}: write the bounds of the day, month or year as a range of the column, >= and <"
        if reason is not None and predicate.kind == "range" and _FROM_POINT.search(predicate.expression):
            return f"{reason}: write that it lies within a circle, <@ circle(centre, radius), which a GiST index serves"
        return reason
    if (
        predicate.kind == "like"
        and predicate.constant is not None
        and "pg_trgm"
        not in (
            *schema.extensions,
            *schema.available_extensions,
        )
    ):
        return "the pattern begins with a wildcard, which needs the extension pg_trgm: the server does not have it"
    return None
