"""On a standby: what reads is run, nothing is written, and what recovery cancels keeps its plain plan."""

import os
import shutil
import threading
import time
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.errors import ServerError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import PORT, Server

from ..postgres.hostile import group

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n % 7 FROM generate_series(1, 2000) n;
CREATE TABLE locked (id int); INSERT INTO locked SELECT generate_series(1, 3000); ANALYZE;
"""


class Standby(Server):
    """A standby of a running server, made from a copy of its files."""

    def __init__(self, primary: Server) -> None:
        super().__init__(primary.binaries)
        self._primary = primary

    def start(self) -> None:
        self._programs = self._reachable_programs()
        connection = connect(self._primary.url())
        new = self.binaries.major >= 15
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT pg_{'backup_start' if new else 'start_backup'}('copy', true{'' if new else ', false'})"
            )
            shutil.copytree(self._primary.data, self.data, ignore=shutil.ignore_patterns("postmaster.*"))
            cursor.execute(
                "SELECT labelfile FROM " + ("pg_backup_stop(false)" if new else "pg_stop_backup(false, false)")
            )
            ((label,),) = cursor.fetchall()
        connection.close()
        (self.data / "backup_label").write_text(label)
        (self.data / "standby.signal").touch()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(
                f"unix_socket_directories = '{self.directory}'\nmax_standby_streaming_delay = '200ms'\n"
                f"primary_conninfo = 'host={self._primary.directory} port={PORT} user=postgres'\n"
            )
        for path in [self.data, *self.data.rglob("*")]:
            os.chown(path, *self.owner)
        self.data.chmod(0o700)
        self._launch()


@pytest.fixture(scope="module")
def pair(major_server: Server) -> Iterator[tuple[Connection, Standby]]:
    """A connection to the primary, and its standby."""
    major_server.create_database("replicated")
    primary = connect(major_server.url("replicated", "app"))
    with primary.cursor() as cursor:
        cursor.execute(SETUP)
    with Standby(major_server) as standby:
        yield primary, standby
    primary.close()


def _caught_up(primary: Connection, standby: Connection) -> None:
    with primary.cursor() as cursor, standby.cursor() as other:
        cursor.execute("SELECT pg_current_wal_lsn()::text")
        ((place,),) = cursor.fetchall()
        for _ in range(300):
            other.execute("SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)", (place,))
            if other.fetchall() == [(True,)]:
                return
            time.sleep(0.05)
    raise AssertionError("the standby does not follow")


def test_reads_are_run_and_writes_are_not(pair: tuple[Connection, Standby]) -> None:
    primary, standby = pair
    connection = connect(standby.url("replicated", "app"))
    _caught_up(primary, connection)
    explainer = Explainer(connection, analyze=True, analyze_writes=True)
    assert explainer.target.standby
    read = explainer.explain(group("SELECT count(*) FROM t WHERE v = 3"))
    assert read.plan is not None, read.note
    assert read.plan.analyzed, read.note
    for sql in ("UPDATE t SET v = 0", "DELETE FROM t", "INSERT INTO t VALUES (0, 0)", "SELECT * FROM t FOR UPDATE"):
        written = explainer.explain(group(sql))
        assert written.plan is None or not written.plan.analyzed, (sql, written.note)
        assert written.note, sql
    with primary.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(v) FROM t")
        assert cursor.fetchall() == [(2000, sum(n % 7 for n in range(1, 2001)))]
    connection.close()


def test_a_superuser_is_refused(pair: tuple[Connection, Standby]) -> None:
    _, standby = pair
    connection = connect(standby.url("replicated", "postgres"))
    with pytest.raises(ServerError, match="standby" if standby.binaries.major >= 14 else "before PostgreSQL 14"):
        Explainer(connection, analyze=True, allow_superuser=True)
    connection.close()


def test_what_recovery_cancels_keeps_its_plain_plan(pair: tuple[Connection, Standby]) -> None:
    primary, standby = pair
    connection = connect(standby.url("replicated", "app"))
    _caught_up(primary, connection)

    def change() -> None:
        time.sleep(1.0)
        with primary.cursor() as cursor:
            cursor.execute("ALTER TABLE locked ADD COLUMN more int")

    changer = threading.Thread(target=change)
    changer.start()
    slow = "SELECT count(*) FROM locked a, locked b, locked c WHERE a.id + b.id + c.id = 5"
    explainer = Explainer(
        connection, analyze=True, max_cost=1e12, timeout_s=30,
        reconnect=lambda: connect(standby.url("replicated", "app")),
    )  # fmt: skip
    explained = explainer.explain(group(slow))
    changer.join()
    assert explained.plan is not None, explained.note
    assert not explained.plan.analyzed
    assert "max_standby_streaming_delay" in explained.note
    after = explainer.explain(group("SELECT count(*) FROM t"))
    assert after.plan is not None
    assert after.plan.analyzed
    explainer.close()
