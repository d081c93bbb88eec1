"""Trial indexes are built for real, and nothing of them is ever left behind, whatever ends the run."""

import pytest
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.errors import ServerError, StatementError
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
