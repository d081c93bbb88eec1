"""foreign-scan-remote-filter."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number


class ForeignScanRemoteFilter(PlanRule):
    """Rows of a foreign table are fetched over the network to be filtered here.

    ## Why it is slow
    A condition that the foreign server cannot be trusted to evaluate alike is evaluated locally, after every row has
    been sent.

    ## Bad
    ```text
    Foreign Scan on remote_orders  (cost=100.00..912.20 rows=17 width=12) (actual time=1.412..160.480 rows=3 loops=1)
      Filter: (lower(note) = 'y'::text)
      Rows Removed by Filter: 49997
    Planning Time: 0.110 ms
    Execution Time: 161.120 ms
    ```

    ## Good
    ```text
    Foreign Scan on remote_orders  (cost=100.00..112.20 rows=17 width=12) (actual time=1.412..1.480 rows=3 loops=1)
    Planning Time: 0.110 ms
    Execution Time: 2.120 ms
    ```
    """

    code = "PLN050"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Foreign Scan"):
            if not node.filter or (node.removed is not None and not node.removed):
                continue
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of {node_name(node)} are fetched to keep {number(rows(node))}",
                [
                    Fact("condition", without_literals(node.filter)),
                    Fact("rows fetched", rows_read(node), "rows"),
                    Fact("rows kept", rows(node), "rows"),
                ],
                share=context.share(node),
                ceiling=self.severity if (node.removed or 0.0) > rows(node) else Severity.INFO,
                title=f"Write the condition on {node_name(node)} so that the foreign server can evaluate it",
                reason="Immutable built-in functions and operators are sent along; functions of extensions are when the server's option `extensions` names them. "
                "use_remote_estimate lets the planner see what that saves.",
            )
