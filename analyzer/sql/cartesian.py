"""Tables of one FROM that no condition connects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlglot import exp

from ..schema import Schema
from .statement import CartesianPair

KEYS = frozenset(("id", "uuid", "key", "pk"))
"""Columns taken for a table's key where the schema is not at hand."""


def cartesian_pairs(tree: exp.Expr, schema: Schema | None = None) -> tuple[CartesianPair, ...]:
    """Unconnected pairs, the first table of each group of connected ones. CROSS JOIN and ON true, written on purpose, are
    left out, and so is whatever gives one row (keys compared with constants, aggregates) or may depend on a neighbour
    without saying so: functions, LATERAL, VALUES. Tables compared with one constant are connected by it."""
    small = {cte.alias for cte in tree.find_all(exp.CTE) if _is_small(cte.this)}
    found: list[CartesianPair] = []
    for select in tree.find_all(exp.Select, bfs=False):
        found += _pairs(select, small, schema)
    return tuple(dict.fromkeys(found))


def _is_small(query: exp.Expr) -> bool:
    """An aggregate of one row, or a page."""
    if not isinstance(query, exp.Select) or query.args.get("group"):
        return False
    return any(query.args.get(name) is not None for name in ("limit", "fetch")) or query.find(exp.AggFunc) is not None


def _pairs(select: exp.Select, small: set[str], schema: Schema | None) -> list[CartesianPair]:
    first = select.args.get("from_")
    if first is None:
        return []
    names: dict[str, str] = {}
    groups: dict[str, str] = {}
    counted: list[str] = []
    items = [
        *_items(first.this),
        *(item for join in select.args.get("joins") or [] for item in _items(join.this, join)),
    ]
    for source, join in items:
        alias = source.alias_or_name
        if not alias:
            continue
        names[alias] = source.name if isinstance(source, exp.Table) and source.name else alias
        groups[alias] = alias
        if _counts(source, small):
            counted.append(alias)
        else:
            # A function, or LATERAL, depends on the neighbours that it names.
            for neighbour in {column.table for column in source.find_all(exp.Column)} & (names.keys() - {alias}):
                _union(groups, neighbour, alias)
        if join is not None and _is_meant(join):
            _union(groups, next(iter(names)), alias)
    joins = [join for _, join in items if join is not None]
    # An ON or WHERE anywhere in the level, subqueries included, connects all the tables whose columns it names together.
    conditions = [join.args["on"] for join in joins if join.args.get("on") is not None]
    if select.args.get("where") is not None:
        conditions.append(select.args["where"].this)
    parts = [part for condition in conditions for part in _conjuncts(condition)]
    for part in parts:
        _connect(part, names, groups)
    constants = _constants(parts, names)
    for tied in constants.values():
        for alias, _ in tied[1:]:
            _union(groups, tied[0][0], alias)
    single = set(_single_rows(select, constants, names, schema))
    # A single row multiplies nothing: its group counts only by its other tables.
    heads = {_root(groups, alias): alias for alias in reversed(counted) if alias not in single}
    first_of_each = [alias for alias in counted if alias in heads.values()]
    return [
        CartesianPair(names[first_of_each[0]], names[alias], first_of_each[0], alias) for alias in first_of_each[1:]
    ]


def _items(source: exp.Expr, join: exp.Join | None = None) -> Iterator[tuple[exp.Expr, exp.Join | None]]:
    """FROM items with the join that brings each, those of joins in parentheses one by one: their names are seen outside."""
    if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table | exp.Subquery) and not source.alias:
        yield from _items(source.this, join)
    else:
        yield source, join
    for inner in source.args.get("joins") or []:
        yield from _items(inner.this, inner)


def _is_meant(join: exp.Join) -> bool:
    """CROSS JOIN, NATURAL, USING, ON true."""
    on = join.args.get("on")
    return bool(
        join.kind == "CROSS"
        or join.method == "NATURAL"
        or join.args.get("using")
        or (isinstance(on, exp.Boolean) and on.this)
        or "NATURAL" in join.sql().upper()
    )


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    for part in condition.walk(prune=lambda node: not isinstance(node, (exp.And, exp.Paren))):
        if not isinstance(part, (exp.And, exp.Paren)):
            yield part


def _constants(parts: Iterable[exp.Expr], names: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """(alias, column) pairs by the constant that they are compared with."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for part in parts:
        if not isinstance(part, exp.EQ):
            continue
        for column, value in ((part.this, part.expression), (part.expression, part.this)):
            if isinstance(column, exp.Column) and column.table in names and value.find(exp.Column, exp.Query) is None:
                found[value.sql()].append((column.table, column.name))
    return dict(found)


def _single_rows(
    select: exp.Select, constants: dict[str, list[tuple[str, str]]], names: dict[str, str], schema: Schema | None
) -> Iterator[str]:
    """Aliases of tables whose unique key is compared with constants."""
    equal: defaultdict[str, set[str]] = defaultdict(set)
    for tied in constants.values():
        for alias, column in tied:
            equal[alias].add(column)
    sources = {source.alias_or_name: source.db for source in select.find_all(exp.Table)}
    for alias, columns in equal.items():
        table = schema.table(names[alias], sources.get(alias) or None) if schema is not None else None
        if (schema is None and columns & KEYS) or (
            table is not None
            and any(
                index.unique and index.predicate is None and set(index.columns) <= columns for index in table.indexes
            )
        ):
            yield alias


def _counts(source: exp.Expr, small: set[str]) -> bool:
    """Whether a FROM item is a table, or a query of many rows; others only connect."""
    if isinstance(source, exp.Table):
        return isinstance(source.this, exp.Identifier) and source.name not in small
    return isinstance(source, exp.Subquery) and isinstance(source.this, exp.Select) and not _is_small(source.this)


def _connect(condition: exp.Expr, names: dict[str, str], groups: dict[str, str]) -> None:
    """Connect the tables that one condition names. An unqualified column may belong to any of them: without the schema two
    of them, or one beside a qualified column, could be the missing connection, and the rule stays silent."""
    columns = list(condition.find_all(exp.Column))
    aliases = [alias for alias in names if any(column.table == alias for column in columns)]
    unqualified = [
        column for column in columns if not column.table and column.find_ancestor(exp.Query) is _level(condition)
    ]
    if unqualified and len(columns) > 1:
        aliases = list(names)
    for alias in aliases[1:]:
        _union(groups, aliases[0], alias)


def _level(condition: exp.Expr) -> exp.Expr | None:
    return condition.find_ancestor(exp.Query)


def _root(groups: dict[str, str], alias: str) -> str:
    while groups[alias] != alias:
        alias = groups[alias]
    return alias


def _union(groups: dict[str, str], one: str, other: str) -> None:
    first, second = _root(groups, one), _root(groups, other)
    keep, drop = sorted((first, second), key=list(groups).index)
    groups[drop] = keep
