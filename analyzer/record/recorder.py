"""Listens to SQLAlchemy and writes what it hears to a journal. Never raises into the application."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from .call_site import call_stack
from .journal import Journal, warn
from .values import encode_value

MAX_FAULTS = 10
"""Own errors after which the recorder takes itself out."""

_START = "_queryproof_start"
_TRANSACTION = "_queryproof_transaction"
Listener = Callable[..., None]


class Recorder:
    """Listeners on one engine, or on every engine of the process (`target` is the class Engine)."""

    def __init__(self, journal: Journal, target: Any = Engine) -> None:
        self.journal = journal
        self.faults = 0
        self._target = target
        self._sequence = itertools.count(1)
        self._transactions = itertools.count(1)
        self._orm: tuple[type, Listener] | None = None
        self._core: list[tuple[str, Listener]] = [
            ("before_cursor_execute", self._guarded(self._before)),
            ("after_cursor_execute", self._guarded(self._after)),
            ("handle_error", self._guarded(self._failed)),
            ("begin", self._guarded(self._begin)),
            ("commit", self._guarded(self._end)),
            ("rollback", self._guarded(self._end)),
        ]

    def install(self) -> None:
        """Start listening to statements."""
        for name, listener in self._core:
            event.listen(self._target, name, listener)

    def install_orm(self) -> None:
        """Start listening to the ORM as well, where its version bears a listener."""
        from sqlalchemy.orm import Session

        from .orm import breaks_streaming, note_orm_execute

        if not breaks_streaming() and self._orm is None:
            self._orm = (Session, self._guarded(note_orm_execute))
            event.listen(Session, "do_orm_execute", self._orm[1])

    def remove(self) -> None:
        """Stop listening; nothing stays behind."""
        for name, listener in self._core:
            if event.contains(self._target, name, listener):
                event.remove(self._target, name, listener)
        if self._orm is not None:
            event.remove(self._orm[0], "do_orm_execute", self._orm[1])
            self._orm = None

    def _guarded(self, inner: Listener) -> Listener:
        def listener(*arguments: Any) -> None:
            if self.faults >= MAX_FAULTS:
                return
            try:
                inner(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
                self.faults += 1
                if self.faults == MAX_FAULTS:
                    warn(
                        f"recording is switched off after {MAX_FAULTS} internal errors, the last a {type(error).__name__}"
                    )

        return listener

    def _before(self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if context is not None:
            setattr(context, _START, time.perf_counter())

    def _after(self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        self._write(conn, cursor, statement, parameters, context, executemany, None)

    def _failed(self, failure: Any) -> None:
        context = failure.execution_context
        if context is not None and failure.statement is not None and failure.connection is not None:
            name = type(failure.original_exception).__name__
            self._write(
                failure.connection, None, failure.statement, failure.parameters, context, context.executemany, name
            )

    def _begin(self, conn: Any) -> None:
        setattr(conn, _TRANSACTION, next(self._transactions))

    def _end(self, conn: Any) -> None:
        setattr(conn, _TRANSACTION, None)

    def _write(
        self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool, error: str | None
    ) -> None:
        now = time.perf_counter()
        start = getattr(context, _START, None)
        if start is None:
            return
        setattr(context, _START, None)
        rows = getattr(cursor, "rowcount", -1) if cursor is not None else -1
        record: dict[str, object] = {
            "t": "q",
            **self.journal.statement(statement),
            "i": next(self._sequence),
            "at": round(time.time(), 6),
            "d": round((now - start) * 1000, 4),
            "th": threading.current_thread().name,
            "st": call_stack(),
            "dr": conn.dialect.driver,
        }
        if type(rows) is int and rows >= 0:
            record["n"] = rows
        optional = {
            "ta": _task(),
            "tx": getattr(conn, _TRANSACTION, None),
            "e": error,
            "o": context.execution_options.get("_queryproof_orm"),
        }
        record |= {key: value for key, value in optional.items() if value is not None}
        if many:
            record["m"] = len(parameters) if isinstance(parameters, (list, tuple)) else 1
            parameters = parameters[0] if parameters and isinstance(parameters, (list, tuple)) else parameters
        if self.journal.parameters:
            record["p"] = encode_value(dict(parameters) if isinstance(parameters, dict) else parameters)
        self.journal.write(record)


def _task() -> str | None:
    """Name of the running asyncio task, without importing asyncio for those who do not use it."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return task.get_name() if task is not None else None


@contextmanager
def record(
    engine: Any = None, directory: str | Path = "queryproof-journal", *, parameters: bool = True
) -> Iterator[Recorder]:
    """Record the statements of one engine (Engine or AsyncEngine), or of every engine, while the block runs.

    directory: where the journal goes (created, readable by the owner alone). parameters: keep bound values in it.
    """
    target = getattr(engine, "sync_engine", engine) if engine is not None else Engine
    recorder = Recorder(Journal(Path(directory), parameters=parameters), target)
    recorder.install()
    recorder.install_orm()
    try:
        yield recorder
    finally:
        recorder.remove()
