"""Two plans side by side in a terminal: the verdict, why, and node by node what moved."""

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ...analyzer.plan import Plan, PlanNode
from ...analyzer.postgres.plan_comparison import Change, NodePair, PlanComparison, moved
from ...analyzer.postgres.plan_shape import plan_shape
from ...analyzer.postgres.plan_text import title as node_title
from ..numbers import duration, factor, figure, visible
from .judged_plan import JudgedPlan
from .plan_terminal import write

NARROW = 100
"""Columns below which the plans stand one above the other."""
FIGURES = 12
"""Columns of one self time."""
_TIMES = ("self time",)


def print_comparison(comparison: PlanComparison, before: JudgedPlan, after: JudgedPlan, console: Console) -> None:
    """Verdict, causes, findings that are gone or new, and the nodes in the order of the plan after."""
    write(console, f"A  {before.source}: {_whole(comparison.before)}")
    write(console, f"B  {after.source}: {_whole(comparison.after)}")
    write(console, _verdict(comparison), "bold")
    for name, judged in (("A", before), ("B", after)):
        if judged.note:
            write(console, f"Note on {name}: {judged.note}", "yellow")
    console.print()
    write(console, "Why" if comparison.causes else "The plans themselves show no reason for a change.", "bold")
    for cause in comparison.causes:
        places = [f"A#{cause.before_node}" if cause.before_node else "", f"B#{cause.after_node}" if cause.after_node else ""]  # fmt: skip
        where = " ".join(filter(None, places))
        write(console, f"  {cause.message}" + (f"  ({where})" if where else ""))
    rules = [{one.rule for one in judged.findings} for judged in (before, after)]
    for label, names in (("Findings gone", rules[0] - rules[1]), ("Findings new", rules[1] - rules[0])):
        if names:
            write(console, f"{label}: {', '.join(sorted(names))}")
    console.print()
    depths = {"A": _depths(comparison.before.root), "B": _depths(comparison.after.root)}
    wide = console.width >= NARROW
    timed = comparison.before.root.self_ms is not None and comparison.after.root.self_ms is not None
    if wide:
        side = (console.width - 2 * FIGURES - 6) // 2
        what = "self time" if timed else "self cost"
        write(console, f"{'A':<{side}}{what:>{FIGURES}}{what:>{FIGURES}}      B", "dim")
    for pair in comparison.pairs:
        _print_pair(pair, depths, console, timed, wide)


def _print_pair(pair: NodePair, depths: dict[str, dict[int, int]], console: Console, timed: bool, wide: bool) -> None:
    first, second = pair.before, pair.after
    mark = "=" if not pair.changes else "≠"
    mark = "-" if second is None else "+" if first is None else mark
    style = {"=": "dim", "-": "red", "+": "green"}.get(mark, "")
    own = [_own(node, timed) for node in (first, second)]
    titles = [_title(first, depths["A"]), _title(second, depths["B"])]
    if wide:
        side = (console.width - 2 * FIGURES - 6) // 2
        write(
            console,
            Text(
                f"{_fitted(titles[0], side)}{own[0]:>{FIGURES}}{own[1]:>{FIGURES}}   {mark}  {_fitted(titles[1], side)}".rstrip(),
                style=style,
            ),
        )
    else:
        for name, title, told, node in zip("AB", titles, own, (first, second), strict=True):
            if node is not None:
                write(console, Text(_fitted(f"{mark}{name} {told:>10} {title}", console.width).rstrip(), style=style))
    inset = " " * (2 * min(10, depths["B"][second.id]) + 4) if second is not None else "    "
    for change in pair.changes:
        write(console, f"{inset}{_change(change)}", "yellow" if change.what in ("type", "index", "join type", "expected rows") else "")  # fmt: skip


def _title(node: PlanNode | None, depths: dict[int, int]) -> str:
    return visible("  " * min(10, depths[node.id]) + f"#{node.id} {node_title(node)}") if node is not None else ""


def _change(change: Change) -> str:
    before, after = (_value(change.what, value) for value in (change.before, change.after))
    told = f"{change.what}: {before} → {after}"
    if isinstance(change.before, (int, float)) and isinstance(change.after, (int, float)):
        told += f" ({factor(change.before, change.after)})" if factor(change.before, change.after) else ""
    return told


def _value(what: str, value: str | float | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return duration(value) if what in _TIMES else figure(value)


def _own(node: PlanNode | None, timed: bool) -> str:
    if node is None:
        return ""
    return duration(node.self_ms) if timed else figure(node.self_cost, whole=False)


def _whole(plan: Plan) -> str:
    planning = f", {duration(plan.planning_ms)} of planning" if plan.planning_ms is not None else ""
    took = f"{duration(plan.elapsed_ms)} of execution" if plan.analyzed and plan.elapsed_ms is not None else "not run"
    return f"{took}{planning}, cost {figure(plan.root.total_cost)}, shape {plan_shape(plan.root)}"


def _verdict(comparison: PlanComparison) -> str:
    before, after = comparison.before, comparison.after
    shape = "the same shape" if comparison.same_shape else "another shape"
    first, second = (plan.elapsed_ms if plan.analyzed else None for plan in (before, after))
    if first is None or second is None:
        word = factor(before.root.total_cost, after.root.total_cost)
        return f"B has {shape}; its cost is {word or 'zero'}: {figure(before.root.total_cost)} → {figure(after.root.total_cost)}"
    if not moved(first, second):
        return f"B has {shape} and takes about as long: {duration(first)} → {duration(second)}"
    return f"B has {shape} and takes {factor(first, second)} time: {duration(first)} → {duration(second)}"


def _depths(root: PlanNode) -> dict[int, int]:
    found: dict[int, int] = {}
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        found[node.id] = depth
        waiting += [(child, depth + 1) for child in node.children]
    return found


def _fitted(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
