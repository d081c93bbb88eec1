"""Candidate indexes on a hollow clone."""

import math
import re
from collections import defaultdict
from collections.abc import Collection

from ..plan import Plan
from ..postgres.clone import HollowClone, IndexSize
from ..postgres.clone_pages import separator_bytes
from ..schema import Column, Table
from ..sql.identifier import quote_qualified
from .candidate_index import CandidateIndex
from .what_if import Price

_COST = re.compile(r"\(cost=[\d.]+\.\.(?P<total>[\d.]+) ")
_USED = re.compile(
    r"Index (?:Only )?Scan (?:Backward )?using (?P<index>\"(?:[^\"]|\"\")+\"|\S+) on |Bitmap Index Scan on (?P<bitmap>.+?)  \("
)


class CloneWhatIf:
    """A `WhatIf` on a running hollow clone."""

    def __init__(self, clone: HollowClone) -> None:
        self._clone = clone
        self._schema = clone.schema()
        self._tables = {(table.schema, table.name): table for table in self._schema.tables}
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        for table in self._schema.tables:
            for index in table.indexes:
                self._names[index.name].add(f"{table.schema}.{index.name}")

    @property
    def kind(self) -> str:
        """`hollow clone of PostgreSQL 15.18 on 15.18`."""
        return self._clone.kind

    def add(self, index: CandidateIndex) -> str:
        """Make the index known, switched off, and return its handle. Raises StatementError when PostgreSQL refuses it."""

        def size(schema: str, name: str) -> IndexSize:
            table = self._tables[schema, name]
            return estimate(index, table, self._entries(index, table))

        return self._clone.add(
            index.schema, index.table, index.method, lambda name: index.definition(name, concurrently=False), size
        )

    def size_bytes(self, handle: str) -> int:
        """Estimated size of the index."""
        return self._clone.size_bytes(handle)

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these hypothetical indexes, and without these existing ones (schema.name)."""
        return self._clone.plan(sql, handles, without)

    def price(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Price:
        """What `plan` would cost, and the indexes it would use."""
        text = self._clone.explain(sql, handles, without)
        cost = _COST.search(text)
        used: set[str] = set()
        for match in _USED.finditer(text):
            name = match["index"] or match["bitmap"]
            name = name[1:-1].replace('""', '"') if name.startswith('"') else name
            handle = self._clone.handle_of(name)
            used |= {handle} if handle else self._names.get(name, {name})
        return Price(float(cost["total"]) if cost else 0.0, frozenset(used))

    def _entries(self, index: CandidateIndex, table: Table) -> float | None:
        """Rows that a partial index would hold: the planner's own estimate."""
        if index.predicate is None:
            return None
        source = quote_qualified(table.schema, table.name)
        return self._clone.plan(f"SELECT 1 FROM ONLY {source} WHERE {index.predicate}").root.plan_rows  # noqa: S608 - quoted


def estimate(index: CandidateIndex, table: Table, entries: float | None) -> IndexSize:
    """Pages of an index: B-trees with posting lists of equal keys where they are deduplicated, others by rule of thumb."""
    rows = max(1.0, entries if entries is not None else table.rows or 0.0)
    columns = [_column(table, key.column) for key in index.keys]
    carried = [_column(table, name) for name in index.include]
    keys = [(_width(column), _distinct(column, rows)) for column in columns]
    width = sum(width for width, _ in keys) + sum(map(_width, carried))
    if index.method == "brin":
        return IndexSize(3 + math.ceil(table.pages / 128 * (width * 2 + 16) / 8000), entries)
    if index.method == "gin":
        return IndexSize(2 + math.ceil(rows * max(8.0, width / 2) / 8000), entries)
    if index.method == "hash":
        return IndexSize(4 + math.ceil(rows * 20 / 8152 / 0.75), entries)
    if index.method != "btree":
        return IndexSize(2 + math.ceil(rows * (width + 16) / 8152 / 0.7), entries)
    distinct = min(rows, math.prod(count for _, count in keys))
    deduplicated = not carried and not any(
        column and column.type.startswith(("numeric", "double", "real", "jsonb")) for column in columns
    )
    tuple_bytes = 4 + 8 * math.ceil((8 + width) / 8)
    total = rows * tuple_bytes
    if deduplicated and rows / distinct > 1.5:
        per_key = rows / distinct
        lists = math.ceil(per_key * 6 / 812)
        total = distinct * (lists * tuple_bytes + per_key * 6)
    leaves = math.ceil(total / (8152 * 0.9))
    separator = separator_bytes(keys, rows, deduplicated=deduplicated)
    return IndexSize(1 + leaves + math.ceil(leaves * separator / 5700), entries, separator)


def _column(table: Table, name: str | None) -> Column | None:
    return table.column(name) if name is not None else None


def _width(column: Column | None) -> float:
    return float(column.average_width) if column is not None and column.average_width else 8.0


def _distinct(column: Column | None, rows: float) -> float:
    return max(1.0, min(rows, column.distinct)) if column is not None and column.distinct else max(1.0, rows / 10)
