"""Data of CREATE STATISTICS objects on a clone: copied in the server's binary form, attribute numbers put right."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from .clone_columns import Placed, column_type, put
from .clone_file import LeftOut
from .clone_statistics import ExtendedStatistics, fault
from .server_message import server_message

_SCRATCH = 4_294_000_000
"""Relation number under which an expression's row stands in pg_statistic for the moment that it is gathered."""
_OBJECT = """
SELECT e.oid::bigint, t.relname, n.nspname,
       ARRAY(SELECT a.attname::text FROM unnest(e.stxkeys::int2[]) WITH ORDINALITY u(number, k)
             JOIN pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = u.number ORDER BY u.k), e.stxkeys::int2[]
FROM pg_statistic_ext e JOIN pg_namespace s ON s.oid = e.stxnamespace
JOIN pg_class t ON t.oid = e.stxrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE s.nspname = %s AND e.stxname = %s
"""
_HEADS = {0xA352BFA4: "=di", 0xB4549A2C: "=dh"}
"""Layout of an item of pg_ndistinct and of pg_dependencies, by the magic number in front (statistics_format headers)."""
_KINDS = ("pg_ndistinct", "pg_dependencies", "pg_mcv_list")


def fill_extended(owner: Connection, root: Connection, extended: Sequence[ExtendedStatistics]) -> list[LeftOut]:
    """Write pg_statistic_ext_data; what was refused, each with its reason."""
    notes: list[LeftOut] = []
    if not extended:
        return notes
    with root.cursor() as cursor:
        for kind in _KINDS:
            # bytea is what these types are made of; no function makes them from it, so the cast is declared and dropped.
            cursor.execute(f"CREATE CAST (bytea AS {kind}) WITHOUT FUNCTION")
        for one in extended:
            try:
                cursor.execute("BEGIN")
                _write(owner, root, one)
                cursor.execute("COMMIT")
            except (psycopg2.Error, ValueError, struct.error) as error:
                cursor.execute("ROLLBACK")
                reason = server_message(error) if isinstance(error, psycopg2.Error) else str(error) or "malformed"
                notes.append(LeftOut(f"extended statistics {one.schema}.{one.name}", f"rejected: {reason}"))
        for kind in _KINDS:
            cursor.execute(f"DROP CAST (bytea AS {kind})")
    return notes


def _write(owner: Connection, root: Connection, one: ExtendedStatistics) -> None:
    with root.cursor() as cursor:
        cursor.execute(_OBJECT, (one.schema, one.name))
        row = cursor.fetchone()
        if row is None:
            return  # its table could not be restored, and is listed for that
        oid, table, schema, columns, numbers = row
        renumbered = dict(zip(columns, numbers, strict=True))
        mapping = {number: renumbered[name] for name, number in zip(one.columns, one.numbers, strict=True)}
        ndistinct = _renumber(one.ndistinct, mapping) if one.ndistinct else None
        dependencies = _renumber(one.dependencies, mapping) if one.dependencies else None
        values: dict[str, Any] = {
            "stxoid": oid, "stxdndistinct": ndistinct, "stxddependencies": dependencies, "stxdmcv": one.mcv,
        }  # fmt: skip
        if root.server_version >= 150000:
            values["stxdinherit"] = one.inherited
        elif one.inherited:
            return
        casts = {"stxdndistinct": "::bytea::pg_ndistinct", "stxddependencies": "::bytea::pg_dependencies"}
        casts["stxdmcv"] = "::bytea::pg_mcv_list"
        cursor.execute(
            f"INSERT INTO pg_statistic_ext_data ({', '.join(values)})"  # noqa: S608 - names of our own
            f" VALUES ({', '.join('%s' + casts.get(name, '') for name in values)})",
            tuple(values.values()),
        )
        # Printing reads the whole of it, so that what is malformed is refused here and not when a statement is planned.
        cursor.execute(
            "SELECT stxdndistinct::text, stxddependencies::text,"
            " (SELECT count(*) FROM pg_mcv_list_items(stxdmcv)) FROM pg_statistic_ext_data WHERE stxoid = %s",
            (oid,),
        )
        if one.expressions and root.server_version >= 140000:
            _write_expressions(owner, root, one, oid, schema, table)


def _write_expressions(
    owner: Connection, root: Connection, one: ExtendedStatistics, oid: int, schema: str, table: str
) -> None:
    with root.cursor() as cursor:
        cursor.execute("SELECT pg_get_statisticsobjdef_expressions(%s)", (oid,))
        texts = (cursor.fetchone() or ([],))[0] or []
        staged: list[Placed] = []
        for number, (statistics, text) in enumerate(zip(one.expressions, texts, strict=True), start=1):
            type_ = column_type(owner, schema, table, text)
            if type_ is None or fault(statistics):
                raise ValueError("statistics of an expression that cannot be true")
            cursor.execute("SELECT COALESCE(NULLIF(typcollation, 0), 0)::bigint FROM pg_type WHERE oid = %s", (type_,))
            ((collation,),) = cursor.fetchall()
            staged.append(Placed(statistics, _SCRATCH, number, type_, collation))
        if put(root, staged):
            raise ValueError("statistics of an expression that its type does not accept")
        # Up to 14 a row has no column that tells whether it is about descendants too, and there is one row.
        cursor.execute(
            "UPDATE pg_statistic_ext_data d SET stxdexpr ="
            " (SELECT array_agg(s ORDER BY s.staattnum) FROM pg_statistic s WHERE s.starelid = %s)"
            " WHERE stxoid = %s AND COALESCE((to_jsonb(d)->>'stxdinherit')::boolean, false) = %s",
            (_SCRATCH, oid, one.inherited),
        )
        cursor.execute("DELETE FROM pg_statistic WHERE starelid = %s", (_SCRATCH,))


def _renumber(data: bytes, mapping: Mapping[int, int]) -> bytes:
    """pg_ndistinct or pg_dependencies with the attribute numbers of the clone (dropped columns are not dumped).

    Both are three uint32 (magic, type, count), then for each item a float8, a count (int32 and int16) and as many int16.
    """
    out = bytearray(data)
    magic, _, items = struct.unpack_from("=III", data, 0)
    head = _HEADS.get(magic)
    if head is None:
        raise ValueError("malformed")
    at = 12
    for _ in range(items):
        _, count = struct.unpack_from(head, data, at)
        at += struct.calcsize(head)
        for _ in range(count):
            (number,) = struct.unpack_from("=h", data, at)
            struct.pack_into("=h", out, at, mapping.get(number, number))
            at += 2
    if at != len(data):
        raise ValueError("malformed")
    return bytes(out)
