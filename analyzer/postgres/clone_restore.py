"""Builds a hollow clone on a server of ours: schema by an ordinary role, statistics and sizes by the superuser."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError
from ..sql.identifier import quote_identifier, quote_qualified
from .binaries import find_tool
from .clone_file import CloneFile, Collation, LeftOut, Manifest
from .leftovers import TRIAL_PREFIX
from .libpq_settings import without_libpq_settings
from .server import PORT, Server
from .server_message import server_message

SCHEMA = "queryproof_clone"
"""Schema of our own on the clone, the superuser's: the function that explains, and operator classes the source lacks."""
RESTORE_TIMEOUT_S = 600

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

_LEFT_OUT_KINDS = {
    "EVENT TRIGGER": "event triggers run code on their own",
    "PROCEDURAL LANGUAGE": "only languages that came with an extension are installed",
    "FOREIGN DATA WRAPPER": "foreign data is not reached from a clone",
    "SERVER": "foreign data is not reached from a clone",
    "USER MAPPING": "it holds credentials",
    "SUBSCRIPTION": "it holds credentials",
    "PUBLICATION": "it does not concern plans",
    "ACCESS METHOD": "it is code of the source's server",
    "POLICY": "plans are the owner's, without row security",
    "ROW SECURITY": "plans are the owner's, without row security",
}
_SILENT_KINDS = ("EXTENSION", "COMMENT", "PUBLICATION", "POLICY", "ROW SECURITY", "DEFAULT ACL", "ACL", "BLOB")
_ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<what>.*)$")
_COLLATION = re.compile(r"^\d+; \d+ \d+ (?:SCHEMA|COLLATION) ")
_AT = re.compile(r"^pg_restore: from TOC entry \d+; \d+ \d+ (?P<what>.*)$")
_TRIAL = re.compile(rf"^INDEX .+ {TRIAL_PREFIX}\d+ ")
_FAILED = re.compile(r"^pg_restore: error: could not execute query: (?:ERROR: +)?(?P<reason>.*)$")

# Opened as a cursor, which PostgreSQL refuses for more than one statement. ANALYZE cannot be slipped in: the word would have
# to stand inside the parentheses. A statement with parameters gets a generic plan, which does not look at the NULLs.
_EXPLAIN = """
CREATE FUNCTION {schema}.explain_{name}(statement text, generic boolean) RETURNS text LANGUAGE plpgsql AS $explain$
DECLARE line record; plan text := ''; options text := '{options}'; places text;
BEGIN
  IF generic AND current_setting('server_version_num')::int >= 160000 THEN
    options := options || ', GENERIC_PLAN';
  ELSIF generic THEN
    EXECUTE 'PREPARE queryproof_statement AS ' || statement;
    SELECT string_agg('NULL', ', ') INTO places FROM pg_catalog.pg_prepared_statements, unnest(parameter_types)
      WHERE name = 'queryproof_statement';
    statement := 'EXECUTE queryproof_statement(' || places || ')';
    PERFORM pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true);
  END IF;
  FOR line IN EXECUTE 'EXPLAIN (' || options || ') ' || statement LOOP
    plan := plan || line."QUERY PLAN"::text || E'\\n';
  END LOOP;
  IF statement LIKE 'EXECUTE queryproof_statement(%' THEN
    DEALLOCATE queryproof_statement;
  END IF;
  RETURN plan;
END
$explain$
"""
_OPTIONS = {"text": "FORMAT TEXT", "json": "FORMAT JSON, SETTINGS"}


def create_clone_database(server: Server, clone: CloneFile, database: str) -> list[LeftOut]:
    """An empty database of the source's encoding and collation, as near as this machine has them."""
    locale = clone.manifest.locale
    notes: list[LeftOut] = []
    connection = superuser(server, "postgres")
    try:
        for options, exact in _locales(clone.manifest, server.binaries.major):
            try:
                _run(
                    connection,
                    f"CREATE DATABASE {quote_identifier(database)} OWNER app TEMPLATE template0"
                    f" ENCODING {_literal(connection, locale.encoding)} {options(connection)}",
                )
            except psycopg2.Error:
                continue
            if not exact:
                notes.append(
                    LeftOut(
                        f"collation {locale.locale or locale.collate}",
                        "this machine does not have it: text is ordered by code points, so ranges of text are inexact",
                    )
                )
            return notes
    finally:
        connection.close()
    raise ServerError(f"no database of encoding {locale.encoding} can be created on PostgreSQL {server.version} here")


def restore_schema(server: Server, clone: CloneFile, database: str) -> list[LeftOut]:
    """Extensions, then the dump as the role `app`, which owns the database and is no superuser; what could not be restored."""
    connection = superuser(server, database)
    try:
        notes = _prepare(connection, clone.manifest)
    finally:
        connection.close()
    own = [one for one in clone.manifest.collations if one.schema != "pg_catalog"]
    with tempfile.TemporaryDirectory(prefix="queryproof-restore-") as place:
        dump, listing = Path(place) / "schema.dump", Path(place) / "list"
        dump.write_bytes(clone.schema)
        program = find_tool("pg_restore", clone.manifest.major)
        entries = subprocess.run(
            [program, "--list", dump], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
        if entries.returncode != 0:
            raise ServerError("the schema in the clone is damaged: pg_restore cannot read it")
        kept, dropped = _chosen(entries.stdout)
        notes += dropped

        def restore(lines: str) -> str:
            listing.write_text(lines)
            done = subprocess.run(
                [
                    program, "--no-owner", "--no-privileges", "--no-comments", f"--use-list={listing}", "--no-password",
                    f"--host={server.directory}", f"--port={PORT}", "--username=app", f"--dbname={database}", dump,
                ],
                env=server.environment(), capture_output=True, text=True, errors="replace", timeout=RESTORE_TIMEOUT_S,
                check=False,
            )  # fmt: skip
            return done.stderr

        if own:
            # Collations first: tables need a stand-in for those that this machine cannot make.
            first = [line for line in kept.splitlines() if _COLLATION.match(line)]
            restore("\n".join(first) + "\n")
            notes += _substitutes(server, database, own)
            kept = "\n".join(line for line in kept.splitlines() if not _COLLATION.match(line)) + "\n"
        failures = _failures(restore(kept))
    return notes + failures


def superuser(server: Server, database: str) -> Connection:
    """An autocommit connection of the superuser that finds nothing of the schema by an unqualified name.

    It touches catalogs only: to plan a statement on a table of the clone would run the schema's code with all rights.
    """
    with without_libpq_settings():
        connection = psycopg2.connect(
            host=str(server.directory), port=PORT, user="postgres", dbname=database, connect_timeout=10,
            options="-c search_path=pg_catalog -c client_min_messages=error",
        )  # fmt: skip
    connection.autocommit = True
    return connection


def _locales(manifest: Manifest, major: int) -> list[tuple[Any, bool]]:
    """Ways to say the collation in CREATE DATABASE, the exact ones first; each with whether it is exact."""
    locale = manifest.locale

    def libc(collate: str, ctype: str) -> Any:
        provider = "LOCALE_PROVIDER libc " if major >= 15 else ""
        return lambda c: f"{provider}LC_COLLATE {_literal(c, collate)} LC_CTYPE {_literal(c, ctype)}"

    def other(provider: str, option: str) -> Any:
        return lambda c: f"LOCALE_PROVIDER {provider} {option} {_literal(c, locale.locale or '')} LOCALE 'C'"

    if locale.provider == "b":
        return [(other("builtin", "BUILTIN_LOCALE"), True), (libc("C", "C"), True)]
    if locale.c:
        return [(libc("C", locale.ctype), True), (libc("C", "C"), True)]
    exact = (
        [(other("icu", "ICU_LOCALE"), True)]
        if locale.provider == "i"
        else [(libc(locale.collate, locale.ctype), True), (libc(_dotted(locale.collate), _dotted(locale.ctype)), True)]
    )
    return [
        *exact,
        *((libc(name, name), False) for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8")),
        (libc("C", "C"), False),
    ]


def _dotted(name: str) -> str:
    """`en_US.utf8` and `en_US.UTF-8` are one locale to some systems and two to others."""
    return name.replace(".utf8", ".UTF-8") if ".utf8" in name else name.replace(".UTF-8", ".utf8")


def _prepare(connection: Connection, manifest: Manifest) -> list[LeftOut]:
    notes: list[LeftOut] = []
    _run(connection, f"CREATE SCHEMA {SCHEMA}")
    _run(connection, f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC")
    for name, options in _OPTIONS.items():
        _run(connection, _EXPLAIN.format(schema=SCHEMA, name=name, options=options))
    available = dict(
        _rows(
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
                    _run(
                        connection,
                        f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(extension.name)}"
                        f" SCHEMA {quote_identifier(extension.schema)} CASCADE",
                    )
                    continue
                except psycopg2.Error as error:
                    reason = server_message(error)
        notes.append(LeftOut(f"extension {extension.name}", f"{reason}: objects that need it are left out"))
        _declare(connection, manifest, extension.name)
    present = {extension.name for extension in manifest.extensions}
    for name in OPERATOR_CLASS_EXTENSIONS:
        if name in available and name not in present:
            _run(connection, f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(name)} SCHEMA {SCHEMA}")
    notes += _missing(connection, [one for one in manifest.collations if one.schema == "pg_catalog"])
    return notes


def _substitutes(server: Server, database: str, collations: Sequence[Collation]) -> list[LeftOut]:
    connection = superuser(server, database)
    try:
        return _missing(connection, collations)
    finally:
        connection.close()


def _missing(connection: Connection, collations: Sequence[Collation]) -> list[LeftOut]:
    """Stand-ins for the collations that are not there."""
    known = set(
        _rows(connection, "SELECT nspname, collname FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace")
    )
    return [_substitute(connection, one) for one in collations if (one.schema, one.name) not in known]


def _declare(connection: Connection, manifest: Manifest, extension: str) -> None:
    """Declare a missing extension's functions, so that tables and indexes that name them exist; none can be evaluated."""
    for one in manifest.extension_functions:
        if one.extension != extension:
            continue
        volatility = {"i": "IMMUTABLE", "s": "STABLE"}.get(one.volatility, "VOLATILE")
        try:
            _run(connection, "SET check_function_bodies = off")
            _create_schema(connection, one.schema)
            _run(connection, "SET ROLE app")
            _run(
                connection,
                f"CREATE FUNCTION {quote_qualified(one.schema, one.name)}({one.arguments}) RETURNS {one.result}"
                f" LANGUAGE plpgsql {volatility} {'STRICT' if one.strict else ''} AS"
                " $declared$ BEGIN RAISE EXCEPTION 'this extension is missing on the clone'; END $declared$",
            )
        except psycopg2.Error:
            continue  # a type of the extension itself: what needs it fails by name when the schema is restored
        finally:
            _run(connection, "RESET ROLE")


def _substitute(connection: Connection, collation: Collation) -> LeftOut:
    """A stand-in of the same name for a collation that this machine lacks, so that its columns exist."""
    what = f"collation {collation.schema}.{collation.name}"
    for name in ("C.UTF-8", "C.utf8", "C"):
        try:
            _create_schema(connection, collation.schema)
            _run(
                connection,
                f"CREATE COLLATION {quote_qualified(collation.schema, collation.name)}"
                f" (PROVIDER = libc, LOCALE = {_literal(connection, name)})",
            )
        except psycopg2.Error:
            continue
        return LeftOut(what, "this machine does not have it: text is ordered by code points, so its ranges are inexact")
    return LeftOut(what, "this machine does not have it: its columns are left out")


def _create_schema(connection: Connection, name: str) -> None:
    if not name.startswith("pg_"):
        _run(connection, f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(name)} AUTHORIZATION app")


def _chosen(listing: str) -> tuple[str, list[LeftOut]]:
    """The table of contents without what a clone must not or need not hold, and what of that is worth telling."""
    kept: list[str] = []
    notes: list[LeftOut] = []
    for line in listing.splitlines():
        match = _ENTRY.match(line)
        what = match["what"] if match else ""
        kind = next((one for one in (*_LEFT_OUT_KINDS, *_SILENT_KINDS) if what.startswith(f"{one} ")), None)
        if _TRIAL.match(what):
            notes.append(LeftOut(_named(what), "a run with --prove measure that was killed left it behind: drop it"))
        elif kind is None:
            kept.append(line)
        elif kind not in _SILENT_KINDS:
            notes.append(LeftOut(_named(what), _LEFT_OUT_KINDS[kind]))
    return "\n".join(kept) + "\n", notes


def _failures(said: str) -> list[LeftOut]:
    """What pg_restore could not restore: one note for each object, with PostgreSQL's first line."""
    found: dict[str, str] = {}
    at = ""
    for line in said.splitlines():
        if match := _AT.match(line):
            at = _named(match["what"])
        elif (match := _FAILED.match(line)) and at:
            if match["reason"].startswith("schema ") and match["reason"].endswith("already exists"):
                continue
            found.setdefault(at, match["reason"])
        elif line.startswith("pg_restore: error: connection"):
            raise ServerError("the clone's server ended while the schema was restored")
    return [LeftOut(what, reason) for what, reason in found.items()]


def _named(entry: str) -> str:
    """`TABLE public orders app` → `table public.orders`; the schema is `-` for what has none."""
    kind = re.match(r"(?:[A-Z]+ )+", entry)
    words = entry[kind.end() if kind else 0 :].rsplit(" ", 1)[0]
    schema, _, name = words.partition(" ")
    shown = words if not name else name if schema == "-" else f"{schema}.{name}"
    return f"{kind[0].strip().lower() if kind else 'object'} {shown}"


def _literal(connection: Connection, text: str) -> str:
    with connection.cursor() as cursor:
        return cursor.mogrify("%s", (text,)).decode()


def _run(connection: Connection, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _rows(connection: Connection, sql: str) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
