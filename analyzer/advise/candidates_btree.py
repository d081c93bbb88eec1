"""B-tree candidates: equality → sort → range, covering, partial."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..schema import Column, Schema, Table
from ..sql.statement import OrderKey, Predicate, TableScan
from .candidate_index import CandidateIndex, Key
from .candidate_types import MAX_KEY_WIDTH, base, expression_type, is_text, sortable, why_not_indexable

MAX_KEYS = 4
"""Wider keys are rarely used by more than one query and cost writes; advisors published so far agree on 2–3, and a sort or
range may stand after those."""
INCLUDE_MAX_WIDTH = 96
"""Bytes of INCLUDE columns: about a third of a B-tree page's entry before fan-out halves."""
COVERING_MAX_SHARE = 0.6
"""Of the row's width: a wider index is a copy of the table, and reading it saves little."""
INCLUDE_MAX_COLUMNS = 6
"""More columns, and the index is a copy of the table."""
DOCUMENTS = frozenset(("json", "jsonb", "xml", "hstore", "bytea", "tsvector"))
"""Never included: one value too long for an index is a row that cannot be written."""
COVERED_BASES = 4
"""How many of the B-trees proposed are proposed again with INCLUDE."""
DEFAULT_WIDTH = 32
"""Bytes assumed for a column without statistics."""


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate, and how many of its leading keys are compared for equality only, so that their order does not matter."""

    index: CandidateIndex
    free: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scan's conditions as B-tree keys. fixed: equality with values, and IS NULL; equal: without IS NULL, behind which PostgreSQL
    knows no order; listed: IN; joined: equality with another table, by that table's alias; ranges, patterns and orders in the
    order of the statement."""

    fixed: tuple[Key, ...]
    equal: tuple[Key, ...]
    listed: tuple[Key, ...]
    joined: dict[str, tuple[Key, ...]] = field(hash=False)
    ranges: tuple[Key, ...]
    rows: tuple[Key, ...]
    order: tuple[Key, ...]
    groups: tuple[tuple[Key, ...], ...]
    extremes: tuple[Key, ...]
    limited: bool


def wanted(scan: TableScan, table: Table, schema: Schema) -> Wanted:
    """The keys that the scan asks for."""
    fixed: dict[Key, float] = {}
    equal: set[Key] = set()
    listed: dict[Key, float] = {}
    joined: dict[str, dict[Key, float]] = {}
    ranges: list[Key] = []
    rows: list[Key] = []
    for predicate in scan.predicates:
        key = _key(predicate, table, schema)
        if key is None:
            continue
        distinct = _distinct(key, table)
        if predicate.kind in ("equality", "is-null") and not predicate.join:
            fixed[key] = distinct
            if predicate.kind == "equality":
                equal.add(key)
        elif predicate.kind == "in" and not predicate.join:
            listed[key] = distinct
        elif predicate.kind in ("equality", "in"):
            joined.setdefault(predicate.other, {})[key] = distinct
        elif predicate.kind in ("range", "like-prefix"):
            (rows if predicate.row else ranges).append(key)
    order = _order(scan.order_by, table, schema, {key.column for key in equal if key.column})
    groups = [_columns(names, table, schema) for names in (scan.group_by, scan.distinct)]
    groups += [_order(window, table, schema, set()) for window in scan.windows]
    return Wanted(
        _sorted(fixed),
        tuple(key for key in _sorted(fixed) if key in equal),
        _sorted(listed),
        {other: _sorted(keys) for other, keys in joined.items()},
        tuple(dict.fromkeys(ranges)),
        tuple(dict.fromkeys(rows)),
        order,
        tuple(dict.fromkeys(keys for keys in groups if keys)),
        _columns(scan.extremes, table, schema),
        scan.limited,
    )


def _sorted(keys: dict[Key, float]) -> tuple[Key, ...]:
    """By falling number of distinct values: the first column alone is then of the most use to other queries."""
    return tuple(sorted(keys, key=lambda key: (-keys[key], key.label)))


def _distinct(key: Key, table: Table) -> float:
    column = table.column(key.column) if key.column is not None else None
    return (column.distinct or 0.0) if column is not None else 0.0


def _key(predicate: Predicate, table: Table, schema: Schema) -> Key | None:
    if predicate.kind not in ("equality", "in", "range", "is-null", "like-prefix"):
        return None
    prefix = predicate.kind == "like-prefix"
    if predicate.column is not None:
        column = table.column(predicate.column)
        if column is None or not sortable(column) or (column.type.endswith("[]") and predicate.kind != "equality"):
            return None
        if prefix and not is_text(column):
            return None
        return Key(column.name, operator_class=pattern_class(column) if prefix else None)
    if predicate.kind == "is-null" or not _is_expression(predicate.expression, table):
        return None
    if why_not_indexable(predicate.expression, table, schema):
        return None
    plain = all(
        column.c_collation for column in table.columns if is_text(column) and column.name in predicate.expression
    )
    return Key(None, predicate.expression, operator_class="text_pattern_ops" if prefix and not plain else None)


def _is_expression(expression: str, table: Table) -> bool:
    """Whether a B-tree can hold the expression's type, as far as it can be told."""
    return expression_type(expression, table).removesuffix("[]") not in ("json", "jsonb", "xml", "tsvector", "point")


def pattern_class(column: Column) -> str | None:
    """Under a collation other than C, LIKE 'x%' uses a B-tree only with the pattern operator class."""
    if column.c_collation:
        return None
    if column.type.startswith("character varying"):
        return "varchar_pattern_ops"
    return "bpchar_pattern_ops" if column.type.startswith("character") else "text_pattern_ops"


def _order(keys: tuple[OrderKey, ...], table: Table, schema: Schema, fixed: set[str]) -> tuple[Key, ...]:
    found: list[Key] = []
    for order in keys:
        if order.distance:
            return ()
        if order.column in fixed:
            continue
        if order.column is None:
            if why_not_indexable(order.expression, table, schema) or not _is_expression(order.expression, table):
                return ()
        elif (column := table.column(order.column)) is None or not sortable(column):
            return ()
        # The default place of NULLs is not written, so that equal indexes are equal.
        expression = order.expression if order.column is None else ""
        nulls_first = None if order.nulls_first == order.descending else order.nulls_first
        found.append(Key(order.column, expression, order.descending, nulls_first))
    turned = [key.flipped for key in found]
    # A B-tree is read backwards at the same cost: the plain ascending index is the more useful one.
    return tuple(turned if found and not any(key.order for key in turned) else found)


def _columns(names: tuple[str, ...], table: Table, schema: Schema) -> tuple[Key, ...]:
    found = []
    for name in names:
        column = table.column(name)
        if column is not None and sortable(column):
            found.append(Key(name))
        elif column is None and why_not_indexable(name, table, schema) is None and _is_expression(name, table):
            found.append(Key(None, name))
        else:
            return ()
    return tuple(dict.fromkeys(found))


def btrees(scan: TableScan, table: Table, asked: Wanted) -> Iterator[Option]:
    """Plain B-trees, the likeliest first."""
    seen: set[tuple[Key, ...]] = set()
    for keys, free in _key_lists(asked):
        short = cut(keys, table)
        if short and short not in seen:
            seen.add(short)
            yield Option(btree_index(table, short, _shape(short, asked)), min(free, len(short)))


def _key_lists(asked: Wanted) -> Iterator[tuple[tuple[Key, ...], int]]:
    equal = once(asked.fixed + asked.listed)
    bounds: list[tuple[Key, ...]] = [(key,) for key in asked.ranges] or [()]
    order = asked.order
    if order and asked.limited:
        # IN and IS NULL break the order of what follows them: their columns come after the sort.
        yield once(asked.equal + order + asked.fixed + asked.listed), len(asked.equal)
    if asked.rows:
        yield once(asked.fixed + asked.rows), len(asked.fixed)
    for key in asked.extremes:
        yield once((*asked.equal, key, *asked.fixed)), len(asked.equal)
    for bound in bounds[:3]:
        if equal or bound:
            yield once(equal + bound), len(equal)
    if equal:
        yield equal, len(equal)
    for joined in asked.joined.values():
        for bound in bounds[:2]:
            yield once(joined + equal + bound), len(once(joined + equal))
            yield once(equal + joined + bound), len(once(joined + equal))
        yield joined, len(joined)
        if order and asked.limited:
            yield once(joined + asked.equal + order), len(once(joined + asked.equal))
    if len(asked.joined) > 1:
        together = once(tuple(key for keys in asked.joined.values() for key in keys))
        yield together, len(together)
    if order and (asked.limited or asked.equal):
        yield once(asked.equal + order), len(asked.equal)
        if asked.limited:
            yield order, 0
    for bound in bounds:
        yield bound, 0
    for key in equal:
        yield (key,), 1


def ordered(table: Table, asked: Wanted) -> Iterator[Option]:
    """Orders of whole tables, of GROUP BY, DISTINCT and windows: worth it only when the table itself is not visited."""
    for keys in dict.fromkeys((asked.order, *asked.groups)):
        short = cut(once(asked.equal + keys), table)
        if keys and short:
            yield Option(btree_index(table, short, _shape(short, asked)), min(len(asked.equal), len(short)))


def once(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Each column once, where it comes first."""
    found: dict[tuple[str | None, str], Key] = {}
    for key in keys:
        found.setdefault((key.column, key.expression), key)
    return tuple(found.values())


def cut(keys: tuple[Key, ...], table: Table) -> tuple[Key, ...]:
    """The leading keys that fit into the limits of number and width."""
    found: list[Key] = []
    width = 0
    for key in keys[:MAX_KEYS]:
        width += _width(key.column, table)
        if width > MAX_KEY_WIDTH:
            break
        found.append(key)
    return tuple(found)


def _width(name: str | None, table: Table) -> int:
    column = table.column(name) if name is not None else None
    return (column.average_width or DEFAULT_WIDTH) if column is not None else DEFAULT_WIDTH


def _may_grow(name: str, table: Table) -> bool:
    """Whether the column holds documents or lists, of which one may be long, however short they are on average."""
    column = table.column(name)
    return column is not None and (base(column.type) in DOCUMENTS or column.type.endswith("[]"))


def btree_index(table: Table, keys: tuple[Key, ...], shape: str, **more: object) -> CandidateIndex:
    return CandidateIndex(table.schema, table.name, "btree", keys, shape=shape, partitions=table.parts, **more)  # type: ignore[arg-type] # named fields


def _shape(keys: tuple[Key, ...], asked: Wanted) -> str:
    if len(keys) > 1:
        return "composite"
    if keys[0].column is None:
        return "expression"
    return "sort" if keys == asked.order else "single column"


def covering(
    scan: TableScan, table: Table, plain: list[Option], *, needed: bool = True, most: int = COVERED_BASES
) -> Iterator[Option]:
    """Index-only scans: the columns that the query names, when they are few and narrow.

    needed: give only indexes that need INCLUDE; without, those too whose keys are all that the query names. most: how many.
    """
    if scan.columns is None or scan.written or scan.locks:
        return
    given = 0
    for option in plain:
        base = option.index
        if any(key.column is None for key in base.keys) or any(key.operator_class for key in base.keys):
            continue
        rest = [name for name in scan.columns if name not in {key.column for key in base.keys}]
        if (needed and not rest) or len(rest) > INCLUDE_MAX_COLUMNS or any(table.column(name) is None for name in rest):
            continue
        if any(_may_grow(name, table) for name in rest):
            continue
        width = sum(_width(name, table) for name in rest)
        whole = sum(_width(column.name, table) for column in table.columns)
        keys = sum(_width(key.column, table) for key in base.keys)
        if width <= INCLUDE_MAX_WIDTH and width + keys <= COVERING_MAX_SHARE * whole:
            yield Option(
                CandidateIndex(
                    table.schema, table.name, "btree", base.keys, include=tuple(rest),
                    predicate=base.predicate, shape="covering" if rest else base.shape, partitions=table.parts,
                ),
                option.free,
            )  # fmt: skip
            given += 1
            if given == most:
                return
