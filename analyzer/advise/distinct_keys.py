"""How many distinct combinations of values some columns have."""

import math
import re
from collections.abc import Sequence

from ..schema import Table
from ..sql.tokens import names_in

UNKNOWN_SHARE = 0.1
"""Distinct values of a column without statistics, as a share of the rows."""
DOCUMENT_WIDTH = 48
"""Bytes for each value of a document that could be the one that makes it different."""
_COARSE = re.compile(r"(?i)date_trunc|::date\b|\bdate\(|extract|date_part|\blength\(|::bool")
"""Expressions that bring many values together: days, lengths, flags."""


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
    if column is None:
        return _of_expression(table, name, rows)
    if column.distinct is None:
        return rows * UNKNOWN_SHARE
    return column.distinct + (1 if column.null_fraction else 0)


def _of_expression(table: Table, text: str, rows: float) -> float:
    """At most as many as its columns have together, and taken as that many: an index that turns out smaller does no harm."""
    words = names_in(text)
    columns = [column for column in table.columns if column.name in words]
    if not columns or any(column.distinct is None for column in columns):
        return rows * UNKNOWN_SHARE
    most = min(rows, math.prod(max(1.0, column.distinct or 1.0) for column in columns))
    if _COARSE.search(text):
        return math.sqrt(most)
    if "->" in text:
        # The wider a document, the less likely it is that this value makes it different from others.
        most /= max(1.0, sum(column.average_width or 0 for column in columns) / DOCUMENT_WIDTH)
    return most
