"""Reads a `Schema` from the system catalogs."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError
from ..schema import Column, ForeignKey, Function, Index, Partition, Schema, Table, View
from .server_message import server_message

_USER = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(temp|toast)'"

_TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples, c.relpages,
       CASE WHEN c.relkind = 'p' THEN 0 ELSE pg_catalog.pg_table_size(c.oid) END,
       COALESCE(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0), p.relname,
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
       ARRAY(SELECT ARRAY[cn.nspname::text, cc.relname::text, cc.relkind::text] FROM pg_catalog.pg_inherits ci
             JOIN pg_catalog.pg_class cc ON cc.oid = ci.inhrelid
             JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
             WHERE ci.inhparent = c.oid AND cc.relispartition ORDER BY cn.nspname, cc.relname),
       COALESCE(s.seq_scan, 0) + COALESCE(s.idx_scan, 0), COALESCE(s.n_tup_upd, 0), COALESCE(s.n_tup_hot_upd, 0),
       s.n_mod_since_analyze,
       ARRAY(SELECT ARRAY[cn.nspname::text, cc.relname::text] FROM pg_catalog.pg_inherits ci
             JOIN pg_catalog.pg_class cc ON cc.oid = ci.inhrelid
             JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
             WHERE ci.inhparent = c.oid AND NOT cc.relispartition ORDER BY cn.nspname, cc.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE c.relkind IN ('r', 'p', 'm') AND {_USER} AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname
"""  # noqa: S608 - a constant
# A domain is compared and indexed as what it is made of, which can be a domain again.
_BENEATH = """(
         WITH RECURSIVE up AS (SELECT y.typbasetype AS oid, y.typtypmod AS modifier
                UNION ALL SELECT t.typbasetype, t.typtypmod FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid
                WHERE t.typtype = 'd')
         SELECT pg_catalog.format_type(up.oid, up.modifier) FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid
         WHERE t.typtype <> 'd')"""
_COLUMNS = f"""
SELECT a.attrelid, a.attname,
       CASE WHEN y.typtype = 'd' THEN {_BENEATH} ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END, NOT a.attnotnull,
       s.n_distinct, s.null_frac, s.avg_width, s.correlation,
       s.most_common_vals::text::text[], s.most_common_freqs, l.collname,
       COALESCE(CASE WHEN l.collname = 'default' THEN d.is_c
                     ELSE l.collprovider = 'b' OR l.collprovider = 'c' AND l.collcollate IN ('C', 'POSIX') END, true),
       a.attgenerated <> '', a.attlen, a.attalign::text,
       s.elem_count_histogram[pg_catalog.cardinality(s.elem_count_histogram)], s.most_common_elem_freqs
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
     AND s.inherited = (c.relkind = 'p')
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
CROSS JOIN (SELECT COALESCE(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'b'
                   OR COALESCE(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'c' AND datcollate IN ('C', 'POSIX')
                   AS is_c FROM pg_catalog.pg_database b WHERE datname = pg_catalog.current_database()) d
WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND {_USER}
ORDER BY a.attrelid, a.attnum
"""  # noqa: S608 - a constant
_INDEXES = f"""
SELECT x.indrelid, c.relname, m.amname, x.indisunique, x.indisprimary, x.indisvalid,
       pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_get_expr(x.indpred, x.indrelid, true), x.indnkeyatts,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(c.oid, k, true) FROM pg_catalog.generate_series(1, x.indnatts) k),
       ARRAY(SELECT o.opcname::text FROM pg_catalog.unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, k)
             JOIN pg_catalog.pg_opclass o ON o.oid = u.oid ORDER BY u.k),
       ARRAY(SELECT (u.flag & 1) = 1 FROM pg_catalog.unnest(x.indoption::int2[]) WITH ORDINALITY u(flag, k) ORDER BY u.k),
       ARRAY(SELECT (u.flag & 2) = 2 FROM pg_catalog.unnest(x.indoption::int2[]) WITH ORDINALITY u(flag, k) ORDER BY u.k),
       (SELECT k.conname FROM pg_catalog.pg_constraint k
        WHERE k.conindid = c.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1),
       COALESCE((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false),
       x.indisreplident, s.idx_scan,
       ARRAY(SELECT COALESCE(l.collname::text, '') FROM pg_catalog.unnest(x.indcollation::oid[]) WITH ORDINALITY u(oid, k)
             LEFT JOIN pg_catalog.pg_collation l ON l.oid = u.oid ORDER BY u.k), x.indisclustered, c.relispartition,
       ARRAY(SELECT o.opcdefault FROM pg_catalog.unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, k)
             JOIN pg_catalog.pg_opclass o ON o.oid = u.oid ORDER BY u.k)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = c.oid
WHERE {_USER}
ORDER BY x.indrelid, c.relname
"""  # noqa: S608 - a constant
_FOREIGN_KEYS = f"""
SELECT f.conrelid, f.conname, r.relname, f.confdeltype::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY u(num, k)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.num ORDER BY u.k),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY u(num, k)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.num ORDER BY u.k)
FROM pg_catalog.pg_constraint f
JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE f.contype = 'f' AND {_USER}
ORDER BY f.conrelid, f.conname
"""  # noqa: S608 - a constant
_VIEWS = f"""
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       pg_catalog.pg_get_viewdef(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND {_USER}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname
"""  # noqa: S608 - a constant
_FUNCTIONS = """
SELECT p.proname,
       ARRAY(SELECT pg_catalog.format_type(u.oid, NULL) FROM pg_catalog.unnest(p.proargtypes::oid[])
             WITH ORDINALITY u(oid, k) ORDER BY u.k),
       CASE p.provolatile WHEN 's' THEN 'stable' ELSE 'volatile' END
FROM pg_catalog.pg_proc p
WHERE p.provolatile <> 'i' AND p.prokind = 'f' AND p.pronargs > 0
  AND p.proname !~ '^(pg_|binary_upgrade|.*(_send|_recv|_in|_out|sel)$)'
ORDER BY p.proname, 2
"""
_GROUPS = """
SELECT c.oid, s.statistics_name, s.n_distinct::text
FROM pg_catalog.pg_stats_ext s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
WHERE s.n_distinct IS NOT NULL
ORDER BY c.oid, s.statistics_schemaname, s.statistics_name
"""
_NUMBERS = """
SELECT attrelid, attname, attnum FROM pg_catalog.pg_attribute WHERE attrelid = ANY(%s) AND attnum > 0
"""
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
_KINDS = {"r": "table", "p": "partitioned table", "m": "materialized view"}
_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def read_schema(connection: Connection) -> Schema:
    """All user tables with columns, statistics, indexes and foreign keys, as far as the role may see them.

    Raises ServerError when the catalogs cannot be read.
    """
    try:
        tables = _rows(connection, _TABLES)
        columns = _by_table(_rows(connection, _COLUMNS))
        indexes = _by_table(_rows(connection, _INDEXES))
        keys = _by_table(_rows(connection, _FOREIGN_KEYS))
        groups = _distinct_groups(connection)
        views = _rows(connection, _VIEWS)
        functions = _rows(connection, _FUNCTIONS)
        ((path,),) = _rows(connection, "SELECT pg_catalog.current_schemas(false)::text[]")
        installed = _rows(connection, "SELECT extname::text FROM pg_catalog.pg_extension ORDER BY 1")
        available = _rows(connection, "SELECT name::text FROM pg_catalog.pg_available_extensions ORDER BY 1")
    except psycopg2.Error as error:
        raise ServerError(f"the database's catalogs cannot be read ({error.pgcode}): {server_message(error)}") from None
    own_indexes = {(row[1], row[2]): tuple(_index(one) for one in indexes[row[0]]) for row in tables}
    below = {(row[1], row[2]): row[10] for row in tables}
    return Schema(
        tables=tuple(
            Table(
                schema=schema,
                name=name,
                kind=_KINDS[kind],
                columns=tuple(_column(row, rows if rows >= 0 else None) for row in columns[oid]),
                indexes=own_indexes[schema, name],
                foreign_keys=tuple(
                    ForeignKey(row[1], tuple(row[4]), row[2], tuple(row[5]), _ON_DELETE[row[3]]) for row in keys[oid]
                ),
                rows=float(rows) if rows >= 0 else None,
                pages=pages,
                size_bytes=size or 0,
                partition_of=parent,
                writes=int(writes),
                partition_key=key,
                partitions=tuple((one[0], one[1]) for one in partitions),
                parts=_parts(partitions, below, own_indexes),
                scans=int(scans),
                updates=int(updates),
                hot_updates=int(hot),
                distinct_groups=groups.get(oid, ()),
                modified=int(modified) if modified is not None else None,
                heirs=tuple((one[0], one[1]) for one in heirs),
            )
            for oid, schema, name, kind, rows, pages, size, writes, parent, key, partitions, scans, updates, hot, modified, heirs in tables
        ),
        server_version=connection.server_version,
        search_path=tuple(path),
        extensions=tuple(name for (name,) in installed),
        available_extensions=tuple(name for (name,) in available),
        views=tuple(View(schema, name, tuple(names), text or "") for schema, name, names, text in views),
        functions=tuple(Function(name, tuple(types), volatility) for name, types, volatility in functions),
    )


def _parts(
    partitions: Sequence[Sequence[str]],
    below: Mapping[tuple[str, str], Sequence[Sequence[str]]],
    indexes: Mapping[tuple[str, str], Sequence[Index]],
) -> tuple[Partition, ...]:
    """partitions, below: schema, name and kind; a partition that the role may not see has nothing below it."""
    return tuple(
        Partition(
            schema,
            name,
            kind == "p",
            _parts(below.get((schema, name), ()), below, indexes),
            kind == "f",
            tuple(one for one in indexes.get((schema, name), ()) if not one.attached),
        )
        for schema, name, kind in partitions
    )


def _distinct_groups(connection: Connection) -> dict[int, tuple[tuple[tuple[str, ...], float], ...]]:
    """Per table, columns with their number of distinct combinations. pg_stats_ext keeps them by attribute number."""
    found = _rows(connection, _GROUPS)
    if not found:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, ([oid for oid, _, _ in found],))
        names = {(oid, number): name for oid, name, number in cursor.fetchall()}
    groups: dict[int, dict[tuple[str, ...], float]] = {}
    for oid, _, text in found:
        for numbers, count in re.findall(r'"([-\d, ]+)": (\d+)', text):
            columns = [names.get((oid, int(number))) for number in numbers.split(",")]
            # Negative numbers are expressions, which have no column to go by.
            known = tuple(sorted(name for name in columns if name is not None))
            if len(known) == len(columns):
                groups.setdefault(oid, {})[known] = float(count)
    return {oid: tuple(sorted(one.items())) for oid, one in groups.items()}


def _rows(connection: Connection, sql: str) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _by_table(rows: Sequence[tuple[Any, ...]]) -> defaultdict[int, list[tuple[Any, ...]]]:
    found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


def _column(row: tuple[Any, ...], rows: float | None) -> Column:
    (
        _, name, type_, nullable, distinct, nulls, width, correlation, values, frequencies, collation, is_c, generated,
        length, align, elements, element_frequencies,
    ) = row  # fmt: skip
    total = None
    if distinct is not None:
        # pg_stats keeps a negative ratio of the rows when the number grows with the table.
        total = float(distinct) if distinct >= 0 else -float(distinct) * (rows or 0.0)
    common = tuple(zip(values or (), map(float, frequencies or ()), strict=False))
    return Column(
        name, type_, nullable, total, nulls, width, correlation, common,
        float(distinct) if distinct is not None else None, collation, is_c, generated,
        length, _ALIGNMENTS.get(align), *_elements(elements, element_frequencies, rows or 0.0),
    )  # fmt: skip


def _elements(
    per_row: float | None, frequencies: Sequence[float] | None, rows: float
) -> tuple[float | None, float | None]:
    """Different elements of a row and of all rows. What the most common ones leave is taken to be half as frequent as the rarest
    of those; behind their frequencies stand the lowest, the highest, and that of NULL."""
    if per_row is None:
        return None, None
    common = [float(one) for one in (frequencies or ())[:-3]]
    if not common:
        return float(per_row), rows * per_row
    left = max(0.0, per_row - sum(common))
    return float(per_row), min(rows * per_row, len(common) + 2 * left / min(common))


def _index(row: tuple[Any, ...]) -> Index:
    (
        _, name, method, unique, primary, valid, size, predicate, keys, columns, classes, descending, nulls_first,
        constraint, not_distinct, replica, scans, collations, clustered, attached, default_classes,
    ) = row  # fmt: skip
    return Index(
        name, method, tuple(columns[:keys]), tuple(columns[keys:]), predicate, unique, primary, valid, size,
        tuple(classes), tuple(descending), tuple(nulls_first), constraint, not_distinct,
        replica, scans, clustered, tuple(collations), attached, tuple(default_classes),
    )  # fmt: skip
