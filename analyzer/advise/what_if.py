"""What the planner would do with indexes that do not exist: the one door to a hollow clone, HypoPG or a scratch copy."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..postgres.outcome import ConnectionLost
from ..postgres.server_message import server_message
from ..schema import Schema
from .candidate_index import CandidateIndex


@dataclass(frozen=True, slots=True)
class Price:
    """One statement under one set of indexes. cost: the planner's total. used: handles of the hypothetical indexes in the
    plan, and `schema.name` of the existing ones: a plan does not tell the schema, so each that has the name counts."""

    cost: float
    used: frozenset[str]


class WhatIf(Protocol):
    """Plans statements under any set of hypothetical indexes. Nothing is ever run."""

    @property
    def kind(self) -> str:
        """Where figures come from, for the evidence: "hollow clone of PostgreSQL 15 on 18.6" …"""

    def add(self, index: CandidateIndex) -> str:
        """Make the index known, switched off, and return its handle. Raises StatementError when PostgreSQL refuses it."""

    def size_bytes(self, handle: str) -> int:
        """Estimated size of the index."""

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these hypothetical indexes switched on, and the named existing ones (schema.name) switched off.

        Raises StatementError when PostgreSQL cannot plan the statement.
        """

    def price(
        self,
        sql: str,
        handles: Collection[str] = (),
        without: Collection[str] = (),
        indifferent: Collection[str] = (),
    ) -> Price:
        """What `plan` would cost and which indexes it would use, without building the tree: selection asks this thousands
        of times (EXPLAIN's text and one regular expression are enough).

        indifferent: handles that cannot matter for the statement, so that they may be on or off.
        """


def names_in_plans(schema: Schema) -> dict[str, frozenset[str]]:
    """What `Price.used` calls the existing indexes, by the name without schema that stands in a plan."""
    found: dict[str, set[str]] = {}
    for table in schema.tables:
        for index in table.indexes:
            found.setdefault(index.name, set()).add(f"{table.schema}.{index.name}")
    return {name: frozenset(places) for name, places in found.items()}


def indexes_used(root: PlanNode, names: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Those of a plan, as `Price.used` calls them; what `names` does not know goes by its own."""
    bare = {node.index for node in root.walk() if node.index is not None}
    return frozenset(one for name in bare for one in names.get(name, (name,)))


def refusal(error: psycopg2.Error, connection: Connection) -> StatementError:
    """What a door raises for it, without values: ConnectionLost where it says nothing of the statement."""
    if connection.closed:
        return ConnectionLost("the server ended the connection that indexes were planned over")
    return StatementError(f"PostgreSQL says {error.pgcode}: {server_message(error)}")


def existing_places(schema: Schema) -> dict[str, tuple[str, str]]:
    """Schema and name of every existing index, by the `schema.name` that `without` and `Price.used` call it."""
    return {
        f"{table.schema}.{index.name}": (table.schema, index.name) for table in schema.tables for index in table.indexes
    }
