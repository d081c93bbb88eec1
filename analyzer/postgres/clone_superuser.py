"""Connections by which a clone is filled: the superuser's, for its catalogs alone, and its owner's."""

from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from .connect import ENCODING
from .libpq_settings import without_libpq_settings
from .server import PORT, Server


def superuser(server: Server, database: str) -> Connection:
    """An autocommit connection of the superuser that finds nothing of the schema by an unqualified name.

    It touches catalogs only: to plan a statement on a table of the clone would run the schema's code with all rights.
    """
    return _connected(server, database, "postgres")


def owner(server: Server, database: str) -> Connection:
    """The same of the role `app`, which has no rights beyond the clone: for SQL that a clone's file brings along."""
    return _connected(server, database, "app")


def _connected(server: Server, database: str, user: str) -> Connection:
    with without_libpq_settings():
        connection = psycopg2.connect(
            host=str(server.directory), port=PORT, user=user, dbname=database, connect_timeout=10,
            options="-c search_path=pg_catalog -c client_min_messages=error", client_encoding=ENCODING,
        )  # fmt: skip
    connection.autocommit = True
    return connection


def literal(connection: Connection, text: str) -> str:
    """The text as SQL."""
    with connection.cursor() as cursor:
        return cursor.mogrify("%s", (text,)).decode()


def run(connection: Connection, sql: str) -> None:
    """Run it, whatever it gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def rows(connection: Connection, sql: str) -> Sequence[tuple[Any, ...]]:
    """What it gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
