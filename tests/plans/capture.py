"""Makes the stored plans on real servers: `python -m tests.plans.capture DIRECTORY [--jit BIN]` (`make plans`).

Of most themes each major keeps half of the scenarios, so that reading all plans takes seconds. DIRECTORY holds 13/native/bin … 18/native/bin; BIN is the bin directory of a PostgreSQL that can compile (JIT).
"""

import argparse
import json
import re
import sys
import time
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import psycopg2

from queryproof.analyzer.postgres.binaries import find_binaries
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sql.tokens import split_statements

from .corpus import Captured, Catalog, file_of, read, write
from .scenario import MAJORS, Scenario, Theme, themes

OPTIONS = "ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS"
FORMATS = ("json", "json", "json", "text", "json", "json", "yaml", "json", "text", "json", "xml", "json")
"""Most are read as JSON; each scenario has other formats on other majors."""


def capture(
    server: Server, *, jit: bool = False, half: bool = False, only: Collection[str] = ()
) -> Iterator[Catalog | Captured]:
    """The catalog and the plans of every theme, or of these, made on this server. jit: only the scenarios that need it; half:
    every other one of the rest, those that the next major leaves out."""
    major = server.binaries.major
    for theme in (one for one in themes() if not only or one.name in only):
        wanted = [one for one in theme.scenarios if one.jit is jit and (jit or major in one.majors)]
        if half and theme.name != "parallel":
            wanted = [
                one
                for one in wanted
                if len(one.majors) < 3 or (zlib.crc32(_first(theme, one).encode()) + major) % 2 == 0
            ]
        if wanted:
            yield from _theme(server, theme, wanted)


def _first(theme: Theme, scenario: Scenario) -> str:
    """Name of the scenario that has the first plan of the same statement."""
    named = {one.name: one for one in theme.scenarios}
    while scenario.earlier is not None:
        scenario = named[scenario.earlier]
    return scenario.name


def _theme(server: Server, theme: Theme, wanted: list[Scenario]) -> Iterator[Catalog | Captured]:
    name = f"plans_{theme.name}"
    server.create_database(name)
    _run(server, name, "app", theme.setup)
    _run(server, name, "postgres", theme.superuser.replace("SOCKET", str(server.directory)))
    # The counts of changed rows reach the catalog a moment later.
    time.sleep(1.5)
    reader = connect(server.url(name, "app"))
    yield Catalog(theme.name, read_schema(reader))
    reader.close()
    for scenario in wanted:
        if scenario.cold:
            server.restart()
        yield _scenario(server, name, scenario)


def _run(server: Server, name: str, user: str, sql: str) -> None:
    connection = connect(server.url(name, user))
    # One by one: VACUUM wants to be alone.
    for statement in split_statements(sql):
        if statement.lstrip().upper().startswith("VACUUM"):
            # A session tells its counts of changed rows once a second, and when it ends: told after ANALYZE they would stand against it.
            connection.close()
            connection = connect(server.url(name, user))
        with connection.cursor() as cursor:
            cursor.execute(statement)
    connection.close()


def _scenario(server: Server, name: str, scenario: Scenario) -> Captured:
    number = zlib.crc32(scenario.name.encode()) + server.binaries.major
    form = FORMATS[number % len(FORMATS)]
    options = scenario.options or (OPTIONS if number % 3 else "ANALYZE, BUFFERS")
    connection = psycopg2.connect(
        server.url(name, "postgres" if scenario.superuser else "app").replace("+psycopg2", "")
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            for statement in scenario.before:
                if not _unknown(cursor, statement):
                    cursor.execute(statement)
            cursor.execute(f"EXPLAIN ({options}, FORMAT {form.upper()}) {scenario.sql}")
            rows = cursor.fetchall()
            cursor.execute("ROLLBACK")
    except psycopg2.Error as error:
        raise ValueError(f"{scenario.theme}, {scenario.name}: {error}") from error
    finally:
        connection.close()
    text = json.dumps(rows[0][0], separators=(",", ":")) if form == "json" else "\n".join(row[0] for row in rows)
    return Captured(scenario.name, server.version, form, text)


def _unknown(cursor: "psycopg2.extensions.cursor", statement: str) -> bool:
    """Whether it sets what this major does not have yet."""
    setting = re.match(r"SET (\w+)", statement)
    if setting is None:
        return False
    cursor.execute("SELECT 1 FROM pg_settings WHERE name = %s", (setting[1],))
    return not cursor.fetchall()


def main() -> None:
    """Write one file a server."""
    parser = argparse.ArgumentParser(description="Make the stored plans anew.")
    parser.add_argument("directory", type=Path, help="holds 13/native/bin … 18/native/bin")
    parser.add_argument("--jit", type=Path, help="bin directory of a PostgreSQL with JIT")
    parser.add_argument("--only", type=int, nargs="*", default=list(MAJORS), help="these majors")
    parser.add_argument("--theme", nargs="*", default=[], help="these themes; the plans of the others stay")
    asked = parser.parse_args()
    for major in asked.only:
        _store(f"postgresql_{major}", asked.directory / str(major) / "native" / "bin", asked.theme, jit=False)
    if asked.jit:
        _store("with_jit", asked.jit, asked.theme, jit=True)


def _store(name: str, programs: Path, only: Sequence[str], *, jit: bool) -> None:
    begin = time.monotonic()
    with Server(find_binaries(programs)) as server:
        made = list(capture(server, jit=jit, half=not jit, only=only))
    catalogs = [one for one in made if isinstance(one, Catalog)]
    plans = [one for one in made if isinstance(one, Captured)]
    if only:
        schemas, kept = read(file_of(name))
        order = {scenario: theme.name for theme in themes() for scenario in (one.name for one in theme.scenarios)}
        catalogs += [Catalog(theme, schema) for theme, schema in schemas.items() if theme not in only]
        plans += [one for one in kept if order.get(one.scenario, only[0]) not in only]
        catalogs.sort(key=lambda one: one.theme)
        plans.sort(key=lambda one: order[one.scenario])
    write(name, catalogs, plans)
    sys.stdout.write(f"{name}: {len(made)} catalogs and plans made in {time.monotonic() - begin:.0f} s\n")


if __name__ == "__main__":
    main()
