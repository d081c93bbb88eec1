"""What keeping an index costs the writes to its table, in the planner's units."""

from collections.abc import Sequence

from ..schema import Schema, Table
from ..sql.tree import TreeError, body, kind, parse_tree, strings, walk
from .candidate_index import CandidateIndex
from .index_size import index_size
from .selection_types import TableWrites

ENTRY_COST = 0.125
"""Planner units of finding the place of one entry: 50 cpu_operator_cost, as the planner itself charges for a descent."""
PAGE_COST = 4.0
"""Planner units of one page written at a random place: the default random_page_cost."""
SUMMARY_HOT_VERSION = 160_000
"""From 16 on a BRIN index does not keep an update from being heap-only."""


class WriteCosts:
    """Costs of candidates against the recorded writes; zero for tables without."""

    def __init__(self, schema: Schema, writes: Sequence[TableWrites]) -> None:
        self._schema = schema
        self._writes = {(one.schema, one.table): one for one in writes}
        self._known: dict[CandidateIndex, float] = {}

    def cost(self, index: CandidateIndex, size_bytes: int) -> float:
        """Planner units in the interval in which the writes were recorded: entries for new rows and for new row versions,
        and entries in all other indexes for updates that no longer are heap-only. size_bytes: of the index."""
        if index not in self._known:
            self._known[index] = self._cost(index, size_bytes)
        return self._known[index]

    def _cost(self, index: CandidateIndex, size_bytes: int) -> float:
        writes, table = self._writes.get((index.schema, index.table)), self._schema.table(index.table, index.schema)
        if writes is None or table is None:
            return 0.0
        # A row that a partial index leaves out costs it nothing.
        entry = entry_cost(index, table) * _kept_share(index, table, size_bytes)
        lost = 0.0 if self._summary(index) else _hot_lost(index, table, writes)
        others = max(1, len(table.indexes)) * ENTRY_COST
        return entry * (writes.inserts + max(0.0, writes.updates - writes.hot_updates)) + lost * (entry + others)

    def _summary(self, index: CandidateIndex) -> bool:
        return index.method == "brin" and self._schema.server_version >= SUMMARY_HOT_VERSION


def entry_cost(index: CandidateIndex, table: Table) -> float:
    """Planner units of one new entry: finding its place, and its share of a page written."""
    size = index_size(index, table)
    width = size.bytes / max(1.0, table.rows or size.entries or 1.0)
    return ENTRY_COST + PAGE_COST * width / 8192


def _kept_share(index: CandidateIndex, table: Table, size_bytes: int) -> float:
    """Share of the rows (0–1) that the index holds, by its size beside that of the whole."""
    return min(1.0, size_bytes / max(1, index_size(index, table).bytes)) if index.predicate is not None else 1.0


def _hot_lost(index: CandidateIndex, table: Table, writes: TableWrites) -> float:
    """Updates of the interval that are heap-only today and would not be with the index."""
    columns = indexed_columns(index)
    if not writes.updates:
        return 0.0
    if writes.updated_columns:
        touched = max((rows for name, rows in writes.updated_columns if name in columns), default=0.0)
        return min(touched, writes.updates) * writes.hot_updates / writes.updates
    keys = {name for existing in table.indexes if existing.primary for name in existing.columns}
    changeable = {column.name for column in table.columns} - keys
    return writes.hot_updates * len(columns & changeable) / max(1, len(changeable))


def indexed_columns(index: CandidateIndex) -> frozenset[str]:
    """Every column that the index holds or its condition names: an update of one of them is not heap-only."""
    found = {key.column for key in index.keys if key.column is not None} | set(index.include)
    found |= _named([key.expression for key in index.keys if key.column is None])
    return frozenset(found) | condition_columns(index)


def condition_columns(index: CandidateIndex) -> frozenset[str]:
    """Every column that a partial index's condition names."""
    return _named([index.predicate] if index.predicate is not None else [])


def _named(texts: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for text in texts:
        try:
            tree = parse_tree(f"SELECT {text}")
        except TreeError:
            continue
        found |= {strings(body(one)["fields"])[-1] for one in walk(tree) if kind(one) == "ColumnRef"}
    return frozenset(found)
