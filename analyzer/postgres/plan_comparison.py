"""Two plans of one statement: what moved, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..plan import Plan, PlanNode
from .literals import without_literals
from .plan_matching import match_nodes
from .plan_shape import plan_shape
from .plan_text import CONDITIONS
from .same_statement import different_statements

MOVED = 1.2
"""Factor from which on a figure counts as moved: repeated runs of one plan differ by less."""
ESTIMATE_MOVED = 2.0
"""The same for the planner's rows: below it, join and scan methods seldom change."""
MIN_MS = 0.1
"""Difference of self time below which nothing is said."""
MIN_BLOCKS = 100
_JOIN_CONDITIONS = ("hash_cond", "merge_cond", "join_filter")

CauseKind = Literal[
    "statement", "setting", "index", "estimate", "rows", "condition", "cache", "memory", "workers", "jit", "not run"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One thing of a node that is not as it was. what: `type`, `index`, `self time`, `rows`, … before, after: as text or
    figure; ms, rows, blocks or planner's units by `what`."""

    what: str
    before: str | float | None
    after: str | float | None


@dataclass(frozen=True, slots=True)
class NodePair:
    """The nodes of both plans that do the same work; None: the plan has none."""

    before: PlanNode | None
    after: PlanNode | None
    changes: tuple[Change, ...] = ()

    @property
    def saved_ms(self) -> float | None:
        """Self time that is gone (negative: that came); None where one of the plans has no times."""
        own = [node.self_ms for node in (self.before, self.after) if node is not None]
        if None in own:
            return None
        return _own(self.before) - _own(self.after)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why the plan or its time changed. before_node, after_node: where to look, None for the whole plan."""

    kind: CauseKind
    message: str
    before_node: int | None = None
    after_node: int | None = None


@dataclass(frozen=True, slots=True)
class PlanComparison:
    """pairs: in the order of the plan after. causes: most likely first."""

    before: Plan
    after: Plan
    same_shape: bool
    pairs: tuple[NodePair, ...]
    causes: tuple[Cause, ...]


def compare_plans(before: Plan, after: Plan) -> PlanComparison:
    """Match the nodes, tell what moved on each, and name the causes that the plans themselves show."""
    pairs = tuple(NodePair(one, other, tuple(_changes(one, other))) for one, other in match_nodes(before, after))
    causes = tuple(_causes(before, after, pairs))
    return PlanComparison(before, after, plan_shape(before.root) == plan_shape(after.root), pairs, causes)


def _changes(before: PlanNode | None, after: PlanNode | None) -> Iterator[Change]:
    if before is None or after is None:
        return
    for what, attribute in (
        ("type", "type"), ("join type", "join_type"), ("index", "index"), ("direction", "scan_direction"),
        ("strategy", "strategy"), ("parallel", "parallel_aware"), ("sort method", "sort_method"),
        ("sorted", "sort_space_type"), ("kept in", "storage"),
    ):  # fmt: skip
        one, other = getattr(before, attribute), getattr(after, attribute)
        if one != other:
            yield Change(what, _word(one), _word(other))
    for label, attribute in CONDITIONS:
        if before.type != after.type and attribute in _JOIN_CONDITIONS:
            # One condition has another name in every kind of join.
            continue
        one, other = getattr(before, attribute), getattr(after, attribute)
        if (without_literals(one) if one else None) != (without_literals(other) if other else None):
            yield Change(label.lower(), one, other)
    yield from _figures(before, after)


def _figures(before: PlanNode, after: PlanNode) -> Iterator[Change]:
    if before.self_ms is not None and after.self_ms is not None:
        if abs(before.self_ms - after.self_ms) >= MIN_MS and moved(before.self_ms, after.self_ms):
            yield Change("self time", round(before.self_ms, 6), round(after.self_ms, 6))
    elif moved(before.self_cost, after.self_cost):
        yield Change("self cost", round(before.self_cost, 6), round(after.self_cost, 6))
    for what, one, other, by in (
        ("expected rows", before.plan_rows, after.plan_rows, ESTIMATE_MOVED),
        ("rows", before.rows, after.rows, MOVED),
        ("loops", before.actual_loops, after.actual_loops, MOVED),
        ("rows thrown away", before.removed, after.removed, MOVED),
        ("workers", before.workers_launched, after.workers_launched, 1.0),
        ("hash batches", before.hash_batches, after.hash_batches, 1.0),
    ):
        if moved(one, other, by):
            yield Change(what, one, other)
    for what, first, second in (
        ("blocks", before.buffers, after.buffers),
        ("blocks read", before.self_read, after.self_read),
        ("temporary blocks", before.self_temp, after.self_temp),
    ):
        if abs((first or 0) - (second or 0)) >= MIN_BLOCKS and moved(first, second):
            yield Change(what, first, second)


def _causes(before: Plan, after: Plan, pairs: tuple[NodePair, ...]) -> Iterator[Cause]:
    if told := different_statements(before, after):
        yield Cause("statement", f"{told}. What follows compares them all the same")
    if before.analyzed != after.analyzed:
        which = "second" if before.analyzed else "first"
        yield Cause("not run", f"the {which} plan was not run: only the planner's figures can be compared")
    yield from _settings(before, after)
    yield from _indexes(before, after, pairs)
    for pair in pairs:
        if pair.before is not None and pair.after is not None:
            yield from _of_pair(pair.before, pair.after, pair.changes)
    if (before.jit is None) != (after.jit is None):
        compiled = before.jit or after.jit
        took = f", {compiled.total_ms:.3g} ms of it" if compiled is not None and compiled.total_ms is not None else ""
        yield Cause(
            "jit", f"the {'second' if before.jit is None else 'first'} plan was compiled (JIT){took}, the other not"
        )


def _settings(before: Plan, after: Plan) -> Iterator[Cause]:
    first, second = dict(before.settings), dict(after.settings)
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            default = "its default"
            yield Cause(
                "setting", f"the setting {name} was {first.get(name, default)} and is {second.get(name, default)}"
            )


def _indexes(before: Plan, after: Plan, pairs: tuple[NodePair, ...]) -> Iterator[Cause]:
    first, second = _users(before), _users(after)
    relations = {pair.after.id: pair.before for pair in pairs if pair.after is not None and pair.before is not None}
    for name, node in second.items():
        if name not in first:
            old = relations.get(node.id)
            instead = f" instead of {_way(old)}" if old is not None and old.index != name else ""
            yield Cause("index", f"index {name} is used now{instead}", old.id if old else None, node.id)
    for name, node in first.items():
        if name not in second:
            new = next((pair.after for pair in pairs if pair.before is node), None)
            instead = f"; {_way(new)} takes its place" if new is not None and new not in second.values() else ""
            yield Cause("index", f"index {name} is not used any more{instead}", node.id, new.id if new else None)


def _users(plan: Plan) -> dict[str, PlanNode]:
    """By index, the scan of the table that it serves: of a Bitmap Index Scan the one above."""
    found: dict[str, PlanNode] = {}
    waiting = [(plan.root, plan.root)]
    while waiting:
        node, scan = waiting.pop()
        scan = node if node.relation is not None else scan
        if node.index:
            found.setdefault(node.index, scan)
        waiting += [(child, scan) for child in reversed(node.children)]
    return found


def _of_pair(before: PlanNode, after: PlanNode, changes: tuple[Change, ...]) -> Iterator[Cause]:
    where = before.relation or before.cte_name or before.function or before.type
    what = {change.what: change for change in changes}
    lowest = not any(child.parent_relationship in ("Outer", "Inner") for child in after.children)
    if lowest and "expected rows" in what:
        yield Cause("estimate", _estimate(where, before, after), before.id, after.id)
    if lowest and "rows" in what and before.actual_loops == after.actual_loops:
        yield Cause("rows", f"{_figure(after.rows)} rows of {where} came, {_figure(before.rows)} before: data or values differ", before.id, after.id)  # fmt: skip
    for label, _ in CONDITIONS:
        if label.lower() in what and before.type == after.type:
            yield Cause("condition", f"the {label.lower()} of {where} is another one", before.id, after.id)
    if "blocks read" in what and "blocks" not in what:
        yield Cause("cache", f"{_figure(after.self_read)} blocks of {where} had to be read, {_figure(before.self_read)} before; the rest was in the cache", before.id, after.id)  # fmt: skip
    for name in ("sorted", "hash batches", "temporary blocks"):
        if name in what and (name != "sorted" or "Disk" in (what[name].before, what[name].after)):
            change = what[name]
            yield Cause("memory", f"{after.type}: {name} {_figure(change.before)} → {_figure(change.after)}: memory for it or the rows to hold changed", before.id, after.id)  # fmt: skip
            break
    if "workers" in what:
        yield Cause("workers", f"{_figure(after.workers_launched)} workers started, {_figure(before.workers_launched)} before", before.id, after.id)  # fmt: skip


def _estimate(where: str, before: PlanNode, after: PlanNode) -> str:
    told = f"the planner expects {_figure(after.plan_rows)} rows of {where}, {_figure(before.plan_rows)} before"
    if after.actual_rows is None or before.actual_rows is None:
        return told
    off = [_off(node.plan_rows, node.actual_rows or 0.0) for node in (before, after)]
    better = "the new estimate is nearer to" if off[1] < off[0] else "the old estimate was nearer to"
    return f"{told}; {better} the {_figure(after.actual_rows)} that came"


def _off(expected: float, actual: float) -> float:
    return max(expected, actual) / max(1.0, min(expected, actual))


def moved(before: float | None, after: float | None, by: float = MOVED) -> bool:
    """Whether a figure changed by more than the factor; one that is known on one side only has not moved."""
    if before is None or after is None or before == after:
        return False
    low, high = sorted((before, after))
    return low <= 0 or high / low > by


def _way(node: PlanNode | None) -> str:
    if node is None:
        return "nothing"
    return f"{node.type} using {node.index}" if node.index else node.type


def _word(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value is not None else None


def _figure(value: object) -> str:
    return f"{value:,.0f}".replace(",", "\u202f") if isinstance(value, (int, float)) else str(value or "none")


def _own(node: PlanNode | None) -> float:
    return (node.self_ms or 0.0) if node is not None else 0.0
