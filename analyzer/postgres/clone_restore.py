"""The source's schema on a server of ours, restored by an ordinary role, and the functions that explain there."""

import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from psycopg2.extensions import connection as Connection

from ..errors import ServerError
from .binaries import find_tool
from .clone_file import CloneFile, LeftOut, Manifest
from .clone_stand_ins import create_collations, create_extensions
from .clone_superuser import owner, run, superuser
from .dump_listing import chosen, collations_first, failures
from .server import PORT, Server

SCHEMA = "queryproof_clone"
"""Schema of our own on the clone, the superuser's: the function that explains, and operator classes the source lacks."""
RESTORE_TIMEOUT_S = 600

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


def restore_schema(server: Server, clone: CloneFile, database: str) -> list[LeftOut]:
    """Extensions, then the dump as the role `app`, which owns the database and is no superuser; what could not be restored."""
    with closing(superuser(server, database)) as connection, closing(owner(server, database)) as own:
        notes = _prepare(connection, own, clone.manifest)
    collations = [one for one in clone.manifest.collations if one.schema != "pg_catalog"]
    with tempfile.TemporaryDirectory(prefix="queryproof-restore-") as place:
        dump, listing = Path(place) / "schema.dump", Path(place) / "list"
        dump.write_bytes(clone.schema)
        program = find_tool("pg_restore", clone.manifest.major)
        entries = subprocess.run(
            [program, "--list", dump], capture_output=True, text=True, errors="replace", check=False
        )
        if entries.returncode != 0:
            raise ServerError("the schema in the clone is damaged: pg_restore cannot read it")
        kept, dropped = chosen(entries.stdout)
        notes += dropped

        def restore(lines: str) -> str:
            listing.write_text(lines)
            command: list[Path | str] = [
                program, "--verbose", "--no-owner", "--no-privileges", "--no-comments", f"--use-list={listing}", "--no-password",
                f"--host={server.directory}", f"--port={PORT}", "--username=app", f"--dbname={database}", dump,
            ]  # fmt: skip
            try:
                done = subprocess.run(
                    command, env=server.environment(), capture_output=True, text=True, errors="replace",
                    timeout=RESTORE_TIMEOUT_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise ServerError(f"the schema was not restored within {RESTORE_TIMEOUT_S} s") from None
            return done.stderr

        if collations:
            # Collations first: tables need a stand-in for those that this machine cannot make.
            first, kept = collations_first(kept)
            restore(first)
            with closing(superuser(server, database)) as connection:
                notes += create_collations(connection, collations)
        return notes + failures(restore(kept))


def _prepare(connection: Connection, own: Connection, manifest: Manifest) -> list[LeftOut]:
    run(connection, f"CREATE SCHEMA {SCHEMA}")
    run(connection, f"GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC")
    for name, options in _OPTIONS.items():
        run(connection, _EXPLAIN.format(schema=SCHEMA, name=name, options=options))
    notes = create_extensions(connection, own, manifest, SCHEMA)
    return notes + create_collations(connection, [one for one in manifest.collations if one.schema == "pg_catalog"])
