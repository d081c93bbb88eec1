"""A talk with the server that always ends: a watchdog on our side, and Ctrl-C that reaches the server."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from ..errors import ServerError, StatementError
from .outcome import ConnectionLost

GRACE_S = 2.0
"""A function can swallow statement_timeout: after this much more, we cancel, and then cut the connection."""
CANCEL_S = 1.0
"""What a cancelled statement gets to end."""
CATALOGUE_S = 10.0
"""For a question to the system catalogues."""
MAX_RECONNECTS = 3
BACKOFF_S = 0.2
"""Before the first reconnect; three times as long before each next."""

Answer = TypeVar("Answer")
Reconnect = Callable[[], Connection]

_END_OTHER = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE pid OPERATOR(pg_catalog.=) %s AND backend_start OPERATOR(pg_catalog.=) %s
"""


class Conversation:
    """One connection at a time. reconnect: makes a new one when it was lost; without it a lost connection stays lost."""

    def __init__(self, connection: Connection, reconnect: Reconnect | None = None) -> None:
        self.connection = connection
        self._reconnect = reconnect
        self._losses = 0
        self._backend = self._who()

    def run(self, talk: Callable[[Cursor], Answer], timeout_s: float) -> Answer:
        """What `talk` answers. After `timeout_s` and a grace the statement is cancelled, then the connection is cut.

        `talk` runs in a thread, so that this one stays free to hear Ctrl-C; that cancels the statement on the server too.
        Raises what `talk` raises.
        """
        answers: list[Answer] = []
        errors: list[BaseException] = []
        over = threading.Event()
        connection = self.connection

        def speak() -> None:
            try:
                with connection.cursor() as cursor:
                    answers.append(talk(cursor))
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
                errors.append(error)
            finally:
                over.set()

        threading.Thread(target=speak, name="queryproof-explain", daemon=True).start()
        try:
            ended = over.wait(timeout_s + GRACE_S)
        except BaseException:  # Ctrl-C while waiting: the server must stop working too; raised again.
            self._end(connection, over)
            raise
        if not ended:
            self._end(connection, over)
        if errors:
            raise errors[0]
        if not answers:
            raise ConnectionLost("the server did not answer, and the connection was cut")
        self._losses = 0
        return answers[0]

    def ask_catalogue(self, question: Callable[[Cursor], Answer], search_path: str = "") -> Answer:
        """An answer from the system catalogues, in a read-only transaction in which PostgreSQL's own functions and operators
        come before anybody's of the same name. search_path: schemas looked in after them.

        Raises ConnectionLost, or StatementError with SQLSTATE.
        """

        def talk(cursor: Cursor) -> Answer:
            try:
                cursor.execute("BEGIN READ ONLY")
                cursor.execute(
                    "SELECT pg_catalog.set_config('search_path', %s, true), pg_catalog.set_config('jit', 'off', true),"
                    " pg_catalog.set_config('statement_timeout', %s, true)",
                    (
                        f"pg_catalog, {search_path}" if search_path else "pg_catalog, pg_temp",
                        f"{CATALOGUE_S * 1000:.0f}",
                    ),
                )
                return question(cursor)
            finally:
                if not cursor.connection.closed:
                    cursor.execute("ROLLBACK")

        try:
            return self.run(talk, CATALOGUE_S)
        except psycopg2.Error as error:
            if self.connection.closed or not error.pgcode:
                raise ConnectionLost("the connection to the server was lost") from None
            raise StatementError(f"the system catalogues could not be read ({error.pgcode})") from None

    def cancel(self) -> None:
        """Cancel what runs on the server, from any thread."""
        with contextlib.suppress(psycopg2.Error):
            self.connection.cancel()

    def renew(self) -> bool:
        """After a loss: connect again, at most three times with growing pauses. False when the server stays away, or has
        been lost three times in a row."""
        self._losses += 1
        if self._reconnect is None or self._losses > MAX_RECONNECTS:
            return False
        with contextlib.suppress(psycopg2.Error):
            self.connection.close()
        for attempt in range(MAX_RECONNECTS):
            time.sleep(BACKOFF_S * 3**attempt)
            try:
                self.connection = self._reconnect()
            except (ServerError, psycopg2.Error):
                continue
            self._end_previous()
            self._backend = self._who()
            return True
        return False

    def _end_previous(self) -> None:
        """A backend whose connection we cut may still work: end it from the new one. Its start time tells it apart."""
        if self._backend is not None:
            with contextlib.suppress(psycopg2.Error), self.connection.cursor() as cursor:
                cursor.execute(_END_OTHER, self._backend)

    def _who(self) -> tuple[int, object] | None:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pid, backend_start FROM pg_catalog.pg_stat_activity"
                    " WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
                )
                row = cursor.fetchone()
        except psycopg2.Error:
            return None
        return (row[0], row[1]) if row else None

    @staticmethod
    def _end(connection: Connection, over: threading.Event) -> None:
        def cancel() -> None:
            # Through a network that swallows everything this never returns, so nothing waits for it.
            with contextlib.suppress(psycopg2.Error):
                connection.cancel()

        threading.Thread(target=cancel, name="queryproof-cancel", daemon=True).start()
        if over.wait(CANCEL_S):
            return
        # A copy of the descriptor: the original belongs to the driver, which closes it.
        with (
            contextlib.suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)
        over.wait(CANCEL_S)
