"""planning-dominates."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule

MANY_TABLES, MANY_PARTS = 8, 100
LONG = 2_000
"""Tables joined, parts appended, characters of a condition. With fewer the planner is done at once: what it took more was the
machine, or a first look into the catalog."""


class PlanningDominates(PlanRule):
    """Planning the query takes longer than running it.

    ## Why it is slow
    Every partition, join and index is considered anew for each execution. Prepared statements plan once; fewer
    partitions and joins plan faster.

    ## Bad
    ```text
    Index Scan using orders_pkey on orders  (cost=0.29..8.31 rows=1 width=72) (actual time=0.031..0.032 rows=1 loops=1)
      Index Cond: (id = 42)
    Planning Time: 14.210 ms
    Execution Time: 0.120 ms
    ```

    ## Good
    ```text
    Index Scan using orders_pkey on orders  (cost=0.29..8.31 rows=1 width=72) (actual time=0.031..0.032 rows=1 loops=1)
      Index Cond: (id = 42)
    Planning Time: 0.110 ms
    Execution Time: 0.120 ms
    ```
    """

    code = "PLN034"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        if context.longer_planned is None:
            return
        planning_ms, execution_ms = context.longer_planned
        planning = context.plan.planning
        facts = [
            Fact("planning time", planning_ms, "ms"),
            Fact("execution time", execution_ms, "ms"),
            Fact("tables", sum(1 for node in context.nodes if node.relation)),
        ]
        if planning is not None and planning.memory_used_kb:
            facts.append(Fact("memory used for planning", planning.memory_used_kb * 1024, "bytes"))
        if planning is not None and planning.usage is not None:
            facts.append(
                Fact("blocks touched for planning", planning.usage.shared_hit + planning.usage.shared_read, "blocks")
            )
        yield self.finding(
            context,
            None,
            f"Planning took {planning_ms:.1f} ms, running it {execution_ms:.1f} ms",
            facts,
            share=1.0,
            ms=planning_ms,
            ceiling=self.severity if _large(context) else Severity.INFO,
            title="Prepare the statement, or give the planner less to consider",
            reason="A prepared statement is planned once. Fewer partitions and joins, and = ANY(array) for long lists, plan faster; a first run after "
            "connecting also reads the catalog.",
            kind="setting",
        )


def _large(context: PlanContext) -> bool:
    """Whether the statement gives the planner much to consider."""
    texts = (
        text for node in context.nodes for text in (node.filter, node.index_cond, node.recheck_cond, node.join_filter)
    )
    parts = {child.id for node in context.nodes if "Append" in node.type for child in node.children}
    removed = sum(node.subplans_removed or 0 for node in context.nodes)
    joined = sum(1 for node in context.nodes if node.relation and node.id not in parts)
    return (
        joined >= MANY_TABLES or len(parts) + removed >= MANY_PARTS or any(len(text) >= LONG for text in texts if text)
    )
