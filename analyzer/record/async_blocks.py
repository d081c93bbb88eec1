"""Blocks whose end SQLAlchemy runs in an asyncio task of its own, as that of `async with maker.begin()`.

What is sent there, all writes of the block among it, belongs to the task that leaves the block, and to its line.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import CodeType
from typing import Any

from .bootstrap import Watcher
from .call_site import HANDED, call_stack, handed, mark_function
from .faults import swallow

PACKAGE = "sqlalchemy.ext.asyncio"
BLOCK, END = "_AsyncSessionContextManager", "__aexit__"
_users: list[object] = []
_watcher: Watcher | None = None


def follow_blocks(user: object) -> None:
    """Follow the blocks from now on, or from when their package is imported."""
    global _watcher
    if user not in _users:
        _users.append(user)
    if PACKAGE in sys.modules:
        _follow()
    elif _watcher is None:
        _watcher = Watcher({PACKAGE: _follow})
        sys.meta_path.insert(0, _watcher)


def leave_blocks(user: object) -> None:
    """Leave them alone; nothing stays behind when nobody else follows them."""
    global _watcher
    if user in _users:
        _users.remove(user)
    if _users:
        return
    finders: list[Any] = sys.meta_path or []  # None when the interpreter ends.
    if _watcher in finders:
        finders.remove(_watcher)
    _watcher = None
    block: Any = _block()
    end: Any = getattr(block, END, None)
    if getattr(end, "follows", False):
        setattr(block, END, end.__wrapped__)


def _block() -> type | None:
    return getattr(sys.modules.get(f"{PACKAGE}.session"), BLOCK, None)


def _follow() -> None:
    try:
        block = _block()
        end = getattr(block, END, None)
        if end is None or getattr(end, "follows", False) or not _users:
            return
        for inner in end.__code__.co_consts:
            if isinstance(inner, CodeType):
                mark_function(inner, HANDED)
        setattr(block, END, _wrapped(end))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is noted
        swallow(error)


def _wrapped(end: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(end)
    async def wrapper(*arguments: Any, **named: Any) -> Any:
        token = None
        try:
            task = sys.modules["asyncio"].current_task()
            token = handed.set((call_stack(), task.get_name() if task is not None else None))
        except Exception as error:  # noqa: BLE001 - as above
            swallow(error)
        try:
            return await end(*arguments, **named)
        finally:
            if token is not None:
                with suppress(ValueError):  # Left in another context than it was entered in.
                    handed.reset(token)

    wrapper.follows = True  # type: ignore[attr-defined] # tells it from anyone else's
    return wrapper
