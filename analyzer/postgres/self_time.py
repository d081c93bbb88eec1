"""Self time and self buffers of plan nodes.

A node's time is wall-clock: time × loops over the processes that ran it. InitPlans and CTEs are shown under one node and
run inside another, the one that reads them first: their time is taken from there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import sub

from ..plan_parts import Usage
from .mentions import Mentions
from .told_node import RawNode, ToldNode

AMOUNTS = ("blocks", "read", "io_ms", "temp")
"""What is shared out besides time: shared blocks hit + read, shared blocks read, ms reading, temporary blocks written."""
_SLACK_MS = 0.1
"""PostgreSQL rounds each time to 1 µs and then multiplies by loops: less than this is no contradiction."""


_ROUNDED_MS = 0.001
"""By how much at most the time of a loop differs from what PostgreSQL says, together with that of its input."""


@dataclass(slots=True)
class Timed:
    """One node on its way: inclusive and self values, in milliseconds and blocks; None without ANALYZE.

    told, usage: what the reader has read of it already. loops: 0 when it was never executed, or
    not at all. is_init_plan: its parent only shows it. processes: that ran its side of the nearest Gather above; 1
    outside of any.
    """

    raw: RawNode
    told: ToldNode
    usage: Usage | None
    parent: "Timed | None"
    loops: float
    is_init_plan: bool
    children: list["Timed"] = field(default_factory=list)
    processes: float = 1.0
    inclusive_ms: float | None = None
    self_ms: float | None = None
    inclusive: list[float] | None = None
    own: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Accounts:
    """clamped_ms: negative self time set to zero. after_plan_ms: data-modifying CTEs run when the root had ended."""

    clamped_ms: float
    after_plan_ms: float


def time_nodes(nodes: Sequence[Timed]) -> Accounts:
    """Fill in the times of the whole tree, given in preorder."""
    _inclusive(nodes)
    for node in nodes:
        _own(node)
    _side_by_side(nodes)
    after = 0.0
    # Those with a single reader first: a node may pay for several, and what is certain leaves less to be guessed.
    shown_elsewhere = [node for node in nodes if node.is_init_plan]
    if shown_elsewhere:
        mentions = Mentions(nodes)
        if len(shown_elsewhere) > 1:
            shown_elsewhere.sort(key=lambda node: len(_consumers(node, nodes, mentions)) or len(nodes))
        for node in shown_elsewhere:
            after += _charge_consumers(node, nodes, mentions)
    clamped = 0.0
    for node in reversed(nodes):
        if node.self_ms is not None and node.self_ms < 0:
            clamped += _lacking(node)
            node.self_ms = 0.0
        if node.own is not None and min(node.own) < 0:
            node.own = [max(0.0, amount) for amount in node.own]
    return Accounts(clamped, after)


def _lacking(node: Timed) -> float:
    """The time that a node has less than those below it, ms. Where its own average, rounded to 1 µs, was multiplied by many
    loops, the node above has as much too much, since that ran once: there it is taken. What is left has no place."""
    lacking = -(node.self_ms or 0.0)
    above = node.parent
    if above is None or node.is_init_plan or above.self_ms is None or lacking > _ROUNDED_MS * node.loops:
        return lacking
    taken = min(lacking, max(0.0, above.self_ms))
    above.self_ms -= taken
    return lacking - taken


def _preorder(root: Timed) -> list[Timed]:
    found: list[Timed] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(node.children)
    return found


def _inclusive(nodes: Sequence[Timed]) -> None:
    for node in nodes:
        loops, count = node.loops, node.processes
        time = node.told.actual_total_ms
        if time is not None and node.told.actual_loops is not None:
            node.inclusive_ms = time * loops / max(1.0, min(count, loops))
        node.inclusive = _amounts(node.usage)
        gathers = loops and node.children and str(node.raw.get("Node Type", "")).startswith("Gather")
        for child in node.children:
            # Not Workers Launched: that is the last loop's, and the leader may have stayed out.
            shares = gathers and child.loops and not child.is_init_plan
            child.processes = child.loops / loops if shares else count


def _amounts(usage: Usage | None) -> list[float] | None:
    if usage is None:
        return None
    io_ms = (usage.shared_read_ms or 0.0) + (usage.local_read_ms or 0.0) + (usage.temp_read_ms or 0.0)
    return [usage.shared_hit + usage.shared_read, usage.shared_read, io_ms, usage.temp_written]


def _own(node: Timed) -> None:
    parts = [child for child in node.children if not child.is_init_plan]
    if not parts:
        node.self_ms, node.own = node.inclusive_ms, node.inclusive and node.inclusive.copy()
        return
    if node.inclusive_ms is not None:
        node.self_ms = node.inclusive_ms - sum([child.inclusive_ms or 0.0 for child in parts])
    if node.inclusive is not None:
        below = [child.inclusive for child in parts if child.inclusive is not None]
        node.own = (
            list(map(sub, node.inclusive, map(sum, zip(*below, strict=True)))) if below else node.inclusive.copy()
        )


def _side_by_side(nodes: Sequence[Timed]) -> None:
    """Where processes shared out the children among themselves (Parallel Append), these took longer than their parent.

    Their wall-clock times overlap, so their self times count by the share of processes that ran them.
    """
    scales: dict[int, float] = {}
    for node in nodes:
        if node.self_ms is None or node.self_ms >= -_SLACK_MS or node.processes <= 1:
            continue
        # Fewer may have run this one than the whole side of the Gather, and its times may be shares already.
        here, scale = min(node.processes, node.loops), scales.get(id(node), 1.0)
        for child in node.children:
            if child.is_init_plan or not 0 < child.loops < here or child.inclusive_ms is None:
                continue
            share = child.loops / here
            node.self_ms += child.inclusive_ms * (1 - share) * scale
            for below in _preorder(child):
                scales[id(below)] = scales.get(id(below), 1.0) * share
                if below.self_ms is not None:
                    below.self_ms *= share


def _charge_consumers(init: Timed, nodes: Sequence[Timed], mentions: Mentions) -> float:
    """Take an InitPlan's or CTE's amounts from those who read it; the milliseconds that nobody's time holds.

    The first reader paid all of it, which is the one with the most self time. A CTE that modifies data is run to its end
    after the root when its readers stop early, or when there are none.
    """
    name = str(init.raw.get("Subplan Name", ""))
    modifies = init.raw.get("Node Type") == "ModifyTable"
    named = _consumers(init, nodes, mentions)
    remaining = init.inclusive_ms or 0.0
    amounts = list(init.inclusive or ())
    for node in chain(named, () if modifies and name.startswith("CTE ") else _fallback(init, named)):
        if node.self_ms is not None and remaining > 0:
            taken = min(max(node.self_ms, 0.0), remaining)
            node.self_ms -= taken
            remaining -= taken
        if node.own is not None:
            for n, amount in enumerate(amounts):
                part = min(max(node.own[n], 0.0), amount)
                node.own[n] -= part
                amounts[n] -= part
        if remaining <= 0 and not any(amounts):
            break
    return remaining if modifies else 0.0


def _fallback(init: Timed, named: Sequence[Timed]) -> Iterator[Timed]:
    """Where nothing shown names the InitPlan (its reader's output is shown by VERBOSE only): the parent, then whoever
    below it has most time to spare."""
    if init.parent is None:
        return
    own, known = set(map(id, _preorder(init))), set(map(id, named))
    below = [node for node in _preorder(init.parent) if id(node) not in own and id(node) not in known and node.loops]
    yield from (node for node in below if node is init.parent)
    yield from _most_first(node for node in below if node is not init.parent)


def _consumers(init: Timed, nodes: Sequence[Timed], mentions: Mentions) -> list[Timed]:
    name = str(init.raw.get("Subplan Name", ""))
    if name.startswith("CTE "):
        readers = (node for node in nodes if node.loops and node.raw.get("CTE Name") == name[4:] and node.raw.get("Node Type") == "CTE Scan")  # fmt: skip
        return _most_first(node for node in readers if _definition(node, name) is init)
    own = set(map(id, _preorder(init)))
    evaluated, tested, shown = ([node for node in found if id(node) not in own] for found in mentions.of(name))
    ordered = evaluated + _most_first(tested or shown)
    return list({id(node): node for node in ordered}.values())


def _definition(reader: Timed, name: str) -> Timed | None:
    """The CTE of that name that is nearest above its reader."""
    node = reader.parent
    while node is not None:
        for child in node.children:
            if child.is_init_plan and child.raw.get("Subplan Name") == name:
                return child
        node = node.parent
    return None


def _most_first(nodes: Iterable[Timed]) -> list[Timed]:
    return sorted(nodes, key=lambda one: -(one.self_ms or 0.0))


def number(raw: RawNode, key: str) -> float | None:
    """A numeric value of the plan, None when absent or not a number."""
    value = raw.get(key)
    # Asked for some fifty keys of every node, of which most are absent.
    if value is None:
        return None
    kind = type(value)
    return value if kind is float else float(value) if kind is int else None  # type: ignore[return-value, arg-type]
