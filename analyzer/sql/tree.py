"""PostgreSQL's own parse tree of one statement (libpg_query), and the few ways to walk it.

Operators, casts and names stand in it exactly as PostgreSQL reads them; sqlglot, which serves the wording of texts, renames some.
"""

from collections.abc import Iterator
from typing import Any

import pgparse

Node = dict[str, Any]
"""`{"A_Expr": {"kind": …, "lexpr": {…}}}`: the shape of libpg_query's JSON is PostgreSQL's own and not closed."""


class TreeError(ValueError):
    """The text is not one statement that this PostgreSQL grammar knows. The message never quotes the text."""


def parse_tree(sql: str) -> Node:
    """The statement's node, such as `{"SelectStmt": {…}}`. Give it only texts that passed `parse.too_deep`."""
    try:
        found = pgparse.parse(sql)
    except pgparse.PGQueryError:
        raise TreeError("PostgreSQL's grammar does not know this syntax") from None
    except (RecursionError, ValueError):
        raise TreeError("it is nested too deeply") from None
    if len(found) != 1:
        raise TreeError("the text does not hold exactly one statement")
    statement: Node = found[0]["stmt"]
    return statement


def kind(node: Node) -> str:
    """The node's name: `A_Expr`, `ColumnRef` …"""
    return next(iter(node), "")


def body(node: Node) -> Node:
    """The node's fields."""
    inner: Node = next(iter(node.values()), {})
    return inner


def strings(nodes: list[Node]) -> list[str]:
    """The texts of a list of String nodes; `*` for a star."""
    return [node["String"].get("sval", "") if "String" in node else "*" for node in nodes]


def operator(expression: Node) -> str:
    """The operator's bare name; `OPERATOR(pg_catalog.=)` is `=`."""
    return strings(expression.get("name") or [])[-1] if expression.get("name") else ""


def walk(node: Any, *, inside: bool = True) -> Iterator[Node]:
    """Every named node inside, the node itself first; those of subqueries too if `inside`. Iterative: trees may be deeper
    than Python's stack."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            if not inside and "SubLink" in one:
                continue
            if len(one) == 1 and kind(one)[:1].isupper():
                yield one
            waiting += reversed(list(one.values()))


def literal(node: Node) -> str | None:
    """The text of a string constant, casts stripped; None for anything else."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    value = node.get("A_Const", {}).get("sval")
    return value.get("sval", "") if isinstance(value, dict) else None


def calls(nodes: Any) -> list[Node]:
    """The function calls of one query level, those of its subqueries left out."""
    return [body(one) for one in walk(nodes, inside=False) if kind(one) == "FuncCall"]
