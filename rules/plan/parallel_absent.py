"""parallel-absent."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..condition import functions
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

LONG_MS = 200.0
HALF = 0.5
MIN_ROWS = 100_000.0


class ParallelAbsent(PlanRule):
    """A long scan runs in one process although it could be shared out.

    ## Why it is slow
    Parallel workers are ruled out by settings, by a function that is not PARALLEL SAFE, or by the kind of statement.

    ## Bad
    ```text
    Seq Scan on orders  (cost=0.00..121443.00 rows=5000000 width=4) (actual time=0.031..825.480 rows=5000000 loops=1)
      Filter: (check_it(id) > 0)
    Planning Time: 0.210 ms
    Execution Time: 1011.920 ms
    Settings: max_parallel_workers_per_gather = '0'
    ```

    ## Good
    ```text
    Seq Scan on orders  (cost=0.00..1443.00 rows=50000 width=4) (actual time=0.031..8.480 rows=50000 loops=1)
    Planning Time: 0.210 ms
    Execution Time: 11.920 ms
    ```
    """

    code = "PLN037"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        if any(node.type.startswith("Gather") for node in context.nodes) or any(
            node.modification is not None for node in context.nodes
        ):
            return
        workers = dict(context.plan.settings).get("max_parallel_workers_per_gather")
        for node in context.executed_as("Seq Scan"):
            if (node.self_ms or 0.0) < LONG_MS or context.share(node) < HALF or rows_read(node) < MIN_ROWS:
                continue
            called = list(functions(node.filter or ""))
            cause = (
                "max_parallel_workers_per_gather is 0"
                if workers == "0"
                else "a function in it may not be PARALLEL SAFE"
                if called
                else "its estimated cost or a setting rules it out"
            )
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of {node_name(node)} are read by one process: {cause}",
                [
                    Fact("rows read", rows_read(node), "rows"),
                    Fact("self time", round(node.self_ms or 0.0, 3), "ms"),
                    Fact("functions", ", ".join(called)),
                    Fact("max_parallel_workers_per_gather", workers or "default"),
                ],
                share=context.share(node) / 2,
                title="Allow parallel workers"
                if workers == "0"
                else "Mark functions that only read as PARALLEL SAFE"
                if called
                else "Return fewer rows, or see whether a setting keeps workers away",
                reason="A scan of this length is shared out among workers where nothing forbids it."
                if workers == "0" or called
                else "Each row that a worker hands over costs parallel_tuple_cost: where most rows are returned, one process "
                "is cheaper. min_parallel_table_scan_size and functions in the select list may rule workers out too.",
                kind="setting",
                code=[Code("Setting for one transaction", "sql", "SET LOCAL max_parallel_workers_per_gather = 2;")]
                if workers == "0"
                else [],
            )
