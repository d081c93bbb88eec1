"""jit-overhead."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, misestimate
from ..plan_rule import PlanRule
from ..remedy import number

MIN_PART = 0.1
"""Of the execution time, a process; the total that EXPLAIN prints sums the leader and its workers."""


class JitOverhead(PlanRule):
    """Compiling the query took a good part of the time that running it did.

    ## Why it is slow
    JIT compiles expressions to machine code when the estimated cost is high. For a query of some hundred milliseconds
    the compiler may take longer than what it saves. An estimate far too high is often the cause.

    ## Bad
    ```text
    Aggregate  (cost=1693.00..1693.01 rows=1 width=8) (actual time=88.812..88.813 rows=1 loops=1)
      ->  Seq Scan on orders  (cost=0.00..1443.00 rows=50000 width=4) (actual time=0.031..5.480 rows=50000 loops=1)
    Planning Time: 0.210 ms
    JIT:
      Functions: 3
      Options: Inlining true, Optimization true, Expressions true, Deforming true
      Timing: Generation 0.621 ms, Inlining 21.203 ms, Optimization 31.180 ms, Emission 22.890 ms, Total 75.894 ms
    Execution Time: 96.720 ms
    ```

    ## Good
    ```text
    Aggregate  (cost=1693.00..1693.01 rows=1 width=8) (actual time=11.812..11.813 rows=1 loops=1)
      ->  Seq Scan on orders  (cost=0.00..1443.00 rows=50000 width=4) (actual time=0.031..5.480 rows=50000 loops=1)
    Planning Time: 0.210 ms
    Execution Time: 11.920 ms
    ```
    """

    code = "PLN032"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        jit = context.plan.jit
        if jit is None or not jit.total_ms or not context.elapsed_ms:
            return
        processes = 1 + max((node.workers_launched or 0 for node in context.nodes), default=0)
        each = jit.total_ms / processes
        if each < MIN_PART * context.elapsed_ms:
            return
        worst = max(
            (misestimate(node) for node in context.executed if node.plan_rows > (node.actual_rows or 0.0)), default=1.0
        )
        yield self.finding(
            context,
            None,
            f"Compiling {jit.functions} functions took {number(each)} of {number(context.elapsed_ms)} ms",
            [
                Fact("JIT time, all processes", jit.total_ms, "ms"),
                Fact("processes", processes),
                Fact("functions", jit.functions),
                Fact("optimization", jit.optimization_ms or 0.0, "ms"),
                Fact("emission", jit.emission_ms or 0.0, "ms"),
                Fact("largest overestimate of rows", round(worst, 1)),
            ],
            share=context.share_of_ms(each),
            title="Turn JIT off for this role, or raise jit_above_cost",
            reason="JIT pays for queries of seconds. Where the rows are overestimated, mend the estimate: the cost falls with it.",
            kind="setting",
            code=[Code("Setting for one transaction", "sql", "SET LOCAL jit = off;")],
        )
