"""Adds imports to a file: to the import that is there already, or as a line of their own among its like."""

from collections.abc import Sequence

import libcst as cst

from .names import same_module
from .option import Import
from .tree import Statement, Tree, dotted


def add_imports(
    tree: Tree, statements: Sequence[Statement], imports: Sequence[Import], place: cst.CSTNode, width: int
) -> list[Statement]:
    """The file's statements with the names imported at its top. place: where they are used; an import must have run before it.

    statements: the tree's own, or as many edited ones. width: lines longer than this are broken.
    """
    by_module: dict[str, list[str]] = {}
    for one in imports:
        by_module.setdefault(one.module, []).append(one.name)
    last = tree.statement_number(place)
    body = list(statements)
    for name, wanted in by_module.items():
        found = _import_of(body[:last], name)
        if found is not None:
            body[found] = _extended(body[found], wanted, width)
        else:
            at = _position(body[:last], name)
            line = f"from {name} import {', '.join(wanted)}"
            new = cst.parse_statement(line, config=tree.module.config_for_parsing)
            if at == 0 and body:
                # The comments above the first statement stay where they are.
                new = new.with_changes(leading_lines=())
            body.insert(at, new)
            last += 1
    return body


def _import_of(body: Sequence[cst.CSTNode], module: str) -> int | None:
    for number, statement in reversed(list(enumerate(body))):
        one = _import_from(statement)
        if one is not None and not isinstance(one.names, cst.ImportStar) and same_module(_written(one), module):
            return number
    return None


def _import_from(statement: cst.CSTNode) -> cst.ImportFrom | None:
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        only = statement.body[0]
        return only if isinstance(only, cst.ImportFrom) else None
    return None


def _written(one: cst.ImportFrom) -> str:
    return "." * len(one.relative) + dotted(one.module)


def _extended(statement: cst.CSTNode, wanted: Sequence[str], width: int) -> cst.SimpleStatementLine:
    one = _import_from(statement)
    assert one is not None
    for name in wanted:
        one = _with_name(one, name)
    new = cst.ensure_type(statement, cst.SimpleStatementLine).with_changes(body=[one])
    longest = max(map(len, cst.Module([new]).code.splitlines()))
    return new.with_changes(body=[_broken(one)]) if longest > width and one.lpar is None else new


def _with_name(one: cst.ImportFrom, name: str) -> cst.ImportFrom:
    assert not isinstance(one.names, cst.ImportStar)
    names = list(one.names)
    present = [dotted(alias.name) for alias in names]
    at = len(names)
    for key in (str, str.casefold):
        if present == sorted(present, key=key):
            at = next((n for n, other in enumerate(present) if key(other) > key(name)), len(names))
            break
    between: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
    if one.lpar is not None and isinstance(one.lpar.whitespace_after, cst.ParenthesizedWhitespace):
        between = _without_comment(one.lpar.whitespace_after)
    comma = cst.Comma(whitespace_after=between)
    new = cst.ImportAlias(cst.Name(name))
    if at < len(names):
        names.insert(at, new.with_changes(comma=comma))
    else:
        names.append(new.with_changes(comma=names[-1].comma))
        names[-2] = names[-2].with_changes(comma=comma)
    return one.with_changes(names=names)


def _without_comment(space: cst.ParenthesizedWhitespace) -> cst.ParenthesizedWhitespace:
    return space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())


def _broken(one: cst.ImportFrom) -> cst.ImportFrom:
    """One name a line, in parentheses."""
    assert not isinstance(one.names, cst.ImportStar)
    line = cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace("    "))
    end = cst.ParenthesizedWhitespace(indent=True)
    last = len(one.names) - 1
    names = [
        alias.with_changes(comma=cst.Comma(whitespace_after=end if number == last else line))
        for number, alias in enumerate(one.names)
    ]
    return one.with_changes(lpar=cst.LeftParen(whitespace_after=line), names=names, rpar=cst.RightParen())


def _position(body: Sequence[cst.CSTNode], module: str) -> int:
    """Behind the imports of the same package, else behind the first block of imports, else behind docstring and __future__."""
    first = module.partition(".")[0]
    imports = []
    for number, statement in enumerate(body):
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for small in statement.body:
            if isinstance(small, cst.ImportFrom):
                imports.append((number, _written(small)))
            elif isinstance(small, cst.Import):
                imports.append((number, dotted(small.names[0].name)))
    same = [number for number, written in imports if written.partition(".")[0] == first]
    if same:
        return same[-1] + 1
    block = [number for number, written in imports if written != "__future__"]
    if block:
        end = block[0]
        while end + 1 in block:
            end += 1
        return end + 1
    if imports:
        return imports[-1][0] + 1
    return 1 if body and _is_docstring(body[0]) else 0


def _is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
