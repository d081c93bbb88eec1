"""SQL text → `Statement`. What no parser can take is said and never guessed."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ..schema import Schema
from .cartesian import cartesian_pairs
from .orders import AGGREGATES
from .outputs import plain_outputs, plain_sources
from .placeholders import number_placeholders
from .qualify import qualify
from .relations import Relations, TableColumns
from .scans import table_scans
from .statement import Statement
from .tokens import Token, significant, split_statements
from .tree import Node, TreeError, body, parse_tree
from .tree import kind as kind_of

MAX_DEPTH = 100
"""Nested brackets: sqlglot in C dies of a segmentation fault somewhat above 1,000 on a small stack."""
MAX_CHAIN = 5_000
"""Operators and commas on one level before trees become too deep to walk."""
MAX_RUN = 1_000
"""Operators that may nest in each other: libpg_query dies of a segmentation fault above 3,000 on a stack of 512 kB."""
MAX_SUBSCRIPTS = 200
"""`a[1][1]…` parses in quadratic time."""
MAX_LENGTH = 256 * 1024
"""Characters."""
NO_QUERY = "is not a query"
"""How the problem of a statement ends that is neither SELECT nor DML."""

# sqlglot writes the first 100 characters of the statement, literals included, when it falls back to a command.
logging.getLogger("sqlglot").disabled = True

_KINDS = {
    "SelectStmt": "SELECT", "InsertStmt": "INSERT", "UpdateStmt": "UPDATE", "DeleteStmt": "DELETE", "MergeStmt": "MERGE",
}  # fmt: skip
_ELSEWHERE = ("PRAGMA", "ATTACH", "DETACH", "DESCRIBE", "USE")
"""What SQLAlchemy and applications send to other servers than PostgreSQL."""
_FAULTS = (SqlglotError, RecursionError, TypeError, AttributeError, KeyError, ValueError, IndexError)


def analyse(sql: str, known: Schema | TableColumns | None = None, *, shape: bool = True) -> Statement:
    """What the statement asks for. known: the database's tables, to tell whose an unqualified column is, or their columns.
    shape: the result's too; without it only what each table is asked, in a third of the time.

    Never raises: `problem` says why a text could not be analysed, without quoting it. PostgreSQL's own grammar decides what
    each table is asked; sqlglot tells the shape of the result, and is done without where it does not know a syntax.
    """
    kind, problem = gate(sql)
    if problem:
        return Statement(kind=kind, problem=problem)
    text = number_placeholders(sql.replace("\0", " "))
    try:
        tree = parse_tree(text)
    except TreeError as error:
        return Statement(kind=kind, problem=f"{kind} {NO_QUERY}" if kind in _ELSEWHERE else str(error))
    if kind_of(tree) not in _KINDS:
        return Statement(kind=kind, problem=f"{kind or 'this'} {NO_QUERY}")
    try:
        return _statement(tree, text, known, shape)
    except _FAULTS as error:
        return Statement(
            kind=_KINDS[kind_of(tree)], problem=f"its structure was not understood ({type(error).__name__})"
        )


_ROUTINES = ("create function", "create procedure", "create or replace function", "create or replace procedure")
"""Of whose bodies sqlglot keeps only a part."""


@lru_cache(maxsize=4096)
def format_sql(normalized: str) -> str:
    """A normalised statement over several lines, for people; unchanged when it cannot be parsed."""
    if gate(normalized)[1] or normalized.startswith(_ROUTINES):
        return normalized
    tree = _sqlglot_tree(number_placeholders(normalized.replace("\0", " ")))
    if tree is None:
        return normalized
    try:
        return str(tree.sql(dialect="postgres", pretty=True))
    except _FAULTS:
        return normalized


def too_deep(tokens: list[Token]) -> str | None:
    """Why a text must not be given to any recursive parser, or None."""
    chain = subscripts = steps = deepest = 0
    runs = [0]  # operators since the last comma, AND or OR, for each open bracket: only these nest in each other
    previous = ""
    for token in tokens:
        if token.text in ("(", "["):
            runs.append(0)
            subscripts += previous == "]"
        elif token.text in (")", "]"):
            if len(runs) > 1:
                runs.pop()
        elif token.text in (",", ".") or token.word in ("and", "or"):
            chain += 1
            runs[-1] = runs[-1] if token.text == "." else 0
        elif token.word in ("case", "join", "union", "intersect", "except"):
            chain += 1
            steps += 1
        elif token.kind == "operator" or token.word in ("not", "is", "collate", "at"):
            chain += 1
            runs[-1] += 1
            deepest = max(deepest, runs[-1])
        if len(runs) - 1 > MAX_DEPTH:
            return f"brackets are nested more than {MAX_DEPTH} deep"
        previous = token.text
    if chain > MAX_CHAIN:
        return f"it chains more than {MAX_CHAIN} operators"
    if max(deepest, steps) > MAX_RUN:
        return f"it nests more than {MAX_RUN} operators"
    return f"it has more than {MAX_SUBSCRIPTS} subscripts in a row" if subscripts > MAX_SUBSCRIPTS else None


def gate(sql: str) -> tuple[str, str | None]:
    """The statement's first keyword, and why it must not be given to any parser, or None."""
    if len(sql) > MAX_LENGTH:
        return "", f"it is longer than {MAX_LENGTH // 1024} kB"
    tokens = significant(sql)
    kind = next((token.word.upper() for token in tokens if token.word), "")
    if len(split_statements(sql)) != 1:
        return kind, "the text does not hold exactly one statement"
    return kind, too_deep(tokens)


def _sqlglot_tree(text: str) -> exp.Expr | None:
    try:
        tree = sqlglot.parse_one(text, read="postgres")
    except _FAULTS:
        return None
    return None if isinstance(tree, exp.Command) else tree


def _statement(tree: Node, text: str, known: Schema | TableColumns | None, shaped: bool) -> Statement:
    fields = body(tree)
    scans, binder = table_scans(tree, Relations(known))
    found = Statement(
        kind=_KINDS[kind_of(tree)],
        scans=scans,
        limited=fields.get("limitCount") is not None,
        grouped=bool(fields.get("groupClause")),
        distinct=bool(fields.get("distinctClause")),
        has_from=bool(fields.get("fromClause")),
        tables=tuple(sorted({scan.table for scan in scans})),
        conflict=binder.conflict,
        unresolved=binder.unresolved,
        outputs=plain_outputs(fields),
        sources=plain_sources(fields),
    )
    shape = _sqlglot_tree(text) if shaped else None
    return found if shape is None else _with_shape(found, shape, known)


def _with_shape(found: Statement, tree: exp.Expr, known: Schema | TableColumns | None) -> Statement:
    """What sqlglot tells of the result's shape, added."""
    columns = _columns_by_name(known)
    if columns:
        qualify(tree, columns)
    outer = _outermost(tree)
    grouped = outer is not None and outer.args.get("group") is not None
    return replace(
        found,
        selects_star=_stars(tree),
        limited=any(tree.args.get(name) is not None for name in ("limit", "fetch")),
        aggregated=outer is not None and not grouped and _always_one_row(outer),
        grouped=grouped,
        distinct=outer is not None and outer.args.get("distinct") is not None,
        has_from=outer is not None and outer.args.get("from_") is not None,
        cartesian=cartesian_pairs(tree, known if isinstance(known, Schema) else None),
        tables=tuple(sorted({table.name for table in tree.find_all(exp.Table) if table.name})),
    )


def _columns_by_name(known: Schema | TableColumns | None) -> TableColumns:
    if not isinstance(known, Schema):
        return known or {}
    found = {view.name: frozenset(view.columns) for view in known.views}
    return found | {table.name: frozenset(column.name for column in table.columns) for table in known.tables}


def _outermost(tree: exp.Expr) -> exp.Select | None:
    node: exp.Expr | None = tree
    while isinstance(node, (exp.Subquery, exp.SetOperation)):
        node = node.this
    return node if isinstance(node, exp.Select) else None


def _always_one_row(select: exp.Select) -> bool:
    """An aggregate without GROUP BY. Window functions keep all rows, so they are not aggregates here."""
    return any(
        (_aggregates(part) and not isinstance(part.parent, (exp.Window, exp.Filter)))
        or (isinstance(part, exp.Filter) and not isinstance(part.parent, exp.Window))
        for item in select.expressions
        for part in item.walk(prune=lambda node: isinstance(node, (exp.Query, exp.Window)))
        if part.find_ancestor(exp.Window) is None
    )


def _aggregates(part: exp.Expr) -> bool:
    """sqlglot does not know all aggregates: jsonb_agg is a function like any other to it."""
    return isinstance(part, exp.AggFunc) or (isinstance(part, exp.Anonymous) and part.name.lower() in AGGREGATES)


def _stars(tree: exp.Expr) -> tuple[str, ...]:
    select = _outermost(tree)
    return tuple(_stars_of(select, {cte.alias: cte.this for cte in tree.find_all(exp.CTE)})) if select else ()


def _stars_of(select: exp.Select, named: Mapping[str, exp.Expr]) -> Iterator[str]:
    """Stars that reach a table: a star over a subquery or CTE is what that asks for."""
    derived: dict[str, exp.Expr] = {}
    real = []
    for source in _sources(select):
        if isinstance(source, exp.Table) and source.name in named and not source.db:
            derived[source.alias_or_name] = named[source.name]
        elif isinstance(source, exp.Subquery):
            derived[source.alias_or_name] = source.this
        elif isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) and not _is_catalog(source):
            real.append(source.alias_or_name)
    # A recursive CTE asks itself: it is looked into once.
    deeper = {name: query for name, query in named.items() if query not in derived.values()}
    for item in select.expressions:
        whole = isinstance(item, exp.Star)
        if not whole and not (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            continue
        if whole and real:
            yield ""
        elif not whole and item.table in real:
            yield item.table
        for alias, query in derived.items():
            inner = _outermost(query)
            if (whole or item.table == alias) and inner is not None:
                yield from _stars_of(inner, deeper)


def _is_catalog(table: exp.Table) -> bool:
    return table.db in ("pg_catalog", "information_schema") or (not table.db and table.name.startswith("pg_"))


def _sources(select: exp.Select) -> list[exp.Expr]:
    first = select.args.get("from_")
    joins = select.args.get("joins") or []
    return [node.this for node in ([first] if first is not None else []) + joins if node.this is not None]
