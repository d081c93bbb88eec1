"""Statements that a function is handed and only sends: `def all(self, statement): return self.session.scalars(statement).all()`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .functions_around import Function, called_name, functions_around
from .methods import QUERY_EXECUTES, SESSION_EXECUTES, STATEMENT_METHODS


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a statement comes in by. function: the name of the one that takes it. place: among the positional arguments of a
    call, None for one that is given by name alone."""

    function: str
    name: str
    place: int | None


def handed_in(tree: ast.Module, line: int, inner: Parameter | None = None) -> Parameter | None:
    """The parameter that the statement sent at the line comes in by; None when it is made in the function, or cannot be told.

    inner: of the function that is called there, when it is not the line itself that sends.
    """
    around = functions_around(tree, line)
    if not around:
        return None
    function = around[0]
    names = {
        name
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and call.lineno <= line <= (call.end_lineno or 0)
        and (name := _sent(call) if inner is None else _handed_on(call, inner)) is not None
    }  # fmt: skip
    name = names.pop() if len(names) == 1 else None
    return next((one for one in _parameters(function) if one.name == name), None)


def _parameters(function: Function) -> Iterator[Parameter]:
    given = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    own = given[:1] in (["self"], ["cls"])
    for place, name in enumerate(given[own:]):
        yield Parameter(function.name, name, place)
    for one in function.args.kwonlyargs:
        yield Parameter(function.name, one.arg, None)


def _sent(call: ast.Call) -> str | None:
    """The variable that a call sends, as it is or with more conditions."""
    if not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr in SESSION_EXECUTES and call.args:
        return _variable(call.args[0])
    return _variable(call.func.value) if call.func.attr in QUERY_EXECUTES and not call.args else None


def _handed_on(call: ast.Call, inner: Parameter) -> str | None:
    """The variable that a call gives for a parameter of the function that it calls."""
    if called_name(call.func) != inner.function:
        return None
    for keyword in call.keywords:
        if keyword.arg == inner.name:
            return _variable(keyword.value)
    if inner.place is None or inner.place >= len(call.args):
        return None
    return _variable(call.args[inner.place])


def _variable(node: ast.expr) -> str | None:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STATEMENT_METHODS:
        node = node.func.value
    return node.id if isinstance(node, ast.Name) else None
