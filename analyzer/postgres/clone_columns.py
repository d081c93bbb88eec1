"""Rows of pg_statistic on a clone: the source's statistics as values of the clone's own types."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from ..sql.identifier import quote_qualified
from .clone_file import LeftOut
from .clone_statistics import ColumnStatistics, fault


@dataclass(frozen=True, slots=True)
class Placed:
    """Statistics and where they go: oid of the relation, attribute number, oids of type and collation."""

    column: ColumnStatistics
    relation: int
    number: int
    type: int
    collation: int


_COLUMNS = """
SELECT n.nspname, c.relname, a.attname, a.attnum, c.oid::bigint, a.atttypid::bigint, a.attcollation::bigint, c.relkind::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'i', 'I', 'f')
"""
_EXPRESSIONS = """
SELECT n.nspname, t.relname, pg_get_indexdef(c.oid, a.attnum, true)
FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.oid = %s AND a.attnum = %s
"""
# Text becomes values by the types' input functions, which the superuser runs here: a domain's would run its CHECK, which is
# the schema's code. So a domain gives way to its base type, and a composite or range that holds a domain is left out.
_TYPES = """
CREATE FUNCTION pg_temp.safe_type(t oid) RETURNS oid LANGUAGE plpgsql AS $f$
DECLARE y pg_type; inner_type oid;
BEGIN
  SELECT * INTO y FROM pg_type WHERE oid = t;
  IF y.typtype = 'd' THEN RETURN pg_temp.safe_type(y.typbasetype); END IF;
  IF y.typcategory = 'A' AND y.typelem <> 0 THEN
    inner_type := pg_temp.safe_type(y.typelem);
    RETURN (SELECT typarray FROM pg_type WHERE oid = inner_type AND typarray <> 0);
  END IF;
  IF y.typtype = 'c' AND EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        AND pg_temp.safe_type(a.atttypid) IS DISTINCT FROM a.atttypid) THEN RETURN NULL; END IF;
  IF y.typtype = 'r' AND EXISTS (
      SELECT FROM pg_range r WHERE r.rngtypid = t AND pg_temp.safe_type(r.rngsubtype) IS DISTINCT FROM r.rngsubtype)
    THEN RETURN NULL; END IF;
  IF y.typtype = 'm' THEN RETURN t; END IF;
  IF y.typtype IN ('b', 'e', 'r', 'c') THEN RETURN t; END IF;
  RETURN NULL;
END $f$;
CREATE FUNCTION pg_temp.operator(t oid, strategy int, hash_strategy int) RETURNS oid LANGUAGE sql AS $f$
  SELECT o.amopopr FROM pg_type y, pg_opclass c
  JOIN pg_amop o ON o.amopfamily = c.opcfamily AND o.amoplefttype = c.opcintype AND o.amoprighttype = c.opcintype
  WHERE y.oid = t AND c.opcdefault
    AND ((c.opcmethod = 403 AND o.amopstrategy = strategy) OR (c.opcmethod = 405 AND o.amopstrategy = hash_strategy))
    AND (c.opcintype = t
      OR c.opcintype = CASE WHEN y.typtype = 'e' THEN 'anyenum'::regtype WHEN y.typtype = 'r' THEN 'anyrange'::regtype
           WHEN y.typtype = 'c' THEN 'record'::regtype WHEN y.typcategory = 'A' THEN 'anyarray'::regtype
           WHEN y.typtype = 'm' THEN to_regtype('anymultirange') END
      OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = t AND k.casttarget = c.opcintype
                 AND k.castmethod = 'b' AND k.castcontext = 'i'))
  ORDER BY c.opcmethod, c.opcintype = t DESC, (SELECT typispreferred FROM pg_type WHERE oid = c.opcintype) DESC LIMIT 1
$f$;
CREATE TEMP TABLE staged (line int, relation oid, number int2, inherited bool, nulls float4, width int4, n_distinct float4,
  type oid, coll oid, kinds int2[], n1 float4[], v1 text[], n2 float4[], v2 text[], n3 float4[], v3 text[],
  n4 float4[], v4 text[], n5 float4[], v5 text[]);
CREATE TEMP TABLE rejected (line int, reason text);
"""
_PUT = """
DO $put$
DECLARE s record; k int; ops oid[]; colls oid[]; elements oid[]; element oid; eq oid; lt oid; element_eq oid; kind int;
BEGIN
  CREATE TEMP TABLE types AS
    SELECT d.type, pg_temp.safe_type(d.type) AS safe FROM (SELECT DISTINCT type FROM pg_temp.staged) d;
  CREATE TEMP TABLE known AS
    SELECT t.type, t.safe, pg_temp.operator(t.safe, 3, 1) AS eq, pg_temp.operator(t.safe, 1, 0) AS lt,
           CASE WHEN t.safe = 'tsvector'::regtype THEN 'text'::regtype::oid WHEN y.typcategory = 'A' THEN y.typelem END AS element,
           COALESCE((SELECT rngtypid FROM pg_range WHERE to_jsonb(pg_range)->>'rngmultitypid' = t.safe::text), t.safe) AS bounds
    FROM pg_temp.types t LEFT JOIN pg_type y ON y.oid = t.safe;
  FOR s IN SELECT g.*, w.safe, w.eq, w.lt, w.element, w.bounds, pg_temp.operator(w.element, 3, 1) AS element_eq
           FROM pg_temp.staged g JOIN pg_temp.known w USING (type) ORDER BY g.line LOOP
    BEGIN
      IF s.safe IS NULL AND EXISTS (SELECT FROM unnest(s.kinds) u WHERE u NOT IN (0, 3)) THEN
        RAISE EXCEPTION 'values of a type that runs the schema''s own checks';
      END IF;
      ops := '{}'; colls := '{}'; elements := '{}';
      FOR k IN 1..5 LOOP
        kind := s.kinds[k];
        ops := ops || CASE WHEN kind = 1 THEN s.eq WHEN kind IN (2, 3) THEN s.lt WHEN kind IN (4, 5) THEN s.element_eq
                           WHEN kind = 6 THEN 672::oid ELSE 0::oid END;
        colls := colls || CASE WHEN kind IN (4, 5) AND s.safe = 'tsvector'::regtype THEN 100::oid
                               WHEN kind BETWEEN 1 AND 5 THEN s.coll ELSE 0::oid END;
        elements := elements || CASE WHEN kind = 4 THEN s.element WHEN kind = 6 THEN 701::oid WHEN kind = 7 THEN s.bounds
                                     ELSE s.safe END;
        IF ops[k] IS NULL THEN RAISE EXCEPTION 'no operator orders or compares its type'; END IF;
      END LOOP;
      INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
        stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
        stacoll1, stacoll2, stacoll3, stacoll4, stacoll5,
        stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
        stavalues1, stavalues2, stavalues3, stavalues4, stavalues5)
      VALUES (s.relation, s.number, s.inherited, s.nulls, s.width, s.n_distinct,
        s.kinds[1], s.kinds[2], s.kinds[3], s.kinds[4], s.kinds[5], ops[1], ops[2], ops[3], ops[4], ops[5],
        colls[1], colls[2], colls[3], colls[4], colls[5], s.n1, s.n2, s.n3, s.n4, s.n5,
        array_in(textout(s.v1::text), elements[1], -1), array_in(textout(s.v2::text), elements[2], -1),
        array_in(textout(s.v3::text), elements[3], -1), array_in(textout(s.v4::text), elements[4], -1),
        array_in(textout(s.v5::text), elements[5], -1));
    EXCEPTION WHEN OTHERS THEN
      INSERT INTO pg_temp.rejected VALUES (s.line, SQLERRM);
    END;
  END LOOP;
END
$put$;
"""
_CLEAN = """
DROP TABLE pg_temp.staged, pg_temp.rejected, pg_temp.types, pg_temp.known;
DROP FUNCTION pg_temp.safe_type(oid);
DROP FUNCTION pg_temp.operator(oid, int, int);
"""


def fill_columns(owner: Connection, root: Connection, columns: Sequence[ColumnStatistics]) -> list[LeftOut]:
    """Statistics of columns and of indexes' expressions; what was rejected, each with its reason.

    owner: a connection of the role that owns the tables, which works out types of expressions; root: the superuser's.
    """
    places = {(row[0], row[1], row[2]): row[3:] for row in _rows(root, _COLUMNS)}
    numbered = {(row[0], row[1], row[3]): row[3:] for row in _rows(root, _COLUMNS) if row[7] in ("i", "I")}
    notes: list[LeftOut] = []
    staged: list[Placed] = []
    for column in columns:
        reason = fault(column)
        if reason:
            notes.append(_rejected(column, reason))
            continue
        place = numbered.get((column.schema, column.relation, column.number))
        place = place or places.get((column.schema, column.relation, column.column))
        if place is None:
            continue  # its table could not be restored, and is listed for that
        number, relation, type_, collation, kind = place
        if kind in ("i", "I"):
            type_ = _expression_type(owner, root, relation, number)
        if type_ is not None:
            staged.append(Placed(column, relation, number, type_, collation))
    notes += [_rejected(staged[line].column, reason) for line, reason in put(root, staged)]
    return notes


def put(root: Connection, staged: Sequence[Placed]) -> list[tuple[int, str]]:
    """Write rows of pg_statistic, each for itself; the numbers of the lines that the server refused, with its reasons."""
    with root.cursor() as cursor:
        cursor.execute(_TYPES)
        lines = [
            (line, one.relation, one.number, one.column.inherited, one.column.null_fraction, one.column.width,
             one.column.distinct, one.type, one.collation, *_slots(one.column))
            for line, one in enumerate(staged)
        ]  # fmt: skip
        template = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::int2[]" + ", %s::float4[], %s::text[]" * 5 + ")"
        execute_values(cursor, "INSERT INTO pg_temp.staged VALUES %s", lines, template=template, page_size=200)
        cursor.execute(_PUT)
        cursor.execute("SELECT line, reason FROM pg_temp.rejected ORDER BY line")
        refused = [(int(line), str(reason)) for line, reason in cursor.fetchall()]
        cursor.execute(_CLEAN)
    return refused


def _expression_type(owner: Connection, root: Connection, relation: int, number: int) -> int | None:
    """Type of an index's expression. The owner's connection works it out: expressions are the schema's code."""
    ((schema, table, text),) = _rows(root, _EXPRESSIONS, (relation, number))
    return column_type(owner, schema, table, text)


def column_type(owner: Connection, schema: str, table: str, expression: str) -> int | None:
    """Oid of an expression's type over a table, None when it cannot be told."""
    try:
        with owner.cursor() as cursor:
            cursor.execute(f"SELECT ({expression}) FROM ONLY {quote_qualified(schema, table)} LIMIT 0")  # noqa: S608 - as the server prints it, by a role without rights
            return int(cursor.description[0].type_code) if cursor.description else None
    except psycopg2.Error:
        return None


def _slots(column: ColumnStatistics) -> Iterator[Any]:
    slots = column.slots
    yield [slots[k].kind if k < len(slots) else 0 for k in range(5)]
    for k in range(5):
        yield list(slots[k].numbers) if k < len(slots) and slots[k].numbers else None
        values = slots[k].values if k < len(slots) else None
        yield list(values) if values is not None else None


def _rejected(column: ColumnStatistics, reason: str) -> LeftOut:
    where = f"{column.schema}.{column.relation}.{column.column}"
    return LeftOut(f"statistics of {where}", f"rejected: {reason}; plans that depend on them are inexact")


def _rows(connection: Connection, sql: str, values: tuple[Any, ...] | None = None) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
