"""memoize-ineffective."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_rule import PlanRule
from ..remedy import number

MIN_LOOKUPS = 100.0


class MemoizeIneffective(PlanRule):
    """A cache of look-ups is missed more often than it is hit, or overflows.

    ## Why it is slow
    Memoize pays when keys repeat. The planner expected that by the column's number of distinct values; where that is
    wrong, every key is looked up and stored in vain.

    ## Bad
    ```text
    Nested Loop  (cost=0.43..9000.00 rows=5000 width=8) (actual time=0.05..22.00 rows=5000 loops=1)
      ->  Seq Scan on lines l  (cost=0.00..80.00 rows=5000 width=4) (actual time=0.01..0.90 rows=5000 loops=1)
      ->  Memoize  (cost=0.43..1.80 rows=1 width=4) (actual time=0.004..0.004 rows=1 loops=5000)
            Cache Key: l.item
            Cache Mode: logical
            Hits: 0  Misses: 4999  Evictions: 3100  Overflows: 0  Memory Usage: 65kB
            ->  Index Scan using items_pkey on items i  (cost=0.42..1.79 rows=1 width=4) (actual time=0.002..0.002 rows=1 loops=4999)
                  Index Cond: (id = l.item)
    Planning Time: 0.110 ms
    Execution Time: 23.120 ms
    ```

    ## Good
    ```text
    Nested Loop  (cost=0.43..900.00 rows=5000 width=8) (actual time=0.05..2.50 rows=5000 loops=1)
      ->  Seq Scan on lines l  (cost=0.00..80.00 rows=5000 width=4) (actual time=0.01..0.90 rows=5000 loops=1)
      ->  Memoize  (cost=0.43..0.46 rows=1 width=4) (actual time=0.0001..0.0002 rows=1 loops=5000)
            Cache Key: l.item
            Cache Mode: logical
            Hits: 4990  Misses: 10  Evictions: 0  Overflows: 0  Memory Usage: 2kB
            ->  Index Scan using items_pkey on items i  (cost=0.42..1.79 rows=1 width=4) (actual time=0.002..0.002 rows=1 loops=10)
                  Index Cond: (id = l.item)
    Planning Time: 0.110 ms
    Execution Time: 2.620 ms
    ```
    """

    code = "PLN044"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            cache = node.memoize
            if cache is None or cache.hits is None:
                continue
            hits, misses, lost = cache.hits, cache.misses or 0.0, (cache.evictions or 0.0) + (cache.overflows or 0.0)
            if hits + misses < MIN_LOOKUPS or (hits >= misses and not lost):
                continue
            yield self.finding(
                context,
                node,
                f"{number(hits)} hits, {number(misses)} misses"
                + (f" and {number(lost)} entries pushed out" if lost else "")
                + f" in the cache of {cache.key or 'look-ups'}",
                [
                    Fact("hits", hits),
                    Fact("misses", misses),
                    Fact("evictions", cache.evictions or 0.0),
                    Fact("overflows", cache.overflows or 0.0),
                    Fact("peak memory", (cache.peak_memory_kb or 0.0) * 1024, "bytes"),
                ],
                share=context.share(node)
                if hits < misses and not lost
                else context.subtree_share(node) * misses / (hits + misses),
                title="Correct the number of distinct values of the key"
                if hits < misses
                else "Raise work_mem for this query",
                reason="ALTER TABLE … ALTER COLUMN … SET (n_distinct = -1) tells the planner that keys hardly repeat; more memory keeps all entries.",
                kind="setting",
            )
