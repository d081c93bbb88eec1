"""What each query level asks of each table."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from .predicates import conjuncts, predicate
from .statement import OrderKey, Predicate, TableScan


@dataclass(slots=True)
class _Level:
    """One query level: its own tables by alias, and the conditions that hold for all its rows."""

    node: exp.Expr
    tables: dict[str, exp.Table]
    other_sources: int
    conditions: list[exp.Expr] = field(default_factory=list)


def table_scans(tree: exp.Expr) -> tuple[TableScan, ...]:
    """One scan per table occurrence, in text order."""
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    scans: list[TableScan] = []
    for node in tree.find_all(exp.Select, exp.Update, exp.Delete, bfs=False):
        level = _level(node, inner)
        scans += [_scan(level, alias, table) for alias, table in level.tables.items()]
    return tuple(scans)


def _level(node: exp.Expr, inner: set[str]) -> _Level:
    tables: dict[str, exp.Table] = {}
    others = 0
    joins = list(node.args.get("joins") or [])
    sources: list[exp.Expr] = [join.this for join in joins]
    first = node.args.get("from_")
    if first is not None:
        sources.insert(0, first.this)
        # sqlglot hangs the joins of UPDATE … FROM a JOIN b on the first table.
        nested = list(first.this.args.get("joins") or []) if isinstance(node, (exp.Update, exp.Delete)) else []
        joins += nested
        sources += [join.this for join in nested]
    if isinstance(node, (exp.Update, exp.Delete)):
        sources.insert(0, node.this)
        using = node.args.get("using")
        sources += [using] if isinstance(using, exp.Expr) else list(using or [])
    for source in sources:
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) and not _is_cte(source, inner):
            tables[source.alias_or_name] = source
        else:
            others += 1
    level = _Level(node, tables, others)
    where = node.args.get("where")
    if where is not None:
        level.conditions += conjuncts(where.this)
    for join in joins:
        # A condition of an outer join filters the nullable side only, but it is what that side's index must serve.
        if join.args.get("on") is not None:
            level.conditions += conjuncts(join.args["on"])
    return level


def _is_cte(table: exp.Table, inner: set[str]) -> bool:
    return table.name in inner and not table.db


def _scan(level: _Level, alias: str, table: exp.Table) -> TableScan:
    alone = len(level.tables) == 1 and level.other_sources == 0
    predicates: list[Predicate] = []
    or_predicates = False
    for condition in level.conditions:
        if isinstance(condition, exp.Or):
            or_predicates = or_predicates or any(
                _belongs(column, alias, alone) for column in condition.find_all(exp.Column)
            )
            continue
        predicates += predicate(condition, lambda column: _belongs(column, alias, alone))
    order = _order(level, alias, alone)
    return TableScan(
        schema=table.db or None,
        table=table.name,
        alias=alias,
        predicates=tuple(dict.fromkeys(predicates)),
        order_by=order,
        group_by=tuple(
            column.name
            for column in (level.node.args["group"].expressions if level.node.args.get("group") else ())
            if isinstance(column, exp.Column) and _belongs(column, alias, alone)
        ),
        columns=_columns(level.node, alias, alone),
        limited=any(level.node.args.get(name) is not None for name in ("limit", "fetch"))
        and not (level.node.args.get("group") or level.node.args.get("distinct")),
        or_predicates=or_predicates,
    )


def _belongs(column: exp.Expr, alias: str, alone: bool) -> bool:
    return isinstance(column, exp.Column) and (column.table == alias or (alone and not column.table))


def _order(level: _Level, alias: str, alone: bool) -> tuple[OrderKey, ...]:
    order = level.node.args.get("order")
    if order is None:
        return ()
    outputs = {item.alias: item.this for item in level.node.expressions if isinstance(item, exp.Alias)}
    keys = []
    for ordered in order.expressions:
        descending = bool(ordered.args.get("desc"))
        nulls_first = ordered.args.get("nulls_first")
        node = ordered.this
        if isinstance(node, exp.Column) and not node.table and node.name in outputs:
            node = outputs[node.name]
        columns = list(node.find_all(exp.Column))
        if not columns or not all(_belongs(column, alias, alone) for column in columns):
            return ()
        is_column = isinstance(node, exp.Column)
        # Where the text does not say, sqlglot's own default must not leak in: PostgreSQL puts NULLs last ascending.
        said = "nulls" in ordered.sql(dialect="postgres").lower()
        keys.append(
            OrderKey(
                node.name if is_column else None,
                unqualified(node),
                descending,
                bool(nulls_first) if said else descending,
            )
        )
    return tuple(keys)


def unqualified(node: exp.Expr) -> str:
    """The expression's SQL without table names, as an index on it is written."""
    copy = node.copy()
    for column in [copy, *copy.find_all(exp.Column)]:
        if isinstance(column, exp.Column):
            for part in ("table", "db", "catalog"):
                column.set(part, None)
    return str(copy.sql(dialect="postgres", normalize_functions=False))


def _columns(node: exp.Expr, alias: str, alone: bool) -> tuple[str, ...] | None:
    names: set[str] = set()
    for part in _own_parts(node):
        if isinstance(part, exp.Star) and not isinstance(part.parent, exp.Count):
            owner = part.parent.table if isinstance(part.parent, exp.Column) else ""
            if owner in ("", alias):
                return None
        elif isinstance(part, exp.Column) and _belongs(part, alias, alone):
            names.add(part.name)
    return tuple(sorted(names))


def _own_parts(node: exp.Expr) -> Iterator[exp.Expr]:
    """All parts of the level; correlated subqueries too, whose references to this level's aliases count."""
    yield from node.walk()
