"""subplan-per-row."""

from collections.abc import Iterator

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
                (node.actual_loops or 0.0) / node.processes if context.plan.analyzed else context.expected_runs(node)
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
                share=context.share(*node.walk()),
                title=f"Join {table} instead of asking it for every row",
                reason="A join with GROUP BY, a LATERAL join or a window function reads it once.",
            )
