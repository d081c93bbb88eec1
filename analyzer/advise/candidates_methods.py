"""Candidates of the other access methods: Hash, GIN, GiST, SP-GiST and BRIN, each where its operators are asked for."""

import re
from collections.abc import Iterator

from ..schema import Schema, Table
from ..sql.statement import Predicate, TableScan
from .candidate_index import CandidateIndex, Key
from .candidate_types import (
    GEOMETRY,
    NETWORK,
    RANGES,
    base,
    expression_type,
    is_range,
    is_text,
    sortable,
    why_not_indexable,
)
from .candidates_btree import Wanted
from .candidates_partial import partial_condition, plain_value

HASH_MIN_WIDTH = 24
"""Bytes: a hash index stores 4-byte codes, so it is smaller than a B-tree only when values are clearly longer."""
HASH_MIN_DISTINCT = 0.5
"""Distinct values per row: a B-tree stores each repeated value once, a hash index a code for each row."""
BRIN_MIN_PAGES = 1_280
"""Ten ranges of 128 pages: below that a summary leaves out too little."""
BRIN_MIN_CORRELATION = 0.9
"""Of the values with the physical order: below it every range of pages holds nearly every value."""
BRIN_SMALL_TABLE_PAGES = 100_000
"""Below it ranges of 32 pages instead of 128: the index stays tiny and leads closer."""
TRIGRAM = 3
"""Letters in a row that a pattern must fix before an index of three-letter pieces can serve it."""

_JSON_PATH = frozenset(("@>", "@?", "@@"))
_JSON_KEYS = frozenset(("?", "?|", "?&"))
_ARRAY = frozenset(("@>", "<@", "&&"))
_RANGE = frozenset(("@>", "<@", "&&", "<<", ">>", "&<", "&>", "-|-", "="))
_GEOMETRY = frozenset(("@>", "<@", "&&", "<<", ">>", "&<", "&>", "~=", "<<|", "|>>"))
_NETWORK = frozenset(("&&", "<<", ">>", "<<=", ">>="))
_LTREE = frozenset(("@>", "<@", "~"))
_SPGIST_GEOMETRY = frozenset(("point", "box", "polygon"))


def hashes(scan: TableScan, table: Table, asked: Wanted) -> Iterator[CandidateIndex]:
    """Exact match only: one equality, nothing ordered, grouped or ranged, values long and mostly distinct."""
    if len(asked.fixed) != 1 or asked.fixed[0].column is None or asked.joined or (asked.limited and asked.order):
        return
    name = asked.fixed[0].column
    column = table.column(name)
    kinds = {predicate.kind for predicate in scan.predicates if predicate.column == name}
    ordered = {key.column for keys in (asked.order, asked.extremes, *asked.groups) for key in keys}
    if column is None or kinds != {"equality"} or name in ordered or (column.average_width or 0) < HASH_MIN_WIDTH:
        return
    if column.distinct is not None and table.rows and column.distinct < HASH_MIN_DISTINCT * table.rows:
        return
    yield _index(table, "hash", (Key(name),), "hash")


def gins(scan: TableScan, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    """jsonb, arrays, full text, hstore and three-letter pieces; one index per column, whose class serves all its operators."""
    found: dict[tuple[str | None, str], CandidateIndex] = {}
    for predicate in scan.predicates:
        place = (predicate.column, predicate.expression)
        operators = {one.operator for one in scan.predicates if (one.column, one.expression) == place}
        index = _gin(predicate, operators, table, schema)
        if index is not None:
            found.setdefault(place, index)
    yield from found.values()
    for (column, expression), index in found.items():
        asked = {one.operator for one in scan.predicates if (one.column, one.expression) == (column, expression)}
        if index.keys[0].operator_class == "jsonb_path_ops" and asked & {"@?", "@@"}:
            # jsonb_path_ops knows whole paths with their values; a path that must only exist needs the default class.
            yield _index(table, "gin", (_with_class(index.keys[0], "jsonb_ops"),), "GIN on jsonb")
    yield from _gin_with_scalar(scan, table, schema, list(found.values()))


def _gin(predicate: Predicate, operators: set[str], table: Table, schema: Schema) -> CandidateIndex | None:
    column = table.column(predicate.column) if predicate.column is not None else None
    if predicate.column is not None and column is None:
        return None
    if column is None and why_not_indexable(predicate.expression, table, schema):
        return None
    name = base(column.type) if column is not None else expression_type(predicate.expression, table)
    key = Key(predicate.column, predicate.expression if column is None else "")
    if predicate.kind in ("contains", "key-exists", "full-text") and name in ("jsonb", "hstore"):
        if name == "jsonb" and not operators & _JSON_KEYS and operators & _JSON_PATH:
            return _index(table, "gin", (_with_class(key, "jsonb_path_ops"),), "GIN on jsonb")
        if operators & (_JSON_KEYS | (_JSON_PATH if name == "jsonb" else frozenset(("@>",)))):
            return _index(
                table, "gin", (_with_class(key, f"{name}_ops" if name == "jsonb" else None),), f"GIN on {name}"
            )
    elif predicate.kind == "contains" and name.endswith("[]") and predicate.operator in _ARRAY:
        return _index(table, "gin", (key,), "GIN on an array")
    elif predicate.kind == "full-text" and name in ("tsvector", "") and predicate.expression:
        return _index(table, "gin", (key,), "GIN full text")
    elif predicate.kind == "like" and name in ("text", "character varying") and _has_trigram(schema):
        return _trigram(predicate, key, table, schema)
    return None


def _with_class(key: Key, operator_class: str | None) -> Key:
    return Key(key.column, key.expression, operator_class=operator_class)


def _has_trigram(schema: Schema) -> bool:
    return "pg_trgm" in (*schema.extensions, *schema.available_extensions)


def _trigram(predicate: Predicate, key: Key, table: Table, schema: Schema) -> CandidateIndex | None:
    if predicate.constant is not None and not fixes_trigrams(predicate.operator, predicate.constant):
        return None
    extension = None if "pg_trgm" in schema.extensions else "pg_trgm"
    return _index(table, "gin", (_with_class(key, "gin_trgm_ops"),), "GIN trigram", extension)


def fixes_trigrams(operator: str, constant: str) -> bool:
    """Whether every way to match the pattern holds three letters or digits in a row."""
    if not constant.startswith(("'", "E'")):
        return True
    pattern = plain_value(constant.removeprefix("E"))
    if operator in ("LIKE", "ILIKE"):
        return any(len(run) >= TRIGRAM for run in re.findall(r"\w+", pattern.replace("_", "%")))
    if operator in ("%", "<%"):
        return True
    pattern = re.sub(r"\[[^\]]*\]|\\.|\{[^}]*\}|\w[*?]", " ", pattern)
    alternatives = re.split(r"\|", pattern.replace("%", " ").replace("_", " "))
    return all(any(len(run) >= TRIGRAM for run in re.findall(r"[^\W_]+", one)) for one in alternatives)


def _gin_with_scalar(
    scan: TableScan, table: Table, schema: Schema, plain: list[CandidateIndex]
) -> Iterator[CandidateIndex]:
    """With btree_gin installed, an equality may stand in the same index."""
    if "btree_gin" not in schema.extensions:
        return
    for index in plain:
        for predicate in scan.predicates:
            column = table.column(predicate.column) if predicate.column is not None else None
            if predicate.kind == "equality" and not predicate.join and column is not None and sortable(column):
                yield _index(table, "gin", (Key(column.name), *index.keys), index.shape)


def gists(scan: TableScan, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    """Ranges, geometry, networks; nearest neighbours by an ordering operator."""
    for predicate in scan.predicates:
        column = table.column(predicate.column) if predicate.column is not None else None
        if predicate.column is None and predicate.kind == "contains" and predicate.operator in _RANGE:
            yield from _made_range(predicate, table, schema)
        if column is not None and base(column.type) == "ltree" and predicate.operator in _LTREE:
            yield _index(table, "gist", (Key(column.name),), "GiST on ltree")
        if column is None or predicate.kind not in ("contains", "equality"):
            continue
        name = base(column.type)
        if is_range(column) and predicate.operator in _RANGE and predicate.kind == "contains":
            yield _index(table, "gist", (Key(column.name),), "GiST on a range")
            yield from _gist_with_scalar(scan, table, schema, Key(column.name))
            if not name.endswith("multirange"):
                yield _index(table, "spgist", (Key(column.name),), "SP-GiST on a range")
        elif name in NETWORK and predicate.operator in _NETWORK:
            yield _index(table, "gist", (Key(column.name, operator_class="inet_ops"),), "GiST on a network")
            yield _index(table, "spgist", (Key(column.name),), "SP-GiST on a network")
        elif name in GEOMETRY and (predicate.operator in _GEOMETRY or predicate.operator.startswith("st_")):
            yield _index(table, "gist", (Key(column.name),), "GiST on geometry")
            if name in _SPGIST_GEOMETRY:
                yield _index(table, "spgist", (Key(column.name),), "SP-GiST on geometry")
    yield from _nearest(scan, table, schema)


def _made_range(predicate: Predicate, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    """A range that is made of two columns, as `tstzrange(begins, ends) @> now()`."""
    made = expression_type(predicate.expression, table) in RANGES
    if made and not why_not_indexable(predicate.expression, table, schema):
        yield _index(table, "gist", (Key(None, predicate.expression),), "GiST on a range")


def _gist_with_scalar(scan: TableScan, table: Table, schema: Schema, key: Key) -> Iterator[CandidateIndex]:
    if "btree_gist" not in schema.extensions:
        return
    for predicate in scan.predicates:
        column = table.column(predicate.column) if predicate.column is not None else None
        if predicate.kind == "equality" and not predicate.join and column is not None and sortable(column):
            yield _index(table, "gist", (Key(column.name), key), "GiST on a range")


def _nearest(scan: TableScan, table: Table, schema: Schema) -> Iterator[CandidateIndex]:
    """ORDER BY column <-> constant LIMIT n: the index gives the rows in that order."""
    if not scan.limited or not scan.order_by or scan.order_by[0].distance != "<->" or scan.order_by[0].descending:
        return
    column = table.column(scan.order_by[0].column or "")
    if column is None:
        return
    if base(column.type) in GEOMETRY:
        yield _index(table, "gist", (Key(column.name),), "GiST nearest neighbours")
    elif is_text(column) and _has_trigram(schema) and base(column.type) != "character":
        extension = None if "pg_trgm" in schema.extensions else "pg_trgm"
        key = Key(column.name, operator_class="gist_trgm_ops")
        yield _index(table, "gist", (key,), "GiST nearest neighbours", extension)


def brins(scan: TableScan, table: Table, asked: Wanted) -> Iterator[CandidateIndex]:
    """Ranges over a large table whose rows lie on disk in the column's order."""
    if table.pages < BRIN_MIN_PAGES:
        return
    for key in asked.ranges:
        column = table.column(key.column) if key.column is not None else None
        if column is None or key.operator_class or column.type.endswith("[]") or is_range(column):
            continue
        if abs(column.correlation or 0.0) >= BRIN_MIN_CORRELATION:
            small = table.pages < BRIN_SMALL_TABLE_PAGES
            options = (("pages_per_range", "32"),) if small else ()
            yield _index(table, "brin", (Key(column.name),), "BRIN", options=options)


def _index(
    table: Table,
    method: str,
    keys: tuple[Key, ...],
    shape: str,
    extension: str | None = None,
    options: tuple[tuple[str, str], ...] = (),
) -> CandidateIndex:
    return CandidateIndex(
        table.schema, table.name, method, keys, shape=shape, extension=extension, options=options,
        partitions=table.parts,
    )  # fmt: skip


def with_condition(index: CandidateIndex, scan: TableScan, table: Table) -> CandidateIndex | None:
    """The same index of the rows alone that a rare constant condition keeps; None when there is no such condition."""
    used = {key.column for key in index.keys}
    for predicate in scan.predicates:
        condition = partial_condition(predicate, table) if predicate.column not in used else None
        if condition is not None:
            return CandidateIndex(
                index.schema, index.table, index.method, index.keys, predicate=condition, shape=index.shape,
                extension=index.extension, options=index.options, partitions=index.partitions,
            )  # fmt: skip
    return None
