"""Height of each B-tree of a source, as its own planner knows it."""

import time
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..sql.identifier import quote_qualified

BUDGET_S = 2.0
"""For all indexes together, the longest first; the rest is worked out from their size."""
MIN_PAGES = 3
_OPERATOR_COST = 1000
_PER_PAGE = 50
"""cpu_operator_cost's that a descent is charged for each page it passes (btcostestimate, DEFAULT_PAGE_CPU_MULTIPLIER)."""

_INDEXES = """
SELECT x.indexrelid::bigint, c.relname, n.nspname, t.relname, pg_catalog.pg_get_expr(x.indpred, x.indrelid),
       ARRAY(SELECT CASE WHEN x.indkey[k - 1] = 0 THEN '(' ELSE '' END || pg_catalog.pg_get_indexdef(c.oid, k, false)
                    || CASE WHEN x.indkey[k - 1] = 0 THEN ')' ELSE '' END
                    || CASE WHEN x.indcollation[k - 1] <> 0
                       THEN ' COLLATE ' || x.indcollation[k - 1]::pg_catalog.regcollation ELSE '' END
                    || CASE x.indoption[k - 1] & 3 WHEN 0 THEN '' WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST'
                       ELSE ' DESC' END
             FROM pg_catalog.generate_series(1, x.indnkeyatts) k)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid AND c.relkind = 'i'
JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE x.indisvalid AND x.indexrelid = ANY(%s::oid[])
"""
_SETTINGS = {
    "enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off", "enable_incremental_sort": "off",
    "max_parallel_workers_per_gather": "0", "cpu_operator_cost": str(_OPERATOR_COST), "statement_timeout": "200",
    "lock_timeout": "50",
}  # fmt: skip


def read_levels(connection: Connection, pages: dict[int, int]) -> dict[int, int]:
    """Level of the root by oid, for indexes of `pages` (oid → pages), as far as they can be told within the time.

    The planner reads the height from the index and charges fifty cpu_operator_cost for each page of a descent, so the start
    cost of an ordered scan tells it: EXPLAIN alone, without rights on the pages. Nothing is run.
    """
    wanted = sorted((oid for oid, count in pages.items() if count >= MIN_PAGES), key=lambda oid: (-pages[oid], oid))
    found: dict[int, int] = {}
    deadline = time.monotonic() + BUDGET_S
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES, (wanted,))
        about = {row[0]: row[1:] for row in cursor.fetchall()}
        before = {}
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT pg_catalog.current_setting(%s)", (name,))
            before[name] = (cursor.fetchone() or ("",))[0]
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
        try:
            for oid in wanted:
                if oid in about and time.monotonic() < deadline:
                    level = _level(connection, *about[oid])
                    if level is not None:
                        found[oid] = level
        finally:
            if not connection.closed:
                for name, value in before.items():
                    cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
    return found


def _level(
    connection: Connection, index: str, schema: str, table: str, predicate: str | None, keys: list[str]
) -> int | None:
    where = f" WHERE {predicate}" if predicate else ""
    sql = f"SELECT 1 FROM ONLY {quote_qualified(schema, table)}{where} ORDER BY {', '.join(keys)}"  # noqa: S608 - quoted by the server
    try:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
            ((document,),) = cursor.fetchall()
    except psycopg2.Error:
        if connection.closed:
            raise
        return None
    node: Any = document[0]["Plan"]
    while node.get("Node Type") == "Result" and node.get("Plans"):
        node = node["Plans"][0]
    if node.get("Index Name") != index:
        return None  # another index has the same order, and is cheaper
    # The rest of the start cost is the binary search within the pages: the logarithm of the rows, below fifty.
    return int(node["Startup Cost"] / _OPERATOR_COST // _PER_PAGE) - 1
