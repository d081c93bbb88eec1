"""A set of indexes without those that are not worth keeping up."""

from .selection_search import FELT, Search
from .workload_costs import IndexSet, members

PREFIX_SHARE = 0.05
"""Of what its queries gain: an index that brings no more than this beside one that begins with its keys is not worth a
second index to keep up."""

SLIGHT = 0.002
"""Of the workload's cost: an index that brings less is left out, unless it brings one of its queries more than FELT."""
FELT_COST = 50.0
"""Planner units of one execution, a quarter of a millisecond or so: less is not felt, however many times less it is, by an index
that brings the whole workload no more than it costs to read the index once."""
PAGE = 8192
"""Bytes. The planner's unit is reading a page in order."""
UNFELT = 0.01
"""Of the workload's cost: all that are left out for that reason bring no more together."""


def needed_members(search: Search, chosen: IndexSet) -> IndexSet:
    """The set without those that, beside the others, bring no more than their writes cost, or next to nothing where another
    begins with the same keys, or what nobody feels."""
    best = chosen
    for number in _largest_first(search, chosen):
        without = chosen & ~(1 << number)
        loss = search.costs.total(without) - search.costs.total(chosen)
        if (
            loss <= search.write_cost(number)
            or _slight(search, without, chosen, best)
            or (loss <= search.costs.sizes[number] / PAGE and _unfelt(search, without, best))
            or (_has_heir(search, number, without) and loss <= PREFIX_SHARE * _gain(search, number, chosen))
        ):
            chosen = without
    return chosen


def felt_members(search: Search, chosen: IndexSet) -> IndexSet:
    """The set without those by which no query becomes a tenth cheaper, whatever they bring to the workload: by so little the
    planner errs, and space and writes are certain. Under a budget of which much is used, what fits best is wanted all the same.
    """
    best = chosen
    for number in _largest_first(search, chosen):
        without = chosen & ~(1 << number)
        loss = search.costs.total(without) - search.costs.total(chosen)
        if loss <= search.write_cost(number) or _alike(search, without, best):
            chosen = without
    return chosen


def _largest_first(search: Search, chosen: IndexSet) -> list[int]:
    return sorted(members(chosen), key=lambda one: (-search.costs.sizes[one], one))


def _slight(search: Search, without: IndexSet, chosen: IndexSet, best: IndexSet) -> bool:
    """Whether neither the workload nor any query of it would feel the difference. best: the set of which nothing is left out."""
    costs = search.costs
    most = min((1 + SLIGHT) * costs.total(chosen), (1 + UNFELT) * costs.total(best))
    return costs.total(without) <= most and _alike(search, without, best)


def _unfelt(search: Search, without: IndexSet, best: IndexSet) -> bool:
    """Whether no execution of a query costs more by what is felt, nor all together by what counts."""
    costs = search.costs
    if costs.total(without) > costs.total(best) + UNFELT * search.scale(best):
        return False
    return all(
        costs.total(without, texts) - costs.total(best, texts) <= FELT_COST * costs.weight(fingerprint)
        for fingerprint, texts in costs.groups.items()
    )


def _alike(search: Search, without: IndexSet, best: IndexSet) -> bool:
    """Whether no query costs more than FELT times what it costs under the best set."""
    costs = search.costs
    return all(costs.total(without, texts) <= FELT * costs.total(best, texts) for texts in costs.groups.values())


def _has_heir(search: Search, number: int, others: IndexSet) -> bool:
    indexes = search.costs.indexes
    return any(indexes[number].subsumed_by(indexes[other]) for other in members(others))


def _gain(search: Search, number: int, chosen: IndexSet) -> float:
    """What the texts that use the index gain by the whole set."""
    costs = search.costs
    served = [
        text for numbers in costs.groups.values() for text in numbers if costs.price(text, chosen).used & (1 << number)
    ]
    return costs.total(0, served) - costs.total(chosen, served)
