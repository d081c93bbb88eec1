"""A much smaller index in the place of a chosen one, where no query would feel the difference."""

from .selection_search import Search
from .workload_costs import IndexSet, members

MUCH_SMALLER = 0.25
"""Of the chosen one's size: below it the space, the time to build it and the writes saved are worth a little of the plan's cost."""

ALIKE = 1.1
"""Times the cost of a text's plan: what the smaller index may make of it."""
ROWS_ALIKE = 2.5
"""The same where the smaller one is partial and the chosen one is not. It leads to the same rows; what else the costs differ
by is the planner's guess how those lie on disk, which it takes from the first key."""
LITTLE = 0.03
"""Of a text's cost today: what it may lose in any case."""


def smaller_members(search: Search, chosen: IndexSet) -> IndexSet:
    """The set with the smallest index that does as well in the place of each, the largest first.

    (deleted_at, owner) beside (owner) WHERE deleted_at IS NULL: the planner tells costs apart by less than it knows them. Under
    a budget of which much is used, space has a price already.
    """
    costs = search.costs
    for number in sorted(members(chosen), key=lambda one: (-costs.sizes[one], one)):
        if costs.indexes[number].unique:
            continue
        most = MUCH_SMALLER * costs.sizes[number]
        others = [
            one
            for one in range(len(costs.indexes))
            if costs.sizes[one] <= most
            and costs.place(one) == costs.place(number)
            and search.allows(costs.indexes[one])
            and search.write_cost(one) <= search.write_cost(number)
        ]
        for other in sorted(others, key=lambda one: (costs.sizes[one], one)):
            swapped = chosen & ~(1 << number) | 1 << other
            if search.late():
                return chosen
            if swapped != chosen & ~(1 << number) and _as_well(search, chosen, swapped, number):
                chosen = swapped
                break
    return chosen


def _as_well(search: Search, chosen: IndexSet, swapped: IndexSet, number: int) -> bool:
    costs = search.costs
    other = next(iter(members(swapped & ~chosen)), number)
    rows_alike = costs.indexes[other].predicate is not None and costs.indexes[number].predicate is None
    most = ROWS_ALIKE if rows_alike else ALIKE
    # Those that use the index now are asked first: one of them usually says no.
    for text in sorted(range(len(costs.texts)), key=lambda one: not costs.price(one, chosen).used >> number & 1):
        now, then = costs.price(text, chosen).cost, costs.price(text, swapped).cost
        if then > now and (then > most * now or then - now > LITTLE * costs.price(text, 0).cost):
            return False
    return True
