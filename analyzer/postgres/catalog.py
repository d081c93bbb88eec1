"""Reads a `Schema` from the system catalogs."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError
from ..schema import Column, ForeignKey, Function, Index, Partition, Schema, Table, View
from .catalog_queries import COLUMNS, FOREIGN_KEYS, FUNCTIONS, GROUPS, INDEXES, NUMBERS, TABLES, VIEWS
from .server_message import server_message

VECTOR_BYTES, LEXEME_BYTES = 8, 15.5
"""Of a tsvector's head, and of one lexeme with its place: 15.0 to 15.7 in four texts."""
LISTED = 1_000
"""Lexemes that ANALYZE lists at most, by the default statistics target."""
ROOM_ERROR = 0.2
"""By how much a count by width may be off."""
TAIL = 0.1
"""Frequency of a lexeme that is not listed, as a part of the rarest that is: 0.10 and 0.11 in two texts of Zipf's law."""
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
_KINDS = {"r": "table", "p": "partitioned table", "m": "materialized view"}
_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def read_schema(connection: Connection) -> Schema:
    """All user tables with columns, statistics, indexes and foreign keys, as far as the role may see them.

    Raises ServerError when the catalogs cannot be read.
    """
    try:
        tables = _rows(connection, TABLES)
        columns = _by_table(_rows(connection, COLUMNS))
        indexes = _by_table(_rows(connection, INDEXES))
        keys = _by_table(_rows(connection, FOREIGN_KEYS))
        groups = _distinct_groups(connection)
        views = _rows(connection, VIEWS)
        functions = _rows(connection, FUNCTIONS)
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
    found = _rows(connection, GROUPS)
    if not found:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, ([oid for oid, _, _ in found],))
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
        length, align, elements, element_frequencies, documents,
    ) = row  # fmt: skip
    total = None
    # ANALYZE keeps zero where it cannot tell, as of types without an equality operator.
    distinct = distinct or None
    if distinct is not None:
        # pg_stats keeps a negative ratio of the rows when the number grows with the table.
        total = float(distinct) if distinct >= 0 else -float(distinct) * (rows or 0.0)
    common = tuple(zip(values or (), map(float, frequencies or ()), strict=False))
    return Column(
        name, type_, nullable, total, nulls, width, correlation, common,
        float(distinct) if distinct is not None else None, collation, is_c, generated,
        length, _ALIGNMENTS.get(align),
        *(_lexemes(width, element_frequencies, rows or 0.0) if type_ == "tsvector" else _elements(elements, element_frequencies, rows or 0.0)),
        documents=tuple(documents or ()),
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


def _lexemes(width: int | None, frequencies: Sequence[float] | None, rows: float) -> tuple[float | None, float | None]:
    """The same of a tsvector, which has no count of a row's lexemes: those listed together, or what its width has room for (a wide
    value counts by what is left of it after compression). Behind the frequencies stand the lowest and the highest."""
    common = [float(one) for one in (frequencies or ())[:-2]]
    if not common:
        return None, None
    listed = sum(common)
    per_row = max(listed, ((width or 0) - VECTOR_BYTES) / LEXEME_BYTES)
    left = per_row - listed
    if len(common) < LISTED and left < ROOM_ERROR * per_row:
        return listed, float(len(common))
    return per_row, min(rows * per_row, len(common) + left / (TAIL * min(common)))


def _index(row: tuple[Any, ...]) -> Index:
    (
        _, name, method, unique, primary, valid, size, predicate, keys, columns, classes, descending, nulls_first,
        constraint, not_distinct, replica, scans, collations, clustered, attached, default_classes, options,
    ) = row  # fmt: skip
    return Index(
        name, method, tuple(columns[:keys]), tuple(columns[keys:]), predicate, unique, primary, valid, size,
        tuple(classes), tuple(descending), tuple(nulls_first), constraint, not_distinct,
        replica, scans, clustered, tuple(collations), attached, tuple(default_classes), tuple(options),
    )  # fmt: skip
