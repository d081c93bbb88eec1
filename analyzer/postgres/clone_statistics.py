"""What ANALYZE knows of each column, read from a source and checked before anything believes it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg2.extensions import connection as Connection

from .user_schemas import USER_SCHEMAS

MCV, HISTOGRAM, CORRELATION, ELEMENTS, ELEMENT_COUNTS, RANGE_LENGTHS, RANGE_BOUNDS = range(1, 8)
"""STATISTIC_KIND_* of pg_statistic.h; kinds of extensions (100 and above) are not carried."""
KINDS_WITHOUT_VALUES = (CORRELATION, ELEMENT_COUNTS)
MAX_VALUES = 100_010
"""Ten times the largest statistics target: ANALYZE keeps no more elements."""
MAX_DISTINCT = 1e15


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the five slots of a pg_statistic row. values: as text, in their type's own notation."""

    kind: int
    numbers: tuple[float, ...] = ()
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """A row of pg_statistic. relation: table, or index for its expressions; column and number: pg_attribute's.

    null_fraction 0–1; width in bytes; distinct: a number, or the negative ratio of the rows.
    """

    schema: str
    relation: str
    column: str
    number: int
    inherited: bool
    null_fraction: float
    width: int
    distinct: float
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class ExtendedStatistics:
    """Data of a CREATE STATISTICS object, in the server's own binary form. columns and numbers: of its keys.

    expressions: statistics on its expressions, in order, with `relation` and `column` empty.
    """

    schema: str
    name: str
    inherited: bool
    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    ndistinct: bytes | None
    dependencies: bytes | None
    mcv: bytes | None
    expressions: tuple[ColumnStatistics, ...]


_SLOTS = ", ".join(f"s.stakind{k}, s.stanumbers{k}, s.stavalues{k}::text::text[]" for k in range(1, 6))
_SPELLED = "t.typtype = 'e' OR t.oid = 'bool'::pg_catalog.regtype"
_ROWS = f"""
SELECT n.nspname, c.relname, a.attname, s.staattnum, s.stainherit, s.stanullfrac, s.stawidth, s.stadistinct,
       {_SPELLED}, {_SLOTS}
FROM pg_catalog.pg_statistic s
JOIN pg_catalog.pg_class c ON c.oid = s.starelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE {USER_SCHEMAS} ORDER BY 1, 2, 4, 5
"""  # noqa: S608 - a constant
_RANGES = "s.range_length_histogram::text::text[], s.range_empty_frac, s.range_bounds_histogram::text::text[]"
_VIEW = f"""
SELECT n.nspname, c.relname, a.attname, a.attnum, s.inherited, s.null_frac, s.avg_width, s.n_distinct, {_SPELLED},
       s.most_common_freqs, s.most_common_vals::text::text[], s.histogram_bounds::text::text[], s.correlation,
       s.most_common_elem_freqs, s.most_common_elems::text::text[], s.elem_count_histogram, %s
FROM pg_catalog.pg_stats s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE {USER_SCHEMAS} ORDER BY 1, 2, 4, 5
"""  # noqa: S608 - a constant
_EXTENDED = f"""
SELECT n.nspname, e.stxname, %s,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(e.stxkeys::int2[]) WITH ORDINALITY u(number, k)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = u.number ORDER BY u.k),
       e.stxkeys::int2[], d.stxdndistinct::bytea, d.stxddependencies::bytea, d.stxdmcv::bytea,
       EXISTS (SELECT FROM pg_catalog.unnest(e.stxkeys::int2[]) u(number)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = u.number
               WHERE a.atttypid >= 16384),
       e.oid
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = e.oid
WHERE {USER_SCHEMAS} ORDER BY 1, 2, 3
"""  # noqa: S608 - a constant
_EXPRESSIONS = f"""
SELECT '', '', '', u.k, false, s.stanullfrac, s.stawidth, s.stadistinct, false, {_SLOTS}
FROM pg_catalog.pg_statistic_ext_data d,
     pg_catalog.unnest(d.stxdexpr) WITH ORDINALITY u(starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
       stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
       stacoll1, stacoll2, stacoll3, stacoll4, stacoll5, stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
       stavalues1, stavalues2, stavalues3, stavalues4, stavalues5, k),
     LATERAL (SELECT u.*) s
WHERE d.stxoid = %s AND {{inherited}} = %s ORDER BY u.k
"""  # noqa: S608 - a constant


def read_column_statistics(connection: Connection, *, values: bool) -> list[ColumnStatistics]:
    """Every row that the role may see, from pg_statistic or, without rights on it, from the view pg_stats.

    values False: values of the data are left out, except those that the schema spells out anyway (booleans, enum labels).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_statistic', 'SELECT')")
        ((direct,),) = cursor.fetchall()
        ranges = _RANGES if connection.server_version >= 170000 else "NULL, NULL, NULL"
        cursor.execute(_ROWS if direct else _VIEW % ranges)
        rows = cursor.fetchall()
    read = _from_table if direct else _from_view
    return [read(row) if values or row[8] else without_values(read(row)) for row in rows]


def read_extended_statistics(connection: Connection, *, values: bool) -> list[ExtendedStatistics] | None:
    """Data of CREATE STATISTICS objects; None when there are some, and the role may not read them."""
    version = connection.server_version
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_statistic_ext_data', 'SELECT')")
        if cursor.fetchone() != (True,):
            cursor.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext)")
            return None if cursor.fetchone() == (True,) else []
        inherited = "d.stxdinherit" if version >= 150000 else "false"
        cursor.execute(_EXTENDED % inherited)
        found = []
        for schema, name, inherits, columns, numbers, ndistinct, dependencies, mcv, foreign, oid in cursor.fetchall():
            expressions: list[ColumnStatistics] = []
            if version >= 140000:
                cursor.execute(_EXPRESSIONS.format(inherited=inherited), (oid, inherits))
                expressions = [_from_table(row) for row in cursor.fetchall()]
            if not values:
                expressions = [without_values(one) for one in expressions]
            found.append(
                ExtendedStatistics(
                    schema, name, inherits, tuple(columns), tuple(numbers), _bytes(ndistinct), _bytes(dependencies),
                    # A list of values of a user's own type names it by a number that differs from server to server.
                    _bytes(mcv) if values and not foreign else None, tuple(expressions),
                )
            )  # fmt: skip
    return found


def without_values(column: ColumnStatistics) -> ColumnStatistics:
    """The same without any value of the data: null fraction, width, distinct, correlation and element counts stay."""
    return replace(column, slots=tuple(slot for slot in column.slots if slot.kind in KINDS_WITHOUT_VALUES))


def fault(column: ColumnStatistics) -> str | None:
    """Why these statistics cannot be true, or None. The server trusts them blindly once they are in its catalog."""
    if not 0 <= column.null_fraction <= 1:
        return "a null fraction outside 0…1"
    if not -1 <= column.distinct <= MAX_DISTINCT:
        return "an impossible number of distinct values"
    if not 0 <= column.width < 1 << 31 or len(column.slots) > 5:
        return "an impossible width"
    if len({slot.kind for slot in column.slots}) != len(column.slots):
        return "two statistics of one kind"
    return next((reason for slot in column.slots if (reason := _slot_fault(slot))), None)


def _slot_fault(slot: Slot) -> str | None:
    numbers, count = slot.numbers, len(slot.values) if slot.values is not None else None
    if not all(math.isfinite(number) for number in numbers) or len(numbers) > MAX_VALUES or (count or 0) > MAX_VALUES:
        return "a figure that is not finite, or too many"
    fractions = all(0 <= number <= 1 for number in numbers)
    right = {
        MCV: fractions and count == len(numbers) > 0 and sum(numbers) <= 1.001,
        HISTOGRAM: not numbers and (count or 0) >= 2,
        CORRELATION: count is None and len(numbers) == 1 and abs(numbers[0]) <= 1.001,
        ELEMENTS: fractions and count is not None and len(numbers) - count in (2, 3),
        ELEMENT_COUNTS: count is None and len(numbers) >= 2 and min(numbers, default=-1) >= 0,
        RANGE_LENGTHS: fractions and len(numbers) == 1 and count is not None and count != 1,
        RANGE_BOUNDS: not numbers and (count or 0) >= 2,
    }
    return None if right.get(slot.kind) else f"a malformed statistic of kind {slot.kind}"


def _from_table(row: Sequence[Any]) -> ColumnStatistics:
    triples = (row[9 + 3 * k : 12 + 3 * k] for k in range(5))
    return _column(row, (_slot(kind, numbers, values) for kind, numbers, values in triples if 0 < kind < 100))


def _from_view(row: Sequence[Any]) -> ColumnStatistics:
    frequencies, common, bounds, correlation, element_numbers, elements, counts, lengths, empty, range_bounds = row[9:]
    slots = (
        (MCV, frequencies, common),
        (HISTOGRAM, None, bounds),
        (CORRELATION, None if correlation is None else [correlation], None),
        (ELEMENTS, element_numbers, elements),
        (ELEMENT_COUNTS, counts, None),
        (RANGE_LENGTHS, None if empty is None else [empty], lengths or ([] if empty is not None else None)),
        (RANGE_BOUNDS, None, range_bounds),
    )
    return _column(row, (_slot(*slot) for slot in slots if slot[1] is not None or slot[2] is not None))


def _column(row: Sequence[Any], slots: Iterable[Slot]) -> ColumnStatistics:
    schema, relation, column, number, inherited, nulls, width, distinct = row[:8]
    return ColumnStatistics(schema, relation, column, number, inherited, nulls, width, distinct, tuple(slots))


def _slot(kind: int, numbers: Sequence[float] | None, values: Sequence[str] | None) -> Slot:
    return Slot(kind, tuple(numbers or ()), tuple(values) if values is not None else None)


def _bytes(value: memoryview | None) -> bytes | None:
    return bytes(value) if value is not None else None
