"""Stands around the one call that hands a statement to the driver.

SQLAlchemy's `do_execute` and its like are listened to, not `before_cursor_execute` and `after_cursor_execute`: an engine with
listeners of its own prepares each statement anew for `before_execute`, whether anyone listens to that or not, and this alone
would be half of what a recording costs.
"""

from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from .faults import armed, reach
from .listeners import Listener, is_heard

if TYPE_CHECKING:
    from .recorder import Recorder

COUNTED = "_queryproof_counted"
"""Attribute of an execution's context, where several recorders see it: whether an outer one counts it in its scope."""


class ExecutionEvents:
    """The listeners of one recorder to executions; `target` is an engine, or the class Engine for all of them."""

    def __init__(self, recorder: "Recorder", target: Any) -> None:
        self._recorder = recorder
        self._target = target
        # To the class always, so that nobody's listener comes before ours and keeps the statement from it.
        self.listeners: list[Listener] = [
            (Engine, "do_execute", self._around("do_execute")),
            (Engine, "do_executemany", self._around("do_executemany")),
            (Engine, "do_execute_no_params", self._around("do_execute_no_params")),
        ]

    def _around(self, name: str) -> Callable[..., bool]:
        """The listener to the event of that name, which is called with cursor, statement, perhaps parameters, and context."""
        recorder, target = self._recorder, self._target
        record = recorder.records.execution

        def execute(cursor: Any, statement: str, *rest: Any) -> bool:
            # Guarded by itself: a wrapper around all listeners would cost every statement two calls more.
            try:
                context = rest[-1]
                parameters = rest[0] if rest[0] is not context else None
                if context is None or not recorder.active:
                    return False
                dialect, conn = context.dialect, context.root_connection
                if target is not Engine and not is_heard(conn.engine, target):
                    return False
                # What SQLAlchemy asks at an engine's first connection is told to nobody.
                if not getattr(conn, "_allow_autobegin", True):
                    return False
                if armed:
                    reach("recorder.before")
                send = getattr(dialect, name)
                counted, among = True, len(getattr(dialect.dispatch, name)) > 1
                if among:
                    send = _after(execute, getattr(dialect.dispatch, name), send)
                    counted = not getattr(context, COUNTED, False)
                    setattr(context, COUNTED, True)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
                recorder.fault(error)
                return False
            start = perf_counter_ns()
            try:
                send(cursor, statement, *rest)
            except BaseException as failure:  # Raised again: it is the application's.
                try:
                    taken = perf_counter_ns() - start
                    if armed:
                        reach("recorder.failed")
                    if among and counted:
                        setattr(context, COUNTED, False)
                    record(conn, statement, parameters, context, taken, -1, failure, counted)
                except Exception as error:  # noqa: BLE001 - as above
                    recorder.fault(error)
                raise
            try:
                taken = perf_counter_ns() - start
                if armed:
                    reach("recorder.after")
                if among and counted:
                    setattr(context, COUNTED, False)
                rows = cursor.rowcount
                record(conn, statement, parameters, context, taken, rows if type(rows) is int else -1, None, counted)
            except Exception as error:  # noqa: BLE001 - as above
                recorder.fault(error)
            return True

        return execute


def _after(own: object, listeners: Any, send: Callable[..., Any]) -> Callable[..., Any]:
    """What SQLAlchemy would do if the listener did not handle the event: ask those that come after it, then send."""
    all_of_them = list(listeners)
    rest = all_of_them[all_of_them.index(own) + 1 :]

    def ask(*arguments: Any) -> None:
        if not any(listener(*arguments) for listener in rest):
            send(*arguments)

    return ask
