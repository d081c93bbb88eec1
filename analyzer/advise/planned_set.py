"""The plan of every query today and under a chosen set: what `planned` evidence shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import StatementError
from ..plan import Plan
from ..postgres.outcome import ConnectionLost
from ..workload import Skipped
from .selection_types import Selection, WeightedQuery
from .what_if import WhatIf


def plan_today(what_if: WhatIf, queries: Sequence[WeightedQuery]) -> tuple[dict[str, Plan], tuple[Skipped, ...]]:
    """By fingerprint, the plan of each query's first text; and what cannot be planned, with the reason. Raises ConnectionLost."""
    plans: dict[str, Plan] = {}
    skipped: list[Skipped] = []
    for query in queries:
        try:
            plans[query.fingerprint] = what_if.plan(query.texts[0][0])
        except ConnectionLost:
            raise
        except StatementError as error:
            skipped.append(Skipped(f"query {query.fingerprint}", str(error)))
    return plans, tuple(skipped)


def plan_set(
    what_if: WhatIf, selection: Selection, queries: Sequence[WeightedQuery], today: Mapping[str, Plan]
) -> dict[str, Plan]:
    """By fingerprint, the plans under the set, its indexes by their names-to-be. Queries that it leaves alone keep today's."""
    changed = {gain.fingerprint for gain in selection.gains if gain.cost_after != gain.cost_before}
    names: dict[str, str] = {}
    for chosen in selection.chosen:
        try:
            names[what_if.add(chosen.index)] = chosen.name
        except StatementError:
            continue
    without = [f"{one.schema}.{one.name}" for one in selection.dropped]
    plans = dict(today)
    for query in queries:
        if query.fingerprint not in changed or query.fingerprint not in today:
            continue
        try:
            plan = what_if.plan(query.texts[0][0], list(names), without)
        except StatementError:
            continue
        plans[query.fingerprint] = renamed(plan, names)
    return plans


def renamed(plan: Plan, names: Mapping[str, str]) -> Plan:
    """The plan with other names for its indexes."""
    return replace(plan, root=plan.root.with_indexes(lambda name: names.get(name, name)))
