"""Functions of the catalogue, with what judging them needs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

_FUNCTION = """
SELECT p.oid, n.nspname::text, p.proname::text, p.provolatile::text, l.lanname::text, {body}, p.oid >= 16384,
       ARRAY(SELECT f::oid FROM pg_aggregate a, unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
               a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) f WHERE a.aggfnoid = p.oid AND f <> 0
             UNION SELECT CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
               FROM pg_depend d LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
               WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND p.oid >= 16384
               AND (d.refclassid = 'pg_proc'::regclass OR o.oid IS NOT NULL)),
       COALESCE(array_to_string(p.proconfig, ' '), '')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
"""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the catalogue. users: not PostgreSQL's own. parts: oids of an aggregate's own functions, and of those
    that the catalogue knows it to call, such as in defaults of its arguments. settings: that it runs with."""

    oid: int
    name: str
    bare: str
    volatility: str
    language: str
    body: str
    users: bool
    parts: tuple[int, ...]
    settings: str = ""

    @property
    def opaque(self) -> bool:
        """Whether it has a body of its own, or is made of others, which may name anything."""
        return self.users and (self.language not in ("internal", "c") or bool(self.parts))


def functions_called(cursor: Cursor, names: Iterable[str], schemas: Collection[str]) -> list[Function]:
    """Those that calls by `name`, which are looked for in the schemas, or by `schema.name` may mean."""
    called = {name.removeprefix("pg_temp.") for name in names}
    dotted = sorted(one for one in called if "." in one)
    # A name may hold a dot itself: whatever follows one may be the bare name, by which alone the catalogue has an index.
    bare = called | {one[place + 1 :] for one in dotted for place, sign in enumerate(one) if sign == "."}
    return _read(
        cursor,
        "WHERE p.proname = ANY(%s::name[]) AND (p.proname = ANY(%s::name[]) AND n.nspname = ANY(%s::name[])"
        " OR n.nspname || '.' || p.proname = ANY(%s::text[]))",
        (sorted(bare), sorted(called), sorted(schemas), dotted),
    )


def functions_named(cursor: Cursor, names: Iterable[str]) -> list[Function]:
    """Those of these bare names in any schema."""
    return _read(cursor, "WHERE p.proname = ANY(%s::name[])", (sorted(set(names)),))


def functions_of_rows(cursor: Cursor, names: Iterable[str]) -> list[Function]:
    """Users' functions of one row, which may be written like its columns."""
    return _read(
        cursor,
        """WHERE p.proname = ANY(%s::name[]) AND p.pronargs = 1 AND p.oid >= 16384
           AND EXISTS (SELECT FROM pg_type t WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'p', 'd'))""",
        (sorted(set(names)),),
    )


def functions_of_operators(
    cursor: Cursor, operators: Iterable[str], schemas: Collection[str] | None = None
) -> list[Function]:
    """Users' functions behind operators of these names, in the schemas or in any."""
    within = "" if schemas is None else "AND s.nspname = ANY(%s::name[])"
    return _read(
        cursor,
        f"""WHERE p.oid IN (SELECT o.oprcode::oid FROM pg_operator o JOIN pg_namespace s ON s.oid = o.oprnamespace
            WHERE o.oprname = ANY(%s::name[]) AND o.oprcode >= 16384::oid {within})""",  # noqa: S608 - constants
        (sorted(set(operators)),) if schemas is None else (sorted(set(operators)), sorted(schemas)),
    )


def functions_by_oid(cursor: Cursor, oids: Iterable[int]) -> list[Function]:
    """Those of these oids; nothing is asked for none."""
    wanted = sorted(set(oids))
    return _read(cursor, "WHERE p.oid = ANY(%s::oid[])", (wanted,)) if wanted else []


def _read(cursor: Cursor, condition: str, values: tuple[object, ...]) -> list[Function]:
    body = "p.prosrc"
    if cursor.connection.server_version >= 140000:
        body = "COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc)"
    cursor.execute(f"{_FUNCTION.format(body=body)} {condition} ORDER BY 2, 3, 1", values)
    return [
        Function(oid, f"{schema}.{name}", name, volatility, language, body or "", users, tuple(parts), settings)
        for oid, schema, name, volatility, language, body, users, parts, settings in cursor.fetchall()
    ]
