"""Existing indexes that can go: duplicates, prefixes of others, those that chosen ones replace, and those that nobody uses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..schema import ForeignKey, Index, Schema, Table
from ..sql.identifier import quote_identifier, unquote_identifier
from .candidate_duplicates import canonical
from .candidate_index import CandidateIndex, Key
from .selection_types import DroppedIndex
from .workload_costs import IndexSet, WorkloadCosts

STAND_IN_SLOWDOWN = 1.05
"""What a query may be planned at with a wider index in place of its prefix: descending and reading it cost a little more."""
SHORT_DAYS = 3.0
"""Of counting: less says little of what runs on a certain day of the week or the month."""
SLOWDOWN = 1.0001
"""The same for any other index: nothing, but for rounding."""
_UPKEEP = frozenset(
    "fillfactor deduplicate_items fastupdate gin_pending_list_limit buffering autosummarize vacuum_cleanup_index_scale_factor".split()
)
"""Storage parameters that change how an index is kept, not what it finds."""


def dropped_indexes(
    costs: WorkloadCosts,
    schema: Schema,
    chosen: IndexSet,
    names: Mapping[int, str],
    late: Callable[[], bool],
) -> tuple[DroppedIndex, ...]:
    """Indexes without which no recorded query is planned worse, given the chosen set; names: of its members.

    Never one that upholds a constraint or is unique, a replica identity, the order of CLUSTER, a partition's own, or the only one that finds the rows
    of a foreign key. One that has been scanned, but not by a recorded query, goes only when another can do all that it does.
    """
    without: dict[str, DroppedIndex] = {}
    for table in schema.tables:
        # Duplicates first, then what another one serves, then what nobody uses.
        for _, index, reason, stand_ins in sorted(
            _candidates(table, chosen, costs, names, schema.counted_days), key=lambda one: (one[0], one[1].name)
        ):
            name = f"{table.schema}.{index.name}"
            if late():
                return ()
            gone = {one for one, other in without.items() if (other.schema, other.table) == (table.schema, table.name)}
            relying = [one for one in gone if index.name in without[one].replaced_by]
            if (
                name in without
                or set(stand_ins) & {without[one].name for one in gone}
                or (relying and not stand_ins)
                or not _keys_kept(table, index, gone, chosen, costs)
            ):
                continue
            slowdown = STAND_IN_SLOWDOWN if stand_ins else SLOWDOWN
            if _spared(costs, chosen, [*without, name], name, slowdown):
                without[name] = DroppedIndex(
                    table.schema, table.name, index.name, index.size_bytes, reason, tuple(stand_ins)
                )
                # Whoever went in favour of this one now has what stands in for it.
                without |= {one: replace(without[one], replaced_by=tuple(stand_ins)) for one in relying}
    return _all_at_once(costs, chosen, without)


def _candidates(
    table: Table, chosen: IndexSet, costs: WorkloadCosts, names: Mapping[int, str], days: float | None
) -> Iterator[tuple[int, Index, str, list[str]]]:
    """Indexes that could go, with the order in which to try, the reason and what stands in for each; maybe in several ways."""
    new = [(costs.indexes[one], names[one]) for one in names if chosen >> one & 1]
    new = [(index, name) for index, name in new if (index.schema, index.table) == (table.schema, table.name)]
    # Partial indexes may be hundreds: only those of one condition are compared key by key.
    conditions = {index.name: index_shape(index)[1] for index in table.indexes}
    for index in table.indexes:
        if protected(index, table):
            continue
        alike = (other for other in table.indexes if conditions[other.name] == conditions[index.name])
        others = [other for other in alike if other is not index and other.valid]
        same = [other for other in others if _same(index, other)]
        # Of two equal ones the later name goes, unless the other is the one that has to stay.
        keep = [other for other in same if protected(other, table) or other.name < index.name]
        wider = [other for other in others if other not in same and _stands_in(index, other)]
        # The longest: a shorter one might go in its favour too.
        wider.sort(key=lambda other: (-len(other.columns), other.name))
        by_new = [name for one, name in new if _stands_in(index, _as_index(one, table))]
        if keep:
            backwards = "" if index_shape(index) == index_shape(keep[0]) else " read backwards"
            yield 0, index, f"it is the same as {keep[0].name}{backwards}", [keep[0].name]
        if wider:
            yield 1, index, f"{wider[0].name} begins with the same columns and serves what it serves", [wider[0].name]
        elif by_new:
            yield 1, index, f"the new {by_new[0]} begins with the same columns and serves what it serves", [by_new[0]]
        elif index.scans == 0 and not same and not table.partitions:
            yield 2, index, f"it has not been scanned {_counted(days)}, and no recorded query needs it", []


def too_young(dropped: DroppedIndex, days: float | None) -> bool:
    """Whether all that speaks against the index is that it was not scanned, in so few days that this tells nothing."""
    return not dropped.replaced_by and days is not None and days < SHORT_DAYS


def _counted(days: float | None) -> str:
    """How long the server has counted scans: a month's end may not have been among it."""
    if days is None:
        return "since the statistics were reset"
    if days < SHORT_DAYS:
        return f"in the {days * 24:.1f} hours since the statistics were reset, which is too short to tell"
    return f"in the {days:.0f} days since the statistics were reset"


def protected(index: Index, table: Table) -> bool:
    """Whether more depends on the index than the speed of queries."""
    return bool(
        index.unique
        or index.primary
        or index.constraint
        or index.replica_identity
        or index.clustered
        or not index.valid
        or table.partition_of
    )


def _spared(costs: WorkloadCosts, on: IndexSet, without: Sequence[str], name: str, slowdown: float) -> bool:
    """Whether no text is planned worse without it. A plan that does not use it is the plan without it."""
    before = [one for one in without if one != name]
    for number in range(len(costs.texts)):
        with_it = costs.price(number, on, before)
        if name in with_it.existing and costs.price(number, on, without).cost > slowdown * with_it.cost:
            return False
    return True


def _all_at_once(costs: WorkloadCosts, on: IndexSet, without: Mapping[str, DroppedIndex]) -> tuple[DroppedIndex, ...]:
    """The proof for all of them together; where a text is planned worse after all, what its plans used before stays."""
    gone = dict(without)
    while gone:
        slower: set[str] = set()
        for number in range(len(costs.texts)):
            slowdown = max(STAND_IN_SLOWDOWN if one.replaced_by else SLOWDOWN for one in gone.values())
            before = costs.price(number, on)
            if costs.price(number, on, sorted(gone)).cost > slowdown * before.cost:
                slower |= before.existing & set(gone) or set(gone)
        if not slower:
            break
        gone = {name: one for name, one in gone.items() if name not in slower}
    return tuple(sorted(gone.values(), key=lambda one: (one.schema, one.table, one.name)))


def _keys_kept(table: Table, index: Index, gone: set[str], chosen: IndexSet, costs: WorkloadCosts) -> bool:
    """Whether every foreign key that the index finds rows for has another index that does."""
    served = [key for key in table.foreign_keys if _finds(index, key)]
    others = [one for one in table.indexes if one is not index and f"{table.schema}.{one.name}" not in gone]
    others += [
        _as_index(one, table)
        for number, one in enumerate(costs.indexes)
        if chosen >> number & 1 and (one.schema, one.table) == (table.schema, table.name)
    ]
    return all(any(_finds(other, key) for other in others) for key in served)


def _finds(index: Index, key: ForeignKey) -> bool:
    """Whether the index begins with the foreign key's columns, in any order. Its check compares them for equality: a hash index
    serves it, and one of the rows alone where they are not NULL."""
    leading = {unquote_identifier(name) for name in index.columns[: len(key.columns)]}
    present = {canonical(f"{quote_identifier(name)} IS NOT NULL") for name in key.columns}
    whole = index.predicate is None or canonical(index.predicate) in present
    return index.valid and index.method in ("btree", "hash") and whole and leading == set(key.columns)


def _same(one: Index, other: Index) -> bool:
    kinds = (one.method, one.operator_classes, meant_options(one)) == (
        other.method,
        other.operator_classes,
        meant_options(other),
    )
    alike = index_shape(one) == index_shape(other) or (
        one.method == "btree" and index_shape(one) == index_shape(_backwards(other))
    )
    return kinds and alike and set(one.include) == set(other.include)


def meant_options(index: Index) -> set[str]:
    """Options that make it another index: the pages of a BRIN range, what an operator class keeps of a value."""
    return {option for option in index.options if option.partition("=")[0] not in _UPKEEP}


def _backwards(index: Index) -> Index:
    """The index as a scan from its end sees it."""
    turned = [not one for one in index.descending]
    return replace(index, descending=tuple(turned), nulls_first=tuple(not one for one in index.nulls_first))


def _stands_in(index: Index, other: Index) -> bool:
    """Whether the other one can do all that the index does: a B-tree that begins with its keys and carries as much."""
    count = len(index.columns)
    if not (index.method == other.method == "btree" and other.valid and len(other.columns) >= count):
        return False
    keys, condition = index_shape(index)
    other_keys, other_condition = index_shape(other)
    carried = {unquote_identifier(name) for name in (*other.columns, *other.include)}
    needed = set(map(unquote_identifier, index.include))
    return keys == other_keys[:count] and condition == other_condition and needed <= carried


def index_shape(index: Index) -> tuple[list[tuple[str, str, str, bool, bool]], str | None]:
    """Each key with its collation, operator class and order, and the condition."""
    keys = []
    for position, name in enumerate(index.columns):
        descending = position < len(index.descending) and index.descending[position]
        nulls = index.nulls_first[position] if position < len(index.nulls_first) else descending
        class_ = index.operator_classes[position] if position < len(index.operator_classes) else ""
        collation = index.collations[position] if position < len(index.collations) else ""
        keys.append((canonical(name), collation, class_ if class_.endswith("_pattern_ops") else "", descending, nulls))
    return keys, canonical(index.predicate) if index.predicate is not None else None


def _as_index(index: CandidateIndex, table: Table) -> Index:
    columns = [table.column(key.column) if key.column is not None else None for key in index.keys]
    return Index(
        name="",
        method=index.method,
        columns=tuple(_column(key) for key in index.keys),
        include=index.include,
        predicate=index.predicate,
        operator_classes=tuple(key.operator_class or "" for key in index.keys),
        descending=tuple(key.descending for key in index.keys),
        nulls_first=tuple(key.descending if key.nulls_first is None else key.nulls_first for key in index.keys),
        collations=tuple(column.collation or "" if column is not None else "" for column in columns),
    )


def _column(key: Key) -> str:
    return key.bare if key.column is not None else key.expression
