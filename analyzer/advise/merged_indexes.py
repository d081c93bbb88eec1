"""Two existing indexes in the place of which one would do, such as `(shop) INCLUDE (amount)` and `(shop) INCLUDE (note)`."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from ..schema import Index, Schema, Table
from ..sql.identifier import unquote_identifier
from .candidate_index import CandidateIndex, Key
from .existing_indexes import STAND_IN_SLOWDOWN, index_shape, meant_options, protected
from .selection_search import Search
from .selection_types import Constraints
from .workload_costs import IndexSet, members

MUCH_LESS = 0.9
"""Of the two together: what the one may take, so that building it is worth it."""


@dataclass(frozen=True, slots=True)
class Merge:
    """The one, by its number, and the two that it takes the place of; table: theirs."""

    number: int
    table: Table
    gone: tuple[Index, Index]

    @property
    def names(self) -> tuple[str, ...]:
        """As the what-if door knows them."""
        return tuple(f"{self.table.schema}.{one.name}" for one in self.gone)


def merged_indexes(
    search: Search, schema: Schema, chosen: IndexSet, gone: Sequence[str], constraints: Constraints
) -> tuple[Merge, ...]:
    """Those without which no recorded query is planned worse, where the one takes much less space. gone: existing indexes that
    go already, as `schema.name`."""
    found: list[Merge] = []
    for table in (table for table in schema.tables if not table.parts):
        taken: set[str] = set()
        for narrow, wide in _pairs(table, gone):
            if taken & {narrow.name, wide.name} or search.late():
                continue
            index = _merged(narrow, wide, table)
            number = search.costs.add(index) if index is not None and search.allows(index) else None
            if number is None:
                continue
            merge = Merge(number, table, (narrow, wide))
            on = chosen | sum(1 << one.number for one in found)
            without = [*gone, *(name for one in found for name in one.names)]
            if _fits(search, merge, on, constraints) and _spared(search, merge, on, without):
                found.append(merge)
                taken |= {narrow.name, wide.name}
    return tuple(found)


def _pairs(table: Table, gone: Sequence[str]) -> Iterator[tuple[Index, Index]]:
    """(narrow, wide): the keys of the first are the first keys of the second, and it carries what the other one does not."""
    alike: defaultdict[object, list[tuple[Index, Sequence[object]]]] = defaultdict(list)
    for one in table.indexes:
        if one.method == "btree" and not protected(one, table) and not meant_options(one):
            shape, condition = index_shape(one)
            if f"{table.schema}.{one.name}" not in gone:
                alike[shape[0], condition].append((one, shape))
    for group in alike.values():
        for (narrow, keys), (wide, other_keys) in permutations(group, 2):
            count = len(keys)
            if (
                keys == other_keys[:count]
                and narrow.operator_classes == wide.operator_classes[:count]
                and not set(narrow.include) <= {*wide.columns, *wide.include}
                # Of two with the same keys either could be the wide one.
                and (count < len(other_keys) or narrow.name < wide.name)
            ):
                yield narrow, wide


def _merged(narrow: Index, wide: Index, table: Table) -> CandidateIndex | None:
    """None where a key has a collation of its own, which a candidate cannot have."""
    keys = []
    for place, text in enumerate(wide.columns):
        column = table.column(unquote_identifier(text))
        if wide.collations[place] not in ("", "default", column.collation if column is not None else None):
            return None
        keys.append(
            Key(
                column.name if column is not None else None,
                "" if column is not None else text,
                wide.descending[place],
                wide.nulls_first[place],
                None if wide.default_classes[place] else wide.operator_classes[place],
            )
        )
    own = {key.column for key in keys}
    carried = dict.fromkeys(map(unquote_identifier, (*wide.include, *narrow.include)))
    return CandidateIndex(
        table.schema, table.name, "btree", tuple(keys), include=tuple(one for one in carried if one not in own),
        predicate=wide.predicate, shape="covering",
    )  # fmt: skip


def _fits(search: Search, merge: Merge, on: IndexSet, constraints: Constraints) -> bool:
    costs = search.costs
    index, size = costs.indexes[merge.number], costs.sizes[merge.number]
    here = sum(costs.place(one) == costs.place(merge.number) for one in members(on))
    return (
        size <= MUCH_LESS * sum(one.size_bytes for one in merge.gone)
        and not on >> merge.number & 1
        and (constraints.budget_bytes is None or costs.size(on) + size <= constraints.budget_bytes)
        and (constraints.max_indexes is None or len(members(on)) < constraints.max_indexes)
        and (constraints.max_per_table is None or here < constraints.max_per_table)
        and (constraints.max_width is None or len(index.keys) + len(index.include) <= constraints.max_width)
    )


def _spared(search: Search, merge: Merge, on: IndexSet, without: Sequence[str]) -> bool:
    """Whether no text whose plan uses one of the two is planned worse with the one in their place."""
    costs = search.costs
    for number in range(len(costs.texts)):
        before = costs.price(number, on, without)
        if before.existing & set(merge.names):
            after = costs.price(number, on | 1 << merge.number, [*without, *merge.names])
            if after.cost > STAND_IN_SLOWDOWN * before.cost:
                return False
    return True
