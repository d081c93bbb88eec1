"""Candidate indexes on the user's own server through the extension HypoPG: for when no hollow clone can be made."""

from collections.abc import Collection
from dataclasses import replace

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import Plan
from ..postgres.catalog import read_schema
from ..postgres.plan_reader import read_plan
from ..schema import Schema
from ..sql.guard import single_statement_kind
from ..sql.placeholders import has_placeholders
from .candidate_index import CandidateIndex
from .index_size import index_size
from .trial_leftovers import without_leftovers
from .what_if import Price, existing_places, indexes_used, names_in_plans, refusal

TIMEOUT_MS = 5_000
HIDES_FROM = (1, 4)
"""Version from which HypoPG can hide existing indexes."""
METHODS = frozenset(("btree", "brin", "hash"))
_FACTS = """
SELECT e.extversion, pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'
"""


class HypopgWhatIf:
    """A `WhatIf` over one connection. Hypothetical indexes live in its session alone; nothing is written on the server.

    Sizes are those of our own model: HypoPG's leave deduplication out. Partial indexes are refused: through a view they
    make some versions crash the server (HypoPG issue 116). Raises ServerError when the extension is not installed.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute(_FACTS)
            row = cursor.fetchone()
            if row is None:
                raise ServerError("HypoPG is not installed in this database")
            self._version, self._functions = str(row[0]), str(row[1])
            cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(TIMEOUT_MS),))
            cursor.execute("SELECT pg_catalog.set_config('default_transaction_read_only', 'on', false)")
        found = read_schema(connection)
        leftovers = without_leftovers(found)
        self._schema = leftovers.schema
        self.notes = leftovers.notes(seen=not self.hides)
        """Of trial indexes left behind, which are hidden where that is possible."""
        self._trials = frozenset(leftovers.names if self.hides else ())
        self._tables = {(table.schema, table.name): table for table in self._schema.tables}
        self._names = names_in_plans(self._schema)
        self._existing = existing_places(found)
        self._indexes: dict[str, CandidateIndex] = {}
        self._live: dict[str, tuple[int, str]] = {}
        self._hidden: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """`HypoPG 1.4.1 on PostgreSQL 15.18`."""
        major, minor = divmod(self._connection.server_version, 10000)
        return f"HypoPG {self._version} on PostgreSQL {major}.{minor}"

    @property
    def hides(self) -> bool:
        """Whether existing indexes can be switched off."""
        return tuple(int(part) for part in self._version.split(".")[:2]) >= HIDES_FROM

    def schema(self) -> Schema:
        """The server's tables."""
        return self._schema

    def add(self, index: CandidateIndex) -> str:
        """Make the index known, switched off, and return its handle. Raises StatementError when it cannot be tried."""
        if index.method not in METHODS:
            raise StatementError(f"HypoPG cannot cost {index.method} indexes")
        if index.predicate is not None:
            raise StatementError("partial indexes are not tried with HypoPG")
        handle = f"hypothetical_{len(self._indexes) + 1}"
        self._indexes[handle] = index
        try:
            self._create(handle)
            self._drop(handle)
        except psycopg2.Error as error:
            del self._indexes[handle]
            raise refusal(error, self._connection) from None
        return handle

    def size_bytes(self, handle: str) -> int:
        """Estimated size of the index."""
        index = self._indexes[handle]
        table = self._tables[index.schema, index.table]
        return index_size(index, table, major=self._schema.server_version // 10000).bytes

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these hypothetical indexes, and without these existing ones (schema.name)."""
        if not single_statement_kind(sql).explainable:
            raise StatementError("it is not one statement that has a plan")
        generic = "GENERIC_PLAN, " if has_placeholders(sql) else ""
        try:
            self._switch(frozenset(handles), frozenset(without))
            with self._connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN ({generic}FORMAT JSON) {sql}")
                (document,) = cursor.fetchone() or ("",)
        except psycopg2.Error as error:
            raise refusal(error, self._connection) from None
        plan = read_plan(document)
        called = {name: handle for handle, (_, name) in self._live.items()}
        return replace(plan, root=plan.root.with_indexes(lambda name: called.get(name, name)))

    def price(
        self,
        sql: str,
        handles: Collection[str] = (),
        without: Collection[str] = (),
        indifferent: Collection[str] = (),
    ) -> Price:
        """What `plan` would cost, and the indexes it would use."""
        root = self.plan(sql, handles, without).root
        return Price(root.total_cost, indexes_used(root, self._names))

    def _switch(self, handles: frozenset[str], without: frozenset[str]) -> None:
        for handle in [one for one in self._live if one not in handles]:
            self._drop(handle)
        for handle in sorted(handles - self._live.keys()):
            self._create(handle)
        without |= self._trials
        if without != self._hidden:
            if not self.hides:
                raise StatementError(f"HypoPG {self._version} cannot hide existing indexes")
            with self._connection.cursor() as cursor:
                cursor.execute(f"SELECT {self._functions}.hypopg_unhide_all_indexes()")
                for name in sorted(without):
                    if name not in self._existing:
                        continue
                    cursor.execute(
                        f"SELECT {self._functions}.hypopg_hide_index(c.oid) FROM pg_catalog.pg_class c "  # noqa: S608 - quoted
                        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
                        self._existing[name],
                    )
            self._hidden = without

    def _create(self, handle: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT indexrelid, indexname FROM {self._functions}.hypopg_create_index(%s)",  # noqa: S608 - quoted
                (self._indexes[handle].definition(handle, concurrently=False),),
            )
            row = cursor.fetchone()
            if row is not None:
                self._live[handle] = (int(row[0]), str(row[1]))

    def _drop(self, handle: str) -> None:
        oid, _ = self._live.pop(handle)
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {self._functions}.hypopg_drop_index(%s)", (oid,))
