"""Builds candidate indexes for real, on a database where that was allowed, and takes them away again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..sql.identifier import quote_identifier, quote_qualified
from .candidate_index import CandidateIndex

TRIAL_PREFIX = "queryproof_trial_"
"""Names of trial indexes; a leftover of a killed run is recognised by it and dropped at the next start."""


@dataclass(frozen=True, slots=True)
class Built:
    """A trial index that exists right now."""

    name: str
    size_bytes: int
    build_ms: float


class Builder:
    """Creates and drops trial indexes over one autocommit connection of the tables' owner."""

    def __init__(self, connection: Connection, *, timeout_s: float = 120.0, lock_timeout_s: float = 5.0) -> None:
        self._connection = connection
        self._connection.autocommit = True
        self._count = 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_catalog.set_config('statement_timeout', %s, false)", (f"{int(timeout_s * 1000)}",)
            )
            cursor.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, false)", (f"{int(lock_timeout_s * 1000)}",)
            )
            cursor.execute(
                "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
                " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'i' AND pg_catalog.starts_with(c.relname, %s)",
                (TRIAL_PREFIX,),
            )
            for schema, name in cursor.fetchall():
                cursor.execute(f"DROP INDEX IF EXISTS {quote_qualified(schema, name)}")

    @contextmanager
    def built(self, candidate: CandidateIndex) -> Iterator[Built]:
        """The candidate really built for the duration of the block.

        Raises StatementError when PostgreSQL refuses (not immutable, too large a key, no rights, timeout).
        """
        self._count += 1
        name = f"{TRIAL_PREFIX}{self._count}"
        qualified = quote_qualified(candidate.schema, name)
        with self._connection.cursor() as cursor:
            try:
                if candidate.extension:
                    cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(candidate.extension)}")
                start = time.perf_counter()
                cursor.execute(candidate.definition(name, concurrently=False))
                build_ms = (time.perf_counter() - start) * 1000
                if any(key.column is None for key in candidate.keys):
                    # Without statistics on the expression the planner guesses its selectivity.
                    cursor.execute(f"ANALYZE {quote_qualified(candidate.schema, candidate.table)}")
                cursor.execute("SELECT pg_catalog.pg_relation_size(%s::regclass)", (qualified,))
                (size,) = cursor.fetchone() or (0,)
            except psycopg2.Error as error:
                cursor.execute(f"DROP INDEX IF EXISTS {qualified}")
                raise StatementError(
                    f"PostgreSQL refused to build it ({error.pgcode or type(error).__name__})"
                ) from None
            try:
                yield Built(name, int(size), build_ms)
            finally:
                cursor.execute(f"DROP INDEX IF EXISTS {qualified}")
