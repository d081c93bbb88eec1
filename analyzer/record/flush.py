"""The flush that is under way in this thread or task."""

import itertools
from contextvars import ContextVar

from sqlalchemy.orm import Session

from .call_site import CallStack, call_stack
from .faults import armed, reach


class Flush:
    """A flush under way: its number, whether a query caused it, and the code that did."""

    __slots__ = ("auto", "number", "session", "stack")

    def __init__(self, session: Session, stack: CallStack) -> None:
        self.number = next(_flushes)
        self.session = id(session)
        self.stack = stack
        self.auto = stack.mark == "autoflush"


_flushes = itertools.count(1)
_flush: ContextVar[Flush | None] = ContextVar("queryproof_flush", default=None)


def begin_flush(session: Session) -> None:
    """From now on statements without a Load are the flush's."""
    if armed:
        reach("recorder.flush")
    _flush.set(Flush(session, call_stack()))


def end_flush(session: Session) -> None:
    """The flush is over, whether it has succeeded or not."""
    flush = _flush.get()
    if flush is not None and flush.session == id(session):
        _flush.set(None)


def current_flush() -> Flush | None:
    """The flush that is under way in this thread or task."""
    return _flush.get()
