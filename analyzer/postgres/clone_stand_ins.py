"""What stands in on a clone for extensions and collations of the source that this machine may not have."""

from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import connection as Connection

from ..sql.identifier import quote_identifier, quote_qualified
from .clone_file import Collation, LeftOut, Manifest
from .clone_superuser import literal, rows, run
from .server_message import server_message

PURE_EXTENSIONS = frozenset(
    "address_standardizer bloom btree_gin btree_gist citext cube dict_int dict_xsyn earthdistance fuzzystrmatch hll hstore "
    "intarray isn lo ltree pg_trgm pgcrypto postgis postgis_raster postgis_topology prefix rum semver seg tablefunc "
    "tsm_system_rows tsm_system_time unaccent uuid-ossp vector".split()
)
"""Extensions that bring types, operators and functions and reach nothing outside the server: created before any object of
the source exists. Those that PostgreSQL itself marks as trusted are as well; all others (dblink, file_fdw …) are left out."""
_WITHOUT_EFFECT = frozenset(
    "pg_stat_statements pg_stat_kcache pg_stat_monitor pg_qualstats pg_wait_sampling hypopg auto_explain amcheck pageinspect "
    "pg_buffercache pg_freespacemap pg_prewarm pg_visibility pg_walinspect pgstattuple pgrowlocks pg_repack sslinfo".split()
)
"""Extensions that no table, index or statement of an application depends on: not missed."""
OPERATOR_CLASS_EXTENSIONS = ("pg_trgm", "btree_gin", "btree_gist")
"""What candidate indexes may need although the source does not have it yet."""


def create_extensions(connection: Connection, owner: Connection, manifest: Manifest, schema: str) -> list[LeftOut]:
    """The source's extensions, and those of OPERATOR_CLASS_EXTENSIONS that it lacks, in the schema; what is not there.

    owner: declares what is missing; connection: the superuser's.
    """
    notes: list[LeftOut] = []
    available = dict(
        rows(
            connection,
            "SELECT e.name, bool_or(v.trusted) FROM pg_available_extensions e"
            " JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version GROUP BY 1",
        )
    )
    for extension in manifest.extensions:
        if extension.name == "plpgsql" or extension.name in _WITHOUT_EFFECT:
            continue
        reason = "it is not installed here"
        if extension.name in available:
            reason = "it is not among those that bring types and functions only"
            if available[extension.name] or extension.name in PURE_EXTENSIONS:
                try:
                    _create_schema(connection, extension.schema)
                    run(
                        connection,
                        f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(extension.name)}"
                        f" SCHEMA {quote_identifier(extension.schema)} CASCADE",
                    )
                    continue
                except psycopg2.Error as error:
                    reason = server_message(error)
        notes.append(LeftOut(f"extension {extension.name}", f"{reason}: objects that need it are left out"))
        _declare(connection, owner, manifest, extension.name)
    present = {extension.name for extension in manifest.extensions}
    for name in OPERATOR_CLASS_EXTENSIONS:
        if name in available and name not in present:
            run(connection, f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(name)} SCHEMA {schema}")
    return notes


def create_collations(connection: Connection, collations: Sequence[Collation]) -> list[LeftOut]:
    """Stand-ins for those of the collations that are not there."""
    known = set(
        rows(connection, "SELECT nspname, collname FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace")
    )
    return [_substitute(connection, one) for one in collations if (one.schema, one.name) not in known]


def _declare(connection: Connection, owner: Connection, manifest: Manifest, extension: str) -> None:
    """Declare a missing extension's functions, so that tables and indexes that name them exist; none can be evaluated. Their
    arguments and results are SQL of the source: they reach no more than the owner may."""
    run(owner, "SET check_function_bodies = off")
    for one in manifest.extension_functions:
        if one.extension != extension:
            continue
        volatility = {"i": "IMMUTABLE", "s": "STABLE"}.get(one.volatility, "VOLATILE")
        try:
            _create_schema(connection, one.schema)
            run(
                owner,
                f"CREATE FUNCTION {quote_qualified(one.schema, one.name)}({one.arguments}) RETURNS {one.result}"
                f" LANGUAGE plpgsql {volatility} {'STRICT' if one.strict else ''} AS"
                " $declared$ BEGIN RAISE EXCEPTION 'this extension is missing on the clone'; END $declared$",
            )
        except psycopg2.Error:
            continue  # a type of the extension itself: what needs it fails by name when the schema is restored


def _substitute(connection: Connection, collation: Collation) -> LeftOut:
    """A stand-in of the same name for a collation that this machine lacks, so that its columns exist."""
    what = f"collation {collation.schema}.{collation.name}"
    for name in ("C.UTF-8", "C.utf8", "C"):
        try:
            _create_schema(connection, collation.schema)
            run(
                connection,
                f"CREATE COLLATION {quote_qualified(collation.schema, collation.name)}"
                f" (PROVIDER = libc, LOCALE = {literal(connection, name)})",
            )
        except psycopg2.Error:
            continue
        return LeftOut(what, "this machine does not have it: text is ordered by code points, so its ranges are inexact")
    return LeftOut(what, "this machine does not have it: its columns are left out")


def _create_schema(connection: Connection, name: str) -> None:
    if not name.startswith("pg_"):
        run(connection, f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(name)} AUTHORIZATION app")
