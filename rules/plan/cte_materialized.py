"""cte-materialized."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows, rows_read
from ..plan_rule import PlanRule
from ..remedy import number

PER_ROW = 2.0
MIN_REMOVED = 1_000.0


class CteMaterialized(PlanRule):
    """A CTE is computed as a whole although its only reader keeps few of its rows.

    ## Why it is slow
    A materialized CTE is a fence: the reader's condition is tested after everything has been computed, and no index
    inside can use it.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    WITH o AS MATERIALIZED (SELECT * FROM orders) SELECT note FROM o WHERE id = 42
    ```

    ## Good
    ```sql
    WITH o AS NOT MATERIALIZED (SELECT * FROM orders) SELECT note FROM o WHERE id = 42
    ```
    """

    code = "PLN038"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            removed = node.removed or 0.0
            if node.type != "CTE Scan" or not node.filter or removed < max(PER_ROW * rows(node), MIN_REMOVED):
                continue
            readers = [one for one in context.nodes if one.type == "CTE Scan" and one.cte_name == node.cte_name]
            bodies = [one for one in context.nodes if one.subplan_name == f"CTE {node.cte_name}"]
            if len(readers) != 1 or len(bodies) != 1 or bodies[0].type in ("Recursive Union", "ModifyTable"):
                continue
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of the CTE {node.cte_name} are computed to keep {number(rows(node))}",
                [
                    Fact("rows computed", rows_read(node), "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("condition", without_literals(node.filter)),
                    Fact("CTE", node.cte_name or ""),
                ],
                share=max(context.subtree_share(bodies[0]), context.share(node)),
                title=f"Write WITH {node.cte_name} AS NOT MATERIALIZED, or put the condition into it",
                reason="The condition then reaches the tables, and their indexes.",
            )
