"""A hollow clone: a database with the schema, the statistics and the sizes of another one, and none of its rows.

The planner decides by statistics and file sizes alone, so it plans here as it would there, whatever the size, and an index
that exists in the catalog only costs milliseconds. Statements are planned, never run.
"""

import contextlib
import itertools
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import Plan, PlanNode
from ..schema import Schema
from ..sql.guard import single_statement_kind
from ..sql.placeholders import has_placeholders
from ..sql.runnable_text import runnable_text
from ..sql.tokens import names_in
from .binaries import find_binaries, find_major
from .clone_columns import fill_columns
from .clone_database import create_clone_database
from .clone_ends import Ends
from .clone_extended import fill_extended
from .clone_file import CloneFile, LeftOut
from .clone_indexes import CloneIndexes, Size
from .clone_restore import SCHEMA, restore_schema
from .clone_schema import clone_schema
from .clone_settings import fill_settings
from .clone_sizes import FIRST_NODE, fill_sizes
from .clone_superuser import superuser
from .connect import connect
from .libpq_settings import without_libpq_settings
from .outcome import ConnectionLost
from .plan_reader import read_plan
from .server import Server
from .server_message import server_message

DATABASE = "clone"
STATEMENT_TIMEOUT_MS = 20_000
SKIP_SCAN_MAJOR = 18
"""From this major on a B-tree serves conditions that leave its leading column out."""
MAX_CORRECTIONS = 20

_Outcome = TypeVar("_Outcome")


class HollowClone:
    """Context manager: starts a server, builds the clone, and removes both at the end.

    Programs of the source's own major are used where they can be found (in `programs`, $QUERYPROOF_PG_BIN, or installed);
    else newer ones, and what their planner can do more is ruled out as far as possible (`kind` says so). role: of the
    source, whose settings statements are planned with. A server that dies is restarted once.
    Raises ServerError when the source is newer than the programs, or the clone cannot be built at all.
    """

    def __init__(self, clone: CloneFile, *, programs: Path | None = None, role: str | None = None) -> None:
        self.file = clone
        self.left_out: tuple[LeftOut, ...] = ()
        major = clone.manifest.major
        binaries = find_major(major, programs) or find_binaries()
        if binaries.major < major:
            raise ServerError(
                f"the clone is of PostgreSQL {major}, and the programs here are of {binaries.version}: "
                f"install PostgreSQL {major}, or name its bin directory"
            )
        self._server = Server(binaries, hollow=True)
        self._role = role if role is not None else clone.manifest.settings_role
        self._nodes = itertools.count(FIRST_NODE)
        self._ends = Ends(clone.statistics.columns)
        self._indexes = CloneIndexes(self._server, self._ends, self._nodes)
        self._connections: tuple[psycopg2.extensions.connection, ...] = ()
        self._restarts = 0

    def __enter__(self) -> Self:
        try:
            self._server.start()
            self._build()
        except psycopg2.Error as error:
            self.close()
            cause = server_message(error) if error.pgcode else "the clone's server ended"
            raise ServerError(f"the clone could not be built: {cause}") from None
        except BaseException:  # Ctrl-C too must leave no server behind; raised again.
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def corrected(self) -> bool:
        """Whether plans are kept from what only the newer planner here can do."""
        return self.file.manifest.major < SKIP_SCAN_MAJOR <= self._server.binaries.major

    @property
    def kind(self) -> str:
        """`hollow clone of PostgreSQL 15.18 on 18.6, skip scans ruled out`."""
        label = f"hollow clone of PostgreSQL {self.file.manifest.version} on {self._server.version}"
        return f"{label}, skip scans ruled out" if self.corrected else label

    @property
    def url(self) -> str:
        """URL of the clone for its owner, a role without rights beyond it. Statements may be planned there and never run."""
        return self._server.url(DATABASE, "app")

    @property
    def directory(self) -> Path:
        """Where the clone's server keeps everything."""
        return self._server.directory

    @property
    def server_pid(self) -> int | None:
        """Process id of the clone's server."""
        return self._server.pid

    def close(self) -> None:
        """Stop the server and delete it; harmless when repeated."""
        for connection in self._connections:
            connection.close()
        self._server.stop()

    def schema(self) -> Schema:
        """The clone's tables, with the source's version and its counters of use: rows written, scans."""
        return clone_schema(self._owner, self.file.manifest, lambda name: self._indexes.handle_of(name) is not None)

    def add(self, schema: str, table: str, method: str, definition: Callable[[str], str], size: Size) -> str:
        """Make an index known, switched off, and return its handle, the name it has in plans.

        definition: CREATE INDEX of that name. size: what it would be. Raises StatementError when PostgreSQL refuses it.
        """
        return self._surviving(lambda: self._indexes.add(schema, table, method, definition, size))

    def size_bytes(self, handle: str) -> int:
        """Estimated size of an added index."""
        return self._indexes.size_bytes(handle)

    def handle_of(self, name: str) -> str | None:
        """The handle that an index's name in a plan belongs to, None for an index of the source."""
        return self._indexes.handle_of(name)

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these indexes switched on, and the named existing ones (schema.name) switched off.

        Raises StatementError when the statement cannot be planned.
        """
        handles, without = list(handles), list(without)
        for _ in range(MAX_CORRECTIONS):
            plan = read_plan(self.explain(sql, handles, without, json=True))
            skipping = self._skipping(plan.root) if self.corrected else None
            if skipping is None:
                break
            handle = self._indexes.handle_of(skipping)
            if handle is not None:
                handles.remove(handle)
            else:
                without += self._indexes.qualified(skipping)
        # Indexes of partitions by their handle.
        return replace(plan, root=plan.root.with_indexes(lambda name: self._indexes.handle_of(name) or name))

    def explain(
        self,
        sql: str,
        handles: Collection[str] = (),
        without: Collection[str] = (),
        *,
        indifferent: Collection[str] = (),
        json: bool = False,
    ) -> str:
        """EXPLAIN's own text, or JSON, with those indexes. Statements with `$n` are planned for no values in particular.

        indifferent: handles that cannot matter for the statement, so that they may stay on.

        Raises StatementError; ConnectionLost when the server has died for the second time.
        """
        text, generic = _plannable(sql)
        function = f"{SCHEMA}.explain_{'json' if json else 'text'}"

        def ask() -> str:
            self._indexes.switch(handles, without, indifferent)
            with self._planner.cursor() as cursor:
                cursor.execute(f"SELECT {function}(%s, %s)", (text, generic))
                return str((cursor.fetchone() or ("",))[0])

        try:
            return self._surviving(ask)
        except psycopg2.Error as error:
            if generic:
                with contextlib.suppress(psycopg2.Error), self._planner.cursor() as cursor:
                    cursor.execute("DEALLOCATE ALL")
            raise StatementError(f"PostgreSQL says {error.pgcode}: {server_message(error)}") from None

    def _build(self) -> None:
        notes = [*self.file.manifest.left_out]
        notes += create_clone_database(self._server, self.file, DATABASE)
        notes += restore_schema(self._server, self.file, DATABASE)
        with contextlib.closing(superuser(self._server, DATABASE)) as root:
            notes += fill_settings(root, DATABASE, self.file.manifest, self._role)
        with (
            contextlib.closing(superuser(self._server, DATABASE)) as root,
            contextlib.closing(self._planning_role()) as owner,
        ):
            notes += fill_columns(owner, root, self.file.statistics.columns)
            notes += fill_extended(owner, root, self.file.statistics.extended)
            fill_sizes(self._server, root, self.file, self._ends, self._nodes)
        self.left_out = tuple(notes)
        self._connect()

    def _planning_role(self) -> Connection:
        with without_libpq_settings():
            return connect(self.url)

    def _connect(self) -> None:
        root, self._owner, self._planner = (
            superuser(self._server, DATABASE),
            self._planning_role(),
            self._planning_role(),
        )
        self._connections = (root, self._owner, self._planner)
        with self._owner.cursor() as cursor:
            # Operator classes of extensions that the source lacks are found last.
            path = "SELECT set_config('search_path', current_setting('search_path') || %s, false)"
            cursor.execute(path, (f", {SCHEMA}",))
        with self._planner.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(STATEMENT_TIMEOUT_MS),))
        self._indexes.connect(root, self._owner)

    def _surviving(self, work: Callable[[], _Outcome]) -> _Outcome:
        """Do the work, on a restarted server if the first one dies of it; the second death is final."""
        try:
            return work()
        except psycopg2.Error:
            if not any(connection.closed for connection in self._connections) and self._server.alive():
                raise
        if self._restarts:
            raise ConnectionLost("the clone's server has died twice: what-if planning is given up")
        self._restarts += 1
        self._server.restart()
        self._connect()
        try:
            return work()
        except psycopg2.Error:
            if not any(connection.closed for connection in self._connections):
                raise
            raise ConnectionLost("the clone's server has died twice: what-if planning is given up") from None

    def _skipping(self, root: PlanNode) -> str | None:
        """An index that the plan uses without a condition on its leading key, as only skip scan makes sense of."""
        for node in root.walk():
            if node.index is None or not node.index_cond:
                continue
            if not self._indexes.leading_columns(node.index) <= names_in(node.index_cond):
                return node.index
        return None


@lru_cache(maxsize=8192)
def _plannable(sql: str) -> tuple[str, bool]:
    """The text to plan, and whether it has parameters. Raises StatementError when it is not one statement with a plan."""
    generic = has_placeholders(sql)
    text = runnable_text(sql).sql if generic else sql
    verdict = single_statement_kind(text)
    if not verdict.explainable:
        raise StatementError(verdict.reason)
    return text, generic
