"""The true ends of indexed columns, which the source's planner looks up in the index and a clone cannot."""

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import psycopg2
from psycopg2.extensions import connection as Connection

from ..sql.identifier import quote_identifier, quote_qualified
from .clone_statistics import HISTOGRAM, ColumnStatistics
from .connect import OURS

TIMEOUT_MS = 100
"""For one column: an index end full of dead rows can take long, and the planner gives up there as well."""
BUDGET_S = 3.0
"""For all columns together."""

# The planner itself uses any valid B-tree that is not partial and has the column in front, in its default order. Its own look-ups
# are counted as scans: where none was counted, no statement has asked for the ends yet, and ours would be the first, after which
# nobody could tell any more that the index is not used.
_INDEXED = """
SELECT n.nspname, c.relname, a.attname, pg_catalog.quote_ident(i.relname)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = i.relam AND m.amname = 'btree'
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid AND c.relkind IN ('r', 'm')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
JOIN pg_catalog.pg_opclass o ON o.oid = x.indclass[0] AND o.opcdefault
JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = x.indexrelid AND s.idx_scan > 0
WHERE x.indisvalid AND x.indpred IS NULL AND x.indcollation[0] = a.attcollation
"""


_CHOSEN = re.compile(r" using (\"(?:[^\"]|\"\")+\"|\S+) on ")


def repair_ranges(connection: Connection, columns: Sequence[ColumnStatistics]) -> list[ColumnStatistics]:
    """The columns with both ends of their histograms as they are now, where an index tells them quickly.

    Reads one row at each end of an index that is in use, in a read-only session, each pair within 0.1 s and all within 3 s; what
    cannot be read in that time, or not without sorting, scanning or an index that nobody has used yet, keeps its histogram.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INDEXED)
        indexed: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        for schema, table, column, index in cursor.fetchall():
            indexed[schema, table, column].add(index)
        cursor.execute(
            "SELECT pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('lock_timeout')"
        )
        before = cursor.fetchone() or ("0", "0")
        deadline = time.monotonic() + BUDGET_S
        cursor.execute("SET statement_timeout = %s", (TIMEOUT_MS,))
        cursor.execute("SET lock_timeout = %s", (TIMEOUT_MS // 2,))
        cursor.execute("SET enable_seqscan = off")
        try:
            return [
                _repaired(connection, column, used)
                if (used := indexed.get((column.schema, column.relation, column.column)))
                and not column.inherited
                and any(slot.kind == HISTOGRAM for slot in column.slots)
                and time.monotonic() < deadline
                else column
                for column in columns
            ]
        finally:
            if not connection.closed:
                cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (before[0],))
                cursor.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (before[1],))
                cursor.execute("RESET enable_seqscan")


def _repaired(connection: Connection, column: ColumnStatistics, used: AbstractSet[str]) -> ColumnStatistics:
    name, table = quote_identifier(column.column), quote_qualified(column.schema, column.relation)
    ends = ", ".join(
        f"(SELECT {name}::text FROM ONLY {table} t WHERE {name} IS NOT NULL ORDER BY t.{name} {order} LIMIT 1)"  # noqa: S608 - quoted
        for order in ("ASC", "DESC")
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN SELECT {ends}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            chosen = _CHOSEN.findall(plan)
            if "Sort" in plan or "Seq Scan" in plan or len(chosen) != 2 or not used >= set(chosen):
                return column
            cursor.execute(f"SELECT {OURS} {ends}")
            low, high = cursor.fetchone() or (None, None)
    except psycopg2.Error:
        if connection.closed:
            raise
        return column
    if low is None or high is None:
        return column
    return replace(
        column,
        slots=tuple(
            replace(slot, values=(low, *slot.values[1:-1], high))
            if slot.kind == HISTOGRAM and slot.values is not None and len(slot.values) >= 2
            else slot
            for slot in column.slots
        ),
    )
