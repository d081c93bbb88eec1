"""Builds candidate indexes for real, on a database where that was allowed, and takes them away again."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from ..errors import QueryproofError, ServerError, StatementError
from ..postgres.leftovers import TRIAL_NAME, TRIAL_PREFIX
from ..sql.identifier import quote_identifier, quote_qualified
from .candidate_index import CandidateIndex

LOCK = 1_903_260_017
"""Key of the advisory lock that two runs at once on one database would both ask for."""
CHECK_MS = 1_000
"""How soon the server notices that a killed run is gone, and ends what it was building."""
PATIENCE_S = 15.0
"""For a server that restarts, and for a backend that was told to end."""
_BACKEND = """
SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()
"""
_END = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE pid = %s AND backend_start::text = %s AND usename = session_user
"""
_LEFT_BEHIND = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
WHERE c.relname ~ %s AND NOT c.relispartition AND pg_catalog.pg_has_role(t.relowner, 'USAGE')
ORDER BY 1, 2
"""
_TREE = """
SELECT c.relname::text, pg_catalog.pg_relation_size(c.oid) FROM pg_catalog.pg_class c
WHERE c.oid = %s::regclass OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s::regclass))
"""


@dataclass(frozen=True, slots=True)
class Built:
    """A trial index that exists right now. names: its own, and on a partitioned table those of the parts' indexes."""

    name: str
    size_bytes: int
    build_ms: float
    names: frozenset[str] = frozenset()


class Builder:
    """Creates and drops trial indexes over one autocommit connection of the tables' owner. Used as a context manager it
    leaves nothing behind: neither indexes nor extensions, also when its connection was lost on the way.

    reconnect: makes a new connection when the server has ended this one.
    Raises ServerError when another run is trying indexes in the same database.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float = 120.0,
        lock_timeout_s: float = 5.0,
        reconnect: Callable[[], Connection] | None = None,
    ) -> None:
        self._connection = connection
        self._reconnect = reconnect
        self._settings = {"statement_timeout": int(timeout_s * 1000), "lock_timeout": int(lock_timeout_s * 1000)}
        self._count = 0
        self._extensions: list[str] = []
        self._closed = False
        self._backend: tuple[int, str] | None = None
        self._standing: set[tuple[str, str]] = set()
        """Schema and name of the indexes that were built and not yet dropped."""
        self._stuck: set[tuple[str, str]] = set()
        """Those of them that should have been dropped."""
        try:
            self._prepare()
        except psycopg2.Error as error:
            raise ServerError(f"no index can be tried on this database: {_cause(error)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop whatever is still there. Raises ServerError naming what could not be dropped."""
        if self._closed:
            return
        try:
            self._standing.clear()
            if self._connection.closed:
                self._renew()
            self._drop_left_behind()
            with self._connection.cursor() as cursor:
                for name in reversed(self._extensions):
                    cursor.execute(f"DROP EXTENSION IF EXISTS {quote_identifier(name)}")
                self._extensions.clear()
                cursor.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", (LOCK,))
            self._closed = True
        except (psycopg2.Error, QueryproofError) as error:
            cause = _cause(error) if isinstance(error, psycopg2.Error) else str(error)
            kept = "".join(f" and the extension {name}" for name in self._extensions)
            raise ServerError(
                f"trial indexes could not be taken away ({cause}). Remedy: drop indexes named {TRIAL_PREFIX}…{kept}; "
                "the next run with --prove measure drops the indexes too"
            ) from None

    def give_up(self) -> None:
        """Try no more to take away what is left: whoever owns the report tells it."""
        self._closed = True

    @contextmanager
    def built(self, candidate: CandidateIndex) -> Iterator[Built]:
        """The candidate really built for the duration of the block.

        Raises StatementError when PostgreSQL refuses (not immutable, too large a key, no rights, timeout).
        """
        index = self.build(candidate)
        try:
            yield index
        finally:
            self.drop(candidate, index)

    def build(self, candidate: CandidateIndex) -> Built:
        """Build it; the caller drops it. Raises StatementError when PostgreSQL refuses or the connection is lost, and while an
        earlier one cannot be dropped."""
        self.clear()
        self._count += 1
        name = f"{TRIAL_PREFIX}{self._count}"
        qualified = quote_qualified(candidate.schema, name)
        try:
            if self._connection.closed:
                self._renew()
            with self._connection.cursor() as cursor:
                self._install(candidate.extension)
                start = time.perf_counter()
                cursor.execute(candidate.definition(name, concurrently=False))
                build_ms = (time.perf_counter() - start) * 1000
                if any(key.column is None for key in candidate.keys):
                    # Without statistics on the expression the planner guesses its selectivity.
                    cursor.execute(f"ANALYZE {quote_qualified(candidate.schema, candidate.table)}")
                cursor.execute(_TREE, (qualified, qualified))
                tree = cursor.fetchall()
        except psycopg2.Error as error:
            refusal = _cause(error)
            with contextlib.suppress(psycopg2.Error, QueryproofError):
                self.drop(candidate, Built(name, 0, 0.0))
            raise StatementError(f"PostgreSQL refused to build it ({refusal})") from None
        self._standing.add((candidate.schema, name))
        return Built(name, sum(int(size) for _, size in tree), build_ms, frozenset(part for part, _ in tree))

    def drop(self, candidate: CandidateIndex, index: Built) -> None:
        """Take it away, over a new connection when the old one is gone. Raises StatementError when that fails: `clear` and
        `close` try again."""
        self._drop(candidate.schema, index.name)

    def clear(self) -> None:
        """Drop what could not be dropped before: plans would use it. Raises StatementError when that fails again."""
        for schema, name in sorted(self._stuck):
            self._drop(schema, name)

    def _drop(self, schema: str, name: str) -> None:
        for last in (False, True):
            try:
                if self._connection.closed:
                    self._renew()
                with self._connection.cursor() as cursor:
                    cursor.execute(f"DROP INDEX IF EXISTS {quote_qualified(schema, name)}")
                self._standing.discard((schema, name))
                self._stuck.discard((schema, name))
                return
            except psycopg2.Error as error:
                if last or not self._connection.closed:
                    self._stuck.add((schema, name))
                    raise StatementError(f"the trial index {name} was not dropped ({_cause(error)})") from None

    def _prepare(self) -> None:
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            for name, value in self._settings.items():
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, str(value)))
            with contextlib.suppress(psycopg2.Error):  # not on every system, and from 14 on
                cursor.execute("SET client_connection_check_interval = %s", (CHECK_MS,))
            if self._backend is not None:
                cursor.execute(_END, self._backend)
            self._lock(cursor)
            cursor.execute(_BACKEND)
            self._backend = cursor.fetchone()
        self._drop_left_behind()

    def _lock(self, cursor: Cursor) -> None:
        """Be the only one who tries indexes here. A backend of our own that was just told to end may take a moment."""
        end = time.monotonic() + (PATIENCE_S if self._backend is not None else 0.0)
        while True:
            cursor.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (LOCK,))
            if cursor.fetchone() == (True,):
                return
            if time.monotonic() > end:
                raise ServerError(
                    "another queryproof is trying indexes in this database. Remedy: wait until it has ended, and try again"
                )
            time.sleep(0.1)

    def _drop_left_behind(self) -> None:
        """Drop trial indexes of killed runs, and one whose building ended after its connection was lost."""
        with self._connection.cursor() as cursor:
            cursor.execute(_LEFT_BEHIND, (f"^{TRIAL_NAME}$",))
            for schema, name in set(cursor.fetchall()) - self._standing:
                cursor.execute(f"DROP INDEX IF EXISTS {quote_qualified(schema, name)}")

    def _install(self, extension: str | None) -> None:
        """Only for the trial: an extension that was not there before is dropped at the end."""
        if extension is None:
            return
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = %s", (extension,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE EXTENSION {quote_identifier(extension)}")
                self._extensions.append(extension)

    def _renew(self) -> None:
        """A new connection, tried for a while: a server that crashed has to recover first. The old one's backend is ended, since
        it may still be building an index that nobody would drop."""
        if self._reconnect is None:
            raise StatementError("the connection was lost")
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._connection = self._reconnect()
                break
            except ServerError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        self._prepare()


def _cause(error: psycopg2.Error) -> str:
    """SQLSTATE and PostgreSQL's message without values; the class where the connection itself failed."""
    if error.pgcode is None:
        return f"the connection was lost ({type(error).__name__})"
    return f"{error.pgcode}: {(error.diag.message_primary or '').strip()}"
