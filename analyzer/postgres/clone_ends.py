"""The two entries that a hollow B-tree holds: the lowest and the highest value of its first column.

For a condition near the end of a histogram the planner looks up the true end in an index, and trusts an estimate of nearly
no rows only when it found one (get_actual_variable_range in selfuncs.c). The visibility map of a clone's tables says that
their first page is visible to all, so that it takes the value from the index and looks for no row.
"""

import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from .clone_statistics import HISTOGRAM, ColumnStatistics

_NULLS, _VARYING = 0x8000, 0x4000
_LONGEST = 126
"""Bytes of a value with a header of one byte; longer ones would be aligned, and are not worth it."""

_NUMBERS = {
    "bool": "boolsend", "int2": "int2send", "int4": "int4send", "int8": "int8send", "oid": "oidsend", "date": "date_send",
    "timestamp": "timestamp_send", "timestamptz": "timestamptz_send", "time": "time_send", "float4": "float4send",
    "float8": "float8send",
}  # fmt: skip
_TEXTS = {"text": "textsend", "varchar": "varcharsend", "bpchar": "bpcharsend"}
_SEND = _NUMBERS | _TEXTS | {"uuid": "uuid_send", "numeric": "numeric_send"}

FIRST_KEYS = """
SELECT x.indexrelid::bigint, n.nspname, t.relname, a.attname, y.typname, x.indoption[0], x.indnatts
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
JOIN pg_type y ON y.oid = a.atttypid AND y.typnamespace = 'pg_catalog'::regnamespace
WHERE x.indpred IS NULL AND x.indexrelid >= 16384
"""
"""Whole B-trees on a plain column of a type of PostgreSQL's own; a condition on indexrelid may follow."""


@dataclass(frozen=True, slots=True)
class FirstKey:
    """The first column of an index. descending: its order; attributes: of the index, included ones counted."""

    schema: str
    table: str
    column: str
    type: str
    descending: bool
    attributes: int


class Ends:
    """Lowest and highest value of every column with a histogram."""

    def __init__(self, columns: Iterable[ColumnStatistics]) -> None:
        self._values = {
            (one.schema, one.relation, one.column): (slot.values[0], slot.values[-1])
            for one in columns
            if not one.inherited
            for slot in one.slots
            if slot.kind == HISTOGRAM and slot.values
        }

    def entries(self, root: Connection, rows: Sequence[tuple[Any, ...]]) -> dict[int, list[bytes]]:
        """Index tuples by the index's oid, for rows of `FIRST_KEYS`; none where the type or the values do not allow it."""
        keys = {row[0]: FirstKey(row[1], row[2], row[3], row[4], bool(row[5] & 1), row[6]) for row in rows}
        asked: dict[str, list[tuple[int, tuple[str, str]]]] = {}
        for oid, key in keys.items():
            ends = self._values.get((key.schema, key.table, key.column))
            if ends is not None and key.type in _SEND:
                asked.setdefault(key.type, []).append((oid, ends))
        found: dict[int, list[bytes]] = {}
        for type_, wanted in asked.items():
            for (oid, _), low, high in zip(wanted, *_images(root, type_, [ends for _, ends in wanted]), strict=True):
                if low is not None and high is not None:
                    pair = (high, low) if keys[oid].descending else (low, high)
                    varying = type_ in _TEXTS or type_ == "numeric"
                    found[oid] = [_entry(image, row, keys[oid], varying) for row, image in enumerate(pair, start=1)]
        return found


def _images(
    root: Connection, type_: str, ends: Sequence[tuple[str, str]]
) -> tuple[list[bytes | None], list[bytes | None]]:
    """Values as they stand in an index tuple; None for what the type refuses."""
    sql = f"SELECT {_SEND[type_]}(v::{type_}) FROM unnest(%s::text[]) WITH ORDINALITY u(v, k) ORDER BY k"  # noqa: S608 - names of our own
    try:
        with root.cursor() as cursor:
            cursor.execute(sql, ([value for pair in ends for value in pair],))
            sent = [_image(type_, bytes(value)) for (value,) in cursor.fetchall()]
    except psycopg2.Error:
        sent = [None] * (2 * len(ends))
    return sent[::2], sent[1::2]


def _image(type_: str, sent: bytes) -> bytes | None:
    """From a type's binary format on the wire to its own: numbers in this machine's byte order, texts with their length."""
    if type_ in _NUMBERS:
        return sent[::-1] if sys.byteorder == "little" else sent
    if type_ == "uuid":
        return sent
    payload = _numeric(sent) if type_ == "numeric" else sent
    if payload is None or len(payload) > _LONGEST:
        return None
    length = len(payload) + 1
    return bytes([length << 1 | 1 if sys.byteorder == "little" else 0x80 | length]) + payload


def _numeric(sent: bytes) -> bytes | None:
    """numeric_send's digits behind the header of numeric.c; None for NaN and infinities."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", sent)
    digits = struct.pack(f"={count}h", *struct.unpack_from(f"!{count}h", sent, 8))
    if sign not in (0, 0x4000):
        return None
    if scale <= 0x3F and -64 <= weight <= 63:
        header = 0x8000 | (0x2000 if sign else 0) | scale << 7 | (0x40 if weight < 0 else 0) | (weight & 0x3F)
        return struct.pack("=H", header) + digits
    return struct.pack("=Hh", sign | scale, weight) + digits


def _entry(image: bytes, row: int, key: FirstKey, varying: bool) -> bytes:
    """An index tuple for a row of the table's first page: the first column's value, all others NULL."""
    nulls = key.attributes > 1
    head = 16 if nulls else 8
    size = (head + len(image) + 7) // 8 * 8
    info = size | (_NULLS if nulls else 0) | (_VARYING if varying else 0)
    bitmap = b"\x01\0\0\0\0\0\0\0" if nulls else b""
    return (struct.pack("=HHHH", 0, 0, row, info) + bitmap + image).ljust(size, b"\0")
