"""Runs a program so that nothing it writes through SQLAlchemy stays: one outer transaction, rolled back at the end.

Each engine gets a single database connection. What the program takes for a transaction is a savepoint in the outer one, so it
sees its own writes. Anything that this cannot hold (two connections at once, autocommit, COMMIT as text) stops the program with
an error that says why: a proof that would write is no proof. A program that has written nothing so far may not write at all.
"""

import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, event

SAVEPOINT = "queryproof_outer"
TWO = "the program uses two database connections at once: one would not see the other's writes"
WAITS = (
    "the program uses two database connections at once, of two engines or processes, and one waits for what the other has not "
    "committed"
)
LOCK_TIMEOUT = "SET lock_timeout = '3s'"
"""Nothing ever ends the wait for a transaction that is kept open to be rolled back."""
LOCK_NOT_AVAILABLE = "55P03"
AUTOCOMMIT = "the program uses AUTOCOMMIT: what it writes could not be rolled back"
READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}
_ENDS = re.compile(
    r"(?:\A|;)\s*(?:commit|end|abort|rollback(?!\s+(?:work\s+|transaction\s+)?to\b)|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class CannotRollBack(Exception):
    """The program does something that an outer transaction cannot undo."""


class Rollback:
    """Listens for every engine's first connection and changes how its dialect begins and ends transactions."""

    def __init__(self, told: Path | None = None) -> None:
        self._engines: dict[int, _Outer] = {}
        self._told = told
        self._refused: str | None = None

    def install(self) -> None:
        """Take over every engine from now on."""
        event.listen(Engine, "engine_connect", self._first_connection)
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "handle_error", self._error)
        self._watch_raw_connections()
        event.listen(Engine, "set_engine_execution_options", self._options)
        event.listen(Engine, "set_connection_execution_options", self._options)

    def _first_connection(self, connection: Any) -> None:
        dialect = connection.dialect
        if getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
            self.refuse(AUTOCOMMIT)
        if id(dialect) not in self._engines:
            self._engines[id(dialect)] = _Outer(self, dialect, connection.connection.dbapi_connection)
            outer = self._engines[id(dialect)]
            event.listen(connection.engine, "do_connect", outer.connect)
            event.listen(connection.engine.pool, "checkout", outer.checked_out)
            event.listen(connection.engine.pool, "checkin", outer.checked_in)
        self._engines[id(dialect)].use(connection)

    def _options(self, target: Any, options: dict[str, Any]) -> None:
        if str(options.get("isolation_level", "")).upper() == "AUTOCOMMIT":
            self.refuse(AUTOCOMMIT)

    def _statement(
        self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if self._refused is not None:
            raise CannotRollBack(self._refused)
        if _ENDS.search(_COMMENT.sub(" ", statement)):
            self.refuse("the program ends transactions by SQL text: what it writes could not be rolled back")

    def _error(self, context: Any) -> None:
        error = context.original_exception
        if LOCK_NOT_AVAILABLE in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None)):
            self.refuse(WAITS)

    def _watch_raw_connections(self) -> None:
        """A driver's own connection commits behind SQLAlchemy's back."""
        original = Engine.raw_connection
        own = Connection.__init__.__code__

        def raw_connection(engine: Engine) -> Any:
            if sys._getframe(1).f_code is not own:
                self.refuse("the program uses raw_connection(): what it writes could not be rolled back")
            return original(engine)

        Engine.raw_connection = raw_connection  # type: ignore[method-assign, assignment] # this process runs for the proof alone

    def refuse(self, reason: str) -> NoReturn:
        """Stop the program, and tell why to the one that proves. Should it go on all the same, each further statement fails."""
        self._refused = reason
        if self._told is not None:
            with self._told.open("a", encoding="utf-8") as file:
                file.write(f"{reason}\n")
        raise CannotRollBack(reason)


def forbid_writing() -> None:
    """From now on every new connection refuses to write, where the database has a way to."""

    def make_read_only(connection: Any) -> None:
        info, sql = connection.info, READ_ONLY.get(connection.dialect.name)
        if sql is None or "queryproof_read_only" in info:
            return
        info["queryproof_read_only"] = True
        driver = connection.connection.dbapi_connection
        cursor = driver.cursor()
        cursor.execute(sql)
        cursor.close()
        driver.commit()

    event.listen(Engine, "engine_connect", make_read_only)


class _Outer:
    """The one connection of an engine, with the dialect's ways of ending a transaction replaced."""

    def __init__(self, rollback: Rollback, dialect: Any, connection: Any) -> None:
        self.refuse = rollback.refuse
        self.dialect = dialect
        self.connection = connection
        self.busy = True
        self.open = False
        self._close = dialect.do_close
        dialect.do_begin = self.begin
        dialect.do_commit = self.commit
        dialect.do_rollback = self.rollback
        dialect.do_close = self.close
        dialect.do_terminate = self.close
        for name in ("do_begin_twophase", "do_prepare_twophase", "do_commit_twophase"):
            setattr(dialect, name, self.refuse_two_phase)
        if dialect.name == "sqlite":
            # There the outermost savepoint would commit when it is released.
            self.execute("BEGIN")
        elif dialect.name == "postgresql":
            self.execute(LOCK_TIMEOUT)

    def use(self, connection: Any) -> None:
        if connection.connection.dbapi_connection is not self.connection:
            self.refuse(TWO)

    def connect(self, dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        """Hand out the one connection again when a pool wants a new one."""
        if self.busy:
            self.refuse(TWO)
        return self.connection

    def checked_out(self, connection: Any, record: Any, proxy: Any) -> None:
        self.busy = True

    def checked_in(self, connection: Any, record: Any) -> None:
        self.busy = False

    def execute(self, sql: str) -> None:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
        finally:
            cursor.close()

    def begin(self, connection: Any) -> None:
        if not self.open:
            self.execute(f"SAVEPOINT {SAVEPOINT}")
            self.open = True

    def commit(self, connection: Any) -> None:
        if self.open:
            self.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
            self.open = False

    def rollback(self, connection: Any) -> None:
        if self.open:
            self.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            self.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
            self.open = False

    def close(self, connection: Any) -> None:
        """Keep the one connection: the next checkout continues in its transaction. The process's end rolls it back."""
        if connection is not self.connection:
            self._close(connection)

    def refuse_two_phase(self, *_: Any) -> None:
        self.refuse("the program uses two-phase transactions: they could not be rolled back")
