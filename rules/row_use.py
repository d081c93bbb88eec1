"""What the code does with the rows of a query, as far as its source says so at once: only the first, a slice, the count."""

import ast
from collections.abc import Iterator
from typing import Literal

from ..analyzer.query import CallSite
from .source import source_statement

RowUse = Literal["first", "last", "slice", "count", "exists", "one", "first and count", "slice and count"]
"""one: a single row is taken, and more are refused."""

_SENDS = frozenset("execute scalars scalar exec stream stream_scalars query".split())
_LEGACY = frozenset(("all",))
"""Sends a legacy Query that was made elsewhere: a result has been sent for where it comes from."""
_GOES_ON = frozenset("scalars all unique fetchall mappings tuples columns".split())
_BUILDERS = frozenset("where filter filter_by order_by options join outerjoin distinct group_by having".split())
"""Methods of the legacy Query, which is executed at the end of the chain."""
_FIRST = frozenset("first fetchone scalar".split())
_ONE = frozenset("one one_or_none scalar_one scalar_one_or_none".split())
_ALL_NAMES = frozenset(("locals", "vars", "eval", "exec"))
"""Functions that may use any name of the function that calls them."""
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def row_use(place: CallSite) -> RowUse | None:
    """What becomes of the rows of the query sent at the place; None when they are all used, or when it cannot be told."""
    found = source_statement(place)
    if found is None:
        return None
    statement, around = found
    parents = {child: node for node in ast.walk(around) for child in ast.iter_child_nodes(node)}
    calls = _sending(statement, place.line)
    uses = {use for call in calls for use in _climb(call, parents, around)}
    return next(iter(uses)) if len(uses) == 1 else None


def by_legacy_query(place: CallSite) -> bool:
    """Whether the query sent at the place is a legacy Query, which gives each instance once, whatever a join makes of its rows."""
    found = source_statement(place)
    called = {one.func.attr for one in _sending(found[0], place.line)} if found is not None else set()  # type: ignore[attr-defined] # a method's call
    return bool(called) and called <= {"query", *_LEGACY}


def made_unique(place: CallSite) -> bool:
    """Whether `.unique()` is called on the result there, or on the name that it is given."""
    found = source_statement(place)
    if found is None:
        return False
    statement, around = found
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    called = [(node, statement) for node in ast.walk(statement)] + [(node, around) for node in ast.walk(around)]
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "unique"
        and (within is statement or _begins_with(node) in names)
        for node, within in called
    )


def _begins_with(node: ast.AST) -> str | None:
    """The name that a chain of calls begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _sending(statement: ast.stmt, line: int) -> list[ast.Call]:
    return list(_calls(statement, line, _SENDS)) or list(_calls(statement, line, _LEGACY))


def _calls(statement: ast.stmt, line: int, senders: frozenset[str]) -> Iterator[ast.Call]:
    """Calls of those methods on that line; not those of the statement's body."""
    bodies = {
        id(inner)
        for name in ("body", "orelse", "finalbody", "handlers")
        for part in getattr(statement, name, ())
        for inner in ast.walk(part)
    }
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or id(node) in bodies:
            continue
        # `execute(…).scalars()` sends once: the inner call counts.
        chained = isinstance(node.func.value, ast.Call | ast.Await) and node.func.attr in ("scalars", "scalar")
        if node.func.attr in senders and not chained and node.lineno <= line <= (node.end_lineno or 0):
            yield node


def _climb(
    node: ast.AST, parents: dict[ast.AST, ast.AST], around: ast.AST, deep: bool = True
) -> Iterator[RowUse | None]:
    """Follow the value outwards until it is used up."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "scalar":
        yield "first"
        return
    while True:
        parent = parents.get(node)
        if isinstance(parent, ast.Await) or (isinstance(parent, ast.NamedExpr) and not deep):
            node = parent
        elif isinstance(parent, ast.Attribute):
            call = parents.get(parent)
            if not isinstance(call, ast.Call) or call.func is not parent:
                yield None
                return
            if parent.attr in _FIRST | _ONE:
                yield "first" if parent.attr in _FIRST else "one"
                return
            if parent.attr not in _GOES_ON | _BUILDERS:
                yield None
                return
            node = call
        elif isinstance(parent, ast.Call) and node in parent.args:
            name = getattr(parent.func, "id", "")
            if name in ("list", "tuple"):
                node = parent
                continue
            yield "count" if name == "len" else "exists" if name == "bool" else None
            return
        elif isinstance(parent, ast.Subscript) and parent.value is node:
            yield _subscript(parent.slice)
            return
        elif (isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)) or (
            isinstance(parent, ast.If | ast.While | ast.IfExp | ast.Assert) and parent.test is node
        ):
            yield "exists"
            return
        elif isinstance(parent, ast.Assign) and deep and len(parent.targets) == 1:
            target = parent.targets[0]
            if isinstance(target, ast.Name):
                yield _named(target, parents, around)
                return
            yield None
            return
        else:
            yield None
            return


def _named(target: ast.Name, parents: dict[ast.AST, ast.AST], around: ast.AST) -> RowUse | None:
    """What all uses of the variable in its function come to."""
    uses: set[RowUse | None] = set()
    for node in ast.walk(around):
        if isinstance(node, ast.Global | ast.Nonlocal) and target.id in node.names:
            return None
        if isinstance(node, ast.Name) and node.id in _ALL_NAMES:
            return None
        if isinstance(node, ast.Name) and node.id == target.id and node is not target:
            if not isinstance(node.ctx, ast.Load) or _is_moving_slice(node, target, parents):
                return None
            uses.update(_climb(node, parents, around, deep=False))
    return _together(uses)


def _together(uses: set[RowUse | None]) -> RowUse | None:
    """What serves all of them; whether there are any rows shows in whatever else is fetched."""
    several = uses - {"exists"} or uses
    if len(several) == 1:
        return several.pop()
    if several == {"first", "count"}:
        return "first and count"
    return "slice and count" if several == {"slice", "count"} else None


def _is_moving_slice(node: ast.Name, target: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """`rows[start : start + 50]` in a loop over `start`: slice by slice all rows are used."""
    part = parents.get(node)
    if not isinstance(part, ast.Subscript) or not any(isinstance(one, ast.Name) for one in ast.walk(part.slice)):
        return False
    around = set(_loops(target, parents))
    return any(one not in around for one in _loops(node, parents))


def _loops(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    """Loops that evaluate the node again and again; what a loop runs over is evaluated once."""
    while (above := parents.get(node)) is not None:
        if isinstance(above, ast.comprehension) and node is above.iter:
            node, above = above, parents[above]
            if node is above.generators[0]:  # type: ignore[attr-defined] # a comprehension stands in one of its four kinds
                node = above
                continue
        if isinstance(above, _LOOPS) and node is not getattr(above, "iter", None):
            yield above
        node = above


def _subscript(index: ast.expr) -> RowUse | None:
    if isinstance(index, ast.Slice):
        upper = index.upper
        return None if upper is None or isinstance(upper, ast.UnaryOp) else "slice"
    last = isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub)
    if isinstance(index, ast.UnaryOp):
        index = index.operand
    if not isinstance(index, ast.Constant) or type(index.value) is not int or index.value != int(last):
        return None
    return "last" if last else "first"
