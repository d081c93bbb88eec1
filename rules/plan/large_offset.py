"""large-offset."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

PER_ROW = 10.0
MIN_ROWS = 1_000.0


class LargeOffset(PlanRule):
    """OFFSET reads very many rows only to skip them.

    ## Why it is slow
    OFFSET n reads and throws away n rows. Each further page costs more than the one before.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT id, note FROM orders ORDER BY id LIMIT 10 OFFSET 40000
    ```

    ## Good
    ```sql
    SELECT id, note FROM orders WHERE id > 40000 ORDER BY id LIMIT 10
    ```
    """

    code = "PLN026"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Limit"):
            inputs = [child for child in node.children if child.parent_relationship == "Outer"]
            if not inputs:
                continue
            read, kept = rows(inputs[0]), rows(node)
            # A Limit takes no more from its input than it skips and returns.
            if inputs[0].rows is None or read < max(PER_ROW * max(kept, 1.0), MIN_ROWS):
                continue
            yield self.finding(
                context,
                node,
                f"{number(read - kept)} rows are read and skipped to return {number(kept)}",
                [Fact("rows skipped", read - kept, "rows"), Fact("rows returned", kept, "rows")],
                share=context.subtree_share(node) * (read - kept) / read,
                title="Continue after the last row of the page before (keyset pagination)",
                reason="`WHERE (key) > (last key) ORDER BY key LIMIT n` starts where the page before has ended.",
                code=[Code("Keyset page", "sql", "WHERE (key) > (:last_key)\nORDER BY key\nLIMIT :n")],
            )
