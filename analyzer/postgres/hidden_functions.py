"""Functions that run although no name in the statement leads to them: of casts, which may be implicit, and of domains' checks."""

from collections.abc import Collection

from psycopg2.extensions import cursor as Cursor

from .behind import BEHIND, BEHIND_WRITTEN, Relations

TYPED = frozenset(
    "pg_input_is_valid pg_input_error_info array_in array_recv domain_in domain_recv record_in record_recv range_in "
    "range_recv multirange_in multirange_recv".split()
)
"""Functions of PostgreSQL that read a value of whatever type they are told by a text or a number."""

_SPELLED = {
    "int": "int4", "integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "decimal": "numeric",
    "dec": "numeric", "real": "float4", "float": "float8", "double": "float8", "character": "bpchar", "char": "bpchar",
    "varying": "varchar", "national": "bpchar", "nchar": "bpchar",
}  # fmt: skip
"""SQL's words for PostgreSQL's own types, as functions' bodies have them."""

# There are none in most databases, and the questions below are long ones.
_ANY = """
SELECT EXISTS (SELECT FROM pg_cast WHERE castfunc >= 16384::oid)
    OR EXISTS (SELECT FROM pg_constraint WHERE contypid <> 0 AND oid >= 16384::oid)
    OR EXISTS (SELECT FROM pg_range WHERE rngsubdiff >= 16384::oid)
"""
_CAST = "'the cast from ' || format_type(castsource, NULL) || ' to ' || format_type(casttarget, NULL)"
_EVERYWHERE = """
SELECT castfunc::oid, {cast} FROM pg_cast WHERE castfunc >= 16384::oid
UNION
SELECT f.oid, 'the domain ' || format_type(c.contypid, NULL)
FROM pg_constraint c CROSS JOIN LATERAL ({functions}) f(oid) WHERE c.contypid <> 0 AND f.oid >= 16384::oid
"""
# Functions that a domain's check calls, by name or through an operator.
_OF_CHECK = """
    SELECT CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
    FROM pg_depend d LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    WHERE d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
"""
# Types named in the statement, of columns that it concerns, in what these are made of, and of what its functions take and
# give; then what all of these consist of.
_REACHED = """
, told(oid) AS (SELECT t.oid FROM pg_type t WHERE t.typname = ANY(%s::name[])), typed(oid) AS (
  SELECT oid FROM told
  UNION SELECT a.atttypid FROM pg_attribute a JOIN behind b ON b.oid = a.attrelid WHERE a.attnum > 0 AND a.atttypid <> 0
  UNION SELECT d.refobjid FROM parts p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
    WHERE d.refclassid = 'pg_type'::regclass
  UNION SELECT u.oid FROM pg_proc p CROSS JOIN LATERAL unnest(p.prorettype || p.proargtypes::oid[] || p.proallargtypes) u(oid)
    WHERE p.oid = ANY(%s::oid[])
  UNION
  SELECT next.oid FROM typed r CROSS JOIN LATERAL (
    SELECT u.oid FROM pg_type t CROSS JOIN LATERAL unnest(ARRAY[t.typbasetype, t.typelem, t.typarray]) u(oid)
    WHERE t.oid = r.oid AND u.oid <> 0
    UNION ALL SELECT a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
      WHERE t.oid = r.oid AND t.typrelid <> 0 AND a.attnum > 0 AND a.atttypid <> 0
    UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = r.oid
    UNION ALL SELECT g.rngtypid FROM pg_range g WHERE {multirange}
    UNION ALL SELECT d.refobjid FROM pg_constraint c JOIN pg_depend d
      ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_type'::regclass
      WHERE c.contypid = r.oid
  ) AS next(oid)
), own(oid) AS (SELECT oid FROM typed WHERE oid >= 16384::oid)
SELECT castfunc::oid, {cast} FROM pg_cast WHERE castfunc >= 16384::oid
  AND (castsource IN (SELECT oid FROM own) OR casttarget IN (SELECT oid FROM own)
       OR (castsource < 16384::oid AND casttarget < 16384::oid
           AND (castcontext = ANY(%s::"char"[]) OR casttarget IN (SELECT oid FROM told)
                OR %s AND casttarget IN (SELECT oid FROM typed) AND EXISTS (SELECT FROM told WHERE oid >= 16384::oid))))
UNION
SELECT f.oid, 'the domain ' || format_type(c.contypid, NULL) FROM pg_constraint c CROSS JOIN LATERAL ({functions}) f(oid)
WHERE c.contypid IN (SELECT oid FROM own) AND f.oid >= 16384::oid
UNION
SELECT g.rngsubdiff::oid, 'the range ' || format_type(g.rngtypid, NULL) FROM pg_range g
WHERE g.rngtypid IN (SELECT oid FROM own) AND g.rngsubdiff >= 16384::oid
"""


def hidden_functions(
    cursor: Cursor,
    relations: Relations | None = None,
    names: Collection[str] = (),
    functions: Collection[int] = (),
    *,
    writes: bool = False,
    assigns: bool = False,
    casts: bool = True,
) -> dict[int, str]:
    """Oids of the functions that casts and domains' checks may run, those of users alone, each with what runs it.

    relations: what the statement reads; None: all casts and domains of the database count. names: that may be types'.
    functions: oids of users' functions that it calls. writes: it may write. assigns: so it does, or functions do with their
    variables. casts: it may cast explicitly. A cast counts when a type of users takes part that the statement can reach;
    between PostgreSQL's own types an implicit one may happen anywhere, one at assignments where there are any, and an explicit
    one where its target is named, or is part of a named type.
    """
    cursor.execute(_ANY)
    if cursor.fetchone() == (False,):
        return {}
    if relations is None:
        cursor.execute(_EVERYWHERE.format(functions=_OF_CHECK, cast=_CAST))
    else:
        # Multiranges came with PostgreSQL 14.
        multirange = "g.rngmultitypid = r.oid" if cursor.connection.server_version >= 140000 else "false"
        query = (BEHIND_WRITTEN if writes else BEHIND) + _REACHED.format(
            functions=_OF_CHECK, multirange=multirange, cast=_CAST
        )
        contexts = ["i", "a"] if assigns else ["i"]
        spelled = {*names, *(_SPELLED[one] for one in names if casts and one in _SPELLED)}
        cursor.execute(query, (*relations, sorted(spelled), list(functions), contexts, casts))
    return dict(sorted(cursor.fetchall(), key=lambda row: row[1], reverse=True))
