"""subplan-per-row."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ..condition import columns, qualifier
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_LOOPS = 100.0


class SubplanPerRow(PlanRule):
    """A subquery is run again for every row.

    ## Why it is slow
    A correlated subquery in the select list or in a condition runs once a row. As a join, a LATERAL join or a window
    function it is computed in one go.

    ## Setup
    ```sql
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE logins (user_id int, at int);
    CREATE INDEX ON logins (user_id);
    INSERT INTO users SELECT n, 'u' FROM generate_series(1, 2000) n;
    INSERT INTO logins SELECT n % 2000, n FROM generate_series(1, 20000) n;
    ANALYZE users, logins;
    ```

    ## Bad
    ```sql
    SELECT u.id, (SELECT max(l.at) FROM logins l WHERE l.user_id = u.id) FROM users u
    ```

    ## Good
    ```sql
    SELECT u.id, max(l.at) FROM users u LEFT JOIN logins l ON l.user_id = u.id GROUP BY u.id
    ```
    """

    code = "PLN020"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if node.parent_relationship != "SubPlan":
                continue
            loops = (
                (node.actual_loops or 0.0) / node.processes if context.plan.analyzed else _expected_loops(context, node)
            )
            if loops < MIN_LOOPS:
                continue
            if any(above.parent_relationship == "SubPlan" for above in context.ancestors(node)):
                continue
            owner = context.parent(node)
            table = next((one.relation for one in node.walk() if one.relation), node_name(node))
            yield self.finding(
                context,
                node,
                f"{node.subplan_name or 'A subquery'} on {table} {'is' if context.plan.analyzed else 'would be'} run "
                f"{number(loops)} times, once a row",
                [
                    Fact("loops", node.actual_loops if node.actual_loops is not None else round(loops)),
                    Fact("rows of its owner", rows_read(owner) if owner is not None else 0.0, "rows"),
                ],
                share=context.subtree_share(node) if context.plan.analyzed or owner is None else context.share(owner),
                title=f"Join {table} instead of asking it for every row",
                reason="A join with GROUP BY, a LATERAL join or a window function reads it once.",
            )


def _expected_loops(context: PlanContext, node: PlanNode) -> float:
    """Runs of a correlated subquery that the planner has put into its owner's cost; 0 where it may be run once."""
    owner = context.parent(node)
    if node.parent_relationship != "SubPlan" or owner is None or node.total_cost <= 0.0:
        return 0.0
    below = list(node.walk())
    own = {one.alias for one in below if one.alias}
    texts = (
        text
        for one in below
        for text in (one.filter, one.index_cond, one.recheck_cond, one.join_filter, one.one_time_filter)
    )
    outer = any(qualifier(name) not in (None, *own) for text in texts if text for name in columns(text))
    # The owner's own cost lacks one run, as that of every child.
    return 1 + round(owner.self_cost / node.total_cost) if outer else 0.0
