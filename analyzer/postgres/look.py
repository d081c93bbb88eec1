"""What is sent to be explained, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..plan import Plan, PlanVariant
from ..sql.guard import GuardVerdict

MAX_SAMPLES = 3
"""Sets of parameter values per statement."""
NO_VALUES = "no parameter values are known"


@dataclass(frozen=True, slots=True)
class ExplainText:
    """What is sent: a statement by itself, or an EXECUTE of what is prepared before. verdict: the guard's, on the statement.

    inline: the same statement with its values written into it. origin: where the values came from. about: what of the
    statement was taken, where it is not the whole.
    """

    sql: str
    verdict: GuardVerdict
    inline: str
    prepare: str = ""
    origin: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A text's plan, and why it is not what was hoped for."""

    text: ExplainText
    plan: Plan
    note: str
    timed_out_s: float | None = None


def outline(plan: Plan) -> tuple[object, ...]:
    """What makes two plans of one statement the same, be it for values or for none: kinds of nodes, their relations and
    indexes, and how they hang together."""
    return tuple(
        (node.type, node.relation, node.alias, node.index, len(node.children), node.parent_relationship)
        for node in plan.root.walk()
    )


def variants(first: Plan, looks: Sequence[Look]) -> tuple[PlanVariant, ...]:
    """One plan for each outline that is not the first's."""
    outlines = {outline(first)}
    found = []
    for look in looks:
        if outline(look.plan) not in outlines:
            outlines.add(outline(look.plan))
            found.append(PlanVariant(look.plan, look.text.origin, look.note))
    return tuple(found)
