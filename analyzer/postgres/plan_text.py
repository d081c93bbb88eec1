"""Plans as people read them, and without the literals of the statement."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from ..plan import Plan, PlanNode
from .literals import without_literals
from .plan_shape import plan_shape

__all__ = ["CONDITIONS", "described", "hide_literals", "plan_lines", "title", "without_literals"]

CONDITIONS = (
    ("One-Time Filter", "one_time_filter"),
    ("TID Cond", "tid_cond"),
    ("Index Cond", "index_cond"),
    ("Recheck Cond", "recheck_cond"),
    ("Order By", "order_by"),
    ("Hash Cond", "hash_cond"),
    ("Merge Cond", "merge_cond"),
    ("Join Filter", "join_filter"),
    ("Filter", "filter"),
    ("Function Call", "function_call"),
    ("Run Condition", "run_condition"),
    ("Remote SQL", "remote_sql"),
)
"""EXPLAIN's name and our attribute of every condition a node may have, in the order they are shown."""
LISTS = (("Sort Key", "sort_key"), ("Presorted Key", "presorted_key"), ("Group Key", "group_key"), ("Output", "output"))
"""The same of its lists of expressions."""


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan as indented text. The first line of a node ends with its number, `#1`, so that tree and text can be linked."""
    waiting: list[tuple[PlanNode, int]] = [(plan.root, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield from _node_lines(node, depth)
        waiting += [(child, depth + 2 if depth else 1) for child in reversed(node.children)]
    if plan.planning_ms is not None:
        yield f"Planning Time: {plan.planning_ms:.3f} ms"
    for trigger in plan.triggers:
        time = f"time={trigger.ms:.3f} " if trigger.ms is not None else ""
        yield f"Trigger {trigger.name}: {time}calls={trigger.calls:.0f}"
    if plan.jit is not None and plan.jit.total_ms is not None:
        yield f"JIT: {plan.jit.functions} functions, {plan.jit.total_ms:.3f} ms"
    if plan.execution_ms is not None:
        yield f"Execution Time: {plan.execution_ms:.3f} ms"


def described(plan: Plan) -> Plan:
    """The same plan with its text and its shape."""
    return replace(plan, text="\n".join(plan_lines(plan)), shape=plan_shape(plan.root))


def hide_literals(plan: Plan) -> Plan:
    """The same plan with `?` for every literal in its conditions, lists of expressions, texts and settings of its own."""
    hidden: dict[int, PlanNode] = {}
    for node in reversed(list(plan.root.walk())):
        hidden[node.id] = _hidden(node, tuple(hidden.pop(child.id) for child in node.children))
    query = without_literals(plan.query_text) if plan.query_text is not None else None
    return replace(plan, root=hidden[plan.root.id], query_text=query)


def _hidden(node: PlanNode, children: tuple[PlanNode, ...]) -> PlanNode:
    changed: dict[str, object] = {}
    for _, attribute in CONDITIONS:
        text = getattr(node, attribute)
        if text is not None:
            changed[attribute] = without_literals(text)
    for _, attribute in LISTS:
        texts = getattr(node, attribute)
        if texts:
            changed[attribute] = tuple(map(without_literals, texts))
    return msgspec.structs.replace(node, children=children, **changed)


def _node_lines(node: PlanNode, depth: int) -> Iterator[str]:
    lead = "  " * depth + ("->  " if depth else "")
    indent = " " * (2 * depth + 4)
    yield f"{lead}{title(node)}  {_figures(node)}  #{node.id}"
    for label, attribute in CONDITIONS:
        value = getattr(node, attribute)
        if value is not None:
            yield f"{indent}{label}: {value}"
    if node.sort_key:
        yield f"{indent}Sort Key: {', '.join(node.sort_key)}"
    if node.group_key:
        yield f"{indent}Group Key: {', '.join(node.group_key)}"
    if node.removed:
        yield f"{indent}Rows Removed by Filter: {node.removed:.0f}"
    if node.heap_fetches:
        yield f"{indent}Heap Fetches: {node.heap_fetches:.0f}"
    if node.shared_hit or node.shared_read:
        yield f"{indent}Buffers: shared hit={node.shared_hit or 0} read={node.shared_read or 0}"


def title(node: PlanNode) -> str:
    """Node type with what it works on, such as `Index Scan using ix_users_email on users u`."""
    text = f"Parallel {node.type}" if node.parallel_aware else node.type
    if node.modification is not None and node.type == "ModifyTable":
        text = node.modification.operation
    if node.partial_mode in ("Partial", "Finalize"):
        text = f"{node.partial_mode} {text}"
    if node.join_type and node.join_type != "Inner":
        text += f" {node.join_type}"
    if node.scan_direction == "Backward":
        text += " Backward"
    if node.index:
        text += f" using {node.index}"
    name = node.relation or node.cte_name or node.function
    if name:
        text += f" on {name}"
        if node.alias and node.alias != name:
            text += f" {node.alias}"
    elif node.alias and node.type in ("Subquery Scan", "Values Scan"):
        text += f" on {node.alias}"
    return f"{node.subplan_name}: {text}" if node.subplan_name else text


def _figures(node: PlanNode) -> str:
    planned = f"(cost={node.startup_cost:.2f}..{node.total_cost:.2f} rows={node.plan_rows:.0f} width={node.plan_width})"
    if node.actual_loops is None:
        return planned
    if not node.actual_loops:
        return f"{planned} (never executed)"
    time = f"time={node.actual_total_ms:.3f} " if node.actual_total_ms is not None else ""
    return f"{planned} (actual {time}rows={node.actual_rows or 0:g} loops={node.actual_loops:.0f})"
