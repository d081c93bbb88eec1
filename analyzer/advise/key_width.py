"""How wide a key is in an index, from statistics alone."""

import re
from dataclasses import dataclass

from ..schema import Table
from ..sql.tokens import names_in

_FIXED_CAST = re.compile(r"::(?P<kind>int|float)(?P<bytes>[248])$")
MADE_RANGE = re.compile(r"(int4|int8|num|ts|tstz|date)range\(")
"""An expression that makes a range, in small letters."""
_SUBSCRIPT = re.compile(r"\w+\['")
"""`data['k']` of a document."""
UNKNOWN_WIDTH = 16
"""Bytes assumed for a key without statistics."""

_FIXED: tuple[tuple[str, int, int], ...] = (
    ("boolean", 1, 1), ('"char"', 1, 1), ("smallint", 2, 2), ("integer", 4, 4), ("bigint", 8, 8), ("real", 4, 4),
    ("double precision", 8, 8), ("date", 4, 4), ("timestamp", 8, 8), ("time with", 12, 8), ("time", 8, 8),
    ("interval", 16, 8), ("uuid", 16, 1), ("oid", 4, 4), ("money", 8, 8), ("macaddr8", 8, 4), ("macaddr", 6, 4),
    ("point", 16, 8), ("box", 32, 8), ("name", 64, 1),
)  # fmt: skip
_NO_POSTING = ("numeric", "real", "double precision", "jsonb", "interval", "record", "money")
"""Types whose equal values may differ in their bytes: B-trees on them are not deduplicated."""


@dataclass(frozen=True, slots=True)
class KeyWidth:
    """One attribute in an index tuple: average bytes, alignment, share of NULLs, whether B-trees may deduplicate it, and by
    how many bytes its width varies."""

    bytes: float
    alignment: int
    nulls: float
    posting: bool
    spread: float = 0.0


def key_width(name: str | None, expression: str, table: Table) -> KeyWidth:
    """Of a column, or where `name` is None of an expression, which has no statistics."""
    column = table.column(name) if name is not None else None
    if column is None:
        return _expression_width(expression, table)
    nulls = min(max(column.null_fraction or 0.0, 0.0), 1.0)
    posting = not column.type.startswith(_NO_POSTING) and not column.type.endswith(("[]", "range"))
    if column.length is not None and column.length > 0:
        return KeyWidth(column.length, column.alignment or 1, nulls, posting)
    if column.length is None and (fixed := fixed_width(column.type)):
        return KeyWidth(fixed[0], fixed[1], nulls, posting)
    steady = column.type.startswith("character(") or column.type.endswith("range")
    # PostgreSQL cuts the fraction off the average it keeps.
    width = (column.average_width or UNKNOWN_WIDTH) + (0.0 if steady else 0.5)
    # Values up to 126 bytes carry a header of one byte and need no alignment.
    spread = 0.0 if steady else 2.0 if column.type.startswith("numeric") else width / 4
    return KeyWidth(width, 1 if width <= 126 else 4, nulls, posting, spread)


def _expression_width(expression: str, table: Table) -> KeyWidth:
    lowered = expression.lower()
    cast = _FIXED_CAST.search(lowered)
    if cast is not None:
        size = int(cast["bytes"])
        return KeyWidth(size, size, 0.0, cast["kind"] != "float")
    if re.match(r"\(*\s*(date|cast\(.* as date)\b", lowered) or lowered.endswith("::date"):
        return KeyWidth(4, 4, 0.0, True)
    if "date_trunc" in lowered or lowered.endswith(("::bigint", "::timestamp")):
        return KeyWidth(8, 8, 0.0, True)
    if lowered.endswith(("::integer", "::int")) or re.fullmatch(r"length\([^()]*\)", lowered):
        return KeyWidth(4, 4, 0.0, True)
    words = names_in(expression)
    widths = [float(column.average_width or UNKNOWN_WIDTH) for column in table.columns if column.name in words]
    if MADE_RANGE.match(lowered) and widths:
        # Both ends, the type's number and a byte of flags behind the header.
        return KeyWidth(sum(widths) * (2 if len(widths) == 1 else 1) + 6, 1, 0.0, False)
    if widths and ("->" in expression or _SUBSCRIPT.match(expression)):
        # One value out of a document.
        return KeyWidth(min(UNKNOWN_WIDTH, sum(widths)), 1, 0.0, True)
    return KeyWidth(sum(widths) or UNKNOWN_WIDTH, 1, 0.0, True)


def fixed_width(type_: str) -> tuple[int, int] | None:
    """Bytes and alignment of a type whose values are all of one width; None for others."""
    if type_.endswith("[]"):
        return None
    return next(((length, alignment) for start, length, alignment in _FIXED if type_.startswith(start)), None)
