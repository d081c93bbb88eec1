"""A hollow clone plans as its source does, with and without hypothetical indexes."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.errors import OutputError, ServerError, StatementError
from queryproof.analyzer.postgres import clone_source
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_dump import dump_schema
from queryproof.analyzer.postgres.clone_file import (
    CloneFile,
    Extension,
    ExtensionFunction,
    LeftOut,
    Relation,
    load_clone,
)
from queryproof.analyzer.postgres.clone_restore import restore_schema
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.clone_statistics import HISTOGRAM
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.locked_relations import LockedRelation, locked_relations
from queryproof.analyzer.postgres.server import Server

SETUP = """
CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, country char(2), created timestamptz,
  tags text[], document jsonb, active boolean);
INSERT INTO users (email, country, created, tags, document, active)
  SELECT 'u' || i || '@example.org', (ARRAY['de','fr','us'])[1 + i % 3], now() - i * interval '1 min',
    ARRAY['t' || i % 100, 'z' || i % 7], jsonb_build_object('a', i % 50), i % 10 = 0 FROM generate_series(1, 20000) i;
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint REFERENCES users, total numeric, placed date, note varchar(20));
INSERT INTO orders (user_id, total, placed, note)
  SELECT 1 + i % 20000, i % 777, date '2020-01-01' + i % 1000, 'n' || i % 10 FROM generate_series(1, 100000) i;
CREATE INDEX ix_orders_placed ON orders (placed);
CREATE INDEX ix_users_document ON users USING gin (document);
CREATE INDEX ix_users_lower_email ON users (lower(email));
CREATE STATISTICS orders_placed_total (ndistinct, dependencies, mcv) ON placed, total FROM orders;
CREATE TABLE events (at date, kind int, payload text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ix_events_payload ON events_2025 (payload);
INSERT INTO events SELECT date '2024-01-01' + i % 700, i % 500, 'p' || i FROM generate_series(1, 50000) i;
"""
STATEMENTS = (
    "SELECT * FROM users WHERE id = 5",
    "SELECT * FROM users WHERE email = 'u5@example.org'",
    "SELECT * FROM users WHERE lower(email) = 'u5@example.org'",
    "SELECT * FROM orders WHERE placed > date '2022-09-01'",
    "SELECT * FROM orders WHERE placed = date '2020-05-05' AND total = 5",
    "SELECT count(*) FROM orders o JOIN users u ON u.id = o.user_id WHERE u.country = 'de' AND u.active",
    "SELECT placed, total, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1 LIMIT 10",
    "SELECT * FROM users WHERE tags @> ARRAY['t5']",
    "SELECT * FROM events WHERE at = date '2024-05-05' AND kind = 7",
    "UPDATE users SET active = false WHERE country = 'fr'",
)


@pytest.fixture(scope="module")
def source(server: Server, fill: Callable[[str, str], None]) -> str:
    fill("clone_source", SETUP)
    return server.url("clone_source", "reader")


@pytest.fixture(scope="module")
def taken(source: str) -> CloneFile:
    return read_source(source)


@pytest.fixture(scope="module")
def clone(taken: CloneFile) -> Iterator[HollowClone]:
    with HollowClone(taken) as running:
        yield running


def explained(url: str, sql: str) -> str:
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql)
            return "".join(f"{line}\n" for (line,) in cursor.fetchall())
    finally:
        connection.close()


@pytest.mark.parametrize("sql", STATEMENTS)
def test_plans_are_the_sources_own_to_the_last_digit(source: str, clone: HollowClone, sql: str) -> None:
    assert clone.explain(sql).strip() == explained(source.replace("//reader@", "//app@"), sql).strip()


def test_a_file_takes_the_place_of_no_pipe_and_no_device(taken: CloneFile, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="no file"):
        taken.save(tmp_path / "pipe")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_saved_file_is_the_same_clone_and_readable_by_its_owner_alone(taken: CloneFile, tmp_path: Path) -> None:
    path = tmp_path / "prod.qpclone"
    taken.save(path)
    assert load_clone(path) == taken
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_hypothetical_index_is_used_and_switched_off_again(clone: HollowClone) -> None:
    what_if = CloneWhatIf(clone)
    sql = "SELECT sum(total) FROM orders WHERE user_id = 7"
    before = what_if.price(sql)
    handle = what_if.add(CandidateIndex("public", "orders", "btree", (Key("user_id"),)))
    assert what_if.price(sql) == before
    after = what_if.price(sql, [handle])
    assert after.used == {handle}
    assert after.cost < before.cost / 20
    assert [node.index for node in what_if.plan(sql, [handle]).root.walk() if node.index] == [handle]
    assert what_if.price(sql) == before
    assert 500_000 < what_if.size_bytes(handle) < 3_000_000


def test_an_existing_index_is_switched_off_and_on_again(clone: HollowClone) -> None:
    what_if = CloneWhatIf(clone)
    sql = "SELECT * FROM users WHERE id = 7"
    assert what_if.price(sql).used == {"public.users_pkey"}
    assert what_if.price(sql, without=["public.users_pkey"]).used == frozenset()
    assert what_if.price(sql).used == {"public.users_pkey"}


def test_an_index_on_a_partitioned_table_goes_by_its_handle_in_every_partition(clone: HollowClone) -> None:
    what_if = CloneWhatIf(clone)
    sql = "SELECT * FROM events WHERE kind = 7"
    handle = what_if.add(CandidateIndex("public", "events", "btree", (Key("kind"),)))
    assert what_if.price(sql, [handle]).used == {handle}
    assert {node.index for node in what_if.plan(sql, [handle]).root.walk() if node.index} == {handle}


def test_an_index_that_a_partition_has_for_itself_stays_when_the_whole_table_could_have_one(clone: HollowClone) -> None:
    what_if = CloneWhatIf(clone)
    sql = "SELECT * FROM events WHERE payload = 'p7'"
    before = what_if.price(sql)
    assert before.used == {"public.ix_events_payload"}
    handle = what_if.add(CandidateIndex("public", "events", "btree", (Key("payload"),)))
    assert what_if.price(sql) == before
    after = what_if.price(sql, [handle])
    assert handle in after.used
    assert after.cost < before.cost
    assert what_if.price(sql, [handle], ["public.ix_events_payload"]).used == {handle}
    assert what_if.price(sql) == before


def test_an_older_source_gets_no_skip_scan_and_keeps_its_indexes_on_expressions(
    taken: CloneFile, clone: HollowClone
) -> None:
    skipped = CandidateIndex("public", "orders", "btree", (Key("note"), Key("user_id")))
    newer = CloneWhatIf(clone)
    older = replace(taken, manifest=replace(taken.manifest, server_version=120022, version="12.22"))
    sql = "SELECT * FROM orders WHERE user_id = 7"
    assert newer.price(sql, [handle := newer.add(skipped)]).used == {handle}
    with HollowClone(older) as corrected:
        assert corrected.kind.endswith("skip scans ruled out")
        what_if = CloneWhatIf(corrected)
        assert what_if.price(sql, [what_if.add(skipped)]).used == frozenset()
        for expression in ("lower(note)", "(note || 'x')", "(placed::timestamp AT TIME ZONE 'UTC')", "total::int"):
            handle = what_if.add(CandidateIndex("public", "orders", "btree", (Key(None, expression),)))
            value = "now()" if "placed" in expression else "'7'"
            assert what_if.price(f"SELECT * FROM orders WHERE {expression} = {value}", [handle]).used == {handle}


def test_an_impossible_index_is_refused_with_postgresqls_reason(clone: HollowClone) -> None:
    what_if = CloneWhatIf(clone)
    with pytest.raises(StatementError, match="nothing"):
        what_if.add(CandidateIndex("public", "orders", "btree", (Key("nothing"),)))
    assert what_if.price("SELECT * FROM users WHERE id = 7").used == {"public.users_pkey"}


def test_statements_that_are_not_plannable_or_more_than_one_are_refused(clone: HollowClone) -> None:
    for sql in ("DROP TABLE users", "SELECT 1; SELECT 2", "ANALYZE SELECT 1", "VACUUM users"):
        with pytest.raises(StatementError):
            clone.explain(sql)


def test_reading_uses_no_index_that_nobody_uses(database: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE grown AS SELECT n AS a, n AS b FROM generate_series(1, 5000) n")
        cursor.execute("CREATE INDEX grown_a ON grown (a); CREATE INDEX grown_b ON grown (b); ANALYZE grown")
        cursor.execute("INSERT INTO grown SELECT n, n FROM generate_series(5001, 6000) n")
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SELECT 1 FROM grown WHERE a = 7")

        def scans(index: str) -> int:
            cursor.execute("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s", (index,))
            return int((cursor.fetchone() or (0,))[0])

        wait_until(lambda: scans("grown_a") == 1)
        taken = read_source(database)
        wait_until(lambda: scans("grown_a") > 1)  # both ends were read, and counted
        assert scans("grown_b") == 0
    connection.close()
    bounds = {
        one.column: slot.values[-1]
        for one in taken.statistics.columns
        for slot in one.slots
        if slot.kind == HISTOGRAM and slot.values
    }
    assert bounds == {"a": "6000", "b": "5000"}
    assert {one.name: one.scans for one in taken.manifest.relations if one.kind == "i"} == {"grown_a": 1, "grown_b": 0}


def test_tables_count_at_their_present_length(taken: CloneFile) -> None:
    def changed(relation: Relation) -> Relation:
        if relation.name == "users":  # unlogged, after a crash: statistics, and nothing else
            return replace(relation, blocks=0)
        if relation.name == "orders":
            return replace(relation, blocks=3 * relation.pages)
        return replace(relation, pages=0, tuples=-1) if relation.name == "events_2024" else relation

    manifest = replace(taken.manifest, relations=tuple(map(changed, taken.manifest.relations)))
    with HollowClone(replace(taken, manifest=manifest)) as clone:
        what_if = CloneWhatIf(clone)
        tables = {table.name: table for table in clone.schema().tables}
        assert tables["users"].rows == 0
        assert tables["orders"].rows == 300_000
        total = tables["orders"].column("id")
        assert total is not None
        assert total.distinct == 300_000
        assert tables["events_2024"].rows is None
        assert tables["events_2024"].pages > 100
        sql = "SELECT * FROM users WHERE created > now()"
        handle = what_if.add(CandidateIndex("public", "users", "btree", (Key("created"),)))
        assert what_if.price(sql, [handle]).used == frozenset()
        large = what_if.add(CandidateIndex("public", "orders", "btree", (Key("id"), Key("total"))))
        unknown = what_if.add(CandidateIndex("public", "events_2024", "btree", (Key("kind"),)))
    assert what_if.size_bytes(large) > 300_000 * 16
    assert what_if.size_bytes(unknown) > 100_000


def test_collations_of_the_databases_own_come_along(database: str, run_sql: Callable[..., None]) -> None:
    run_sql(
        database,
        'CREATE SCHEMA "Own"; CREATE COLLATION "Own"."by byte" (PROVIDER = libc, LOCALE = \'C\')',
        "CREATE COLLATION plain (PROVIDER = libc, LOCALE = 'POSIX')",
        'CREATE TABLE words (a text COLLATE "Own"."by byte", b text COLLATE plain)',
        "INSERT INTO words SELECT 'a' || n, 'b' || n FROM generate_series(1, 5000) n",
        "CREATE INDEX words_a ON words (a); CREATE INDEX words_b ON words (b); ANALYZE words",
    )
    with HollowClone(read_source(database)) as clone:
        assert clone.left_out == ()
        for sql in ("SELECT * FROM words WHERE a LIKE 'a77%'", "SELECT * FROM words WHERE b LIKE 'b77%'"):
            assert clone.explain(sql).strip() == explained(database, sql).strip()
            assert "Index" in clone.explain(sql)


def wait_until(holds: Callable[[], bool]) -> None:
    """Counters of use come a moment after what they count."""
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


@pytest.mark.parametrize("fault", ["the server ends", "pg_restore hangs"])
def test_a_clone_that_cannot_be_built_says_why_and_leaves_nothing(
    taken: CloneFile, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    clone = HollowClone(taken)

    def restore_on_a_dead_server(server: Server, file: CloneFile, database: str) -> list[LeftOut]:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        return restore_schema(server, file, database)

    if fault == "the server ends":
        monkeypatch.setattr("queryproof.analyzer.postgres.clone.restore_schema", restore_on_a_dead_server)
    else:
        monkeypatch.setattr("queryproof.analyzer.postgres.clone_restore.RESTORE_TIMEOUT_S", 0.001)
    reason = "the clone's server ended" if fault == "the server ends" else "was not restored within"
    with pytest.raises(ServerError, match=reason), clone:
        pass
    assert not clone.directory.exists()


def test_what_a_file_says_of_an_extension_is_never_run_with_all_rights(taken: CloneFile) -> None:
    arguments = "a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE; CREATE ROLE intruder SUPERUSER; --"
    functions = (
        ExtensionFunction("gone", "public", "harmful", arguments, "integer", "i", True),
        ExtensionFunction("gone", "Ex t", "harmless", "a integer", "integer", "i", True),
    )
    settings = (*taken.manifest.settings, ("session_preload_libraries", "intruder"), ("no_such_setting", "1"))
    manifest = replace(
        taken.manifest,
        extensions=(Extension("gone", "1.0", "public"),),
        extension_functions=functions,
        settings=settings,
    )
    with HollowClone(replace(taken, manifest=manifest)) as clone:
        with closing(connect(clone.url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_roles WHERE rolname = 'intruder'")
            assert cursor.fetchone() is None
        assert clone.plan('SELECT id FROM orders WHERE "Ex t".harmless(user_id::int) = 1').root.type == "Seq Scan"
        told = {one.what for one in clone.left_out}
        assert told >= {"setting session_preload_libraries", "setting no_such_setting"}


def test_names_that_hold_what_elsewhere_ends_a_line_come_along(database: str, run_sql: Callable[..., None]) -> None:
    name = "a\u2028b\x0bc\u0085 d"
    run_sql(database, f'CREATE TABLE "{name}" (id int PRIMARY KEY)', f'CREATE VIEW "of {name}" AS TABLE "{name}"')
    with HollowClone(read_source(database)) as clone:
        assert clone.left_out == ()
        assert name in {table.name for table in clone.schema().tables}


@pytest.mark.parametrize("moment", ["before the dump", "after the dump"])
def test_a_lock_taken_on_the_way_leaves_that_table_out(
    database: str, run_sql: Callable[..., None], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    run_sql(database, "CREATE TABLE busy (id int PRIMARY KEY)", "CREATE TABLE calm (id int PRIMARY KEY)")
    migration = connect(database)
    migration.autocommit = False
    looks: list[int] = []

    def look(connection: Connection, patience_s: float) -> tuple[LockedRelation, ...]:
        found = locked_relations(connection, 0)
        looks.append(len(found))
        if moment == "before the dump":
            lock()
        return found

    def dump(url: str, connection: Connection, excluded: Sequence[tuple[str, str]]) -> bytes:
        dumped = dump_schema(url, connection, excluded)
        lock()
        return dumped

    def lock() -> None:
        if len(looks) == 1:
            with migration.cursor() as cursor:
                cursor.execute("LOCK TABLE busy")

    monkeypatch.setattr(clone_source, "locked_relations", look)
    monkeypatch.setattr(clone_source, "dump_schema", dump)
    taken = read_source(database)
    migration.close()
    assert looks == [0, 1]
    assert {one.name for one in taken.manifest.relations if one.kind == "r"} == {"calm"}
    assert "locked by another session" in {one.what: one.reason for one in taken.manifest.left_out}["table public.busy"]
