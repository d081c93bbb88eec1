"""What one statement asks of each table: the part of the parse that rules and the advisor use."""

from dataclasses import dataclass
from typing import Literal

PredicateKind = Literal[
    "equality",  # = , boolean column
    "in",  # IN (…), = ANY (…), OR of equalities on one column
    "range",  # < <= > >= BETWEEN
    "like-prefix",  # LIKE 'abc%', ~ '^abc', starts_with when the literal is known
    "like",  # LIKE, ILIKE, ~, SIMILAR TO with a pattern that is unanchored or unknown
    "is-null",
    "is-not-null",
    "contains",  # @> <@ && << >> -|- … : containment and position on jsonb, arrays, ranges, geometry, networks
    "key-exists",  # jsonb ? ?| ?&
    "full-text",  # @@
    "other",  # anything else that names the column: <>, NOT IN, functions
]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One condition on one column or expression of a table, ANDed with its siblings.

    column: bare column name, or None when the condition is on an expression. expression: SQL text of the left side as
    PostgreSQL would index it (`lower(email)`, `payload`), quoted where needed. operator: `=`, `@>`, `~~*` for ILIKE …
    constant: SQL text of the literal or boolean in the statement's own text, None for placeholders; of a comparison of two
    columns of one row the whole of it. parameter: index
    (0-based) of the placeholder among the statement's placeholders in text order, None otherwise.
    join: whether the other side is a column of another table; other: that table's alias.
    row: whether it is part of a row comparison such as `(a, b) > ($1, $2)`. cast: the casts around the column, such as `::text`,
    that change nothing for an index on a text column; of a column of unknown type they may.
    """

    column: str | None
    expression: str
    operator: str
    kind: PredicateKind
    constant: str | None = None
    parameter: int | None = None
    join: bool = False
    other: str = ""
    row: bool = False
    cast: str = ""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One ORDER BY key on this table. nulls_first is the effective placement, defaults applied.

    distance: the operator, such as `<->`, when the key is the distance of a column to a constant (nearest neighbours).
    """

    column: str | None
    expression: str
    descending: bool
    nulls_first: bool
    distance: str = ""


@dataclass(frozen=True, slots=True)
class TableScan:
    """What one query level asks of one table occurrence.

    predicates are ANDed; conditions under OR are left out (or_predicates tells that there were some). order_by is set only
    when all ORDER BY keys of that level belong to this table. columns: every column of the table that the level names, in
    alphabetical order; None with `*`. limited: whether the level has LIMIT/FETCH and this table's order could serve it.
    or_branches: each OR whose every branch restricts this table, as its branches. windows: PARTITION BY then ORDER BY keys.
    distinct: keys of DISTINCT or DISTINCT ON. extremes: columns of which the level asks min or max alone. written: columns
    that the statement sets here. nullable: on the side of an outer join that may be missing. via: the view it stands in.
    one_row: the code around the statement, which reads nothing else, takes one row and refuses more.
    """

    schema: str | None
    table: str
    alias: str
    predicates: tuple[Predicate, ...]
    order_by: tuple[OrderKey, ...]
    group_by: tuple[str, ...]
    columns: tuple[str, ...] | None
    limited: bool
    or_predicates: bool = False
    or_branches: tuple[tuple[tuple[Predicate, ...], ...], ...] = ()
    windows: tuple[tuple[OrderKey, ...], ...] = ()
    distinct: tuple[str, ...] = ()
    extremes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    nullable: bool = False
    locks: bool = False
    via: str = ""
    one_row: bool = False


@dataclass(frozen=True, slots=True)
class CartesianPair:
    """Two tables of one FROM that no condition connects, with the names by which the statement calls them."""

    left: str
    right: str
    left_alias: str
    right_alias: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. kind: SELECT, INSERT, UPDATE, DELETE, MERGE, or the upper-case keyword of anything else.

    selects_star: aliases or tables whose every column the *outermost* select asks for by `*` (`""` for a bare `*`); a star
    inside EXISTS, count(*) or a subquery whose outer level names columns does not count. limited: outermost LIMIT/FETCH.
    aggregated: the outermost level always returns one row (aggregate without GROUP BY). unique_lookup is decided with the
    schema, not here. cartesian: unconnected tables of any level, CROSS JOIN written on purpose left out. problem: why the
    text could not be analysed; all else is empty then. conflict: columns of ON CONFLICT (…). unresolved: how many column
    references could not be told a table; they are left out of the scans. outputs: table (as the statement calls it, "" where it
    does not say) and name of each output of the outermost SELECT that is a column by itself, None for any other. sources: names
    of the tables in the outermost FROM.
    """

    kind: str
    scans: tuple[TableScan, ...] = ()
    selects_star: tuple[str, ...] = ()
    limited: bool = False
    aggregated: bool = False
    grouped: bool = False
    distinct: bool = False
    has_from: bool = False
    cartesian: tuple[CartesianPair, ...] = ()
    tables: tuple[str, ...] = ()
    problem: str | None = None
    conflict: tuple[str, ...] = ()
    unresolved: int = 0
    outputs: tuple[tuple[str, str] | None, ...] = ()
    sources: tuple[str, ...] = ()
