"""large-seq-scan-ok."""

from collections.abc import Iterator

from ..few_joined import few_joined_scans
from ..finding import Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

MANY = 1_000.0


class LargeSeqScanOk(PlanRule):
    """A large sequential scan whose rows are all used: it is looked at and left alone.

    ## Why it is slow
    It is not. Where most rows of a table are wanted, reading it in its own order is the fastest way there is, and an
    index would be slower. Tools that warn of every scan of many rows get this wrong; the report says that it was
    looked at.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT status, count(*) FROM orders GROUP BY status
    ```

    ## Good
    ```sql
    SELECT note FROM orders WHERE id = 42
    ```
    """

    code = "PLN005"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            kept, removed = rows(node), node.removed or 0.0
            if (node.actual_loops or 1.0) > node.processes or kept < MANY or removed > kept:
                continue
            if node.id in few_joined_scans(context):
                continue
            yield self.silence(
                context,
                node,
                f"{number(kept)} of {number(kept + removed)} rows read are used: an index would be slower",
            )
