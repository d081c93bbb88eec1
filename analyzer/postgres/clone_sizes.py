"""Sizes on a clone: figures of pg_class, and files as long as the source's."""

import itertools
from collections.abc import Sequence
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from .clone_ends import FIRST_KEYS, Ends
from .clone_file import CloneFile, Relation
from .clone_pages import (
    brin_metapage,
    btree_level,
    btree_pages,
    extend,
    gin_counters,
    gin_metapage,
    separator_bytes,
    write_relation,
    write_table,
)
from .server import Server

FIRST_NODE = 3_000_000_000
"""File numbers of our own, far above any that the server gives out in a clone's life."""

# Of the types of fixed binary image that B-trees deduplicate, and those whose equal values may look different.
_KEYS = """
SELECT x.indexrelid::bigint, greatest(t.reltuples, 1), x.indnatts = x.indnkeyatts
         AND NOT EXISTS (SELECT FROM unnest(x.indclass::oid[]) u JOIN pg_opclass o ON o.oid = u
                         WHERE o.opcintype IN ('numeric'::regtype, 'float4'::regtype, 'float8'::regtype, 'jsonb'::regtype)
                            OR o.opcname IN ('array_ops', 'range_ops', 'record_ops')),
       COALESCE(s.stawidth, NULLIF(a.attlen, -1), 8), COALESCE(s.stadistinct, 0)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid
JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY u(number, k)
JOIN pg_attribute a ON a.attrelid = x.indexrelid AND a.attnum = u.k
LEFT JOIN pg_statistic s ON NOT s.stainherit AND ((u.number <> 0 AND s.starelid = x.indrelid AND s.staattnum = u.number)
  OR (u.number = 0 AND s.starelid = x.indexrelid AND s.staattnum = u.k))
WHERE u.k <= x.indnkeyatts AND x.indexrelid >= 16384 ORDER BY x.indexrelid, u.k
"""
_PRESENT = """
SELECT n.nspname, c.relname, c.oid::bigint, pg_relation_filepath(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384
"""
_FIGURES = """
UPDATE pg_class c SET relpages = s.pages, reltuples = s.tuples, relallvisible = s.visible, relispopulated = true
FROM (VALUES %s) s(relation, pages, tuples, visible) WHERE c.oid = s.relation::oid
"""
_NODES = (
    "UPDATE pg_class c SET relfilenode = s.node::oid FROM (VALUES %s) s(relation, node) WHERE c.oid = s.relation::oid"
)


def fill_sizes(server: Server, root: Connection, clone: CloneFile, ends: Ends, nodes: "itertools.count[int]") -> None:
    """Figures of pg_class, and files as long as the source's with the metapages that the planner reads."""
    ((database,),) = _rows(root, "SELECT oid FROM pg_database WHERE datname = current_database()")
    present = {(schema, name): (oid, path) for schema, name, oid, path in _rows(root, _PRESENT)}
    relations = [(present[r.schema, r.name], r) for r in clone.manifest.relations if (r.schema, r.name) in present]
    figures = [(oid, r.pages, r.tuples, r.all_visible) for (oid, _), r in relations]
    with root.cursor() as cursor:
        execute_values(cursor, _FIGURES, figures, template="(%s, %s, %s, %s)", page_size=1000)
        tables = {(r.schema, r.name): r for _, r in relations}
        separators, ranges = _separators(root), _pages_per_range(root)
        entries = ends.entries(root, _rows(root, FIRST_KEYS))
        files: list[tuple[int, int]] = []
        for (oid, path), relation in relations:
            if relation.blocks == 0 or path is None:
                continue
            node = next(nodes)
            place = server.data / "base" / str(database) / str(node)
            if relation.kind in ("r", "m"):
                write_table(place, relation.blocks, server.owner)
            else:
                table = tables.get((relation.schema, relation.table or ""))
                first = _first_pages(
                    relation, table, separators.get(oid, 20.0), ranges.get(oid, 128), entries.get(oid, [])
                )
                if first is None:
                    extend(server.data / path, relation.blocks)
                    continue
                write_relation(place, relation.blocks, first, server.owner)
            files.append((oid, node))
        execute_values(cursor, _NODES, files, template="(%s, %s)", page_size=1000)


def _first_pages(
    index: Relation, table: Relation | None, separator: float, pages_per_range: int, entries: list[bytes]
) -> list[bytes] | None:
    """The pages of an index that must not be holes; None for access methods whose file is best only lengthened."""
    if index.method == "btree" and index.blocks > 1:
        level = index.level if index.level is not None else btree_level(index.blocks, separator)
        return btree_pages(min(level, max(0, index.blocks - 2)), entries)
    if index.method == "gin":
        return [gin_metapage(index.blocks, gin_counters(index.blocks))]
    if index.method == "brin":
        return [brin_metapage(table.blocks if table else 0, pages_per_range)]
    return None


def _separators(root: Connection) -> dict[int, float]:
    """`separator_bytes` of each B-tree, by oid, from the statistics already there."""
    keys: dict[int, list[tuple[float, float]]] = {}
    about: dict[int, tuple[float, bool]] = {}
    for oid, rows, deduplicated, width, distinct in _rows(root, _KEYS):
        count = distinct if distinct > 0 else -distinct * rows if distinct < 0 else 200.0
        keys.setdefault(oid, []).append((width, count))
        about[oid] = (rows, deduplicated)
    return {oid: separator_bytes(columns, about[oid][0], deduplicated=about[oid][1]) for oid, columns in keys.items()}


def _pages_per_range(root: Connection) -> dict[int, int]:
    rows = _rows(
        root,
        "SELECT c.oid::bigint, o.option_value::int FROM pg_class c, pg_options_to_table(c.reloptions) o"
        " WHERE o.option_name = 'pages_per_range'",
    )
    return {int(oid): int(pages) for oid, pages in rows}


def _rows(connection: Connection, sql: str) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
