"""A plan as the page draws it: nodes in order with the lists they open and close, and the text with its node numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...analyzer.plan import Plan, PlanNode
from ..numbers import figure

MOST_NODES = 500
"""Nodes drawn of one plan; the rest stand in report.json."""
MOST_LEVELS = 40
"""Nodes below are drawn on this level: browsers flatten very deep documents, and nobody sees the indentation."""
OFF = 10.0
"""From this factor on a row estimate counts as wrong."""


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node, whether a list of children opens after it, and how many lists end after it."""

    node: PlanNode
    opens: bool
    closes: int


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of the plan's text; node: the number of the node that begins here, else None."""

    text: str
    node: int | None


def drawn_nodes(root: PlanNode) -> list[DrawnNode]:
    """Preorder without recursion, so that no plan is too deep. At most MOST_NODES."""
    order: list[tuple[PlanNode, int]] = []
    waiting = [(root, 1)]
    while waiting and len(order) < MOST_NODES:
        node, level = waiting.pop()
        order.append((node, level))
        waiting += [(child, min(level + 1, MOST_LEVELS)) for child in reversed(node.children)]
    drawn: list[DrawnNode] = []
    for place, (node, level) in enumerate(order):
        following = order[place + 1][1] if place + 1 < len(order) else 1
        drawn.append(DrawnNode(node, following > level, max(0, level - following)))
    return drawn


def text_lines(plan: Plan, shown: set[int]) -> Iterator[TextLine]:
    """The lines of the plan's text; those that begin a node in `shown` carry its number."""
    for line in plan.text.split("\n"):
        text, mark, number = line.rpartition("  #")
        if mark and number.isascii() and number.isdigit() and len(number) < 6 and int(number) in shown:
            yield TextLine(text, int(number))
        else:
            yield TextLine(line, None)


def longest_self_ms(nodes: list[DrawnNode]) -> float:
    """The scale of the self-time bars."""
    return max((one.node.self_ms or 0.0 for one in nodes), default=0.0)


def misestimate(node: PlanNode) -> str:
    """The factor by which the row estimate is off, where it is by ten or more."""
    if not node.actual_loops or node.actual_rows is None:
        return ""
    high, low = max(node.actual_rows, node.plan_rows), max(1.0, min(node.actual_rows, node.plan_rows))
    if high / low < OFF:
        return ""
    return (
        f"{figure(high / low, whole=False)}× {'more' if node.actual_rows > node.plan_rows else 'fewer'} than estimated"
    )


def conditions(node: PlanNode) -> list[tuple[str, str]]:
    """What the node compares, sorts and groups by: (name, text)."""
    named = (
        ("index condition", node.index_cond), ("recheck", node.recheck_cond), ("hash condition", node.hash_cond),
        ("merge condition", node.merge_cond), ("join filter", node.join_filter), ("filter", node.filter),
        ("sort key", ", ".join(node.sort_key)), ("group key", ", ".join(node.group_key)),
    )  # fmt: skip
    return [(name, text) for name, text in named if text]


def remarks(node: PlanNode) -> list[str]:
    """What else one wants to know of a node: discarded rows, spilled sorts, lossy bitmaps, missing workers."""
    told = []
    discarded = (node.removed or 0) + (node.removed_by_join_filter or 0)
    if discarded:
        told.append(f"{figure(discarded)} thrown away")
    if node.removed_by_recheck:
        told.append(f"{figure(node.removed_by_recheck)} thrown away on recheck")
    if node.heap_fetches:
        told.append(f"{figure(node.heap_fetches)} heap fetches")
    if node.sort_space_type == "Disk" and node.sort_space_kb:
        told.append(f"sorted on disk, {figure(node.sort_space_kb)} kB")
    if node.hash_batches and node.hash_batches > 1:
        told.append(f"hashed in {node.hash_batches} batches")
    if node.workers_planned and node.workers_launched is not None and node.workers_launched < node.workers_planned:
        told.append(f"{node.workers_launched} of {node.workers_planned} workers started")
    if node.actual_loops == 0:
        told.append("never executed")
    elif node.actual_loops and node.actual_loops > 1:
        told.append(f"{figure(node.actual_loops)} loops")
    return told
