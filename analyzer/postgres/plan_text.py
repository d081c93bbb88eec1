"""Plans as people read them, and without the literals of the statement."""

from collections.abc import Iterator
from dataclasses import replace

from ..plan import Plan, PlanNode
from ..sql.tokens import tokenize

_CONDITIONS = (
    ("Index Cond", "index_cond"),
    ("Recheck Cond", "recheck_cond"),
    ("Hash Cond", "hash_cond"),
    ("Merge Cond", "merge_cond"),
    ("Join Filter", "join_filter"),
    ("Filter", "filter"),
)


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan as indented text. The first line of a node ends with its number, `#1`, so that tree and text can be linked."""
    yield from _node_lines(plan.root, 0)
    if plan.planning_ms is not None:
        yield f"Planning Time: {plan.planning_ms:.3f} ms"
    if plan.execution_ms is not None:
        yield f"Execution Time: {plan.execution_ms:.3f} ms"


def hide_literals(plan: Plan) -> Plan:
    """The same plan with `?` for every literal in its conditions, sort keys and text."""
    root = _hidden(plan.root)
    shown = replace(plan, root=root)
    return replace(shown, text="\n".join(plan_lines(shown)))


def without_literals(text: str) -> str:
    """SQL text with `?` for every literal."""
    return "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))


def _hidden(node: PlanNode) -> PlanNode:
    return replace(
        node,
        filter=_hide(node.filter),
        index_cond=_hide(node.index_cond),
        recheck_cond=_hide(node.recheck_cond),
        join_filter=_hide(node.join_filter),
        hash_cond=_hide(node.hash_cond),
        merge_cond=_hide(node.merge_cond),
        sort_key=tuple(map(without_literals, node.sort_key)),
        presorted_key=tuple(map(without_literals, node.presorted_key)),
        group_key=tuple(map(without_literals, node.group_key)),
        output=tuple(map(without_literals, node.output)),
        children=tuple(map(_hidden, node.children)),
    )


def _hide(text: str | None) -> str | None:
    return None if text is None else without_literals(text)


def _node_lines(node: PlanNode, depth: int) -> Iterator[str]:
    lead = "  " * depth + ("->  " if depth else "")
    indent = " " * (2 * depth + 4)
    yield f"{lead}{title(node)}  {_figures(node)}  #{node.id}"
    for label, attribute in _CONDITIONS:
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
    for child in node.children:
        yield from _node_lines(child, depth + 2 if depth else 1)


def title(node: PlanNode) -> str:
    """Node type with what it works on, such as `Index Scan using ix_users_email on users u`."""
    text = node.type
    if node.join_type and node.join_type != "Inner":
        text += f" {node.join_type}"
    if node.index:
        text += f" using {node.index}"
    if node.relation:
        text += f" on {node.relation}"
        if node.alias and node.alias != node.relation:
            text += f" {node.alias}"
    elif node.cte_name:
        text += f" on {node.cte_name}"
    return f"{node.subplan_name}: {text}" if node.subplan_name else text


def _figures(node: PlanNode) -> str:
    planned = f"(cost={node.startup_cost:.2f}..{node.total_cost:.2f} rows={node.plan_rows:.0f} width={node.plan_width})"
    if node.actual_loops is None:
        return planned
    if not node.actual_loops:
        return f"{planned} (never executed)"
    time = f"time={node.actual_total_ms:.3f} " if node.actual_total_ms is not None else ""
    return f"{planned} (actual {time}rows={node.actual_rows or 0:g} loops={node.actual_loops:.0f})"
