"""plan-regression."""

from collections.abc import Iterator

from ...analyzer.postgres.plan_shape import plan_shape
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_rule import PlanRule

SLOWER = 2.0
MIN_LOSS_MS = 1.0
"""Below it noise is as large."""


class PlanRegression(PlanRule):
    """The same statement has a new plan, and is at least twice as slow with it.

    ## Why it is slow
    Statistics, settings, indexes or the table itself have changed, and with them the planner's choice. The plan
    before shows what to get back to.

    ## Bad
    ```text
    2026-01-01 10:00:00.000 UTC [7] LOG:  duration: 1.200 ms  plan:
        Query Text: SELECT note FROM orders WHERE customer_id = 42
        Index Scan using orders_customer_id_idx on orders  (cost=0.29..8.31 rows=10 width=61) (actual time=0.020..1.100 rows=10 loops=1)
              Index Cond: (customer_id = 42)
    2026-01-01 11:00:00.000 UTC [7] LOG:  duration: 41.800 ms  plan:
        Query Text: SELECT note FROM orders WHERE customer_id = 43
        Seq Scan on orders  (cost=0.00..1443.00 rows=10 width=61) (actual time=0.031..41.480 rows=10 loops=1)
              Filter: (customer_id = 43)
              Rows Removed by Filter: 12
    ```

    ## Good
    ```text
    2026-01-01 10:00:00.000 UTC [7] LOG:  duration: 1.200 ms  plan:
        Query Text: SELECT note FROM orders WHERE customer_id = 42
        Index Scan using orders_customer_id_idx on orders  (cost=0.29..8.31 rows=10 width=61) (actual time=0.020..1.100 rows=10 loops=1)
              Index Cond: (customer_id = 42)
    2026-01-01 11:00:00.000 UTC [7] LOG:  duration: 2.800 ms  plan:
        Query Text: SELECT note FROM orders WHERE customer_id = 43
        Index Scan using orders_customer_id_idx on orders  (cost=0.29..8.31 rows=10 width=61) (actual time=0.031..2.480 rows=10 loops=1)
              Index Cond: (customer_id = 43)
    ```
    """

    code = "PLN052"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        plan, elapsed = context.plan, context.elapsed_ms
        if elapsed is None or not context.around.earlier:
            return
        now = plan_shape(plan.root)
        others = [one for one in context.around.earlier if plan_shape(one.root) != now and one.elapsed_ms is not None]
        times = [one.elapsed_ms for one in others if one.elapsed_ms is not None]
        if not times:
            return
        before = sum(times) / len(times)
        if elapsed < SLOWER * before or elapsed - before < MIN_LOSS_MS:
            return
        yield self.finding(
            context,
            None,
            f"A new plan takes {elapsed:.1f} ms where the one before took {before:.1f} ms",
            [
                Fact("time before", round(before, 3), "ms"),
                Fact("time now", round(elapsed, 3), "ms"),
                Fact("factor", round(elapsed / max(before, 0.001), 1)),
                Fact("plans before", len(times)),
                Fact("shape before", plan_shape(others[-1].root)),
                Fact("shape now", now),
            ],
            share=context.share_of_ms(elapsed - before),
            title="Compare the two plans: queryproof explain --compare BEFORE AFTER",
            reason="Look first at row estimates that have gone wrong, then at indexes and settings that are gone.",
            kind="setting",
        )
