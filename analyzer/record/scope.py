"""Scopes: the request, test, task or named block that statements are counted in."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from functools import wraps
from json.encoder import encode_basestring_ascii as quote
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from .call_site import NOWHERE, CallStack, call_stack, fallback
from .faults import swallow

MAX_NAME = 200

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

current_scope: ContextVar["scope | None"] = ContextVar("queryproof_scope", default=None)
"""The innermost scope around the caller."""
_numbers = itertools.count(1)


class scope:
    """All statements sent inside the block belong to it, in this thread or asyncio task and in the tasks started from it.

    name: what people know the work by (it reaches reports: no values in it). kind: `request`, `test`, `task` or `block`.
    queries, milliseconds: statements recorded so far inside, and the time they took. Blocks may be nested: a statement
    belongs to the innermost one and is counted in the outer ones too. Entered again inside itself it goes on counting.
    """

    def __init__(self, name: str | Callable[[], str], kind: str = "block") -> None:
        self._name = name
        self._known: str | None = None
        self.kind = kind
        self.id = 0
        self.queries = 0
        self.milliseconds = 0.0
        self.outer: scope | None = None
        self.statements: list[tuple[str, float, CallStack, str | None]] | None = None
        """(text, ms, place, relationship) of each statement, where somebody collects them; at most `limit`."""
        self.collect: Callable[[str, float, CallStack, str | None, object], None] | None = None
        """Called with text, ms, place, relationship and bound values of each statement counted here."""
        self._fragment: str | None = None
        self._tokens: list[tuple[Token[scope | None], Token[CallStack]]] = []

    @property
    def name(self) -> str:
        """The name; one that is only known later is asked for when the first statement comes."""
        if self._known is None:
            self._known = (self._name if isinstance(self._name, str) else self._name())[:MAX_NAME]
        return self._known

    @property
    def fragment(self) -> str:
        """The scope as a JSON array for the journal."""
        if self._fragment is None:
            self._fragment = f"[{quote(self.kind)},{quote(self.name)},{self.id}]"
        return self._fragment

    def count(
        self, text: str, milliseconds: float, place: CallStack, relationship: str | None, parameters: object = None
    ) -> None:
        """Add one statement to this scope and to those around it."""
        if self._known is None:
            _ = self.name
        inner: scope | None = self
        while inner is not None:
            inner.queries += 1
            inner.milliseconds += milliseconds
            if inner.statements is not None and len(inner.statements) < MAX_STATEMENTS:
                inner.statements.append((text, milliseconds, place, relationship))
            if inner.collect is not None:
                inner.collect(text, milliseconds, place, relationship, parameters)
            inner = inner.outer

    def begin(self, outer: "scope | None") -> None:
        """Start counting anew, inside `outer`; where that is inside this scope, go on counting."""
        if not _inside(outer, self):
            self.id = next(_numbers)
            self._fragment = None
            self._known = None
            self.queries = 0
            self.milliseconds = 0.0
            self.outer = outer

    def __enter__(self) -> Self:
        self.begin(current_scope.get() or whole.scope)
        place = _place() if self.kind != "request" else NOWHERE
        self._tokens.append((current_scope.set(self), fallback.set(place if place.sites else fallback.get())))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scopes, places = self._tokens.pop()
        for variable, token in ((current_scope, scopes), (fallback, places)):
            try:
                variable.reset(token)  # type: ignore[arg-type] # each with its own
            except ValueError:
                # Left in another context than it was entered in, as by a generator that another task closes.
                continue


MAX_STATEMENTS = 1_000


def _inside(inner: "scope | None", outer: scope) -> bool:
    """Whether `outer` is `inner` or around it: entered again there, it must not become its own outer scope."""
    while inner is not None and inner is not outer:
        inner = inner.outer
    return inner is not None


class _Whole:
    """The scope of statements outside any block, in whatever thread or task: the last of those that have begun and not ended."""

    def __init__(self) -> None:
        self.scope: scope | None = None
        self.begun: list[scope] = []


whole = _Whole()


@contextmanager
def whole_process(of: scope) -> Iterator[None]:
    """While the block runs, statements outside any scope belong to this one, whatever thread or task sends them.

    For whoever runs one piece of work at a time, such as a test runner, whose plug-ins start loops in contexts of their own.
    """
    whole.begun.append(of)
    whole.scope = of
    try:
        yield
    finally:
        # Blocks of tasks may end in another order than they began.
        whole.begun.remove(of)
        whole.scope = whole.begun[-1] if whole.begun else None


def propagate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function, made to run in the caller's scope wherever it runs: `executor.submit(propagate(work), …)`.

    asyncio's tasks and `to_thread` carry the scope by themselves; `run_in_executor`, thread pools and bare threads do not.
    """
    context = copy_context()
    place = _place()

    @wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        # A copy for each call: one context cannot be entered by two threads at once.
        inner = context.copy()
        inner.run(fallback.set, place if place.sites else NOWHERE)
        return inner.run(function, *args, **kwargs)

    return run


def _place() -> CallStack:
    """Where the caller's caller stands. An error of ours costs the place, never the application's block."""
    try:
        return call_stack()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is noted
        swallow(error)
        return NOWHERE
