"""The test's own body: what runs between its fixtures."""

import inspect
import unittest
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

import pytest


@contextmanager
def around_body(item: pytest.Item, within: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Enter `within()` around the test's body while the item is called.

    That is the whole call, except for a unittest.TestCase: it runs setUp and tearDown inside its call.
    """
    case: Any = getattr(item, "instance", None)
    if not isinstance(case, unittest.TestCase):
        with within():
            yield
        return
    test: Any = item
    method = test.obj
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def asynchronous(*args: Any, **keywords: Any) -> object:
            with within():
                return await method(*args, **keywords)

        # unittest looks the method up on the instance, which dies with the test.
        setattr(case, item.name, asynchronous)
        yield
        return

    @wraps(method)
    def synchronous(*args: Any, **keywords: Any) -> object:
        with within():
            return method(*args, **keywords)

    test.obj = synchronous
    try:
        yield
    finally:
        test.obj = method
