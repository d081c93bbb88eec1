"""Statements of a class that only the run knows: `select(self.model)` of a repository that serves many classes."""

import ast
from collections.abc import Iterator

from .functions_around import Function, called_name, functions_around, holds


def runtime_class(tree: ast.Module, line: int, root: str) -> str | None:
    """The expression that stands for the class `root` in the statements around the line, such as `self.model`; None when the
    source names the class there, or holds no such statement.

    Looked at is the function that holds the line, then the methods of its own class that it calls.
    """
    around = functions_around(tree, line)
    if not around:
        return None
    innermost = around[0]
    imported = set(_imported_as(tree, root))
    for scopes in ([innermost], list(_own_methods(tree, innermost))):
        found = [one for scope in scopes for one in _entities(scope)]
        if any(called_name(one) in imported or called_name(_said(tree, one)) in imported for one in found):
            return None
        names = {name for scope in (*around, *scopes) for name in _open_names(scope)}
        open_ = [one for one in found if _is_open(one, names)]
        if open_:
            return ast.unparse(min(open_, key=lambda one: (abs(one.lineno - line), one.lineno, one.col_offset)))
    return None


def _said(tree: ast.Module, entity: ast.expr) -> ast.expr:
    """What the class around says that `self.model` is, the entity itself for anything else."""
    if not isinstance(entity, ast.Attribute) or called_name(entity.value) not in ("self", "cls"):
        return entity
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    around = max((one for one in classes if holds(one, entity.lineno)), key=lambda one: one.lineno, default=None)
    if around is None or any(_base_name(base) == around.name for one in classes for base in one.bases):
        return entity
    if any(isinstance(one, ast.Attribute) and one.attr == entity.attr and isinstance(one.ctx, ast.Store) for one in ast.walk(tree)):  # fmt: skip
        return entity
    values = []
    for line in around.body:
        targets = (
            line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
        )
        if any(called_name(one) == entity.attr for one in targets) and isinstance(line, ast.Assign | ast.AnnAssign):
            values += [line.value] if line.value is not None else []
    return values[0] if len(values) == 1 else entity


def _base_name(base: ast.expr) -> str:
    """`Repository` of `Repository[Book]` too."""
    return called_name(base.value if isinstance(base, ast.Subscript) else base)


def _own_methods(tree: ast.Module, function: Function) -> Iterator[Function]:
    """Methods of the function's class that it calls on `self` or `cls`."""
    called = {
        node.func.attr for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name) and node.func.value.id in ("self", "cls")
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and holds(node, function.lineno):
            yield from (one for one in node.body if isinstance(one, Function) and one.name in called)


def _entities(scope: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if not isinstance(node, ast.Call):
            continue
        name = called_name(node.func)
        if name in ("select", "query"):
            yield from node.args
        elif name in ("get", "get_one") and isinstance(node.func, ast.Attribute) and _is_session(node.func.value):
            yield from node.args[:1]


def _is_open(entity: ast.expr, names: set[str]) -> bool:
    """Whether it is an attribute of the instance, a parameter, or a variable: something that other calls give another value."""
    if isinstance(entity, ast.Subscript):
        return True
    first = entity
    while isinstance(first, ast.Attribute):
        first = first.value
    return isinstance(first, ast.Name) and first.id in names


def _open_names(scope: Function) -> Iterator[str]:
    arguments = scope.args
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        yield one.arg
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _imported_as(tree: ast.Module, root: str) -> Iterator[str]:
    yield root
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (one.asname for one in node.names if one.name == root and one.asname is not None)


def _is_session(node: ast.expr) -> bool:
    """By its name: many things have a `get`."""
    name = called_name(node).lower()
    return "session" in name or name == "db"
