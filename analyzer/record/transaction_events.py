"""Hears of the transactions of an engine. Each is guarded by itself, as executions are.

An engine with listeners prepares each statement anew for them, whatever they listen to. So SQLAlchemy's own methods that begin
and end transactions are wrapped; only where a version has no such methods are its events listened to.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from .faults import armed, reach
from .listeners import Listener, is_heard, listen, unlisten

if TYPE_CHECKING:
    from .recorder import Recorder

METHODS = {
    "_begin_impl": "begin",
    "_commit_impl": "commit",
    "_rollback_impl": "rollback",
    "_savepoint_impl": "savepoint",
    "_rollback_to_savepoint_impl": "rollback_savepoint",
    "_release_savepoint_impl": "release_savepoint",
}
"""Methods of Connection, and the events that they tell of: SQLAlchemy 2.0.20 to 2.1.9."""
_hearing: "tuple[TransactionEvents, ...]" = ()
_wrappers: dict[str, Callable[..., Any]] = {}
"""Ours, by the method's name, for as long as they can be called."""


class TransactionEvents:
    """What one recorder hears of transactions; `target` is an engine, or the class Engine for all of them."""

    def __init__(self, recorder: "Recorder", target: Any) -> None:
        self._recorder = recorder
        self._target = target
        self._listeners: list[Listener] = [
            (target, event, lambda conn, *rest, event=event: self.hear(event, conn)) for event in METHODS.values()
        ]

    def install(self) -> None:
        """Hear of transactions from now on. Twice is once."""
        global _hearing
        if not all(callable(getattr(Connection, method, None)) for method in METHODS):
            listen(self._listeners)
        elif self not in _hearing:
            _hearing = (*_hearing, self)
            for method, event in METHODS.items():
                if method not in _wrappers:
                    _wrappers[method] = _wrapped(getattr(Connection, method), event)
                    setattr(Connection, method, _wrappers[method])

    def remove(self) -> None:
        """Hear no more; nothing stays behind unless somebody has wrapped our wrapper."""
        global _hearing
        unlisten(self._listeners)
        _hearing = tuple(one for one in _hearing if one is not self)
        for method, wrapper in list(_wrappers.items()) if not _hearing else ():
            if Connection.__dict__.get(method) is wrapper:
                setattr(Connection, method, wrapper.__wrapped__)
                del _wrappers[method]

    def hear(self, event: str, conn: Any) -> None:
        """Something is about to happen to the transaction of this connection."""
        try:
            if not is_heard(conn.engine, self._target):
                return
            if event == "begin":
                if armed:
                    reach("recorder.transaction")
                self._recorder.records.begin(conn)
            elif self._recorder.active:
                ends = event in ("commit", "rollback")
                self._recorder.records.event(conn, event.replace("_", " "), ends)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)


def _wrapped(method: Callable[..., Any], event: str) -> Callable[..., Any]:
    @wraps(method)
    def wrapper(conn: Any, *arguments: Any, **named: Any) -> Any:
        for one in _hearing:
            one.hear(event, conn)
        return method(conn, *arguments, **named)

    return wrapper
