"""Chooses the set of indexes that serves a whole workload best."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ..recommendation import Alternative
from ..schema import Schema
from .banned import NOTHING, Banned
from .candidate_index import CandidateIndex
from .existing_indexes import dropped_indexes
from .merged_indexes import Merge, merged_indexes
from .selection_needed import felt_members, needed_members
from .selection_search import Search
from .selection_smaller import smaller_members
from .selection_types import (
    ChosenIndex,
    Constraints,
    CurvePoint,
    DroppedIndex,
    QueryGain,
    Selection,
    TableWrites,
    WeightedQuery,
)
from .what_if import WhatIf
from .workload_costs import IndexSet, WorkloadCosts, members

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that shows nothing."""


def select_indexes(
    queries: Sequence[WeightedQuery],
    candidates: Iterable[CandidateIndex],
    what_if: WhatIf,
    schema: Schema,
    constraints: Constraints = Constraints(),  # noqa: B008 - frozen
    writes: Sequence[TableWrites] = (),
    *,
    bundles: Iterable[tuple[CandidateIndex, ...]] = (),
    budgets: Sequence[int] = (),
    drop_existing: bool = True,
    merge_existing: bool = True,
    banned: Banned = NOTHING,
    costs: WorkloadCosts | None = None,
    start: Iterable[CandidateIndex] = (),
    progress: Progress = silent,
) -> Selection:
    """The best set of indexes within the constraints, by planned cost of the workload and cost of the writes.

    schema: as the what-if door sees it (its tables' indexes are never proposed again). bundles: indexes that only serve
    together. budgets: bytes; for each a point of the curve. drop_existing: look for existing indexes that can go; merge_existing:
    and for pairs of them in whose place one new index would do.
    banned: indexes that a measurement has shown not to help. costs: of the same queries, from an earlier selection;
    start: the set that that one chose.
    Texts that cannot be planned are left out and named in `unplanned`; everything else goes on.
    """
    costs = costs or WorkloadCosts(queries, what_if, schema)
    search = Search(costs, schema, constraints, writes, progress, banned)
    search.offer(candidates, bundles)
    search.start_from(start)
    best = needed_members(search, search.best(constraints.budget_bytes))
    # The search under one budget may come upon a set that is better under another one, too.
    points = sorted(set(budgets))
    found = [best, *(needed_members(search, search.best(budget)) for budget in points)]
    curve = []
    for budget in points:
        point = min((one for one in found if costs.size(one) <= budget), key=costs.total)
        curve.append(CurvePoint(budget, costs.size(point), len(members(point)), search.share(point)))
    limit = constraints.budget_bytes
    best = min((one for one in found if limit is None or costs.size(one) <= limit), key=search.objective)
    if limit is None or costs.size(best) <= limit / 2:
        # Two members may come to serve alike.
        best = felt_members(search, smaller_members(search, best))
    names = index_names([costs.indexes[one] for one in members(best)], schema)
    dropped: tuple[DroppedIndex, ...] = ()
    if drop_existing:
        dropped = dropped_indexes(costs, schema, best, dict(zip(members(best), names, strict=True)), search.late)
    gone = [f"{one.schema}.{one.name}" for one in dropped]
    merges = merged_indexes(search, schema, best, gone, constraints) if drop_existing and merge_existing else ()
    chosen = dict(zip(members(best), names, strict=True))
    numbers = [one.number for one in merges]
    chosen |= dict(
        zip(
            numbers,
            index_names([costs.indexes[one] for one in (*chosen, *numbers)], schema)[len(chosen) :],
            strict=True,
        )
    )
    off = [name for one in merges for name in one.names]
    gains = _gains(search, chosen, off)
    return Selection(
        chosen=(*_chosen(search, best, names), *_merges(search, merges, chosen, gains)),
        dropped=(*dropped, *_merged_away(merges, chosen)),
        gains=gains,
        cost_before=costs.total(0),
        cost_after=sum(one.cost_after * costs.weight(one.fingerprint) for one in gains),
        curve=tuple(curve),
        rejected=search.rejected(best),
        unplanned=tuple(Alternative(fingerprint, reason) for fingerprint, reason in costs.unplanned.items()),
        complete=search.complete,
    )


def index_names(indexes: Sequence[CandidateIndex], schema: Schema) -> tuple[str, ...]:
    """A name for each, which no relation of its schema has."""
    taken: dict[str, set[str]] = {}
    for table in schema.tables:
        taken.setdefault(table.schema, set()).update([table.name, *(index.name for index in table.indexes)])
    for view in schema.views:
        taken.setdefault(view.schema, set()).add(view.name)
    found = []
    for index in indexes:
        names = taken.setdefault(index.schema, set())
        name = index.name(frozenset(names))
        names.add(name)
        found.append(name)
    return tuple(found)


def _chosen(search: Search, best: IndexSet, names: Sequence[str]) -> tuple[ChosenIndex, ...]:
    costs, after = search.costs, search.costs.total(best)
    found = []
    for number, name in zip(members(best), names, strict=True):
        one = 1 << number
        losses = {
            fingerprint: costs.total(best & ~one, numbers) - costs.total(best, numbers)
            for fingerprint, numbers in costs.groups.items()
            if any(costs.price(text, best).used & one for text in numbers)
        }
        serves = sorted(losses, key=lambda fingerprint: (-losses[fingerprint], fingerprint))
        found.append(
            ChosenIndex(
                index=costs.indexes[number],
                name=name,
                size_bytes=costs.sizes[number],
                marginal=costs.total(best & ~one) - after,
                write_cost=search.write_cost(number),
                serves=tuple(serves),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.marginal, one.name)))


def _gains(search: Search, chosen: Mapping[int, str], off: Sequence[str]) -> tuple[QueryGain, ...]:
    """chosen: names by number. off: existing indexes that merged ones take the place of."""
    costs = search.costs
    on = sum(1 << number for number in chosen)
    found = []
    for fingerprint, numbers in costs.groups.items():
        after = [costs.price(number, on, off) for number in numbers]
        used = {chosen[one] for price in after for one in members(price.used)}
        existing = {name for price in after for name in price.existing}
        weights = [costs.texts[number].weight for number in numbers]
        cost = sum(weight * price.cost for weight, price in zip(weights, after, strict=True))
        found.append(
            QueryGain(
                fingerprint,
                costs.total(0, numbers) / costs.weight(fingerprint),
                cost / costs.weight(fingerprint),
                (*sorted(used), *sorted(existing)),
            )
        )
    return tuple(found)


def _merges(
    search: Search, merges: Sequence[Merge], names: Mapping[int, str], gains: Sequence[QueryGain]
) -> Iterator[ChosenIndex]:
    """They bring no query anything: less space, and one index less to keep up to date."""
    for one in merges:
        yield ChosenIndex(
            index=search.costs.indexes[one.number],
            name=names[one.number],
            size_bytes=search.costs.sizes[one.number],
            marginal=0.0,
            write_cost=search.write_cost(one.number),
            serves=tuple(gain.fingerprint for gain in gains if names[one.number] in gain.uses),
            replaces=tuple(gone.name for gone in one.gone),
        )


def _merged_away(merges: Sequence[Merge], names: Mapping[int, str]) -> Iterator[DroppedIndex]:
    for one in merges:
        for gone, other in (one.gone, one.gone[::-1]):
            reason = f"the new {names[one.number]} serves what it and {other.name} serve"
            yield DroppedIndex(
                one.table.schema, one.table.name, gone.name, gone.size_bytes, reason, (names[one.number],)
            )
