"""Listens to SQLAlchemy and writes what it hears to a journal. Never raises into the application."""

import itertools
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ..errors import QueryproofError
from .async_blocks import follow_blocks, leave_blocks
from .execution_events import ExecutionEvents
from .faults import swallow
from .journal import Journal
from .listeners import listen, unlisten
from .records import Records
from .transaction_events import TransactionEvents
from .warn import warn

MAX_FAULTS = 10
"""Own errors after which the recorder takes itself out."""
LEVELS = (0, 1, 2)
"""0: time, rows, place, transactions. 1: what the ORM was doing, too. 2: which loaded attributes are read, too."""

_ids = itertools.count(1)


class Recorder:
    """Listeners on one engine, or on every engine of the process (`target` is the class Engine).

    journal: where records go; None to count in scopes only. faults: own errors so far, after MAX_FAULTS it is off.
    """

    def __init__(self, journal: Journal | None, target: Any = Engine, *, level: int = 1) -> None:
        if level not in LEVELS:
            raise QueryproofError(f"there is no recording level {level!r}: use 0, 1 or 2")
        self.journal = journal
        self.level = level
        self.faults = 0
        self.active = True
        """Whether it has not switched itself off."""
        # Names of our own option and of attributes of connections: two recorders in one process do not know of each other.
        number = next(_ids)
        self.records = Records(journal, number)
        self.option = self.records.option
        self._orm: Any = None
        self._executions = ExecutionEvents(self, target)
        self._transactions = TransactionEvents(self, target)

    def install(self) -> None:
        """Start listening to statements. Twice is once."""
        listen(self._executions.listeners)
        self._transactions.install()
        follow_blocks(self)
        _installed.add(self)

    def install_orm(self) -> None:
        """Start listening to the ORM as well, where the level asks for it."""
        if self.level == 0 or self._orm is not None:
            return
        # Here, because this module is imported by programs that have no ORM.
        from .orm_events import OrmEvents

        self._orm = OrmEvents(self)
        self._orm.install()

    def remove(self) -> None:
        """Stop listening; nothing stays behind. What is added up in memory is written."""
        unlisten(self._executions.listeners)
        self._transactions.remove()
        leave_blocks(self)
        orm, self._orm = self._orm, None
        if orm is not None:
            orm.remove()
        self.finish()
        if orm is not None:
            orm.close()
        _installed.discard(self)

    def finish(self) -> None:
        """Write what is added up in memory and close the journal; recording may go on in a new segment."""
        try:
            self.records.write_pending()
        except Exception as error:  # noqa: BLE001 - at the end of the program nothing of ours may be heard
            self.fault(error)
        if self.journal is not None:
            self.journal.close()

    def begin_in_child(self) -> None:
        """After a fork: what was added up is the parent's to write."""
        if self._orm is not None:
            self._orm.forget()

    def fault(self, error: Exception) -> None:
        """An error of ours: the application does not see it, the journal and the test run do."""
        swallow(error)
        self.faults += 1
        if self.faults == 1:
            warn(f"an internal error, statements may be missing from the recording: {type(error).__name__}")
        self.active = self.faults < MAX_FAULTS
        if self.faults == MAX_FAULTS:
            warn(f"recording is switched off after {MAX_FAULTS} internal errors, the last a {type(error).__name__}")
        try:
            if self.journal is not None:
                self.journal.write(
                    f'{{"t":"f","error":{quote(type(error).__name__)},"off":{"false" if self.active else "true"}'
                )
        except Exception as second:  # noqa: BLE001 - the fault may be the journal's own
            swallow(second)


_installed: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def any_installed() -> bool:
    """Whether a recorder listens in this process."""
    return bool(_installed)


def _after_fork() -> None:
    for recorder in list(_installed):
        recorder.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def record(
    engine: Any = None,
    directory: str | Path = "queryproof-journal",
    *,
    parameters: bool = True,
    level: int = 1,
    max_size: int | None = None,
) -> Iterator[Recorder]:
    """Record the statements of one engine (Engine or AsyncEngine), or of every engine, while the block runs.

    directory: where the journal goes (created, readable by the owner alone). parameters: keep bound values in it.
    level: 0 time, rows, place and transactions; 1 what the ORM was doing, too; 2 which loaded attributes are read, too.
    max_size: bytes that the journal may take; the oldest records make place. Raises QueryproofError for another level.
    """
    target = getattr(engine, "sync_engine", engine) if engine is not None else Engine
    journal = Journal(Path(directory), parameters=parameters, max_size=max_size)
    recorder = Recorder(journal, target, level=level)
    recorder.install()
    recorder.install_orm()
    try:
        yield recorder
    finally:
        recorder.remove()
