"""SQL text → `Statement`. sqlglot is the parser; what it cannot take is said and never guessed."""

import logging
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .cartesian import cartesian_pairs
from .placeholders import number_placeholders
from .qualify import TableColumns, qualify
from .scans import table_scans
from .statement import Statement
from .tokens import Token, significant, split_statements

MAX_DEPTH = 100
"""Nested brackets: sqlglot in C dies of a segmentation fault somewhat above 1,000 on a small stack."""
MAX_CHAIN = 5_000
"""Operators and commas on one level before trees become too deep to walk."""
MAX_SUBSCRIPTS = 200
"""`a[1][1]…` parses in quadratic time."""
MAX_LENGTH = 256 * 1024
"""Characters."""

# sqlglot writes the first 100 characters of the statement, literals included, when it falls back to a command.
logging.getLogger("sqlglot").disabled = True

_KINDS = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE", exp.Merge: "MERGE"}


def analyse(sql: str, columns: TableColumns | None = None) -> Statement:
    """What the statement asks for. columns: of the tables it may name, to tell whose an unqualified column is.

    Never raises: `problem` says why a text could not be analysed, without quoting it.
    """
    tree, kind, problem = _tree(sql)
    if tree is None:
        return Statement(kind=kind, problem=problem)
    try:
        if columns:
            qualify(tree, columns)
        return _statement(tree)
    except (SqlglotError, RecursionError, TypeError, AttributeError, KeyError, ValueError) as error:
        return Statement(kind=kind, problem=f"its structure was not understood ({type(error).__name__})")


@lru_cache(maxsize=4096)
def format_sql(normalized: str) -> str:
    """A normalised statement over several lines, for people; unchanged when it cannot be parsed."""
    tree, _, _ = _tree(normalized)
    if tree is None:
        return normalized
    try:
        return str(tree.sql(dialect="postgres", pretty=True))
    except (SqlglotError, RecursionError, TypeError, AttributeError, KeyError, ValueError):
        return normalized


def too_deep(tokens: list[Token]) -> str | None:
    """Why a text must not be given to any recursive parser, or None."""
    depth = chain = subscripts = 0
    previous = ""
    for token in tokens:
        if token.text in ("(", "["):
            depth += 1
            subscripts += previous == "]"
        elif token.text in (")", "]"):
            depth -= 1
        elif (
            token.kind == "operator" or token.text in (",", ".") or token.word in ("and", "or", "union", "not", "case")
        ):
            chain += 1
        if depth > MAX_DEPTH:
            return f"brackets are nested more than {MAX_DEPTH} deep"
        previous = token.text
    if chain > MAX_CHAIN:
        return f"it chains more than {MAX_CHAIN} operators"
    return f"it has more than {MAX_SUBSCRIPTS} subscripts in a row" if subscripts > MAX_SUBSCRIPTS else None


def _tree(sql: str) -> tuple[exp.Expr | None, str, str]:
    if len(sql) > MAX_LENGTH:
        return None, "", f"it is longer than {MAX_LENGTH // 1024} kB"
    tokens = significant(sql)
    kind = next((token.word.upper() for token in tokens if token.word), "")
    if len(split_statements(sql)) != 1:
        return None, kind, "the text does not hold exactly one statement"
    if problem := too_deep(tokens):
        return None, kind, problem
    try:
        tree = sqlglot.parse_one(number_placeholders(sql.replace("\0", " ")), read="postgres")
    except (SqlglotError, RecursionError, TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
        return None, kind, f"the parser does not know this syntax ({type(error).__name__})"
    if isinstance(tree, exp.Command):
        return None, kind, f"{kind or 'this'} is not a query"
    return tree, kind, ""


def _statement(tree: exp.Expr) -> Statement:
    kind = next((name for node, name in _KINDS.items() if isinstance(tree, node)), "")
    if not kind and isinstance(tree, (exp.Query, exp.Values)):
        kind = "SELECT"
    if not kind:
        return Statement(kind=type(tree).__name__.upper())
    outer = _outermost(tree)
    grouped = outer is not None and outer.args.get("group") is not None
    return Statement(
        kind=kind,
        scans=table_scans(tree),
        selects_star=_stars(tree),
        limited=any(tree.args.get(name) is not None for name in ("limit", "fetch")),
        aggregated=outer is not None and not grouped and _always_one_row(outer),
        grouped=grouped,
        distinct=outer is not None and outer.args.get("distinct") is not None,
        has_from=outer is not None and outer.args.get("from_") is not None,
        cartesian=cartesian_pairs(tree),
        tables=tuple(sorted({table.name for table in tree.find_all(exp.Table) if table.name})),
    )


def _outermost(tree: exp.Expr) -> exp.Select | None:
    node: exp.Expr | None = tree
    while isinstance(node, (exp.Subquery, exp.SetOperation)):
        node = node.this
    return node if isinstance(node, exp.Select) else None


def _always_one_row(select: exp.Select) -> bool:
    """An aggregate without GROUP BY. Window functions keep all rows, so they are not aggregates here."""
    return any(
        (isinstance(part, exp.AggFunc) and not isinstance(part.parent, (exp.Window, exp.Filter)))
        or (isinstance(part, exp.Filter) and not isinstance(part.parent, exp.Window))
        for item in select.expressions
        for part in item.walk(prune=lambda node: isinstance(node, (exp.Query, exp.Window)))
        if part.find_ancestor(exp.Window) is None
    )


def _stars(tree: exp.Expr) -> tuple[str, ...]:
    select = _outermost(tree)
    if select is None:
        return ()
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    derived = {
        source.alias_or_name for source in _sources(select) if not isinstance(source, exp.Table) or source.name in inner
    }
    real = [source for source in _sources(select) if isinstance(source, exp.Table) and source.name not in inner]
    stars = []
    for item in select.expressions:
        if isinstance(item, exp.Star) and real:
            stars.append("")
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star) and item.table not in derived:
            stars.append(item.table)
    return tuple(stars)


def _sources(select: exp.Select) -> list[exp.Expr]:
    first = select.args.get("from_")
    joins = select.args.get("joins") or []
    return [node.this for node in ([first] if first is not None else []) + joins if node.this is not None]
