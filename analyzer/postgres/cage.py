"""EXPLAIN in a cage: one read-only transaction that is always rolled back, the statement handed over as a bound value.

The text is never joined to other SQL on our side. A fixed block opens it as a cursor, which PostgreSQL refuses for more
than one statement, so that nothing in the text can end the transaction it runs in.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..sql.tokens import tokenize

_BLOCK = """
DO $cage$
DECLARE line record; plan text := '';
BEGIN
  FOR line IN EXECUTE pg_catalog.current_setting('queryproof.explain') || pg_catalog.current_setting('queryproof.sql') LOOP
    plan := plan || line."QUERY PLAN"::text;
  END LOOP;
  PERFORM pg_catalog.set_config('queryproof.plan', plan, true);
END
$cage$
"""
WATCHDOG_GRACE_S = 2.0
"""A function can swallow statement_timeout: after this much more, we cancel, and then cut the connection."""


class TimedOut(StatementError):
    """The statement did not end within its time."""


class ConnectionLost(StatementError):
    """The server or the watchdog ended the connection."""


def explain_in_cage(
    connection: Connection, sql: str, options: str, *, timeout_s: float, lower_rights: bool, analyzed: bool
) -> str:
    """The plan as JSON text. options: such as `ANALYZE, FORMAT JSON`. lower_rights: give up superuser rights first.

    Raises StatementError with SQLSTATE and the message freed of literals; TimedOut; ConnectionLost.
    """
    try:
        with _watchdog(connection, timeout_s + WATCHDOG_GRACE_S), connection.cursor() as cursor:
            try:
                cursor.execute("BEGIN READ ONLY")
                settings = {
                    "statement_timeout": f"{int(timeout_s * 1000)}",
                    "lock_timeout": "500",
                    "idle_in_transaction_session_timeout": "5000",
                    "queryproof.explain": f"EXPLAIN ({options}) ",
                    "queryproof.sql": sql,
                }
                if connection.server_version >= 170000:
                    # The one timeout that no exception handler in a function can eat.
                    settings["transaction_timeout"] = f"{int((timeout_s + 1) * 1000)}"
                for name, value in settings.items():
                    cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
                if lower_rights:
                    cursor.execute("SET LOCAL ROLE pg_read_all_data")
                # After a first query the transaction can no longer be made READ WRITE.
                cursor.execute("SELECT 1")
                cursor.execute(_BLOCK)
                cursor.execute("SELECT pg_catalog.current_setting('queryproof.plan')")
                row = cursor.fetchone()
                return str(row[0]) if row else ""
            finally:
                if not connection.closed:
                    cursor.execute("ROLLBACK")
                    if analyzed:
                        cursor.execute("SELECT pg_catalog.pg_advisory_unlock_all()")
    except psycopg2.Error as error:
        if connection.closed or (
            isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not error.pgcode
        ):
            raise ConnectionLost("the connection to the server was lost") from None
        if error.pgcode == "57014":
            raise TimedOut(f"it did not end within {timeout_s:g} s") from None
        raise StatementError(f"PostgreSQL says {error.pgcode}: {_message(error)}") from None


def _message(error: psycopg2.Error) -> str:
    """The primary message without values: DETAIL and CONTEXT are never used, quoted names stay, literals go."""
    text = (error.diag.message_primary or "no message").strip()
    if error.pgcode and error.pgcode.startswith("22"):
        # Class 22 quotes the offending data, in double quotes like a name.
        text = text.partition(":")[0]
    return "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))


@contextlib.contextmanager
def _watchdog(connection: Connection, patience_s: float) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        if over.wait(patience_s):
            return
        with contextlib.suppress(psycopg2.Error):
            connection.cancel()
        if over.wait(1.0):
            return
        with contextlib.suppress(OSError, psycopg2.Error):
            socket.socket(fileno=connection.fileno()).shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=watch, name="queryproof-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
