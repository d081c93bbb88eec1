"""Candidate indexes for what one statement asks of one table.

Key order follows equality → sort → range, equality columns by falling number of distinct values.
"""

from collections.abc import Iterator

from ..schema import Column, Schema, Table
from ..sql.identifier import quote_identifier
from ..sql.statement import Predicate, TableScan
from .candidate_index import CandidateIndex, Key, already_there

MAX_KEYS = 3
"""Wider keys are rarely used by more than one query and cost writes; advisors published so far agree on 2–3."""
HASH_MIN_WIDTH = 24
"""Bytes: a hash index stores 4-byte codes, so it is smaller than a B-tree only when values are clearly longer."""
PARTIAL_MAX_SHARE = 0.25
"""A partial index pays when its condition keeps at most this share of the rows."""
INCLUDE_MAX_WIDTH = 96
"""Bytes of INCLUDE columns: about a third of a B-tree page's entry before fan-out halves."""

_NOT_SORTABLE = ("json", "xml", "point", "polygon", "box", "circle", "path", "line")


def candidates(scan: TableScan, table: Table, schema: Schema) -> tuple[CandidateIndex, ...]:
    """Candidates in order of preference, without those that an existing index already serves; empty if none fits."""
    unique = dict.fromkeys(_shapes(scan, table, schema))
    return tuple(candidate for candidate in unique if already_there(candidate, table) is None)


def _shapes(scan: TableScan, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    yield from _gin(scan, table, schema)
    equality = _equality_keys(scan, table)
    ranges = _range_keys(scan, table, schema)
    order = _order_keys(scan, table) if scan.limited else ()
    keys = [equality + order, equality + ranges[:1], equality, order, ranges[:1], equality[:1]]
    btrees = [
        CandidateIndex(table.schema, table.name, "btree", key[:MAX_KEYS], shape=_shape_of(key[:MAX_KEYS], order))
        for key in dict.fromkeys(keys)
        if key
    ]
    yield from _partial(scan, table, equality, order, ranges)
    yield from btrees
    yield from _hash(scan, table, equality)
    yield from _covering(scan, table, btrees)


def _shape_of(keys: tuple[Key, ...], order: tuple[Key, ...]) -> str:
    if len(keys) > 1:
        return "composite"
    if keys[0].column is None:
        return "expression"
    return "sort" if keys == order else "single column"


def _usable(predicate: Predicate, table: Table) -> Column | None:
    if predicate.column is None:
        return None
    column = table.column(predicate.column)
    return column if column is not None and not column.type.startswith(_NOT_SORTABLE) else None


def _equality_keys(scan: TableScan, table: Table) -> tuple[Key, ...]:
    found: dict[Key, float] = {}
    for predicate in scan.predicates:
        if predicate.kind not in ("equality", "in", "is-null"):
            continue
        column = _usable(predicate, table)
        if column is not None and not column.type.endswith("[]"):
            found[Key(column.name)] = column.distinct or 0.0
        elif predicate.column is None and predicate.kind != "is-null" and "(" in predicate.expression + "->":
            found[Key(None, predicate.expression)] = 0.0
    return tuple(sorted(found, key=lambda key: (-found[key], key.label)))


def _range_keys(scan: TableScan, table: Table, schema: Schema) -> tuple[Key, ...]:
    keys = []
    for predicate in scan.predicates:
        column = _usable(predicate, table)
        if column is None:
            continue
        if predicate.kind == "range":
            keys.append(Key(column.name))
        elif predicate.kind == "like-prefix":
            # Under a collation other than C, LIKE 'x%' uses a B-tree only with the pattern operator class.
            keys.append(Key(column.name, operator_class="text_pattern_ops"))
    return tuple(dict.fromkeys(keys))


def _order_keys(scan: TableScan, table: Table) -> tuple[Key, ...]:
    keys = []
    for order in scan.order_by:
        if order.column is not None and table.column(order.column) is None:
            return ()
        keys.append(
            Key(order.column, order.expression if order.column is None else "", order.descending, order.nulls_first)
        )
    if keys and all(key.descending and key.nulls_first for key in keys):
        # A B-tree is read backwards at the same cost: the plain ascending index is the more useful one.
        keys = [Key(key.column, key.expression, False, False) for key in keys]
    return tuple(keys)


def _gin(scan: TableScan, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    for predicate in scan.predicates:
        column = table.column(predicate.column) if predicate.column is not None else None
        key: Key | None = None
        shape, extension = "", None
        if predicate.kind == "contains" and column is not None:
            if column.type == "jsonb":
                key, shape = Key(column.name, operator_class="jsonb_path_ops"), "GIN on jsonb"
            elif column.type.endswith("[]"):
                key, shape = Key(column.name), "GIN on an array"
        elif predicate.kind == "key-exists" and column is not None:
            key, shape = Key(column.name, operator_class="jsonb_ops"), "GIN on jsonb"
        elif predicate.kind == "full-text":
            key = Key(column.name) if column is not None else Key(None, predicate.expression)
            shape = "GIN full text"
        elif (
            predicate.kind == "like"
            and column is not None
            and "pg_trgm" in (*schema.extensions, *schema.available_extensions)
        ):
            key, shape = Key(column.name, operator_class="gin_trgm_ops"), "GIN trigram"
            extension = None if "pg_trgm" in schema.extensions else "pg_trgm"
        if key is not None:
            yield CandidateIndex(table.schema, table.name, "gin", (key,), shape=shape, extension=extension)


def _partial(
    scan: TableScan, table: Table, equality: tuple[Key, ...], order: tuple[Key, ...], ranges: tuple[Key, ...]
) -> Iterator[CandidateIndex]:
    for predicate in scan.predicates:
        condition = _condition(predicate, table)
        if condition is None:
            continue
        rest = tuple(key for key in equality if key.column != predicate.column)
        primary = next((index.columns[:1] for index in table.indexes if index.primary), ())
        for keys in dict.fromkeys([rest + order, rest + ranges[:1], rest, tuple(Key(name) for name in primary)]):
            if keys:
                yield CandidateIndex(
                    table.schema, table.name, "btree", keys[:MAX_KEYS], predicate=condition, shape="partial"
                )
                break


def _condition(predicate: Predicate, table: Table) -> str | None:
    """The condition of a partial index, when it stands in the statement's own text and keeps few rows."""
    column = table.column(predicate.column) if predicate.column is not None else None
    if column is None:
        return None
    name = quote_identifier(column.name)
    if predicate.kind == "is-null" and column.null_fraction is not None:
        return f"{name} IS NULL" if column.null_fraction <= PARTIAL_MAX_SHARE else None
    if predicate.kind == "is-not-null" and column.null_fraction is not None:
        return f"{name} IS NOT NULL" if 1 - column.null_fraction <= PARTIAL_MAX_SHARE else None
    if predicate.kind != "equality" or predicate.constant is None:
        return None
    value = predicate.constant.strip()
    share = dict(column.common_values).get(_plain(value))
    if share is None or share > PARTIAL_MAX_SHARE:
        return None
    return f"{name} = {value}"


def _plain(constant: str) -> str:
    """A literal as pg_stats prints the value."""
    text = constant.split("::")[0].strip()
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    return {"true": "t", "false": "f"}.get(text.lower(), text)


def _hash(scan: TableScan, table: Table, equality: tuple[Key, ...]) -> Iterator[CandidateIndex]:
    """Exact match only: one equality, nothing ordered or ranged, values long enough for a hash index to be smaller."""
    if len(equality) != 1 or equality[0].column is None or (scan.limited and scan.order_by):
        return
    column = table.column(equality[0].column)
    kinds = {predicate.kind for predicate in scan.predicates if predicate.column == equality[0].column}
    if kinds == {"equality"} and column is not None and (column.average_width or 0) >= HASH_MIN_WIDTH:
        yield CandidateIndex(table.schema, table.name, "hash", (Key(column.name),), shape="hash")


def _covering(scan: TableScan, table: Table, btrees: list[CandidateIndex]) -> Iterator[CandidateIndex]:
    """Index-only scans: the columns that the query names, when they are few and narrow."""
    if scan.columns is None:
        return
    for base in btrees:
        if any(key.column is None for key in base.keys):
            continue
        rest = [name for name in scan.columns if name not in {key.column for key in base.keys}]
        columns = [table.column(name) for name in rest]
        width = sum((column.average_width or 32) if column else INCLUDE_MAX_WIDTH + 1 for column in columns)
        if rest and width <= INCLUDE_MAX_WIDTH:
            yield CandidateIndex(table.schema, table.name, "btree", base.keys, include=tuple(rest), shape="covering")
            return
