"""io-time-dominates."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_SHARE_OF_TIME = 0.5
MIN_WAIT_MS = 1.0
MIN_BLOCKS = 1_000
"""Blocks read, below which the next run finds them in the cache and nothing is to be changed."""


class IoTimeDominates(PlanRule):
    """The query waits for storage most of its time.

    ## Why it is slow
    With track_io_timing PostgreSQL tells how long it waited for blocks. When that is most of the execution, fewer
    blocks or faster storage is all that helps.

    ## Bad
    ```text
    Index Scan using orders_customer_id_idx on orders  (cost=0.42..8120.11 rows=4000 width=72) (actual time=0.310..880.480 rows=4000 loops=1)
      Index Cond: (customer_id = 42)
      Buffers: shared hit=12 read=3980
      I/O Timings: read=851.300
    Planning Time: 0.060 ms
    Execution Time: 884.120 ms
    ```

    ## Good
    ```text
    Index Scan using orders_customer_id_idx on orders  (cost=0.42..8120.11 rows=4000 width=72) (actual time=0.010..6.480 rows=4000 loops=1)
      Index Cond: (customer_id = 42)
      Buffers: shared hit=3980 read=12
      I/O Timings: read=0.900
    Planning Time: 0.060 ms
    Execution Time: 7.120 ms
    ```
    """

    code = "PLN031"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        waits = [(node, (node.self_io_ms or 0.0) / node.processes) for node in context.nodes]
        total = sum(ms for _, ms in waits)
        if not context.elapsed_ms or total < MIN_SHARE_OF_TIME * context.elapsed_ms or total < MIN_WAIT_MS:
            return
        node, most = max(waits, key=lambda one: one[1])
        yield self.finding(
            context,
            node,
            f"{number(total)} of {number(context.elapsed_ms)} ms are spent waiting for storage, most of it in {node_name(node)}",
            [
                Fact("time reading", round(total, 3), "ms"),
                Fact("time reading in this node", round(most, 3), "ms"),
                Fact("blocks read in this node", node.self_read or 0, "blocks"),
            ],
            share=context.share_of_ms(total),
            ceiling=self.severity if sum(one.self_read or 0 for one in context.nodes) >= MIN_BLOCKS else Severity.INFO,
            title=f"Read fewer blocks of {node_name(node)}, or read them faster",
            reason="An index that covers the query, rows in index order, more cache, or a higher effective_io_concurrency for bitmap scans.",
            kind="setting",
        )
