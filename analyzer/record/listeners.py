"""SQLAlchemy event listeners that are put on and taken off together."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.event.api import _event_key

Listener = tuple[Any, str, Callable[..., Any]]
"""(target, name of the event, what is called)"""
FIRST = frozenset(("do_execute", "do_executemany", "do_execute_no_params"))
"""Events of which the first listener decides whether the others hear anything."""


def listen(listeners: Iterable[Listener]) -> None:
    """Put them on. Twice is once."""
    for target, name, listener in listeners:
        if event.contains(target, name, listener):
            continue
        if name in FIRST:
            # `event.listen(…, insert=True)` leaves its argument unheard for these events.
            key = _event_key(target, name, listener)
            key.dispatch_target._has_events = True
            key.base_listen(insert=True)
        else:
            event.listen(target, name, listener)


def unlisten(listeners: Iterable[Listener]) -> None:
    """Take off those that are on."""
    for target, name, listener in listeners:
        if event.contains(target, name, listener):
            event.remove(target, name, listener)


def is_heard(engine: Any, target: Any) -> bool:
    """Whether the engine is the target or one made from it by `execution_options`; of the class Engine all are heard."""
    while engine is not target and target is not Engine:
        if engine is None:
            return False
        engine = getattr(engine, "_proxied", None)
    return True
