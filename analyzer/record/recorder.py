"""Listens to SQLAlchemy and writes what it hears to a journal. Never raises into the application."""

import itertools
import json
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from ..errors import QueryproofError
from .call_site import CallStack, call_stack
from .faults import armed, reach, swallow
from .journal import MAX_RECORD, Journal, text_fields, warn
from .scope import current_scope, whole
from .values import encode_parameters

MAX_FAULTS = 10
"""Own errors after which the recorder takes itself out."""
LEVELS = (0, 1, 2)
"""0: time, rows, place, transactions. 1: what the ORM was doing, too. 2: which loaded attributes are read, too."""

CURSOR_FRAMES = 4
"""Frames between the walk and whoever has sent a statement: ours, and two of SQLAlchemy's at least."""

Listener = Callable[..., None]

_ids = itertools.count(1)
_perf_counter = time.perf_counter_ns
_time_ns = time.time_ns
_local = threading.local()


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
        self._target = target
        self._sequence = itertools.count(1)
        self._transactions = itertools.count(1)
        number = next(_ids)
        # Names of our own attributes and option: two recorders in one process do not know of each other.
        self._start = f"_queryproof_start_{number}"
        self._transaction = f"_queryproof_transaction_{number}"
        self._fields = f"_queryproof_fields_{number}"
        self.option = f"_queryproof_load_{number}"
        self._flush: Callable[[], Any] = _no_flush
        self._orm: list[tuple[Any, str, Listener]] = []
        self._core: list[tuple[Any, str, Listener]] = [
            (target, "before_cursor_execute", self._before),
            (target, "after_cursor_execute", self._after),
            (target, "handle_error", self._failed),
            (target, "begin", self._begin),
            (target, "commit", self._committed),
            (target, "rollback", self._rolled_back),
            (target, "savepoint", self._savepoint),
            (target, "rollback_savepoint", self._back_to_savepoint),
            (target, "release_savepoint", self._released),
        ]
        self._module: Any = None
        self._reads: Any = None
        self._roots: Any = None

    def install(self) -> None:
        """Start listening to statements. Twice is once."""
        _listen(self._core)
        _installed.add(self)

    def install_orm(self) -> None:
        """Start listening to the ORM as well, where the level asks for it."""
        if self.level == 0 or self._orm:
            return
        from sqlalchemy.orm import Session

        from . import orm
        from .roots import Roots

        # Kept at hand: this module is imported by programs that have no ORM.
        self._module = orm
        orm.mark_functions()
        self._flush = orm.current_flush
        self._roots = Roots(self)
        execute = self._healed_orm_execute if orm.leaks_options() else self._orm_execute
        self._orm = [
            (Session, "do_orm_execute", execute),
            (Session, "before_flush", self._before_flush),
            (Session, "after_flush", self._flushed),
            (Session, "after_soft_rollback", self._flushed),
        ]
        _listen(self._orm)
        if self.level == 2:
            from .reads import Reads

            self._reads = Reads(self)
            self._reads.install()

    def remove(self) -> None:
        """Stop listening; nothing stays behind. What is added up in memory is written."""
        for target, name, listener in (*self._core, *self._orm):
            if event.contains(target, name, listener):
                event.remove(target, name, listener)
        self._orm = []
        self.finish()
        if self._reads is not None:
            self._reads.remove()
        if self._roots is not None:
            self._roots.remove()
        _installed.discard(self)

    def finish(self) -> None:
        """Write what is added up in memory and close the journal; recording may go on in a new segment."""
        try:
            self._write_pending()
        except Exception as error:  # noqa: BLE001 - at the end of the program nothing of ours may be heard
            self._fault(error)
        if self.journal is not None:
            self.journal.close()

    def begin_in_child(self) -> None:
        """After a fork: what was added up is the parent's to write."""
        if self._reads is not None:
            self._reads.forget()
        if self._roots is not None:
            self._roots.forget()

    @property
    def active(self) -> bool:
        """Whether it has not switched itself off."""
        return self.faults < MAX_FAULTS

    def _fault(self, error: Exception) -> None:
        """An error of ours: the application does not see it, the journal and the test run do."""
        swallow(error)
        self.faults += 1
        if self.faults == 1:
            warn(f"an internal error, statements may be missing from the recording: {type(error).__name__}")
        if self.faults == MAX_FAULTS:
            warn(f"recording is switched off after {MAX_FAULTS} internal errors, the last a {type(error).__name__}")
        try:
            if self.journal is not None:
                self.journal.write(f'{{"t":"f","error":{quote(type(error).__name__)},"off":{_json(not self.active)}')
        except Exception as second:  # noqa: BLE001 - the fault may be the journal's own
            swallow(second)

    # Listeners. Each is guarded by itself: a wrapper around all would cost every statement two calls more.

    def _before(self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        try:
            if armed:
                reach("recorder.before")
            if context is not None:
                setattr(context, self._start, _perf_counter())
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._fault(error)

    def _after(self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        try:
            now = _perf_counter()
            start = getattr(context, self._start, None)
            if start is None or self.faults >= MAX_FAULTS:
                return
            if armed:
                reach("recorder.after")
            setattr(context, self._start, None)
            rows = cursor.rowcount
            self._record(
                conn, statement, parameters, context, executemany, now - start,
                rows if type(rows) is int else -1, None,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _failed(self, failure: Any) -> None:
        try:
            now = _perf_counter()
            context, conn = failure.execution_context, failure.connection
            start = getattr(context, self._start, None)
            if start is None or failure.statement is None or conn is None or self.faults >= MAX_FAULTS:
                return
            if armed:
                reach("recorder.failed")
            setattr(context, self._start, None)
            self._record(
                conn, failure.statement, failure.parameters, context, context.executemany, now - start, -1,
                type(failure.original_exception).__name__,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _begin(self, conn: Any) -> None:
        try:
            if armed:
                reach("recorder.transaction")
            setattr(conn, self._transaction, next(self._transactions))
            setattr(conn, self._fields, None)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _committed(self, conn: Any) -> None:
        self._end(conn, "commit", True)

    def _rolled_back(self, conn: Any) -> None:
        self._end(conn, "rollback", True)

    def _savepoint(self, conn: Any, name: Any) -> None:
        self._end(conn, "savepoint", False)

    def _back_to_savepoint(self, conn: Any, name: Any, context: Any) -> None:
        self._end(conn, "rollback savepoint", False)

    def _released(self, conn: Any, name: Any, context: Any) -> None:
        self._end(conn, "release savepoint", False)

    def _end(self, conn: Any, kind: str, ends: bool) -> None:
        try:
            transaction = getattr(conn, self._transaction, None)
            if ends:
                setattr(conn, self._transaction, None)
                setattr(conn, self._fields, None)
            if self.faults >= MAX_FAULTS or self.journal is None:
                return
            if armed:
                reach("recorder.transaction")
            record = f'{{"t":"e","e":"{kind}","i":{next(self._sequence)},"at":{_time_ns() // 1000}{self._stack(call_stack())}'
            if transaction is not None:
                record += f',"tx":{transaction}'
            scope = current_scope.get() or whole.scope
            if scope is not None:
                record += f',"u":{scope.fragment}'
            self.journal.write(record + _thread())
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _orm_execute(self, state: Any) -> None:
        if self.faults >= MAX_FAULTS:
            return
        orm = self._module
        try:
            load = orm.describe(state)
            if load is not None:
                orm.attach(state, load, self.option)
                orm.check_option(state, load)
                if self._reads is not None and load.path and load.parent is None:
                    self._reads.eager(load)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _healed_orm_execute(self, state: Any) -> None:
        try:
            self._module.heal(state)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)
        self._orm_execute(state)

    def _before_flush(self, session: Any, context: Any, instances: Any) -> None:
        try:
            self._module.begin_flush(session)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    def _flushed(self, session: Any, other: Any) -> None:
        try:
            self._module.end_flush(session)
        except Exception as error:  # noqa: BLE001 - as above
            self._fault(error)

    # Records.

    def _record(
        self, conn: Any, statement: str, parameters: Any, context: Any, many: bool, nanoseconds: int,
        rows: int, error: str | None,
    ) -> None:  # fmt: skip
        load = context.execution_options.get(self.option)
        sequence = next(self._sequence)
        flush = None
        if load is not None:
            stack = load.stack
            if load.sequence == 0:
                load.sequence = sequence
        else:
            flush = self._flush()
            stack = flush.stack if flush is not None else call_stack(CURSOR_FRAMES)
        scope = current_scope.get() or whole.scope
        if scope is not None:
            if armed:
                reach("recorder.scope")
            scope.count(
                statement,
                nanoseconds / 1e6,
                stack,
                load.shape.relationship if load is not None else None,
                parameters,
            )
        journal = self.journal
        if journal is None:
            return
        # Built by hand: this is the common record, and json.dumps alone would cost as much as all of it.
        text = journal.statements.known.get(statement)
        place = journal.stacks.known.get(stack)
        record = (
            f'{{"t":"q","i":{sequence},{self._text(statement) if text is None else text},"at":{_time_ns() // 1000},'
            f'"d":{nanoseconds}{self._stack(stack) if place is None else place}{self._connection(conn)}{_thread()}'
        )
        if rows >= 0:
            record += f',"n":{rows}'
        if scope is not None:
            record += f',"u":{scope.fragment}'
        if error is not None:
            record += f',"e":{quote(error)}'
        if load is not None:
            record += self._load(load)
        elif flush is not None:
            record += f',"o":{{"k":"{"autoflush" if flush.auto else "flush"}","e":null}},"f":{flush.number}'
        if many:
            count = len(parameters) if type(parameters) in (list, tuple) else 1
            record += f',"m":{count}'
            parameters = parameters[0] if count and type(parameters) in (list, tuple) else parameters
        if journal.parameters and parameters is not None:
            if armed:
                reach("recorder.parameters")
            values = encode_parameters(parameters)
            if values is not None and len(record) + len(values) < MAX_RECORD - 100:
                record += f',"p":{values}'
            else:
                record += ',"cut":true'
        journal.write(record)
        if load is not None and self._roots is not None:
            self._roots.executed(load, context)
        if self._reads is not None:
            self._reads.tick()

    def _connection(self, conn: Any) -> str:
        """The fields that name the driver and the transaction, kept on the connection while the transaction lasts."""
        fields: str | None = getattr(conn, self._fields, None)
        if fields is None:
            transaction = getattr(conn, self._transaction, None)
            fields = f',"dr":{quote(conn.dialect.driver)}' + ("" if transaction is None else f',"tx":{transaction}')
            setattr(conn, self._fields, fields)
        return fields

    def _text(self, statement: str) -> str:
        """The field that names a statement which is not known yet."""
        if armed:
            reach("recorder.text")
        journal = self.journal
        assert journal is not None
        if len(statement) > MAX_RECORD:
            # Not remembered: it would stay in memory.
            return text_fields(statement)
        return journal.refer(journal.statements, statement, lambda: text_fields(statement)) or text_fields(statement)

    def _stack(self, stack: CallStack) -> str:
        journal = self.journal
        assert journal is not None
        if not stack.sites:
            return ""
        known = journal.stacks.known.get(stack)
        return known or journal.refer(journal.stacks, stack, lambda: f'"st":{stack.json}') or f',"st":{stack.json}'

    def _load(self, load: Any) -> str:
        journal = self.journal
        assert journal is not None
        shape = load.shape
        text = journal.shapes.known.get(shape)
        if text is None:
            text = journal.refer(journal.shapes, shape, lambda: str(shape.inside)) or f',"o":{{{shape.inside}}}'
        if load.parent is not None:
            text += f',"pa":"{load.parent}"'
        if load.origin is not None:
            text += f',"os":{load.origin.sequence}'
        if load.check is not None:
            text += f',"fx":{json.dumps(load.check, separators=(",", ":"))}'
        return text

    def _write_pending(self) -> None:
        if self._roots is not None:
            self._roots.write()
        if self._reads is not None:
            self._reads.write()


_installed: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def any_installed() -> bool:
    """Whether a recorder listens in this process."""
    return bool(_installed)


def _after_fork() -> None:
    for recorder in list(_installed):
        recorder.begin_in_child()


def _listen(listeners: list[tuple[Any, str, Listener]]) -> None:
    for target, name, listener in listeners:
        if not event.contains(target, name, listener):
            event.listen(target, name, listener)


def _no_flush() -> None:
    return None


def _json(value: bool) -> str:
    return "true" if value else "false"


def _thread() -> str:
    """The fields that name the thread and the asyncio task, without importing asyncio for those who do not use it."""
    if armed:
        reach("recorder.thread")
    text: str | None = getattr(_local, "text", None)
    if text is None:
        text = _local.text = f',"th":{quote(threading.current_thread().name)}'
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            text += f',"ta":{quote(task.get_name())}'
    return text


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


if hasattr(sys.modules.get("os"), "register_at_fork"):
    import os

    os.register_at_fork(after_in_child=_after_fork)
