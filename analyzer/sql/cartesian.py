"""Tables of one FROM that no condition connects."""

from sqlglot import exp

from .statement import CartesianPair


def cartesian_pairs(tree: exp.Expr) -> tuple[CartesianPair, ...]:
    """Unconnected pairs, the first table of each group of connected ones. CROSS JOIN written on purpose is left out,
    and so is whatever may depend on a neighbour without saying so: functions, LATERAL, VALUES, single-row subqueries."""
    found: list[CartesianPair] = []
    for select in tree.find_all(exp.Select, bfs=False):
        found += _pairs(select)
    return tuple(dict.fromkeys(found))


def _pairs(select: exp.Select) -> list[CartesianPair]:
    first = select.args.get("from_")
    if first is None:
        return []
    names: dict[str, str] = {}
    groups: dict[str, str] = {}
    joins = [*(first.this.args.get("joins") or []), *(select.args.get("joins") or [])]
    anchor = _add(first.this, names, groups)
    for join in joins:
        name = _add(join.this, names, groups)
        if name is None:
            continue
        meant = (
            join.kind == "CROSS"
            or join.method == "NATURAL"
            or join.args.get("using")
            or "NATURAL" in join.sql().upper()
        )
        if meant and anchor is not None:
            _union(groups, anchor, name)
        anchor = anchor or name
    # An ON or WHERE anywhere in the level, subqueries included, connects all the tables whose columns it names together.
    conditions = [join.args["on"] for join in joins if join.args.get("on") is not None]
    if select.args.get("where") is not None:
        conditions.append(select.args["where"].this)
    for condition in conditions:
        for part in condition.walk(prune=lambda node: not isinstance(node, (exp.And, exp.Paren))):
            if not isinstance(part, (exp.And, exp.Paren)):
                _connect(part, names, groups)
    roots = list(dict.fromkeys(_root(groups, alias) for alias in names))
    return [CartesianPair(names[roots[0]], names[other]) for other in roots[1:]] if roots else []


def _add(source: exp.Expr, names: dict[str, str], groups: dict[str, str]) -> str | None:
    """Register a FROM item under its alias; None for items that are not counted."""
    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
        name = source.name
    elif isinstance(source, exp.Subquery) and isinstance(source.this, exp.Select) and source.this.args.get("group"):
        name = source.alias
    elif isinstance(source, exp.Subquery) and isinstance(source.this, exp.Select):
        if source.this.args.get("limit") is not None or source.this.find(exp.AggFunc) is not None:
            return None
        name = source.alias
    else:
        return None
    alias = source.alias_or_name
    names[alias] = name
    groups[alias] = alias
    return alias


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
