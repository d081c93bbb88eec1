"""Parse tree → SQL text, for the expressions that an index can hold."""

import re
from collections.abc import Callable
from functools import lru_cache

from .identifier import quote_identifier
from .tree import Node, TreeError, body, kind, operator, parse_tree, strings

_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")


class NotIndexable(ValueError):
    """The expression holds something that no index can: a parameter, a subquery, the time of day."""


@lru_cache(maxsize=4096)
def identifier(name: str) -> str:
    """The name as SQL, quoted only where PostgreSQL's grammar needs it."""
    if not _SIMPLE.fullmatch(name):
        return quote_identifier(name)
    try:
        target = parse_tree(f"SELECT {name}")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    except (TreeError, KeyError):
        return quote_identifier(name)
    return name if target.get("ColumnRef", {}).get("fields") == [{"String": {"sval": name}}] else quote_identifier(name)


def deparse(node: Node) -> str:
    """The expression's SQL, columns without their tables. Raises NotIndexable."""
    write = _WRITERS.get(kind(node))
    if write is None:
        raise NotIndexable(kind(node))
    return write(body(node))


def _variable(node: Node) -> str:
    return identifier(node["column"])


def _reference(node: Node) -> str:
    fields = strings(node["fields"])
    if "*" in fields:
        raise NotIndexable("a star")
    return identifier(fields[-1])


def _constant(node: Node) -> str:
    if node.get("isnull"):
        return "NULL"
    if "ival" in node:
        return str(node["ival"].get("ival", 0))
    if "fval" in node:
        return str(node["fval"].get("fval", "0"))
    if "boolval" in node:
        return "true" if node["boolval"].get("boolval") else "false"
    if "sval" in node:
        text = node["sval"].get("sval", "")
        escaped = text.replace("'", "''")
        return f"'{escaped}'" if "\\" not in text else f"E'{escaped}'".replace("\\", "\\\\")
    raise NotIndexable("a bit string")


def type_name(node: Node) -> str:
    """A TypeName's fields as SQL."""
    names = strings(node["names"])
    if names[:1] == ["pg_catalog"] and len(names) == 2 and names[1] != "char":
        names = names[1:]
    modifiers = [deparse(one) for one in node.get("typmods") or []]
    if modifiers and names[-1] == "interval":
        raise NotIndexable("an interval's fields")
    text = ".".join(name if _SIMPLE.fullmatch(name) and name != "char" else quote_identifier(name) for name in names)
    text += f"({', '.join(modifiers)})" if modifiers else ""
    return text + "[]" * len(node.get("arrayBounds") or [])


def _cast(node: Node) -> str:
    return f"{_operand(node['arg'])}::{type_name(node['typeName'])}"


def _call(node: Node) -> str:
    if any(node.get(part) for part in ("over", "agg_star", "agg_filter", "agg_order", "agg_distinct", "func_variadic")):
        raise NotIndexable("an aggregate or window")
    names = strings(node["funcname"])
    if names[:1] == ["pg_catalog"]:
        names = names[1:]
    arguments = ", ".join(deparse(argument) for argument in node.get("args") or [])
    return f"{'.'.join(map(_function_name, names))}({arguments})"


def _function_name(name: str) -> str:
    return name if _SIMPLE.fullmatch(name) and name not in _SYNTAX_NAMES else quote_identifier(name)


_SYNTAX_NAMES = ("extract", "overlay", "position", "substring", "trim", "normalize", "xmlexists", "coalesce", "values")


def _expression(node: Node) -> str:
    name = operator(node)
    if node["kind"] == "AEXPR_NULLIF":
        return f"NULLIF({deparse(node['lexpr'])}, {deparse(node['rexpr'])})"
    if node["kind"] not in ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE"):
        raise NotIndexable(node["kind"])
    left = f"{_operand(node['lexpr'])} " if "lexpr" in node else ""
    return f"{left}{name} {_operand(node['rexpr'])}"


def _operand(node: Node) -> str:
    text = deparse(node)
    return text if kind(node) in _ATOMS and not text.startswith("-") else f"({text})"


_ATOMS = ("Var", "ColumnRef", "A_Const", "FuncCall", "CoalesceExpr", "MinMaxExpr", "A_ArrayExpr", "TypeCast")


def _coalesce(node: Node) -> str:
    return f"COALESCE({', '.join(map(deparse, node['args']))})"


def _extreme(node: Node) -> str:
    return f"{'LEAST' if node['op'] == 'IS_LEAST' else 'GREATEST'}({', '.join(map(deparse, node['args']))})"


def _null_test(node: Node) -> str:
    return f"{_operand(node['arg'])} IS {'NOT ' if node['nulltesttype'] == 'IS_NOT_NULL' else ''}NULL"


def _boolean(node: Node) -> str:
    parts = [f"({deparse(argument)})" for argument in node["args"]]
    return f"NOT {parts[0]}" if node["boolop"] == "NOT_EXPR" else f" {node['boolop'].split('_')[0]} ".join(parts)


def _array(node: Node) -> str:
    return f"ARRAY[{', '.join(map(deparse, node.get('elements') or []))}]"


def _subscript(node: Node) -> str:
    text = _operand(node["arg"])
    for step in node["indirection"]:
        if "A_Indices" not in step or step["A_Indices"].get("is_slice"):
            raise NotIndexable("a field or slice")
        text += f"[{deparse(step['A_Indices']['uidx'])}]"
    return text


def _collate(node: Node) -> str:
    return f"{_operand(node['arg'])} COLLATE {'.'.join(map(quote_identifier, strings(node['collname'])))}"


_WRITERS: dict[str, Callable[[Node], str]] = {
    "Var": _variable, "ColumnRef": _reference, "A_Const": _constant, "TypeCast": _cast, "FuncCall": _call,
    "A_Expr": _expression, "CoalesceExpr": _coalesce, "MinMaxExpr": _extreme, "NullTest": _null_test,
    "BoolExpr": _boolean, "A_ArrayExpr": _array, "A_Indirection": _subscript, "CollateClause": _collate,
}  # fmt: skip
