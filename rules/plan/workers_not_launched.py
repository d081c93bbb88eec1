"""workers-not-launched."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_rule import PlanRule


class WorkersNotLaunched(PlanRule):
    """Fewer parallel workers were started than the plan counts on.

    ## Why it is slow
    The plan was chosen for a number of workers that the server did not have left: the rest of them does all the work.

    ## Bad
    ```text
    Gather  (cost=1000.00..9000.00 rows=100 width=72) (actual time=0.310..180.480 rows=100 loops=1)
      Workers Planned: 2
      Workers Launched: 0
      ->  Parallel Seq Scan on orders  (cost=0.00..8000.00 rows=42 width=72) (actual time=0.100..179.480 rows=100 loops=1)
            Filter: (note = 'y'::text)
            Rows Removed by Filter: 20
    Planning Time: 0.060 ms
    Execution Time: 181.120 ms
    ```

    ## Good
    ```text
    Gather  (cost=1000.00..9000.00 rows=100 width=72) (actual time=0.310..80.480 rows=100 loops=1)
      Workers Planned: 2
      Workers Launched: 2
      ->  Parallel Seq Scan on orders  (cost=0.00..8000.00 rows=42 width=72) (actual time=0.100..79.480 rows=33 loops=3)
            Filter: (note = 'y'::text)
            Rows Removed by Filter: 7
    Planning Time: 0.060 ms
    Execution Time: 81.120 ms
    ```
    """

    code = "PLN035"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if (
                node.workers_planned is None
                or node.workers_launched is None
                or node.workers_launched >= node.workers_planned
            ):
                continue
            yield self.finding(
                context,
                node,
                f"{node.workers_launched} of {node.workers_planned} workers were started",
                [Fact("workers planned", node.workers_planned), Fact("workers launched", node.workers_launched)],
                share=context.subtree_share(node) * (1 - (1 + node.workers_launched) / (1 + node.workers_planned)),
                title="Raise max_parallel_workers and max_worker_processes, or run fewer parallel queries at once",
                reason="Workers come from one pool for the whole server; EXPLAIN shows the last loop's number.",
                kind="setting",
                code=[
                    Code(
                        "Server setting",
                        "sql",
                        "ALTER SYSTEM SET max_parallel_workers = 16;  -- and max_worker_processes, which needs a restart",
                    )
                ],
            )
