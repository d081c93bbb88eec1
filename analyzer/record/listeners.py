"""SQLAlchemy event listeners that are put on and taken off together."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import event

Listener = tuple[Any, str, Callable[..., Any]]
"""(target, name of the event, what is called)"""
RETURNING = frozenset(("before_cursor_execute",))
"""Events whose listeners return what they were given: SQLAlchemy calls the others through one function more."""


def listen(listeners: Iterable[Listener]) -> None:
    """Put them on. Twice is once."""
    for target, name, listener in listeners:
        if not event.contains(target, name, listener):
            event.listen(target, name, listener, **({"retval": True} if name in RETURNING else {}))


def unlisten(listeners: Iterable[Listener]) -> None:
    """Take off those that are on."""
    for target, name, listener in listeners:
        if event.contains(target, name, listener):
            event.remove(target, name, listener)
