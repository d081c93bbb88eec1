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
from ..postgres.cage import LOCK_TIMEOUT_MS
from ..postgres.leftovers import ONLY_FOR_TRIAL, TRIAL_NAME, TRIAL_PREFIX
from ..sql.identifier import quote_identifier, quote_qualified
from .builder_queries import (
    BACKEND,
    END,
    EXTENSIONS_LEFT_BEHIND,
    HELD_BACK,
    LEFT_BEHIND,
    TREE,
    UNATTACHED,
)
from .candidate_index import CandidateIndex
from .partition_recipe import partition_recipe

LOCK = 1_903_260_017
"""Key of the advisory lock that two runs at once on one database would both ask for."""
CHECK_MS = 1_000
"""How soon the server notices that a killed run is gone, and ends what it was building."""
PATIENCE_S = 15.0
"""For a server that restarts, and for a backend that was told to end."""


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
        self._waited = False
        self._backend: tuple[int, str] | None = None
        self._standing: set[tuple[str, str]] = set()
        """Schema and name of the indexes that were built and not yet dropped."""
        self._stuck: set[tuple[str, str]] = set()
        """Those of them that should have been dropped."""
        try:
            self._prepare()
        except psycopg2.errors.LockNotAvailable as error:
            raise ServerError(
                f"trial indexes that an earlier run left behind cannot be dropped ({_cause(error)}). Remedy: end that session, see "
                "pg_stat_activity, and try again"
            ) from None
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
        name = ""
        try:
            if self._connection.closed:
                self._renew()
            with self._connection.cursor() as cursor:
                name = self._free_name(cursor, candidate.schema)
                qualified = quote_qualified(candidate.schema, name)
                self._install(candidate.extension)
                start = time.perf_counter()
                self._create(cursor, candidate, name)
                build_ms = (time.perf_counter() - start) * 1000
                if any(key.column is None for key in candidate.keys):
                    # Without statistics on the expression the planner guesses its selectivity.
                    cursor.execute(f"ANALYZE {quote_qualified(candidate.schema, candidate.table)}")
                cursor.execute(TREE, (qualified, qualified))
                tree = cursor.fetchall()
                held_back = self._held_back(cursor, qualified)
        except psycopg2.Error as error:
            refusal = _cause(error)
            if name:
                with contextlib.suppress(psycopg2.Error, QueryproofError):
                    self.drop(candidate, Built(name, 0, 0.0))
            raise StatementError(f"PostgreSQL refused to build it ({refusal})") from None
        self._standing.add((candidate.schema, name))
        if held_back:
            self._drop(candidate.schema, name)
            raise StatementError(
                "PostgreSQL uses it in no plan until transactions that are older than it have ended. Remedy: end those that wait "
                "in pg_stat_activity (idle in transaction), and try again"
            )
        return Built(name, sum(int(size) for _, size in tree), build_ms, frozenset(part for part, _ in tree))

    def _free_name(self, cursor: Cursor, schema: str) -> str:
        """The next name that nothing has: on another role's table a killed run of theirs may have left one that we cannot drop."""
        while True:
            self._count += 1
            name = f"{TRIAL_PREFIX}{self._count}"
            cursor.execute("SELECT pg_catalog.to_regclass(%s)", (quote_qualified(schema, name),))
            if cursor.fetchone() == (None,):
                return name

    def _create(self, cursor: Cursor, candidate: CandidateIndex, name: str) -> None:
        if candidate.partitions:
            cursor.execute(UNATTACHED, (quote_qualified(candidate.schema, candidate.table),))
            if cursor.fetchone() is not None:
                # CREATE INDEX would make a part's equal index its own, and DROP INDEX would take that away, too.
                self._patiently(cursor, "; ".join(partition_recipe(candidate, name, trial=True)))
                return
        self._patiently(cursor, candidate.definition(name, concurrently=False))

    def _patiently(self, cursor: Cursor, sql: str) -> None:
        """Wait for locks again and again, each time shortly: whoever comes behind one that waits has to wait, too."""
        patience = self._settings["lock_timeout"]
        short = min(LOCK_TIMEOUT_MS, patience)
        end = time.monotonic() + patience / 1000
        while True:
            try:
                cursor.execute(f"SET LOCAL lock_timeout = {short}; {sql}")
                return
            except psycopg2.errors.LockNotAvailable:
                if time.monotonic() > end:
                    raise
            time.sleep(short / 1000)

    def _held_back(self, cursor: Cursor, qualified: str) -> bool:
        """Whether plans leave the index out, since another session could still need an older version of a row than it has."""
        # Whatever held the last one back is likely to hold the next: it is not waited for once more.
        end = time.monotonic() + (0.0 if self._waited else self._settings["lock_timeout"] / 1000)
        while True:
            cursor.execute(HELD_BACK, (qualified, qualified))
            self._waited = cursor.fetchone() is not None
            if not self._waited or time.monotonic() > end:
                return self._waited
            time.sleep(0.1)

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
                    self._patiently(cursor, f"DROP INDEX IF EXISTS {quote_qualified(schema, name)}")
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
                cursor.execute(END, self._backend)
            self._lock(cursor)
            cursor.execute(BACKEND)
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
        """Drop what killed runs left, and an index whose building ended after its connection was lost."""
        with self._connection.cursor() as cursor:
            cursor.execute(LEFT_BEHIND, (f"^{TRIAL_NAME}$",))
            for schema, name in set(cursor.fetchall()) - self._standing:
                self._patiently(cursor, f"DROP INDEX IF EXISTS {quote_qualified(schema, name)}")
            cursor.execute(EXTENSIONS_LEFT_BEHIND, (ONLY_FOR_TRIAL,))
            for (name,) in cursor.fetchall():
                if name not in self._extensions:
                    # Whatever else needs it by now keeps it.
                    with contextlib.suppress(psycopg2.errors.DependentObjectsStillExist):
                        cursor.execute(f"DROP EXTENSION {quote_identifier(name)}")

    def _install(self, extension: str | None) -> None:
        """Only for the trial: an extension that was not there before is dropped at the end."""
        if extension is None:
            return
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = %s", (extension,))
            if cursor.fetchone() is None:
                name = quote_identifier(extension)
                cursor.execute(f"CREATE EXTENSION {name}; COMMENT ON EXTENSION {name} IS %s", (ONLY_FOR_TRIAL,))
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
    if error.pgcode == "55P03":
        return "55P03: another session holds a lock on the table"
    return f"{error.pgcode}: {(error.diag.message_primary or '').strip()}"
