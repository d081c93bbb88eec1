"""The journal's records of executions and of transactions' ends, as text."""

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from .call_site import CallStack, call_stack, handed
from .faults import armed, reach
from .journal import MAX_RECORD, Journal, text_fields
from .scope import current_scope, whole
from .values import encode_parameters

CURSOR_FRAMES = 4
"""Frames between the walk and whoever has sent a statement: ours, and two of SQLAlchemy's at least."""
COMPILED_FRAMES, SESSION_FRAMES = 2, 5
"""Frames more where it was compiled from an expression, and where a session has sent it."""
BY_SESSION = "_result_disable_adapt_to_context"
"""Execution option of what a session has sent to load entities."""

MAX_BUILDS = 5
"""Attempts to build one record within one segment; a limit so small that none holds a record is not worth more."""

CUT = ',"cut":true'
"""The field of an execution whose bound values are not kept."""

MANY = "multi_row_eager_loaders"
"""Attribute of a compiled query: whether it has joined eager loads of collections."""

_time_ns = time.time_ns
_local = threading.local()
_modules = sys.modules


class Records:
    """Tells each execution to its scope and, where there is a journal, writes it down. May raise: its caller guards.

    number: sets the names that this recorder uses on connections apart from those of another in the same process.
    """

    def __init__(self, journal: Journal | None, number: int) -> None:
        self.journal = journal
        self.option = f"_queryproof_load_{number}"
        """Execution option that ties the ORM's Load to its statement."""
        self.flush: Callable[[], Any] | None = None
        self.find_load: Callable[[Any, str], Any] | None = None
        self.reads: Any = None
        self.roots: Any = None
        self._transaction = f"_queryproof_transaction_{number}"
        self._fields = f"_queryproof_fields_{number}"
        self._sequence = itertools.count(1)
        self._transactions = itertools.count(1)

    def begin(self, conn: Any) -> None:
        """A transaction has begun on this connection."""
        setattr(conn, self._transaction, next(self._transactions))
        setattr(conn, self._fields, None)

    def event(self, conn: Any, kind: str, ends: bool) -> None:
        """A transaction's event, such as `commit` or `release savepoint`; ends: the transaction is over."""
        transaction = getattr(conn, self._transaction, None)
        if ends:
            setattr(conn, self._transaction, None)
            setattr(conn, self._fields, None)
        if self.journal is None:
            return
        if armed:
            reach("recorder.transaction")
        record = (
            f'{{"t":"e","e":"{kind}","i":{next(self._sequence)},"at":{_time_ns() // 1000}{self._stack(call_stack())}'
        )
        if transaction is not None:
            record += f',"tx":{transaction}'
        scope = current_scope.get() or whole.scope
        if scope is not None:
            record += f',"u":{scope.fragment}'
        self.journal.write(record + _thread())

    def execution(
        self, conn: Any, statement: str, parameters: Any, context: Any, nanoseconds: int,
        rows: int, failure: BaseException | None, counted: bool,
    ) -> None:  # fmt: skip
        """One execution of a statement. rows: -1 when the driver does not say; counted: its scope is to count it."""
        # Calls are what costs: the common path makes few, and asks for the common case itself.
        flush = None
        options = context.execution_options
        load = options.get(self.option)
        if load is None and self.find_load is not None and getattr(context.invoked_statement, "_with_options", None):
            load = self.find_load(context.invoked_statement, self.option)
        sequence = next(self._sequence)
        if load is not None:
            stack = load.stack
            if load.sequence == 0:
                load.sequence = sequence
        else:
            if self.flush is not None:
                flush = self.flush()
            if flush is not None:
                stack = flush.stack
            elif context.compiled is None:
                stack = call_stack(CURSOR_FRAMES)
            else:
                stack = call_stack(CURSOR_FRAMES, SESSION_FRAMES if BY_SESSION in options else COMPILED_FRAMES)
        scope = current_scope.get() or whole.scope
        if scope is not None and counted:
            if armed:
                reach("recorder.scope")
            relationship = load.shape.relationship if load is not None else None
            scope.count(statement, nanoseconds / 1e6, stack, relationship, parameters)
        journal = self.journal
        if journal is None:
            return
        try:
            tail = _local.text
        except AttributeError:
            tail = _name_thread()
        asyncio = _modules.get("asyncio")
        if armed or (asyncio is not None and asyncio._get_running_loop() is not None):
            tail = _thread()
        if rows >= 0:
            tail += f',"n":{rows}'
        if scope is not None:
            tail += f',"u":{scope.fragment}'
        if options.get("stream_results"):
            tail += ',"sr":true'
        if failure is not None:
            tail += f',"e":{quote(type(failure).__name__)}'
        if flush is not None:
            tail += f',"o":{{"k":"{"autoflush" if flush.auto else "flush"}","e":null}},"f":{flush.number}'
        if context.executemany:
            several = type(parameters) in (list, tuple)
            tail += f',"m":{len(parameters) if several else 1}'
            parameters = parameters[0] if several and parameters else parameters
        values = ""
        if journal.parameters and parameters is not None:
            if armed:
                reach("recorder.parameters")
            encoded = encode_parameters(parameters)
            values = CUT if encoded is None else f',"p":{encoded}'
        # The segment may change while the record is built: it would refer to texts that go with the earlier one.
        for _ in range(MAX_BUILDS):
            generation = journal.generation
            # Built by hand: this is the common record, and json.dumps alone would cost as much as all of it.
            text = journal.statements.known.get(statement) or self._text(statement)
            place = journal.stacks.known.get(stack) or self._stack(stack)
            fields = getattr(conn, self._fields, None) or self._connection(conn)
            cause = "" if load is None else (load.top and journal.shapes.known.get(load.shape)) or self._load(load)
            record = (
                f'{{"t":"q","i":{sequence},{text},"at":{_time_ns() // 1000},"d":{nanoseconds}{place}{fields}{tail}'
                f"{cause}{values}"
            )
            if values and len(record) >= MAX_RECORD - 100:
                record = record.removesuffix(values) + CUT
            if journal.write(record, generation) is not None:
                break
        else:
            journal.write(record)
        roots = self.roots
        if load is not None and roots is not None:
            if load.top:
                compiled = context.compiled
                if roots.pending or (compiled is not None and getattr(compiled.compile_state, MANY, False)):
                    roots.executed(load, context)
            elif roots.pending:
                roots.write()
        if self.reads is not None:
            self.reads.tick()

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
        if load.top:
            return text
        if load.parent is not None:
            text += f',"pa":"{load.parent}"'
        if load.origin is not None:
            text += f',"os":{load.origin.sequence}'
        if load.check is not None:
            text += f',"fx":{json.dumps(load.check, separators=(",", ":"))}'
        return text

    def write_pending(self) -> None:
        """Write what is added up in memory."""
        if self.roots is not None:
            self.roots.write()
        if self.reads is not None:
            self.reads.write()


def _name_thread() -> str:
    text = _local.text = f',"th":{quote(threading.current_thread().name)}'
    return text


def _thread() -> str:
    """The fields that name the thread and the asyncio task, without importing asyncio for those who do not use it."""
    if armed:
        reach("recorder.thread")
    text: str = getattr(_local, "text", None) or _name_thread()
    asyncio = _modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            given = handed.get()
            text += f',"ta":{quote((given and given[1]) or task.get_name())}'
    return text
