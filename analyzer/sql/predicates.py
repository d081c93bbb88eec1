"""One condition → what it asks of one table's column, in the words of `statement.Predicate`."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from .statement import Predicate, PredicateKind

Owns = Callable[[exp.Expr], bool]

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "@>": "<@", "<@": "@>", "&&": "&&"}
_COMPARISONS: dict[type[exp.Expr], tuple[str, PredicateKind]] = {
    exp.EQ: ("=", "equality"),
    exp.NullSafeEQ: ("IS NOT DISTINCT FROM", "equality"),
    exp.LT: ("<", "range"),
    exp.LTE: ("<=", "range"),
    exp.GT: (">", "range"),
    exp.GTE: (">=", "range"),
    exp.Like: ("LIKE", "like"),
    exp.ILike: ("ILIKE", "like"),
    exp.RegexpLike: ("~", "like"),
    exp.RegexpILike: ("~*", "like"),
    exp.ArrayContainsAll: ("@>", "contains"),
    exp.ArrayContainedBy: ("<@", "other"),
    exp.ArrayOverlaps: ("&&", "contains"),
    exp.JSONBContains: ("?", "key-exists"),
}
for _name, _operator in (
    ("JSONBContainsTopKey", "?"),
    ("JSONBContainsAnyTopKeys", "?|"),
    ("JSONBContainsAllTopKeys", "?&"),
):
    if hasattr(exp, _name):
        _COMPARISONS[getattr(exp, _name)] = (_operator, "key-exists")


def conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """The conditions that are ANDed, brackets removed."""
    found: list[exp.Expr] = []
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Paren):
            waiting.append(node.this)
        elif isinstance(node, exp.And):
            waiting += [node.expression, node.this]
        else:
            found.append(node)
    return found


def predicate(condition: exp.Expr, owns: Owns) -> Iterator[Predicate]:
    """The predicates of one condition on the table whose columns `owns` accepts; none when it names no such column."""
    negated = isinstance(condition, exp.Not)
    inner = condition.this if negated else condition
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Column):
        if owns(inner):
            yield Predicate(inner.name, inner.name, "=", "equality", constant="false" if negated else "true")
        return
    if isinstance(inner, exp.Is):
        yield from _is(inner, negated, owns)
        return
    if negated:
        yield from _other(inner, owns)
        return
    if isinstance(inner, exp.Between):
        if side := _side(inner.this, owns):
            yield _make(*side, "BETWEEN", "range", inner.args["low"], owns)
        return
    if isinstance(inner, exp.In):
        if side := _side(inner.this, owns):
            joined = inner.args.get("query") is not None
            only = inner.expressions[0] if len(inner.expressions) == 1 else None
            yield _make(*side, "IN", "in", only, owns, join=joined)
        return
    if isinstance(inner, exp.MatchAgainst):
        yield from _full_text(inner, owns)
        return
    yield from _comparison(inner, owns)


def _comparison(node: exp.Expr, owns: Owns) -> Iterator[Predicate]:
    known = _COMPARISONS.get(type(node))
    if known is None or not isinstance(node, exp.Binary):
        yield from _other(node, owns)
        return
    operator, kind = known
    left, right = node.left, node.right
    side = _side(left, owns)
    if side is None or (_side(right, owns) is not None and not _has_columns(left)):
        side = _side(right, owns)
        if side is None:
            yield from _other(node, owns)
            return
        operator = _FLIPPED.get(operator, operator)
        kind = {"@>": "contains", "<@": "other"}.get(operator, kind)  # type: ignore[assignment] # both are kinds
        right = left
    if kind == "like" and operator == "LIKE" and _anchored(right):
        kind = "like-prefix"
    if isinstance(right, exp.Any) and kind == "equality":
        operator, kind = "= ANY", "in"
        right = right.this
    yield _make(*side, operator, kind, right, owns)


def _is(node: exp.Is, negated: bool, owns: Owns) -> Iterator[Predicate]:
    side = _side(node.this, owns)
    if side is None:
        return
    negated = negated != bool(node.args.get("negate"))
    if isinstance(node.expression, exp.Null):
        yield Predicate(*side, "IS NOT NULL" if negated else "IS NULL", "is-not-null" if negated else "is-null")
    elif isinstance(node.expression, exp.Boolean) and not negated:
        yield Predicate(*side, "IS", "equality", constant="true" if node.expression.this else "false")
    else:
        yield Predicate(*side, "IS", "other")


def _full_text(node: exp.MatchAgainst, owns: Owns) -> Iterator[Predicate]:
    for part in [node.this, *node.expressions]:
        if part is not None and any(owns(column) for column in part.find_all(exp.Column)):
            column = part.name if isinstance(part, exp.Column) else None
            # Without a constant configuration the expression is not immutable and cannot be indexed.
            if not list(part.find_all(exp.Parameter, exp.Placeholder)):
                yield Predicate(column, _text(part), "@@", "full-text")


def _other(node: exp.Expr, owns: Owns) -> Iterator[Predicate]:
    for column in dict.fromkeys(column.name for column in node.find_all(exp.Column) if owns(column)):
        yield Predicate(column, column, type(node).__name__.upper(), "other")


def _side(node: exp.Expr, owns: Owns) -> tuple[str | None, str] | None:
    """Column name and indexable text of a condition's side, when it is made of this table's columns alone."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column):
        return (node.name, node.name) if owns(node) else None
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Column) and _is_text(node):
        # varchar → text is the same bytes: PostgreSQL still uses the index on the column.
        return (node.this.name, node.this.name) if owns(node.this) else None
    columns = list(node.find_all(exp.Column))
    if not columns or not all(owns(column) for column in columns):
        return None
    if list(node.find_all(exp.Parameter, exp.Placeholder, exp.Query)):
        return None
    return None, _text(node)


def _is_text(node: exp.Cast) -> bool:
    return node.to.is_type("text", "varchar")


def _make(
    column: str | None,
    expression: str,
    operator: str,
    kind: PredicateKind,
    value: exp.Expr | None,
    owns: Owns,
    *,
    join: bool = False,
) -> Predicate:
    constant = parameter = None
    bare = value
    while isinstance(bare, (exp.Paren, exp.Cast)):
        bare = bare.this
    if isinstance(bare, (exp.Literal, exp.Boolean)) or (
        isinstance(bare, exp.Neg) and isinstance(bare.this, exp.Literal)
    ):
        constant = value.sql(dialect="postgres") if value is not None else None
    elif isinstance(bare, exp.Parameter):
        parameter = int(bare.name) - 1 if bare.name.isdigit() else None
    if value is not None and _has_columns(value):
        if any(owns(found) for found in value.find_all(exp.Column)):
            return Predicate(column, expression, operator, "other")
        join = True
    return Predicate(column, expression, operator, kind, constant, parameter, join)


def _has_columns(node: exp.Expr) -> bool:
    return node.find(exp.Column) is not None


def _anchored(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and not node.name.startswith(("%", "_")) and bool(node.name)


def _text(node: exp.Expr) -> str:
    from .scans import unqualified

    return unqualified(node)
