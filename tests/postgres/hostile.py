"""A database full of traps, and what must be the same after every attack on it."""

import contextlib
import copy
import select
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.outcome import ConnectionLost
from queryproof.analyzer.postgres.permission import Permission
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.workload import ParameterSample, QueryGroup

from .attacks import HIJACK, HOSTILE_EXTRAS, HOSTILE_SETUP, STUBBORN_SETUP

_FOREIGN = """
CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw;
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{name}', use_remote_estimate 'true');
CREATE USER MAPPING FOR app SERVER loop OPTIONS (user 'app', password_required 'false');
CREATE USER MAPPING FOR postgres SERVER loop OPTIONS (user 'postgres', password_required 'false');
GRANT USAGE ON FOREIGN SERVER loop TO app;
CREATE FOREIGN TABLE far_accounts (id int, email text) SERVER loop OPTIONS (table_name 'accounts');
CREATE FOREIGN TABLE far_spending (x int) SERVER loop OPTIONS (table_name 'spending');
GRANT ALL ON far_accounts, far_spending TO app;
"""
_STATE = """
PREPARE state AS
SELECT (SELECT string_agg(relname || relkind::text || relnatts || coalesce(relacl::text, ''), ',' ORDER BY relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace OR relpersistence = 't'),
       (SELECT string_agg(rolname || rolsuper::text, ',' ORDER BY rolname) FROM pg_roles),
       (SELECT md5(string_agg(p::text, '' ORDER BY p.oid)) FROM pg_proc p WHERE p.oid >= 16384),
       (SELECT count(*) FROM pg_description), (SELECT count(*) FROM pg_db_role_setting
        WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))),
       (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_replication_slots),
       (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
       (SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()),
       (SELECT count(*) FROM pg_stat_activity WHERE pid = (SELECT pid FROM victims)),
       (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'queryproof' AND state <> 'idle' AND pid <> pg_backend_pid()),
       (SELECT pg_conf_load_time()), (SELECT max(stats_reset) FROM pg_stat_database WHERE datname = current_database())
"""
_CONTENT = "(SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t)"
_SESSION = """
SELECT pg_catalog.current_setting('role'), session_user::pg_catalog.text, pg_catalog.current_setting('work_mem'),
       pg_catalog.current_setting('search_path'), pg_catalog.current_setting('transaction_read_only'),
       pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('plan_cache_mode'),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_cursors),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels())
"""


class Fortress:
    """The database `name` on a server, one idle session of the application, and a watcher. file: must never come to be."""

    def __init__(self, server: Server, name: str, file: Path, *, hijack: bool = False) -> None:
        self.file = file
        server.create_database(name)
        self.url = server.url(name, "app")
        self.admin_url = server.url(name, "postgres")
        setup = HOSTILE_SETUP + STUBBORN_SETUP + (HIJACK if hijack else "")
        self._execute(self.url, setup.replace("FILE", str(file)))
        self._execute(self.admin_url, HOSTILE_EXTRAS.replace("FILE", str(file)))
        with contextlib.suppress(psycopg2.Error):
            self._execute(self.admin_url, _FOREIGN.format(host=server.directory, port=5432, name=name))
        if hijack:
            for role in ("app", "postgres"):
                self._execute(
                    self.admin_url,
                    f"ALTER ROLE {role} IN DATABASE {name} SET search_path = public, pg_catalog;"
                    f"ALTER ROLE {role} IN DATABASE {name} SET standard_conforming_strings = off",
                )
        self._watcher = psycopg2.connect(server.url(name, "postgres").replace("+psycopg2", ""))
        self._watcher.autocommit = True
        with self._watcher.cursor() as cursor:
            cursor.execute("SET search_path = pg_catalog, public; LISTEN canary")
            cursor.execute(_STATE)
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace"
            )
            tables = sorted(row[0] for row in cursor.fetchall())
        self._contents = "SELECT " + ", ".join(_CONTENT.format(table) for table in tables)
        self._victim = connect(self.url)
        self.begin()

    def begin(self) -> None:
        """From here on all has to stay as it is now, with a session of the application that lives."""
        self._victim.close()
        self._victim = connect(self.url)
        with self._watcher.cursor() as cursor:
            cursor.execute("TRUNCATE victims")
            cursor.execute("INSERT INTO victims VALUES (%s)", (self._victim.info.backend_pid,))
        self.before = self.state()

    def state(self) -> tuple[object, ...]:
        """Everything that an attack could change, sequences aside."""
        with self._watcher.cursor() as cursor:
            try:
                cursor.execute(self._contents)
                content = cursor.fetchone()
            except psycopg2.Error as error:
                content = (str(error),)
            cursor.execute("EXECUTE state")
            rest = cursor.fetchone()
        if select.select([self._watcher], [], [], 0)[0]:
            self._watcher.poll()
        return (content, rest, len(self._watcher.notifies), self.file.exists())

    def close(self) -> None:
        """Close the sessions."""
        self._victim.close()
        self._watcher.close()

    @staticmethod
    def _execute(url: str, sql: str) -> None:
        connection = connect(url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()


@contextlib.contextmanager
def fortress(server: Server, name: str, file: Path, *, hijack: bool = False) -> Iterator[Fortress]:
    """A fortress for the duration of the block."""
    built = Fortress(server, name, file, hijack=hijack)
    try:
        yield built
    finally:
        built.close()


def session(connection: Connection) -> object:
    """What a session could keep."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
        return cursor.fetchone()


def group(sql: str, values: object = ()) -> QueryGroup:
    """A query group with one sample."""
    sample = ParameterSample(sql, values, 1.0, "recorded")  # type: ignore[arg-type] # tests give what drivers give
    return QueryGroup("f", sql, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, (), (sample,), ())


def damage(
    place: Fortress,
    user: str,
    samples: Sequence[tuple[str, object]],
    *,
    timeout_s: float = 5.0,
    ends_session: bool = False,
) -> list[str]:
    """The texts after which something was not as before; explained without running, run, run for writes, and measured.
    ends_session: only ending the session it runs in can stop it, and a new one has to go on."""
    url = place.url if user == "app" else place.admin_url
    explainers, kept = _begin(url, timeout_s)
    conversation = explainers[0]._conversation
    connection = conversation.connection
    harmed: list[str] = []
    for sql, values in samples:
        for one in explainers:
            with contextlib.suppress(ConnectionLost):
                one.explain(group(sql, values))
        with contextlib.suppress(StatementError):
            explainers[1].measure(sql, 1)
        if ends_session:
            connection = conversation.connection
        if not _settled(place) or connection.closed or session(connection) != kept:
            harmed.append(sql)
            explainers[0].close()
            # What one attack has done is not to be laid at the next one's door.
            explainers, kept = _begin(url, timeout_s)
            conversation = explainers[0]._conversation
            connection = conversation.connection
            place.begin()
    explainers[0].close()
    return harmed


def _begin(url: str, timeout_s: float) -> tuple[list[Explainer], object]:
    """(explainers in all modes over one connection, what its session keeps)."""
    connection = connect(url)
    most = Explainer(
        connection, analyze=True, analyze_writes=True, allow_superuser=True, timeout_s=timeout_s, reconnect=lambda: connect(url)
    )  # fmt: skip
    return _modes(most), session(connection)


def _modes(explainer: Explainer) -> list[Explainer]:
    """The same one without running anything, running what reads, and running what writes too. They share what they have asked
    the catalogue, so that each statement is looked into once."""
    permission = explainer._permission
    modes = []
    for runs, writes in ((False, False), (True, False), (True, True)):
        one = copy.copy(explainer)
        one.runs = runs
        one._permission = Permission(permission._effects, explainer.target, runs=runs, writes=writes)
        modes.append(one)
    return modes


def _settled(place: Fortress) -> bool:
    """Whether all is as before; a session that was ended takes a moment to go."""
    for _ in range(30):
        if place.state() == place.before:
            return True
        time.sleep(0.1)
    return False
