"""Values for a statement whose values nobody recorded, from the statistics of the columns they are compared with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from ..sql.syntax import ParameterUse, Syntax
from .conversation import Conversation

ELEMENTS = 5
"""Values in an array parameter."""

_STATISTICS = """
SELECT n.nspname::text, c.relname::text, a.attname::text, s.most_common_vals::text::text[], s.histogram_bounds::text::text[]
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
     AND s.inherited = (c.relkind = 'p')
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND a.attname = ANY(%s::name[])
  AND (c.relname = ANY(%s::name[]) AND pg_table_is_visible(c.oid) OR n.nspname || '.' || c.relname = ANY(%s::text[]))
ORDER BY 1, 2, 3
"""
_NEUTRAL = {
    "text": "x", "character varying": "x", "character": "x", "name": "x", "integer": "1", "bigint": "1", "smallint": "1",
    "numeric": "1", "real": "1", "double precision": "1", "boolean": "true", "date": "2000-01-01",
    "timestamp without time zone": "2000-01-01", "timestamp with time zone": "2000-01-01", "interval": "1 day",
    "time without time zone": "00:00", "uuid": "00000000-0000-0000-0000-000000000000", "json": "{}", "jsonb": "{}",
    "regconfig": "simple",
}  # fmt: skip
"""For parameters of the select list: they do not shape the plan."""
_LOWER, _UPPER = frozenset((">", ">=")), frozenset(("<", "<="))
_PATTERNS = frozenset(("~~", "~~*"))


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """values: by parameter number, as text that PostgreSQL reads as the parameter's type. origin: where they came from."""

    values: tuple[str, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class _Column:
    common: tuple[str, ...]
    histogram: tuple[str, ...]


def parameter_sets(
    conversation: Conversation, syntax: Syntax, types: Sequence[str], search_path: str, rows_per_call: float | None
) -> tuple[tuple[ParameterSet, ...], str]:
    """(sets of values that differ, most common first; why there is none). types: of $1, $2 … rows_per_call: what a LIMIT
    is taken to be. Raises StatementError when the statistics cannot be read."""
    columns = _columns(conversation, syntax, search_path)
    uses: dict[int, ParameterUse] = {}
    for use in syntax.uses:
        if use.number not in uses and _column(use, syntax, columns) is not None:
            uses[use.number] = use
    returned = syntax.limits if rows_per_call else ()
    made_up = [f"${number}" for number in range(1, len(types) + 1) if number not in uses and number not in returned]
    found: dict[tuple[str, ...], ParameterSet] = {}
    for rarity, words in enumerate(
        ("the most common values", "rare values", "values from the middle of the histogram")
    ):
        values: list[str] = []
        for number, kind in enumerate(types, 1):
            value = _value(number, kind, uses.get(number), rarity, syntax, columns, rows_per_call)
            if value is None:
                return (), f"${number} is not compared with a column that has statistics"
            values.append(value)
        assumed = "; LIMIT from the rows that a call returned" if syntax.limits and rows_per_call else ""
        taken = f"{words} in pg_stats" if len(made_up) < len(types) else "made-up values"
        partly = f" (made up for {', '.join(made_up)})" if 0 < len(made_up) < len(types) else ""
        found.setdefault(tuple(values), ParameterSet(tuple(values), f"{taken}{partly}{assumed}"))
    return tuple(found.values()), ""


def _value(
    number: int,
    kind: str,
    use: ParameterUse | None,
    rarity: int,
    syntax: Syntax,
    columns: dict[tuple[str, str], _Column],
    rows_per_call: float | None,
) -> str | None:
    if use is not None and (column := _column(use, syntax, columns)) is not None:
        same = [one.number for one in syntax.uses if (one.table, one.column) == (use.table, use.column)]
        return _of_column(column, kind, use, rarity, same.index(number))
    if number in syntax.units:
        return syntax.units[number]
    if number in syntax.offsets:
        return "0"
    if number in syntax.limits:
        return str(max(1, round(rows_per_call))) if rows_per_call else "10"
    if number in syntax.listed or kind in ("boolean", "regconfig"):
        base = kind.partition("(")[0]
        return "{}" if base.endswith("[]") else _NEUTRAL.get(base)
    return None


def _of_column(column: _Column, kind: str, use: ParameterUse, rarity: int, position: int) -> str | None:
    common, histogram = column.common, column.histogram
    if kind.endswith("[]"):
        chosen = (common or histogram)[:ELEMENTS] if rarity == 0 else (histogram or common)[-ELEMENTS:]
        return "{" + ",".join(_quoted(value) for value in chosen) + "}"
    if use.operator in _LOWER | _UPPER | {"BETWEEN"} and histogram:
        share = _share(use.operator, rarity, position)
        return histogram[min(len(histogram) - 1, int(len(histogram) * share))]
    if rarity == 0:
        value = common[position % len(common)] if common else histogram[position % len(histogram)]
    elif rarity == 1:
        value = common[-1 - position % len(common)] if common else histogram[-1 - position % len(histogram)]
    else:
        value = histogram[(len(histogram) // 2 + position) % len(histogram)] if histogram else common[len(common) // 2]
    if use.operator in _PATTERNS:
        # A pattern matches a part: three characters at the beginning of a real value.
        return re.sub(r"([\\%_])", r"\\\1", value[:3] if rarity == 0 else value) + "%"
    return value


def _share(operator: str, rarity: int, position: int) -> float:
    """Where in the histogram a bound lies: first wide, then narrow, then the middle."""
    if operator == "BETWEEN":
        low, high = ((0.1, 0.9), (0.97, 0.98), (0.45, 0.55))[rarity]
        return low if position % 2 == 0 else high
    return ((0.1, 0.97, 0.5) if operator in _LOWER else (0.9, 0.03, 0.5))[rarity]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _column(use: ParameterUse, syntax: Syntax, columns: dict[tuple[str, str], _Column]) -> _Column | None:
    """The column's statistics: of the table its alias names, else of the only table in the statement that has it."""
    if use.table is not None:
        return columns.get((syntax.aliases.get(use.table, use.table), use.column))
    found = [
        columns[relation, use.column] for relation in sorted(syntax.relations) if (relation, use.column) in columns
    ]
    return found[0] if len(found) == 1 else None


def _columns(conversation: Conversation, syntax: Syntax, search_path: str) -> dict[tuple[str, str], _Column]:
    names = sorted({use.column for use in syntax.uses})
    bare = sorted(one for one in syntax.relations if "." not in one)
    dotted = sorted(one for one in syntax.relations if "." in one)

    def read(cursor: Cursor) -> dict[tuple[str, str], _Column]:
        cursor.execute(_STATISTICS, (names, bare, dotted))
        found: dict[tuple[str, str], _Column] = {}
        for schema, relation, name, common, histogram in cursor.fetchall():
            if common or histogram:
                column = _Column(tuple(common or ()), tuple(histogram or ()))
                for written in {relation, f"{schema}.{relation}"} & syntax.relations:
                    found[written, name] = column
        return found

    return conversation.ask_catalogue(read, search_path) if names else {}
