"""low-cache-hit."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_READ = 1_000
MIN_RATIO = 0.9


class LowCacheHit(PlanRule):
    """Much of what the query reads is not in PostgreSQL's cache.

    ## Why it is slow
    Blocks not in shared_buffers come from the operating system, at best from its cache, at worst from the disk. A
    second run tells whether it was only the first.

    ## Bad
    ```text
    Seq Scan on orders  (cost=0.00..12346.00 rows=500000 width=72) (actual time=0.031..212.480 rows=500000 loops=1)
      Buffers: shared hit=96 read=7250
    Planning Time: 0.060 ms
    Execution Time: 240.120 ms
    ```

    ## Good
    ```text
    Seq Scan on orders  (cost=0.00..12346.00 rows=500000 width=72) (actual time=0.011..62.480 rows=500000 loops=1)
      Buffers: shared hit=7346
    Planning Time: 0.060 ms
    Execution Time: 81.220 ms
    ```
    """

    code = "PLN030"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        usage = context.plan.root.usage
        if usage is None or usage.shared_read < MIN_READ:
            return
        ratio = usage.shared_hit / (usage.shared_hit + usage.shared_read)
        if ratio >= MIN_RATIO:
            return
        node = max(context.nodes, key=lambda one: one.self_read or 0)
        timed = node.self_io_ms or 0.0
        yield self.finding(
            context,
            node,
            f"{number(usage.shared_read)} of {number(usage.shared_hit + usage.shared_read)} blocks were not in PostgreSQL's cache, most of {node_name(node)}",
            [
                Fact("blocks hit", usage.shared_hit, "blocks"),
                Fact("blocks read", usage.shared_read, "blocks"),
                Fact("hit ratio", round(ratio, 3)),
                Fact("time reading", round(timed, 3), "ms"),
            ],
            share=context.share_of_ms(timed / node.processes) if timed else context.share(node),
            title="Read less (an index first), then give PostgreSQL more cache; run it again to see it warm",
            reason="A block counts as read although the operating system may have had it in memory.",
            kind="setting",
        )
