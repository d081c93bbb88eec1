"""Trial indexes are built for real, and nothing of them is ever left behind, whatever ends the run."""

from collections.abc import Callable
from contextlib import closing

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection
from sqlalchemy import make_url

from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.errors import ServerError, StatementError
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.leftovers import TRIAL_PREFIX
from queryproof.analyzer.postgres.server import Server

from .things import GOOD, TRIGRAM, USELESS, left_behind, terminate


def test_an_extension_that_the_trial_needed_is_gone_afterwards(
    things_root: Connection, server: Server, things: str
) -> None:
    with Builder(connect(server.url(things, "app"))) as one, one.built(TRIGRAM) as built:
        assert built.size_bytes > 0
        assert left_behind(things_root) == [built.name, "pg_trgm"]
    assert left_behind(things_root) == []


def test_what_was_built_before_the_connection_was_lost_still_stands(things_root: Connection, builder: Builder) -> None:
    first = builder.build(GOOD)
    terminate(things_root)
    with pytest.raises(StatementError, match="was lost"):
        builder.build(USELESS)
    second = builder.build(USELESS)
    assert left_behind(things_root) == [first.name, second.name]
    builder.close()
    assert left_behind(things_root) == []


def test_a_backend_that_still_builds_after_its_connection_was_cut_is_ended(
    things_root: Connection, server: Server, things: str
) -> None:
    url = server.url(things, "app")
    cut = connect(url)
    lost = [ServerError("the database system is in recovery mode")] * 2

    def reconnect() -> Connection:
        if lost:
            raise lost.pop()
        return connect(url)

    with Builder(cut, reconnect=reconnect) as one:
        with cut.cursor() as cursor:
            cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}1 ON things (b)")
        one._connection = connect(url)
        one._connection.close()
        built = one.build(GOOD)
        assert left_behind(things_root) == [built.name]
        with pytest.raises(OperationalError), cut.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert left_behind(things_root) == []


def test_the_server_notices_that_a_run_is_gone(builder: Builder, things_root: Connection) -> None:
    if things_root.server_version >= 140000:
        with builder._connection.cursor() as cursor:
            cursor.execute("SHOW client_connection_check_interval")
            assert cursor.fetchone() == ("1s",)


def test_a_leftover_of_a_killed_run_is_dropped_by_the_next(
    things_root: Connection, server: Server, things: str
) -> None:
    with things_root.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}9 ON things (b)")
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}of_ours ON things (b)")
    with Builder(connect(server.url(things, "app"))):
        left = left_behind(things_root)
    with things_root.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {TRIAL_PREFIX}of_ours")
    assert left == [f"{TRIAL_PREFIX}of_ours"]


def test_nothing_is_built_beside_an_index_that_should_be_gone(
    things_root: Connection, server: Server, things: str
) -> None:
    reader = connect(server.url(things, "reader"))
    reader.autocommit = False
    with Builder(connect(server.url(things, "app")), lock_timeout_s=0.2) as builder:
        first = builder.build(USELESS)
        with reader.cursor() as cursor:
            cursor.execute("SELECT 1 FROM things LIMIT 1")
        for attempt in (lambda: builder.drop(USELESS, first), builder.clear, lambda: builder.build(GOOD)):
            with pytest.raises(StatementError, match=f"{first.name} was not dropped"):
                attempt()
        assert left_behind(things_root) == [first.name]
        reader.close()
        second = builder.build(GOOD)
        assert left_behind(things_root) == [second.name]
    assert left_behind(things_root) == []


def test_two_runs_at_once_are_refused(server: Server, things: str, builder: Builder) -> None:
    with pytest.raises(ServerError, match="another queryproof"):
        Builder(connect(server.url(things, "app")))


def test_a_refused_candidate_raises_and_leaves_nothing(things_root: Connection, builder: Builder) -> None:
    wrong = CandidateIndex("public", "things", "btree", (Key("nothing"),))
    with pytest.raises(StatementError, match="42703"), builder.built(wrong):
        pass
    assert left_behind(things_root) == []


@pytest.mark.parametrize("foreign", [False, True])
def test_an_index_that_a_part_already_has_outlives_the_trial_on_the_whole(
    server: Server, database: str, run_sql: Callable[..., None], foreign: bool
) -> None:
    run_sql(
        database,
        "CREATE TABLE whole (a int, b int) PARTITION BY LIST (b)",
        "CREATE TABLE part_1 PARTITION OF whole FOR VALUES IN (1)",
        "CREATE TABLE part_2 PARTITION OF whole FOR VALUES IN (2) PARTITION BY LIST (a)",
        "CREATE TABLE part_3 PARTITION OF part_2 DEFAULT",
        "CREATE INDEX ours ON part_1 (a)",
        "CREATE INDEX ours_too ON part_3 (a)",
    )
    if foreign:
        run_sql(
            server.url(make_url(database).database or "", "postgres"),
            "CREATE FOREIGN DATA WRAPPER nowhere",
            "CREATE SERVER far FOREIGN DATA WRAPPER nowhere",
            "CREATE FOREIGN TABLE part_5 PARTITION OF whole FOR VALUES IN (5) SERVER far",
        )
    connection = connect(database)
    (whole,) = (table for table in read_schema(connection).tables if table.name == "whole")
    whole_index = CandidateIndex("public", "whole", "btree", (Key("a"),), partitions=whole.parts)
    with Builder(connection) as one, one.built(whole_index) as built:
        assert {"ours", "ours_too"}.isdisjoint(built.names)
        assert len(built.names) == 4
    with closing(connect(database)) as after, after.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('i', 'I') AND relnamespace = 'public'::regnamespace"
        )
        assert sorted(cursor.fetchall()) == [("ours",), ("ours_too",)]


def test_an_index_that_no_plan_uses_yet_is_not_tried(database: str, run_sql: Callable[..., None]) -> None:
    run_sql(
        database,
        "CREATE TABLE updated (a int, b int) WITH (fillfactor = 50)",
        "INSERT INTO updated SELECT n, n FROM generate_series(1, 1000) n",
    )
    index = CandidateIndex("public", "updated", "btree", (Key("a"),))
    with closing(connect(database)) as older, Builder(connect(database), lock_timeout_s=0.2) as builder:
        older.autocommit = False
        with older.cursor() as cursor:
            cursor.execute("CREATE TABLE not_yet ()")
        run_sql(database, "UPDATE updated SET b = b + 1")
        with pytest.raises(StatementError, match="older than it"):
            builder.build(index)
        with closing(connect(database)) as after, after.cursor() as cursor:
            cursor.execute("SELECT relname FROM pg_class WHERE starts_with(relname, %s)", (TRIAL_PREFIX,))
            assert cursor.fetchall() == []
        older.rollback()
        assert builder.build(index).size_bytes > 0


def test_an_extension_of_a_killed_run_is_dropped_by_the_next_unless_it_is_needed(
    things_root: Connection, server: Server, things: str
) -> None:
    url = server.url(things, "app")
    killed = connect(url)
    Builder(killed).build(TRIGRAM)
    killed.close()
    assert left_behind(things_root) == [f"{TRIAL_PREFIX}1", "pg_trgm"]
    with things_root.cursor() as cursor:
        cursor.execute("CREATE INDEX needs_it ON things USING gin (word gin_trgm_ops)")
    with Builder(connect(url)):
        assert left_behind(things_root) == ["pg_trgm"]
    with things_root.cursor() as cursor:
        cursor.execute("DROP INDEX needs_it")
    with Builder(connect(url)):
        assert left_behind(things_root) == []


def test_a_name_that_another_role_has_taken_is_passed_over(things_root: Connection, builder: Builder) -> None:
    with things_root.cursor() as cursor:
        cursor.execute("CREATE TABLE of_another (a int)")
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}1 ON of_another (a)")
    try:
        with builder.built(GOOD) as built:
            assert built.name == f"{TRIAL_PREFIX}2"
        assert left_behind(things_root) == [f"{TRIAL_PREFIX}1"]
    finally:
        with things_root.cursor() as cursor:
            cursor.execute("DROP TABLE of_another")
