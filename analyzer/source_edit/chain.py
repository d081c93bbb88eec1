"""Statements as chains of calls: `select(Author).where(…)`, `session.query(Author).filter(…)`, `statement.limit(5)`."""

from dataclasses import dataclass

import libcst as cst

from .tree import last_name


@dataclass(frozen=True, slots=True)
class Chain:
    """node: the whole expression. base: what the methods are called on, or the call that makes the statement. calls: the
    method calls, innermost first."""

    node: cst.BaseExpression
    base: cst.BaseExpression
    calls: tuple[cst.Call, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order of the calls."""
        return tuple(last_name(call.func) for call in self.calls)

    @property
    def options(self) -> tuple[cst.Call, ...]:
        """Its `.options(…)` calls."""
        return tuple(call for call in self.calls if last_name(call.func) == "options")


def chain_of(node: cst.BaseExpression) -> Chain:
    """Take an expression apart; one that is no chain is its own base."""
    calls: list[cst.Call] = []
    base = node
    while isinstance(base, cst.Call) and isinstance(base.func, cst.Attribute) and not makes_statement(base):
        calls.append(base)
        base = base.func.value
    return Chain(node, base, tuple(reversed(calls)))


def makes_statement(node: cst.BaseExpression) -> bool:
    """Whether it is `select(…)`, `sa.select(…)`, `session.query(…)`, or `update(…)` and the like, which may return entities."""
    if not isinstance(node, cst.Call):
        return False
    name = last_name(node.func)
    return name in ("select", "insert", "update", "delete") or (
        name == "query" and isinstance(node.func, cst.Attribute)
    )


def is_legacy(base: cst.BaseExpression) -> bool:
    """Whether it makes a Query: `session.query(Author)` or `Author.query`."""
    return last_name(base.func if isinstance(base, cst.Call) else base) == "query"


def entities(base: cst.BaseExpression) -> tuple[cst.BaseExpression, ...]:
    """What a statement is made of: `Author` and `Book` of `select(Author, Book)`; `Author` of `Author.query`."""
    if isinstance(base, cst.Call) and makes_statement(base):
        return tuple(arg.value for arg in base.args if arg.keyword is None and not arg.star)
    if isinstance(base, cst.Attribute) and base.attr.value == "query":
        return (base.value,)
    return ()
