"""The elements that a GIN index would keep."""

import math

from ..schema import Table
from .candidate_index import Key
from .distinct_keys import distinct_keys
from .document_elements import document_elements
from .key_width import fixed_width, key_width


def gin_elements(key: Key, table: Table, rows: float) -> list[tuple[float, float, float]]:
    """Groups of elements: how many in all rows, how many different ones, bytes of one.

    Of arrays statistics count them, of jsonb and tsvector they let them be estimated; for others they are guessed from the width
    of the values and how many of those are different.
    """
    column = table.column(key.column) if key.column is not None else None
    width = key_width(key.column, key.expression, table).bytes
    type_ = column.type if column is not None else ""
    different = min(rows, distinct_keys(table, (key.column or key.expression,), rows))
    if key.operator_class and "trgm" in key.operator_class:
        # Half of the pieces stand in most rows (names of domains, words that recur), the others are spread.
        half = rows * max(1.0, width) / 2
        return [(half, 8.0, 4.0), (half, min(8_000.0, 10 * math.sqrt(max(rows, 1.0))), 4.0)]
    if type_.endswith("[]"):
        each = fixed_width(type_[:-2])
        size = each[0] if each else 8.0
        per_row = max(1.0, (width - 24) / (size + (0 if each else 4)))
        if column is not None and column.elements is not None:
            per_row = max(1.0, column.elements)
        known = column.distinct_elements if column is not None else None
        return [(rows * per_row, known if known is not None else different, size)]
    if column is not None and type_ == "jsonb":
        hashed = key.operator_class == "jsonb_path_ops"
        values, names = document_elements(
            column.documents, column.common_values, column.null_fraction or 0.0, table.rows or 0.0, different
        )
        if values and hashed:
            return [(rows * one.per_row, one.distinct, 4.0) for one in values]
        if values:
            return [(rows * one.per_row, one.distinct, one.bytes) for one in (*values, *names)]
        # Keys and values that recur, beside the one that makes a document different.
        return [(rows * max(1.0, width / 16), different, 4.0 if hashed else 10.0)]
    if type_ == "tsvector" and column is not None and column.elements is not None:
        return [(rows * column.elements, column.distinct_elements or 1.0, 8.0)]
    # tsvector or to_tsvector(…): a lexeme for about fourteen bytes with its place, or for six bytes of text.
    total = rows * max(1.0, width / (14 if type_ == "tsvector" else 6))
    return [(total, 30 * math.sqrt(total) + 0.7 * different, 8.0)]
