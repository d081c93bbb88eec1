"""How many distinct combinations of values some columns have."""

import math
from collections.abc import Sequence

from ..schema import Table

UNKNOWN_SHARE = 0.1
"""Distinct values of a column or expression without statistics, as a share of the rows."""


def distinct_keys(table: Table, names: Sequence[str], rows: float | None = None) -> float:
    """Distinct values of the columns or expressions together, among `rows` rows (default: all of the table's).

    Extended statistics where they cover the columns; beyond them columns count as independent: of P possible
    combinations, n rows meet P · (1 − e^(−n/P)).
    """
    count = rows if rows is not None else (table.rows or 0.0)
    if count <= 0:
        return 0.0
    left, possible = set(names), 1.0
    for columns, distinct in sorted(table.distinct_groups, key=lambda one: (-len(one[0]), one[0])):
        if set(columns) <= left:
            left -= set(columns)
            possible *= max(1.0, distinct)
    for name in sorted(left):
        possible *= max(1.0, _distinct(table, name, count))
    if len(names) == 1:
        return min(count, possible)
    return min(count, possible * -math.expm1(-count / possible))


def _distinct(table: Table, name: str, rows: float) -> float:
    column = table.column(name)
    if column is None or column.distinct is None:
        return rows * UNKNOWN_SHARE
    return column.distinct + (1 if column.null_fraction else 0)
