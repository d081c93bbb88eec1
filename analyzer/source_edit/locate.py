"""Finds the execution that a recording names: the call at a line, and the statement that it sends."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import libcst as cst

from ..query import CallSite
from .cannot_edit import CannotEdit
from .chain import chain_of, makes_statement
from .methods import (
    OTHER_STATEMENTS,
    QUERY_EXECUTES,
    SESSION_EXECUTES,
    SESSION_GETS,
    STATEMENT_METHODS,
    WITHOUT_ARGUMENTS,
)
from .modules import Modules
from .runtime_class import runtime_class
from .statement import Statement, Statements
from .tree import Tree, last_name

_FRAMELESS = (".<locals>.<lambda>", ".<locals>.<listcomp>", ".<locals>.<genexpr>", ".<locals>.<setcomp>", ".<locals>.<dictcomp>")  # fmt: skip
_BUILDS = frozenset("in_ not_in where filter having join outerjoin exists any has".split()) | OTHER_STATEMENTS
"""Calls that take a statement as a part of another."""
_NO_OPTIONS = frozenset(("refresh", "merge"))


@dataclass(frozen=True, slots=True)
class Located:
    """kind `statement`: `statement` is sent by `execution`. kind `get`: `execution` is `session.get(Root, key)`."""

    kind: Literal["statement", "get"]
    execution: cst.BaseExpression
    root: str
    statement: Statement | None = None


def locate(tree: Tree, place: CallSite, root: str, *, aliased: bool, modules: Modules | None = None) -> Located:
    """The one execution of a statement of this root at the place. Raises CannotEdit with the reason when there is not one.

    modules: what the file imports, see `Statements`.
    """
    count = tree.text.count("\n") + 1
    if not 0 < place.line <= count:
        raise CannotEdit(f"{place.file} has {count} lines now, and line {place.line} was recorded: record again")
    tree.read_around(place.line)
    statements = Statements(tree, root, aliased=aliased, modules=modules)
    reasons: list[str] = []
    for level in _levels(tree, place.line):
        found: list[Located] = []
        for node, iterated in level:
            try:
                found += _query(statements, node, node) if iterated else _sent(statements, node)
            except CannotEdit as error:
                reasons.append(str(error))
        found = _distinct(tree, found)
        if len(found) > 1:
            raise CannotEdit(f"line {place.line} sends {len(found)} statements of {root}: which one is not known")
        if found:
            _check_function(tree, found[0].execution, place)
            return found[0]
    entity = None if aliased else _entity_at_run_time(tree, place, root)
    if entity is not None:
        raise CannotEdit(
            f"line {place.line} of {place.file} asks for `{entity}`, which need not be {root} in other calls: an option for {root} "
            "would break those. Let the function take options and add them to its statement, and hand this one in where "
            f"{root} is asked for"
        )
    if reasons:
        raise CannotEdit(reasons[0])
    what = f"an aliased {root}" if aliased else root
    raise CannotEdit(
        f"line {place.line} of {place.file} holds no statement of {what} that can be followed: it is built elsewhere, or the "
        "file has changed since it was recorded"
    )


def _entity_at_run_time(tree: Tree, place: CallSite, root: str) -> str | None:
    try:
        parsed = ast.parse(tree.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Of another Python than this one; libcst knows them all.
        return None
    return runtime_class(parsed, place.line, root)


Candidate = tuple[cst.BaseExpression, bool]
"""An expression that may send a statement: a call, or (True) something that is iterated."""


def _levels(tree: Tree, line: int) -> Iterator[list[Candidate]]:
    """Candidates for the line: first those that the interpreter counts to it, then those around it."""
    calls = [one for one in tree.calls if tree.first_line(one) <= line <= tree.last_line(one)]
    iterated = [(one, True) for one in tree.iterated if tree.first_line(one) <= line <= tree.last_line(one)]
    named = [(one, False) for one in calls if line in (tree.last_line(one.func), tree.awaited_line(one))]
    yield [*named, *(one for one in iterated if tree.first_line(one[0]) == line)]
    yield [(one, False) for one in calls if tree.first_line(one) == line]
    yield [*((one, False) for one in calls), *iterated]


def _sent(statements: Statements, node: cst.BaseExpression) -> Iterator[Located]:
    if not isinstance(node, cst.Call):
        return
    name = last_name(node.func)
    arguments = [arg for arg in node.args if not arg.star]
    first = arguments[0] if arguments else None
    if name in SESSION_GETS and first is not None and first.keyword is None and isinstance(node.func, cst.Attribute):
        named = statements.name_of(first.value)
        if named is not None:
            yield Located("get", node, named)
        return
    # The methods of Query that end it take no arguments, but for these: `repository.all(statement)` is another's.
    if name in QUERY_EXECUTES - (WITHOUT_ARGUMENTS if arguments else set()) and isinstance(node.func, cst.Attribute):
        yield from _query(statements, node.func.value, node)
    if name in _NO_OPTIONS:
        raise CannotEdit(f"the instances come from session.{name}(), which takes no loader options")
    if name in _BUILDS | STATEMENT_METHODS or makes_statement(node):
        return
    problem = None
    sent = False
    for number, arg in enumerate(arguments):
        try:
            statement = statements.follow(arg.value)
        except CannotEdit as error:
            # Further arguments are mostly limits and the like.
            problem = problem or (error if number == 0 else None)
            continue
        if statement is not None:
            yield Located("statement", node, statement.root, statement)
            sent = True
    if problem is not None and not sent:
        raise problem


def _query(statements: Statements, node: cst.BaseExpression, execution: cst.BaseExpression) -> Iterator[Located]:
    statement = statements.follow(node)
    if statement is not None and statement.legacy:
        yield Located("statement", execution, statement.root, statement)


def _distinct(tree: Tree, found: list[Located]) -> list[Located]:
    """One entry for each statement; a session's own call stands before any other that takes the statement."""
    if any(_sends(one) for one in found):
        found = [one for one in found if _sends(one)]
    by_statement: dict[int, Located] = {}
    for one in found:
        key = one.execution if one.statement is None else one.statement.parts[0].node
        by_statement.setdefault(id(key), one)
    return list(by_statement.values())


def _sends(one: Located) -> bool:
    if not isinstance(one.execution, cst.Call):
        return True
    name = last_name(one.execution.func)
    return (
        name in SESSION_EXECUTES
        or name in SESSION_GETS
        or (name in QUERY_EXECUTES and chain_of(one.execution).calls != ())
    )


def _check_function(tree: Tree, node: cst.CSTNode, place: CallSite) -> None:
    """The function of that line must be the one recorded: otherwise the lines have moved."""
    recorded = place.function
    while any(recorded.endswith(ending) for ending in _FRAMELESS):
        recorded = next(recorded.removesuffix(ending) for ending in _FRAMELESS if recorded.endswith(ending))
    if recorded in ("<lambda>", "<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>", ""):
        recorded = "<module>"
    now = tree.qualified_name(node)
    if now != recorded and not now.endswith(recorded if len(recorded) > 300 else f"\0{recorded}"):
        raise CannotEdit(
            f"line {place.line} of {place.file} is in {now} now and was in {recorded} when it was recorded: the file has "
            "changed since; record again"
        )
