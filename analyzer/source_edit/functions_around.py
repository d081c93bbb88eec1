"""The functions that hold a line, in Python's own syntax tree."""

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_around(tree: ast.Module, line: int) -> list[Function]:
    """Those that hold the line, the innermost first."""
    found = [node for node in ast.walk(tree) if isinstance(node, Function) and holds(node, line)]
    return sorted(found, key=lambda node: -node.lineno)


def holds(node: ast.stmt, line: int) -> bool:
    """Whether the line is one of the statement's."""
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def called_name(node: ast.expr) -> str:
    """Last name of `a.b.c` or `c`, empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
