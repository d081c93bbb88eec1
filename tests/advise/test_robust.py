"""Whatever a database and a workload hold, the rest is still advised, and what was left out is said."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.door import open_door
from queryproof.analyzer.errors import ServerError, SourceError
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_indexes import PREFIX
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.outcome import ConnectionLost
from queryproof.analyzer.postgres.server import Server
from queryproof.reports.ddl_script import ddl_script
from queryproof.reports.html.html import to_html
from queryproof.reports.report import Report

HOSTILE = ('q"uo"te', "semi;colon", "new\nline \\!", "Ünï¢ode", "$1 %s :x", "x" * 63, "select", "\u202eltr")
SETUP = """
CREATE ROLE half LOGIN;
CREATE SCHEMA "MiXed";
DO $$ BEGIN FOR n IN 1..2000 LOOP EXECUTE format('CREATE TABLE crowd_%s (id int, a int)', n);
  IF n % 2 = 0 THEN EXECUTE format('GRANT SELECT ON crowd_%s TO half', n); END IF; END LOOP; END $$;
CREATE TABLE hoard (id int, c1 int, c2 int, c3 int, c4 int, c5 int, filler text);
INSERT INTO hoard SELECT n, n % 2000, n % 7, n % 11, n % 13, n % 17, repeat('x', 100) FROM generate_series(1, 8000) n;
DO $$ BEGIN FOR n IN 1..500 LOOP EXECUTE format('CREATE INDEX hoard_%s ON hoard (c2, c%s, c%s) WHERE c5 = %s', n, 2 + n % 3, 3 + n % 2, n);
  END LOOP; END $$;
CREATE TABLE "MiXed"."Ta.Ble" (id int PRIMARY KEY, "CoL" int NOT NULL, filler text NOT NULL);
INSERT INTO "MiXed"."Ta.Ble" SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 8000) n;
CREATE TABLE hidden AS SELECT * FROM "MiXed"."Ta.Ble";
GRANT USAGE ON SCHEMA "MiXed" TO half;
GRANT SELECT ON hoard, "MiXed"."Ta.Ble" TO half;
ANALYZE hoard;
ANALYZE "MiXed"."Ta.Ble";
CREATE TABLE unknown (id int, a int, filler text) WITH (autovacuum_enabled = off);
INSERT INTO unknown SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 8000) n;
GRANT SELECT ON unknown TO half;
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def report(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Report:
    server.create_database("robust")
    root = connect(server.url("robust", "postgres"))
    statements = [
        "SELECT * FROM hoard WHERE c1 = 7",
        'SELECT * FROM "MiXed"."Ta.Ble" WHERE "CoL" = 7',
        'SELECT * FROM hidden WHERE "CoL" = 7',
        "SELECT * FROM unknown WHERE a = 7",
        "SELEC nonsense",
        "SELECT * FROM nowhere WHERE a = 7",
        "SELECT * FROM crowd_2 WHERE a = 7",
        "SELECT '" + "x" * 300_000 + "'",
    ]
    with root.cursor() as cursor:
        cursor.execute(SETUP)
        for name in HOSTILE:
            cursor.execute(f"CREATE TABLE {quoted(name)} (id int, {quoted(name)} int, filler text)")
            cursor.execute(
                f"INSERT INTO {quoted(name)} SELECT n, n % 2000, repeat('x', 90) FROM generate_series(1, 6000) n"
            )
            cursor.execute(f"ANALYZE {quoted(name)}")
            cursor.execute(f"GRANT SELECT ON {quoted(name)} TO half")
            statements.append(f"SELECT * FROM {quoted(name)} WHERE {quoted(name)} = 7")
    root.close()
    file = tmp_path_factory.mktemp("sql") / "q.sql"
    file.write_text(";\n".join(statements) + ";\n")
    return advise(AdviceRequest(files=(file,), url=server.url("robust", "half"), curve=False))


def test_the_rest_is_advised(report: Report) -> None:
    plan = report.index_plan
    assert plan is not None
    found = {(one.schema, one.table) for one in plan.indexes}
    assert {("public", "hoard"), ("MiXed", "Ta.Ble"), *(("public", name) for name in HOSTILE)} <= found
    assert ("public", "hidden") not in found
    assert ("public", "crowd_2") not in found
    assert all(one.table != "hoard" or one.definition == "B-tree on hoard (c1)" for one in plan.indexes)


def test_what_was_left_out_is_said(report: Report) -> None:
    told = [f"{one.subject}: {one.reason}" for one in report.skipped]
    for expected in (
        "public.hidden: the role may not read it", "public.crowd_1: the role may not read it", "grammar does not", "longer than",
    ):  # fmt: skip
        assert any(expected in one for one in told), expected
    missing = [place for place, one in enumerate(told) if "42P01" in one]
    assert len(missing) >= 2
    # The cause before its effects.
    assert min(missing) > max(place for place, one in enumerate(told) if "the role may not read it" in one)


def test_hostile_names_stay_names(server: Server, report: Report) -> None:
    script = ddl_script(report)
    begins = ("--", "\\set", "\\echo", "\\encoding", "SET", "SELECT", "CREATE", "  WHERE", "line")
    assert [line for line in script.splitlines() if line and not line.startswith(begins)] == []
    assert not any(line.startswith("\\!") for line in script.splitlines())
    assert "<script>alert" not in to_html(report)
    owner = connect(server.url("robust", "postgres"))
    plan = report.index_plan
    assert plan is not None
    wanted = {one.recommendation for one in plan.indexes}
    with owner.cursor() as cursor:
        for action in report.recommendations:
            if action.id in wanted:
                cursor.execute(action.code[0].text)
    owner.close()


@contextmanager
def cloned(database: str) -> Iterator[tuple[HollowClone, CloneWhatIf, str]]:
    """A clone of a table t, with the handle of an index on its column a."""
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t AS SELECT n AS id, n % 2000 AS a FROM generate_series(1, 8000) n; ANALYZE t")
    connection.close()
    with HollowClone(read_source(database)) as hollow:
        what_if = CloneWhatIf(hollow)
        yield hollow, what_if, what_if.add(CandidateIndex("public", "t", "btree", (Key("a"),)))


def ask_until_lost(what_if: CloneWhatIf, sql: str) -> None:
    """The server needs a moment to end its sessions."""
    for _ in range(500):
        what_if.price(sql)
        time.sleep(0.02)


def test_a_clone_server_that_is_killed_is_restarted_and_plans_the_same(server: Server, database: str) -> None:
    with cloned(database) as (hollow, what_if, handle):
        sql = "SELECT * FROM t WHERE a = 7"
        before, after = what_if.price(sql), what_if.price(sql, [handle])
        assert after.cost < before.cost / 3
        assert hollow.server_pid is not None
        first = hollow.server_pid
        os.kill(first, signal.SIGQUIT)
        while hollow.server_pid in (first, None):
            assert what_if.price(sql, [handle]) == after
            assert what_if.price(sql) == before
        assert hollow.server_pid is not None
        os.kill(hollow.server_pid, signal.SIGQUIT)
        with pytest.raises(ConnectionLost, match="died twice"):
            ask_until_lost(what_if, sql)


def test_an_index_that_was_made_as_the_clone_server_died_is_in_no_plan(server: Server, database: str) -> None:
    with cloned(database) as (hollow, what_if, handle):
        sql = "SELECT * FROM t WHERE a = 7"
        before, after = what_if.price(sql), what_if.price(sql, [handle])
        # What is left when CREATE INDEX came through and its answer did not.
        owner = connect(hollow.url)
        with owner.cursor() as cursor:
            cursor.execute(f"CREATE INDEX {PREFIX}2 ON t (a)")
        owner.close()
        first = hollow.server_pid
        assert first is not None
        os.kill(first, signal.SIGQUIT)
        while hollow.server_pid in (first, None):
            what_if.price(sql)
        assert what_if.price(sql) == before
        assert what_if.price(sql, [handle]) == after
        assert [index.name for table in hollow.schema().tables for index in table.indexes] == []


def test_a_table_that_is_locked_is_left_out_and_nobody_waits(server: Server, tmp_path: Path) -> None:
    server.create_database("locked")
    owner, migration = connect(server.url("locked", "app")), connect(server.url("locked", "app"))
    with owner.cursor() as cursor:
        for name in ("free", "busy"):
            cursor.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, a int, filler text)")
            cursor.execute(f"INSERT INTO {name} SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 8000) n")
            cursor.execute(f"ANALYZE {name}")
        cursor.execute("CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES busy)")
        cursor.execute("CREATE VIEW seen AS SELECT b.id FROM busy b JOIN free f USING (a)")
        cursor.execute("CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM seen")
        cursor.execute("CREATE TABLE parted (id int, a int) PARTITION BY RANGE (id)")
        cursor.execute("CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10)")
        cursor.execute("CREATE TABLE high PARTITION OF parted FOR VALUES FROM (10) TO (20)")
    (tmp_path / "q.sql").write_text("SELECT * FROM free WHERE a = 7;\nSELECT * FROM busy WHERE a = 7;\n")
    with migration.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("ALTER TABLE busy ADD COLUMN b int; TRUNCATE low")
        report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url("locked", "reader"), curve=False))
        cursor.execute("ROLLBACK")
    owner.close()
    migration.close()
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [("B-tree on free (a)", "planned")]
    told = {one.subject: one.reason for one in report.skipped}
    assert "locked by another session" in told["table public.busy"]
    assert "a table that it reads is locked" in told["view public.seen"]
    assert "a table that it reads is locked" in told["view public.counted"]
    assert told["table public.low"].startswith("it is locked by another session")
    for name in ("parted", "high"):
        assert "a table of the same partitions or heirs is locked" in told[f"table public.{name}"]


def test_nothing_to_plan_with_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT 1")
    with pytest.raises(SourceError, match="--url"):
        advise(AdviceRequest(files=(tmp_path / "q.sql",)))
    with pytest.raises(SourceError, match="--clone"):
        advise(AdviceRequest(files=(tmp_path / "q.sql",), clone=tmp_path / "x", url="postgresql://x", prove="measure"))
    with pytest.raises(ServerError), ExitStack() as stack:
        open_door("postgresql://u@127.0.0.1:1/x", None, stack)
