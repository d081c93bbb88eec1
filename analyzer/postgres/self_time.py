"""Self time and self buffers of plan nodes.

A node's time is wall-clock: time × loops over the processes that ran it. InitPlans and CTEs are shown under one node and
run inside another, the one that reads them first: their time is taken from there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

RawNode = dict[str, object]

_CONDITION_KEYS = (
    "Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond", "One-Time Filter", "TID Cond",
    "Function Call", "Order By", "Output",
)  # fmt: skip


@dataclass(slots=True)
class Timed:
    """One node on its way: inclusive and self values, in milliseconds and blocks; None without ANALYZE."""

    raw: RawNode
    parent: "Timed | None"
    children: list["Timed"] = field(default_factory=list)
    inclusive_ms: float | None = None
    self_ms: float | None = None
    inclusive_blocks: int | None = None
    self_blocks: int | None = None

    @property
    def is_init_plan(self) -> bool:
        """Whether its parent only shows it."""
        return self.raw.get("Parent Relationship") == "InitPlan"


def time_nodes(root: Timed) -> float:
    """Fill in the times of the whole tree; returns the milliseconds of negative self time that were clamped to zero."""
    nodes = _preorder(root)
    _inclusive(root, None)
    for node in nodes:
        parts = [child for child in node.children if not child.is_init_plan]
        if node.inclusive_ms is not None:
            node.self_ms = node.inclusive_ms - sum(child.inclusive_ms or 0.0 for child in parts)
        if node.inclusive_blocks is not None:
            node.self_blocks = node.inclusive_blocks - sum(child.inclusive_blocks or 0 for child in parts)
    for node in nodes:
        if node.is_init_plan:
            _charge_consumers(node, nodes)
    clamped = 0.0
    for node in nodes:
        if node.self_ms is not None and node.self_ms < 0:
            clamped -= node.self_ms
            node.self_ms = 0.0
        if node.self_blocks is not None:
            node.self_blocks = max(0, node.self_blocks)
    return clamped


def _preorder(root: Timed) -> list[Timed]:
    found: list[Timed] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(node.children)
    return found


def _inclusive(root: Timed, processes: float | None) -> None:
    waiting: list[tuple[Timed, float]] = [(root, processes or 1.0)]
    while waiting:
        node, count = waiting.pop()
        loops = number(node.raw, "Actual Loops")
        time = number(node.raw, "Actual Total Time")
        if loops is not None and time is not None:
            node.inclusive_ms = time * loops / max(1.0, min(count, loops))
        hit, read = number(node.raw, "Shared Hit Blocks"), number(node.raw, "Shared Read Blocks")
        if hit is not None or read is not None:
            node.inclusive_blocks = int((hit or 0) + (read or 0))
        gathers = str(node.raw.get("Node Type", "")).startswith("Gather")
        for child in node.children:
            below = count
            child_loops = number(child.raw, "Actual Loops")
            if gathers and loops and child_loops and not child.is_init_plan:
                # Not Workers Launched: that is the last loop's, and the leader may have stayed out.
                below = child_loops / loops
            waiting.append((child, below))


def _charge_consumers(init: Timed, nodes: Sequence[Timed]) -> None:
    """Take the InitPlan's or CTE's time from those who read it: the first reader paid, which is the one with most self time."""
    consumers = _consumers(init, nodes)
    if not consumers and init.parent is not None and not str(init.raw.get("Subplan Name", "")).startswith("CTE "):
        consumers = [init.parent]
    remaining = init.inclusive_ms or 0.0
    blocks = init.inclusive_blocks or 0
    for node in sorted(consumers, key=lambda one: -(one.self_ms or 0.0)):
        if node.self_ms is not None and remaining > 0:
            taken = min(max(node.self_ms, 0.0), remaining)
            node.self_ms -= taken
            remaining -= taken
        if node.self_blocks is not None and blocks > 0:
            share = min(max(node.self_blocks, 0), blocks)
            node.self_blocks -= share
            blocks -= share


def _consumers(init: Timed, nodes: Sequence[Timed]) -> list[Timed]:
    name = str(init.raw.get("Subplan Name", ""))
    own = set(map(id, _preorder(init)))
    others = [node for node in nodes if id(node) not in own and number(node.raw, "Actual Loops")]
    if name.startswith("CTE "):
        return [node for node in others if node.raw.get("CTE Name") == name[4:]]
    returned = re.search(r"\(returns (.*)\)", name)
    if returned:
        words = "|".join(re.escape(word.strip()) + r"(?!\d)" for word in returned[1].split(","))
    else:
        words = r"\(" + re.escape(name) + r"\)"
    pattern = re.compile(words)
    return [node for node in others if pattern.search(_conditions(node.raw))]


def _conditions(raw: RawNode) -> str:
    parts = []
    for key in _CONDITION_KEYS:
        value = raw.get(key)
        parts.append(" ".join(map(str, value)) if isinstance(value, list) else str(value or ""))
    return " ".join(parts)


def number(raw: RawNode, key: str) -> float | None:
    """A numeric value of the plan, None when absent or not a number."""
    value = raw.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
