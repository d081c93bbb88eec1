"""What-if planning where there is no hollow clone: HypoPG on the user's server, and real builds on a scratch copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.hypopg_what_if import HypopgWhatIf
from queryproof.analyzer.advise.scratch_what_if import ScratchWhatIf
from queryproof.analyzer.advise.what_if import WhatIf
from queryproof.analyzer.errors import ServerError, StatementError
from queryproof.analyzer.postgres.binaries import find_major
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.leftovers import TRIAL_PREFIX
from queryproof.analyzer.postgres.outcome import ConnectionLost
from queryproof.analyzer.postgres.server import Server
from queryproof.reports.advice_words import known_by

from .things import QUERY, left_behind

SETUP = """
CREATE SCHEMA "Od.d";
CREATE TABLE "Od.d"."Ta ble" (id int PRIMARY KEY, "A b" int NOT NULL, c int NOT NULL, filler text NOT NULL);
INSERT INTO "Od.d"."Ta ble" SELECT n, n % 4000, n % 3000, repeat('x', 100) FROM generate_series(1, 20000) n;
CREATE INDEX "by c" ON "Od.d"."Ta ble" (c);
CREATE SCHEMA aside; CREATE TABLE aside.twin (c int); CREATE INDEX "by c" ON aside.twin (c);
CREATE SCHEMA "Od.a"; CREATE TABLE "Od.a".twin (c int); CREATE INDEX "by c" ON "Od.a".twin (c);
CREATE TABLE parted (id int NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
"""
WANTED = 'SELECT * FROM "Od.d"."Ta ble" WHERE "A b" = 7'
USES_C = 'SELECT * FROM "Od.d"."Ta ble" WHERE c = 7'
INDEX = CandidateIndex("Od.d", "Ta ble", "btree", (Key("A b"),))
OTHER = CandidateIndex("Od.d", "Ta ble", "btree", (Key("c"), Key("A b")))


def catalog(connection: Connection) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid, relname, relfilenode FROM pg_class WHERE relkind IN ('i', 'I', 'r', 'p') ORDER BY 1"
        )
        return cursor.fetchall()


def holds(what_if: WhatIf) -> None:
    """Each set of indexes has its own plan, in any order, and the candidates that are not asked for stay out of it."""
    before = what_if.price(WANTED)
    first, second = what_if.add(INDEX), what_if.add(OTHER)
    assert what_if.price(WANTED) == before
    with_it = what_if.price(WANTED, [first])
    assert with_it.cost < before.cost / 3
    assert with_it.used == {first}
    assert what_if.price(WANTED, [first, second]) == with_it
    assert what_if.price(WANTED, [second]).used <= {second}
    assert 100_000 < what_if.size_bytes(first) < 500_000
    assert what_if.price(USES_C).used == {"Od.a.by c", "Od.d.by c", "aside.by c"}
    assert what_if.price(WANTED) == before
    for refused in ("SELECT nothing FROM nowhere", "DROP TABLE parted", "SELECT 1; SELECT 2"):
        with pytest.raises(StatementError):
            what_if.price(refused)
    with pytest.raises(StatementError, match="PostgreSQL says 22P02: ") as caught:
        what_if.price("SELECT 'a secret'::int")
    assert "secret" not in str(caught.value)
    assert what_if.price(WANTED, [first]) == with_it


def ends_with_its_connection(what_if: WhatIf, connection: Connection, root: Connection) -> None:
    """A lost connection is no answer about a statement: who plans on must be told."""
    with root.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            what_if.price(WANTED)


@pytest.fixture(scope="module")
def scratch(server: Server) -> Iterator[Connection]:
    server.create_database("scratch_door")
    connection = connect(server.url("scratch_door", "app"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
        cursor.execute('VACUUM (ANALYZE) "Od.d"."Ta ble"')
    yield connection
    connection.close()


def test_indexes_built_on_a_scratch_copy_plan_as_sets(scratch: Connection) -> None:
    before = catalog(scratch)
    with Builder(scratch) as builder:
        what_if = ScratchWhatIf(scratch, builder)
        assert what_if.kind.startswith("indexes really built on a scratch copy, PostgreSQL ")
        holds(what_if)
        first = what_if.add(CandidateIndex("Od.d", "Ta ble", "hash", (Key("A b"),)))
        assert what_if.price(USES_C, [first], ["Od.d.by c"]).cost > what_if.price(USES_C).cost
    assert catalog(scratch) == before


def test_a_scratch_copy_whose_connection_is_lost_is_given_up(scratch: Connection, server: Server) -> None:
    with Builder(scratch) as builder:
        connection = connect(server.url("scratch_door", "app"))
        ends_with_its_connection(ScratchWhatIf(connection, builder), connection, scratch)


def test_a_leftover_does_not_stand_in_the_way_on_a_scratch_copy(scratch: Connection) -> None:
    with Builder(scratch) as builder:
        with scratch.cursor() as cursor:
            cursor.execute(f'CREATE INDEX {TRIAL_PREFIX}99 ON "Od.d"."Ta ble" ("A b")')
        what_if = ScratchWhatIf(scratch, builder)
        table = what_if.schema().table("Ta ble", "Od.d")
    assert table is not None
    assert [index.name for index in table.indexes] == ["Ta ble_pkey", "by c"]
    assert [note.subject for note in what_if.notes] == [f"index Od.d.{TRIAL_PREFIX}99"]


def test_hypopg_plans_sets_and_writes_nothing() -> None:
    binaries = next(
        (
            found
            for major in range(18, 12, -1)
            if (found := find_major(major)) and next(found.directory.parent.parent.parent.parent.glob(f"share/postgresql/{major}/extension/hypopg.control"), None)
        ),
        None,
    )  # fmt: skip
    if binaries is None:
        pytest.skip("HypoPG is not installed")
    with Server(binaries) as server:
        server.create_database("hypo_door")
        connection = connect(server.url("hypo_door", "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(SETUP)
            cursor.execute('VACUUM (ANALYZE) "Od.d"."Ta ble"')
        with pytest.raises(ServerError, match="not installed"):
            HypopgWhatIf(connect(server.url("hypo_door", "reader")))
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION hypopg")
        before = catalog(connection)
        reader = connect(server.url("hypo_door", "reader"))
        what_if = HypopgWhatIf(reader)
        assert f" on PostgreSQL {binaries.major}." in what_if.kind
        before_it = what_if.price(WANTED)
        holds(what_if)
        with pytest.raises(StatementError, match="gin"):
            what_if.add(CandidateIndex("Od.d", "Ta ble", "gin", (Key("filler"),)))
        with pytest.raises(StatementError, match="partial"):
            what_if.add(CandidateIndex("Od.d", "Ta ble", "btree", (Key("c"),), predicate='"A b" = 7'))
        if what_if.hides:
            assert what_if.price(USES_C, (), ["Od.d.by c"]).cost > what_if.price(USES_C).cost
        assert catalog(connection) == before
        reader.close()
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE INDEX {TRIAL_PREFIX}99 ON "Od.d"."Ta ble" ("A b")')
        left = HypopgWhatIf(reader := connect(server.url("hypo_door", "reader")))
        table = left.schema().table("Ta ble", "Od.d")
        assert table is not None
        assert [index.name for index in table.indexes] == ["Ta ble_pkey", "by c"]
        assert [note.subject for note in left.notes] == [f"index Od.d.{TRIAL_PREFIX}99"]
        assert (left.price(WANTED) == before_it) == left.hides
        ends_with_its_connection(left, reader, connection)
        with pytest.raises(ConnectionLost):
            left.add(OTHER)
        reader.close()
        connection.close()


def test_what_a_scratch_copy_was_planned_with_is_not_there_when_it_is_measured(
    server: Server, things: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(url: str) -> None:
        raise ServerError("pg_dump of the schema failed")

    # Of all that runs here only the reason is told: no server of the tests refuses a clone.
    monkeypatch.setattr("queryproof.analyzer.advise.door.read_source", refused)
    (tmp_path / "q.sql").write_text(QUERY + ";\n")
    request = AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, "app"), prove="measure", curve=False)
    report = advise(request)
    plan = report.index_plan
    assert plan is not None
    assert plan.door.startswith("indexes really built on a scratch copy")
    assert [one.definition for one in plan.indexes] == ["B-tree on things (a)"]
    assert plan.evidence == "measured"
    assert not plan.taken_out
    assert "measured: chosen by plans with indexes really built on a scratch copy" in known_by(plan)
    root = connect(server.url(things, "postgres"))
    assert left_behind(root) == []
    root.close()
