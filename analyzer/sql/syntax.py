"""PostgreSQL's own grammar on a text: what the one statement is, and every name in it that can make the server run code."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pgparse

from ..errors import StatementError
from .tokens import Token, split_statements, tokenize

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 100
"""Nested brackets. The grammar's C code dies of a segmentation fault on deep trees, and no `except` can catch that."""
MAX_CHAIN = 1_000
"""Operators and joining words between two commas: each makes the tree one deeper. It dies somewhat above 4,000 on a stack
of 512 kB."""

_CHAINING = frozenset(
    "and or not union intersect except join is in like ilike similar between case when else collate at any all some "
    "operator isnull notnull escape overlaps from select".split()
)
_KINDS = {
    "SelectStmt": "SELECT",
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
}
_UNITS = {"date_trunc": "day", "date_part": "day", "timezone": "UTC"}
_OPERATORS_OF_KIND = {
    "AEXPR_BETWEEN": (">=", "<="),
    "AEXPR_NOT_BETWEEN": ("<", ">"),
    "AEXPR_BETWEEN_SYM": (">=", "<="),
    "AEXPR_NOT_BETWEEN_SYM": ("<", ">"),
}


@dataclass(frozen=True, slots=True)
class ParameterUse:
    """`$number` compared with a column. table: alias or name in front of the column, None when there is none."""

    number: int
    table: str | None
    column: str
    operator: str


@dataclass(slots=True)
class Syntax:
    """kind: SELECT, INSERT, UPDATE, DELETE, MERGE, or the grammar's name of anything else. changes: kinds of the
    data-modifying statements anywhere in it. into: it creates a table. locks: it locks rows.

    functions, relations: `name` or `schema.name` as the grammar reads them. types: names without their schema. attributes: names after a dot, which
    PostgreSQL also takes for functions of the row. aliases: what each table is called in the statement → `schema.name`.
    parameters: numbers of all `$n`. listed: those in the outermost select list, whose values do not shape the plan.
    limits, offsets: those that are a LIMIT or an OFFSET. units: those that name a unit or a time zone → one that exists.
    """

    kind: str
    changes: set[str] = field(default_factory=set)
    into: bool = False
    locks: bool = False
    functions: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    relations: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)
    uses: list[ParameterUse] = field(default_factory=list)
    listed: set[int] = field(default_factory=set)
    limits: set[int] = field(default_factory=set)
    offsets: set[int] = field(default_factory=set)
    units: dict[int, str] = field(default_factory=dict)


def refuse_length(sql: str) -> None:
    """Raises StatementError for a text that is too long to be parsed."""
    if len(sql) > MAX_BYTES or len(sql.encode("utf-8", "replace")) > MAX_BYTES:
        raise StatementError(f"the text is longer than {MAX_BYTES // 1024} kB")


@lru_cache(maxsize=256)
def read_syntax(sql: str) -> Syntax:
    """The statement's syntax, which nobody changes. Raises StatementError, quoting nothing, unless the text is exactly one statement."""
    refuse_length(sql)
    if "\0" in sql:
        raise StatementError("the text holds a NUL byte, which PostgreSQL does not accept")
    count = len(split_statements(sql))
    if count == 1:
        if problem := too_deep_for_grammar(tokenize(sql)):
            raise StatementError(problem)
        parsed = _parse(sql)
        count = len(parsed)
    if count != 1:
        what = "no statement" if not count else f"{count} statements"
        raise StatementError(f"the text holds {what}, and only a single one is explained")
    ((name, tree),) = parsed[0]["stmt"].items()
    syntax = Syntax(_KINDS.get(name, name.removesuffix("Stmt").upper()))
    for key, node in _walk({name: tree}):
        _note(key, node, syntax)
    if name == "SelectStmt":
        syntax.listed = _numbers(tree.get("targetList"))
    return syntax


def too_deep_for_grammar(tokens: list[Token]) -> str | None:
    """Why a text must not be given to the recursive parser, or None."""
    chains = [0]
    for token in tokens:
        if token.text in ("(", "["):
            chains.append(0)
            if len(chains) > MAX_DEPTH + 1:
                return f"brackets are nested more than {MAX_DEPTH} deep"
        elif token.text in (")", "]"):
            chains = chains[:-1] or [0]
            chains[-1] += 1
        elif token.text == ",":
            chains[-1] = 0
        elif token.kind == "operator" or token.text in (".", "::") or token.word in _CHAINING:
            # Signs may follow each other in one token (`+-+-1`), and each is one step down.
            chains[-1] += len(token.text) if token.kind == "operator" else 1
            if chains[-1] > MAX_CHAIN:
                return f"it chains more than {MAX_CHAIN} operators"
    return None


def _parse(sql: str) -> list[dict[str, Any]]:
    try:
        parsed: list[dict[str, Any]] = pgparse.parse(sql)
    except RecursionError:
        raise StatementError("it chains too many operators") from None
    except (pgparse.PGQueryError, UnicodeError, json.JSONDecodeError):
        raise StatementError("PostgreSQL's grammar does not accept the text") from None
    return parsed


def _walk(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of the tree, outer ones first."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from node.items()
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _note(key: str, node: Any, syntax: Syntax) -> None:
    match key:
        case "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt":
            syntax.changes.add(_KINDS[key])
        case "intoClause" | "IntoClause":
            syntax.into = True
        case "lockingClause" | "LockingClause":
            syntax.locks = True
        case "limitCount":
            syntax.limits |= _numbers(node)
        case "limitOffset":
            syntax.offsets |= _numbers(node)
        case "ParamRef":
            syntax.parameters.add(node.get("number", 0))
        case "FuncCall":
            names = _names(node.get("funcname"))
            syntax.functions.add(".".join(names[-2:]))
            if names and names[-1] in _UNITS:
                syntax.units |= dict.fromkeys(_operands((node.get("args") or [None])[0]), _UNITS[names[-1]])
        case "names":
            # Of a type, wherever one may be named.
            syntax.types.update(_names(node)[-1:])
        case "RangeTableSample":
            syntax.functions.add(".".join(_names(node.get("method"))[-2:]))
        case "RangeVar":
            name = ".".join(filter(None, (node.get("schemaname"), node.get("relname"))))
            syntax.relations.add(name)
            syntax.aliases[node.get("alias", {}).get("aliasname") or node.get("relname", "")] = name
        case "relation" if isinstance(node, dict) and "relname" in node:
            # The target of INSERT, UPDATE, DELETE and MERGE stands without its RangeVar key.
            _note("RangeVar", node, syntax)
        case "ColumnRef":
            names = _names(node.get("fields"))
            if len(names) > 1:
                syntax.attributes.add(names[-1])
        case "A_Indirection":
            syntax.attributes.update(_names(node.get("indirection")))
        case "A_Expr":
            _note_expression(node, syntax)
        case "SubLink":
            syntax.operators.update(_names(node.get("operName"))[-1:])
        case "useOp":
            syntax.operators.update(_names(node)[-1:])
        case _:
            pass


def _note_expression(node: dict[str, Any], syntax: Syntax) -> None:
    kind = node.get("kind", "")
    names = _names(node.get("name"))[-1:]
    syntax.operators.update(_OPERATORS_OF_KIND.get(kind, names))
    operator = names[0] if names else ""
    for column, other in ((node.get("lexpr"), node.get("rexpr")), (node.get("rexpr"), node.get("lexpr"))):
        for names_of_column, values in _sides(column, other):
            for number in _operands(values):
                table = names_of_column[-2] if len(names_of_column) > 1 else None
                syntax.uses.append(ParameterUse(number, table, names_of_column[-1], operator))


def _sides(column: Any, other: Any) -> Iterator[tuple[list[str], Any]]:
    """(column's names, what it is compared with); row comparisons give a pair for each position."""
    column, other = _bare(column), _bare(other)
    if isinstance(column, dict) and "ColumnRef" in column:
        names = _names(column["ColumnRef"].get("fields"))
        if names:
            yield names, other
    elif isinstance(column, dict) and isinstance(other, dict) and "RowExpr" in column and "RowExpr" in other:
        for one, value in zip(column["RowExpr"].get("args", []), other["RowExpr"].get("args", []), strict=False):
            yield from _sides(one, value)


def _operands(value: Any) -> Iterator[int]:
    """Numbers of the parameters that a column is compared with: itself, or the elements of a list or array."""
    value = _bare(value)
    if isinstance(value, list):
        for one in value:
            yield from _operands(one)
    elif isinstance(value, dict):
        if "ParamRef" in value:
            yield value["ParamRef"].get("number", 0)
        elif "List" in value:
            yield from _operands(value["List"].get("items", []))
        elif "A_ArrayExpr" in value:
            yield from _operands(value["A_ArrayExpr"].get("elements", []))


def _bare(value: Any) -> Any:
    """The value without casts around it."""
    while isinstance(value, dict) and "TypeCast" in value:
        value = value["TypeCast"].get("arg")
    return value


def _numbers(tree: Any) -> set[int]:
    return {node.get("number", 0) for key, node in _walk({"": tree}) if key == "ParamRef"}


def _names(parts: Any) -> list[str]:
    """The texts of a list of String nodes; stars and anything else are left out."""
    return [part["String"].get("sval", "") for part in parts or [] if isinstance(part, dict) and "String" in part]
