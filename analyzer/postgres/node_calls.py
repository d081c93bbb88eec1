"""How often EXPLAIN ANALYZE would read the clock."""

from ..plan import Plan, PlanNode

MANY = 1_000_000
"""Node calls from which on TIMING is left off: at 20–50 ns a reading, two readings a call, it would add up to 0.1 s."""


def node_calls(plan: Plan) -> float:
    """The planner's estimate of calls of all nodes: (rows + 1) × loops, summed. Caches above a node are not counted on."""
    total = 0.0
    waiting: list[tuple[PlanNode, float]] = [(plan.root, 1.0)]
    while waiting:
        node, loops = waiting.pop()
        total += loops * (node.plan_rows + 1)
        outer = next((one for one in node.children if one.parent_relationship == "Outer"), None)
        for child in node.children:
            repeated = loops
            if child.parent_relationship == "SubPlan":
                repeated = loops * max(node.plan_rows, 1.0)
            elif node.type == "Nested Loop" and child.parent_relationship == "Inner" and outer is not None:
                repeated = loops * max(outer.plan_rows, 1.0)
            elif child.parent_relationship == "InitPlan":
                repeated = 1.0
            waiting.append((child, repeated))
    return total
