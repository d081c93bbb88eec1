"""missing-limit."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

MANY = 10_000.0
"""Rows: joe's limit."""
PAGE = 100.0
TOPS = (
    "Sort",
    "Incremental Sort",
    "Gather",
    "Gather Merge",
    "Subquery Scan",
    "Result",
    "WindowAgg",
    "Append",
    "Merge Append",
    "LockRows",
    "ProjectSet",
)


class MissingLimit(PlanRule):
    """A query without LIMIT returns ten thousand rows or more.

    ## Why it is slow
    All rows are read, sent and held in memory. Where a person looks at them, a page is enough; where a program needs
    them all, it should stream them.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT id, note FROM orders
    ```

    ## Good
    ```sql
    SELECT id, note FROM orders ORDER BY id LIMIT 50
    ```
    """

    code = "PLN027"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        node = context.plan.root
        if rows(node) < MANY or node.modification is not None or context.around.in_workload:
            return
        top = [node]
        while top[-1].type in TOPS and top[-1].children:
            top.append(top[-1].children[0])
        if any("Aggregate" in one.type or one.type in ("Limit", "Group", "Unique") for one in top) or any(
            one.modification is not None for one in context.nodes
        ):
            return
        yield self.finding(
            context,
            node,
            f"{number(rows(node))} rows are returned, without a LIMIT",
            [Fact("rows returned", rows(node), "rows"), Fact("bytes returned", rows(node) * node.plan_width, "bytes")],
            share=context.subtree_share(node) * (1 - PAGE / rows(node)),
            title="Return a page of rows, or stream them",
            reason="LIMIT bounds the work where a page is looked at; a server-side cursor (`yield_per`) bounds the memory where all are needed.",
        )
