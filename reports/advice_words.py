"""The index plan in words."""

from ..analyzer.advise.index_plan import IndexPlan
from .numbers import duration, factor, figure, plural, size

UNPROVEN = (
    "Unproven: the index is on an expression, of which there are no statistics before it exists, so the planner guesses how "
    "many rows it would find. Build it, run ANALYZE, and look at the plan again."
)
SECURED = (
    "Unproven: the table has row security, and the plans are its owner's, without it. For a role that it holds for, the policy's "
    "condition comes first, and a condition by what is not LEAKPROOF (most operators of arrays and json, LIKE, functions) uses "
    "no index. Look at the plan under the application's role."
)
UNCHANGED = 0.9995
"""Of the cost today: above it nothing is gained but space."""


def plan_headline(plan: IndexPlan) -> str:
    """One sentence: what to add, what it brings, what it takes; or that nothing is to be added."""
    examined = plural(len(plan.queries), "query", "queries")
    gone = f" {plural(len(plan.dropped), 'existing index', 'existing indexes')} can go." if plan.dropped else ""
    stopped = "" if plan.complete else " Time ran out: this is the best set found by then."
    if not plan.queries:
        return "Nothing was looked at: no statement could be planned. The reasons stand under what was left out."
    if not plan.indexes:
        if not plan.complete:
            return f"No index for the {examined} examined was found in the time that was given: allow more with --max-seconds.{gone}"
        allowed = " that the limits allow" if limits(plan) else ""
        return f"Nothing to add: no index{allowed} would make the {examined} examined markedly cheaper.{gone}"
    ran = 0
    if plan.ms_before and plan.ms_after is not None:
        ran = sum(one.ms_before is not None for one in plan.queries)
        change = f"{duration(plan.ms_before)} → {duration(plan.ms_after)} of measured time"
        change += f", {factor(plan.ms_before, plan.ms_after)}" if factor(plan.ms_before, plan.ms_after) else ""
    else:
        left = plan.cost_after / plan.cost_before if plan.cost_before else 1.0
        if left >= UNCHANGED and plan.dropped:
            added = f"Add {plural(len(plan.indexes), 'index', 'indexes')} (≈ {size(plan.size_bytes)}) in the place of others"
            freed = size(sum(one.size_bytes for one in plan.dropped))
            return f"{added}: none of the {examined} becomes cheaper.{gone[:-1]} ({freed}).{stopped}"
        change = f"planned cost falls to {figure(100 * left)} % of today's, {factor(plan.cost_before, plan.cost_after)}"
    about = "" if plan.ms_before else "≈ "
    over = examined if ran in (0, len(plan.queries)) else f"the {ran} of {examined} that could be run"
    return f"Add {plural(len(plan.indexes), 'index', 'indexes')} ({about}{size(plan.size_bytes)}): {change}, over {over}.{gone}{stopped}"


def shortly(unproven: str) -> str:
    """Why an index's own evidence is weak, in a few words."""
    if unproven == SECURED:
        return "the table has row security, and the plans are without it: look at them under the application's role"
    return "on an expression without statistics; look again after building it"


def known_by(plan: IndexPlan) -> str:
    """Where the figures come from: the beginning of a sentence that `limits` ends."""
    if plan.evidence == "measured":
        return f"measured: chosen by plans {door_words(plan)}, then built and run"
    return f"{plan.evidence}: plans {door_words(plan)}"


def door_words(plan: IndexPlan) -> str:
    """`of a hollow clone of PostgreSQL 15.18 on 15.18`, `of HypoPG 1.4.1 on …`, `with indexes really built …`."""
    if plan.door.startswith("indexes "):
        return f"with {plan.door}"
    return f"of a {plan.door}" if plan.door.startswith("hollow ") else f"of {plan.door}"


def limits(plan: IndexPlan) -> str:
    """What the search had to keep to, as the end of a sentence."""
    told = []
    if plan.budget_bytes is not None:
        told.append(f"at most {size(plan.budget_bytes)}")
    if plan.max_indexes is not None:
        told.append(f"at most {plural(plan.max_indexes, 'index', 'indexes')}")
    if plan.max_per_table is not None:
        told.append(f"at most {plan.max_per_table} a table")
    if plan.max_width is not None:
        told.append(f"at most {plan.max_width} columns wide")
    return f"; {', '.join(told)}" if told else ""
