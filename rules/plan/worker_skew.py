"""worker-skew."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

SKEW = 2.0
"""The largest share over the mean."""
MIN_ROWS = 10_000.0


class WorkerSkew(PlanRule):
    """One parallel process did most of the work while the others waited.

    ## Why it is slow
    The whole is as slow as its slowest process. Rows that lie together, or values that are very common, can end up
    with one worker.

    ## Bad
    ```text
    Gather  (cost=1000.00..9000.00 rows=90000 width=72) (actual time=0.310..180.480 rows=90000 loops=1)
      Workers Planned: 2
      Workers Launched: 2
      ->  Parallel Seq Scan on public.orders  (cost=0.00..8000.00 rows=37500 width=72) (actual time=0.100..60.000 rows=30000 loops=3)
            Worker 0:  actual time=0.100..3.000 rows=1000 loops=1
            Worker 1:  actual time=0.100..2.000 rows=1000 loops=1
    Planning Time: 0.060 ms
    Execution Time: 181.120 ms
    ```

    ## Good
    ```text
    Gather  (cost=1000.00..9000.00 rows=90000 width=72) (actual time=0.310..80.480 rows=90000 loops=1)
      Workers Planned: 2
      Workers Launched: 2
      ->  Parallel Seq Scan on public.orders  (cost=0.00..8000.00 rows=37500 width=72) (actual time=0.100..60.000 rows=30000 loops=3)
            Worker 0:  actual time=0.100..60.000 rows=30000 loops=1
            Worker 1:  actual time=0.100..60.000 rows=31000 loops=1
    Planning Time: 0.060 ms
    Execution Time: 81.120 ms
    ```
    """

    code = "PLN036"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if not node.workers:
                continue
            counts = [
                (worker.actual_rows or 0.0) * (worker.actual_loops or 0.0)
                for worker in node.workers
                if worker.actual_loops is not None
            ]
            if not counts or node.processes < 2 or rows(node) < MIN_ROWS or not node.type.endswith("Scan"):
                continue
            leader = max(0.0, rows(node) - sum(counts))
            each = [*counts, leader] if node.processes > len(counts) else counts
            mean = sum(each) / len(each)
            if max(each) < SKEW * mean:
                continue
            yield self.finding(
                context,
                node,
                f"One of {len(each)} processes handled {number(max(each))} of {number(rows(node))} rows of {node_name(node)}",
                [
                    Fact("most rows of one process", max(each), "rows"),
                    Fact("mean rows a process", round(mean, 1), "rows"),
                    Fact("processes", len(each)),
                ],
                share=context.share(node) * (1 - mean / max(each)),
                title="Nothing to do for a single run: look whether it stays so",
                reason="The leader also starts before its workers do.",
                kind="setting",
            )
