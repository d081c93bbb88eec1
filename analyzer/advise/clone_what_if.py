"""Candidate indexes on a hollow clone."""

import re
from collections.abc import Collection

from ..plan import Plan
from ..postgres.clone import HollowClone
from ..postgres.clone_indexes import HypotheticalSize
from ..postgres.clone_pages import btree_level, separator_bytes
from ..schema import Table
from ..sql.identifier import quote_qualified
from .candidate_index import CandidateIndex
from .index_size import index_size
from .what_if import Price, indexes_used, names_in_plans

_COST = re.compile(r"\(cost=[\d.]+\.\.(?P<total>[\d.]+) ")
_USED = re.compile(
    r"Index (?:Only )?Scan (?:Backward )?using (?P<index>\"(?:[^\"]|\"\")+\"|\S+) on |Bitmap Index Scan on (?P<bitmap>.+?)  \("
)
_TWO_COLUMNS = re.compile(r"(?:\"(?:[^\"]|\"\")+\"|\b[a-z_]\w*) <=? (?:\"(?:[^\"]|\"\")+\"|[a-z_]\w*\b)(?!\()")
"""As `candidates_partial` writes them."""


class CloneWhatIf:
    """A `WhatIf` on a running hollow clone."""

    def __init__(self, clone: HollowClone) -> None:
        self._clone = clone
        self._schema = clone.schema()
        self._tables = {(table.schema, table.name): table for table in self._schema.tables}
        self._kept: dict[tuple[str, str, str], float] = {}
        """Rows by table and condition."""
        self._names = names_in_plans(self._schema)

    @property
    def kind(self) -> str:
        """`hollow clone of PostgreSQL 15.18 on 15.18`."""
        return self._clone.kind

    def add(self, index: CandidateIndex) -> str:
        """Make the index known, switched off, and return its handle. Raises StatementError when PostgreSQL refuses it."""

        def size(schema: str, name: str) -> HypotheticalSize:
            table = self._tables[schema, name]
            entries = self._entries(index, table)
            rows = table.rows or 0.0
            share = entries / rows if entries is not None and rows > 0 else 1.0
            estimated = index_size(index, table, share, major=self._schema.server_version // 10000)
            level = btree_level(estimated.pages, _separator(index, table, entries if entries is not None else rows))
            return HypotheticalSize(estimated.pages, entries, level)

        return self._clone.add(
            index.schema, index.table, index.method, lambda name: index.definition(name, concurrently=False), size
        )

    def size_bytes(self, handle: str) -> int:
        """Estimated size of the index."""
        return self._clone.size_bytes(handle)

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these hypothetical indexes, and without these existing ones (schema.name)."""
        return self._clone.plan(sql, handles, without)

    def price(
        self,
        sql: str,
        handles: Collection[str] = (),
        without: Collection[str] = (),
        indifferent: Collection[str] = (),
    ) -> Price:
        """What `plan` would cost, and the indexes it would use."""
        if self._clone.corrected:
            root = self._clone.plan(sql, handles, without).root
            return Price(root.total_cost, indexes_used(root, self._names))
        text = self._clone.explain(sql, handles, without, indifferent=indifferent)
        cost = _COST.search(text)
        used: set[str] = set()
        for match in _USED.finditer(text):
            name = match["index"] or match["bitmap"]
            name = name[1:-1].replace('""', '"') if name.startswith('"') else name
            handle = self._clone.handle_of(name)
            used |= {handle} if handle else self._names.get(name, frozenset((name,)))
        return Price(float(cost["total"]) if cost else 0.0, frozenset(used))

    def _entries(self, index: CandidateIndex, table: Table) -> float | None:
        """Rows that a partial index would hold: the planner's own estimate, but for comparisons of two columns of a row, of
        which it knows nothing and assumes a third: two thirds, so that the index does not outgrow the budget."""
        if index.predicate is None:
            return None
        key = (table.schema, table.name, index.predicate)
        if key not in self._kept:
            source = quote_qualified(table.schema, table.name)
            plan = self._clone.plan(f"SELECT 1 FROM ONLY {source} WHERE {index.predicate}")  # noqa: S608 - quoted
            self._kept[key] = plan.root.plan_rows
        rows = self._kept[key]
        doubled = rows * float(1 << len(_TWO_COLUMNS.findall(index.predicate)))
        return doubled if table.rows is None else min(doubled, table.rows)


def _separator(index: CandidateIndex, table: Table, rows: float) -> float:
    """Bytes of an entry of the index's inner pages; an expression without statistics counts as ten rows a value."""
    columns = [table.column(key.column) if key.column is not None else None for key in index.keys]
    keys = [
        (float(column.average_width or 8), column.distinct or rows / 10) if column is not None else (8.0, rows / 10)
        for column in columns
    ]
    plain = not index.include and not any(
        column is not None and column.type.startswith(("numeric", "double", "real", "jsonb")) for column in columns
    )
    return separator_bytes(keys, max(rows, 1.0), deduplicated=plain)
