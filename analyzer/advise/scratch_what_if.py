"""Candidate indexes really built on a scratch copy: for when there is neither a hollow clone nor HypoPG."""

from collections.abc import Collection

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..plan import Plan
from ..postgres.catalog import read_schema
from ..postgres.plan_reader import read_plan
from ..schema import Schema
from ..sql.guard import single_statement_kind
from ..sql.identifier import quote_qualified
from .builder import Builder, Built
from .candidate_index import CandidateIndex
from .trial_leftovers import without_leftovers
from .what_if import Price, existing_places, indexes_used, names_in_plans, refusal


class ScratchWhatIf:
    """A `WhatIf` that builds every candidate once. For a plan, what is not wanted is dropped in a transaction that is then
    rolled back: the planner sees real indexes of real size, and only those. Takes ACCESS EXCLUSIVE locks: a scratch copy only.
    """

    def __init__(self, connection: Connection, builder: Builder) -> None:
        self._connection = connection
        self._builder = builder
        found = read_schema(connection)
        leftovers = without_leftovers(found)
        self._schema = leftovers.schema
        self.notes = leftovers.notes(seen=True)
        """Of trial indexes left behind that the builder could not drop: they belong to another role's tables."""
        self._names = names_in_plans(self._schema)
        self._existing = existing_places(found)
        self._built: dict[str, tuple[CandidateIndex, Built]] = {}

    @property
    def kind(self) -> str:
        """`indexes really built on PostgreSQL 15.18`."""
        major, minor = divmod(self._connection.server_version, 10000)
        return f"indexes really built on a scratch copy, PostgreSQL {major}.{minor}"

    def schema(self) -> Schema:
        """The tables, without the trial indexes."""
        return self._schema

    def add(self, index: CandidateIndex) -> str:
        """Build it. Raises StatementError when PostgreSQL refuses it."""
        built = self._builder.build(index)
        self._built[built.name] = (index, built)
        return built.name

    def clear(self) -> None:
        """Drop what it built, and forget the handles: what is run from now on must not find it. Raises ServerError."""
        for index, built in self._built.values():
            self._builder.drop(index, built)
        self._built.clear()

    def size_bytes(self, handle: str) -> int:
        """Its real size."""
        return self._built[handle][1].size_bytes

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these candidates, and without these existing indexes (schema.name)."""
        if not single_statement_kind(sql).explainable:
            raise StatementError("it is not one statement that has a plan")
        gone = [quote_qualified(index.schema, name) for name, (index, _) in self._built.items() if name not in handles]
        gone += [quote_qualified(*self._existing[name]) for name in without if name in self._existing]
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("BEGIN")
                try:
                    if gone:
                        cursor.execute(f"DROP INDEX {', '.join(sorted(gone))}")
                    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
                    (document,) = cursor.fetchone() or ("",)
                finally:
                    cursor.execute("ROLLBACK")
        except psycopg2.Error as error:
            raise refusal(error, self._connection) from None
        return read_plan(document)

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
