"""Runs a program so that nothing it writes through SQLAlchemy stays: one outer transaction, rolled back at the end.

Each engine gets a single database connection. What the program takes for a transaction is a savepoint in the outer one, so it
sees its own writes. Anything that this cannot hold (two connections at once, autocommit) stops the program with an error that
says why: a proof that would write is no proof.
"""

from typing import Any

from sqlalchemy import Engine, event

SAVEPOINT = "queryproof_outer"


class CannotRollBack(Exception):
    """The program does something that an outer transaction cannot undo."""


class Rollback:
    """Listens for every engine's first connection and changes how its dialect begins and ends transactions."""

    def __init__(self) -> None:
        self._engines: dict[int, _Outer] = {}

    def install(self) -> None:
        """Take over every engine from now on."""
        event.listen(Engine, "engine_connect", self._first_connection)
        event.listen(Engine, "set_engine_execution_options", self._options)
        event.listen(Engine, "set_connection_execution_options", self._options)

    def _first_connection(self, connection: Any) -> None:
        dialect = connection.dialect
        if getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
            raise CannotRollBack("the program uses AUTOCOMMIT: what it writes could not be rolled back")
        if id(dialect) not in self._engines:
            self._engines[id(dialect)] = _Outer(dialect, connection.connection.dbapi_connection)
            outer = self._engines[id(dialect)]
            event.listen(connection.engine, "do_connect", outer.connect)
            event.listen(connection.engine.pool, "checkout", outer.checked_out)
            event.listen(connection.engine.pool, "checkin", outer.checked_in)
        self._engines[id(dialect)].use(connection)

    def _options(self, target: Any, options: dict[str, Any]) -> None:
        if str(options.get("isolation_level", "")).upper() == "AUTOCOMMIT":
            raise CannotRollBack("the program uses AUTOCOMMIT: what it writes could not be rolled back")


class _Outer:
    """The one connection of an engine, with the dialect's ways of ending a transaction replaced."""

    def __init__(self, dialect: Any, connection: Any) -> None:
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

    def use(self, connection: Any) -> None:
        if connection.connection.dbapi_connection is not self.connection:
            raise CannotRollBack(
                "the program uses two database connections at once: one would not see the other's writes"
            )

    def connect(self, dialect: Any, record: Any, arguments: Any, keywords: Any) -> Any:
        """Hand out the one connection again when a pool wants a new one."""
        if self.busy:
            raise CannotRollBack(
                "the program uses two database connections at once: one would not see the other's writes"
            )
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
        raise CannotRollBack("the program uses two-phase transactions: they could not be rolled back")
