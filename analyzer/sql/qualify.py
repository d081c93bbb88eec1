"""Gives unqualified columns their table, when the tables' columns are known."""

from sqlglot import exp

from .relations import TableColumns


def qualify(tree: exp.Expr, columns: TableColumns) -> None:
    """Set the table of each unqualified column that only one table of its level has; of an outer level when none of its own
    has it and nothing else there could. What stays unclear stays unqualified."""
    for column in list(tree.find_all(exp.Column)):
        if column.table or isinstance(column.this, exp.Star):
            continue
        level = column.find_ancestor(exp.Select, exp.Update, exp.Delete)
        while level is not None:
            owners, closed = _owners(level, column.name, columns)
            if len(owners) == 1 and closed:
                column.set("table", exp.to_identifier(owners[0], quoted=True))
            if owners or not closed:
                break
            level = level.find_ancestor(exp.Select, exp.Update, exp.Delete)


def _owners(level: exp.Expr, name: str, columns: TableColumns) -> tuple[list[str], bool]:
    """Aliases of the level's tables with a column of that name; whether all its FROM items are tables that are known."""
    sources = [join.this for join in level.args.get("joins") or []]
    first = level.args.get("from_")
    if first is not None:
        sources.append(first.this)
        sources += [join.this for join in first.this.args.get("joins") or []]
    if isinstance(level, (exp.Update, exp.Delete)):
        sources.append(level.this)
    owners = []
    closed = True
    for source in sources:
        known = columns.get(source.name) if isinstance(source, exp.Table) else None
        if known is None:
            closed = False
        elif name in known:
            owners.append(source.alias_or_name)
    return owners, closed
