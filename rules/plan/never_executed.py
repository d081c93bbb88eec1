"""never-executed."""

from collections.abc import Iterator

from ..finding import Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule


class NeverExecuted(PlanRule):
    """A part of the plan was never executed: it cost nothing and is left alone.

    ## Why it is slow
    It is not: a side of a join that nobody asked for, or a partition left out when the query started, costs nothing.
    Its estimates are not compared with anything.

    ## Setup
    ```sql
    CREATE TABLE left_side (id int);
    CREATE TABLE right_side (id int PRIMARY KEY);
    INSERT INTO right_side SELECT n FROM generate_series(1, 1000) n;
    ANALYZE left_side, right_side;
    ```

    ## Bad
    ```sql
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SELECT * FROM left_side l JOIN right_side r ON r.id = l.id
    ```

    ## Good
    ```sql
    SELECT * FROM right_side WHERE id = 5
    ```
    """

    code = "PLN047"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.nodes:
            parent = context.parent(node)
            if node.actual_loops == 0 and (parent is None or parent.actual_loops):
                yield self.silence(
                    context, node, f"{node.type} was never executed: it cost nothing, and its estimates are not judged"
                )
