"""wrong-index-order-by."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import column, conjuncts, constant
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

PER_ROW = 10.0
MIN_REMOVED = 1_000.0


class WrongIndexOrderBy(PlanRule):
    """An index is walked in the order wanted, past very many rows, until the LIMIT is filled.

    ## Why it is slow
    The planner hopes that rows in the order of ORDER BY will soon match the filter too. When matching rows are rare,
    or all at the far end, it walks most of the table through the index. An index on the filtered columns with the
    ordering ones behind them has both.

    ## Setup
    ```sql
    CREATE TABLE jobs (id int PRIMARY KEY, owner int, created int, pad text);
    INSERT INTO jobs SELECT n, CASE WHEN n > 49900 THEN 7 ELSE n % 5 END, n, repeat('x', 80) FROM generate_series(1, 50000) n;
    CREATE INDEX ON jobs (created);
    ANALYZE jobs;
    ```

    ## Bad
    ```sql
    SET enable_seqscan = off;
    SELECT pad FROM jobs WHERE owner = 7 ORDER BY created LIMIT 5
    ```

    ## Good
    ```sql
    SELECT pad FROM jobs ORDER BY created LIMIT 5
    ```
    """

    code = "PLN007"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Index Scan", "Index Only Scan"):
            if not node.filter or node.id in context.around.claimed:
                continue
            limit = context.stops_early(node)
            if limit is None:
                continue
            removed = node.removed or 0.0
            if removed < max(PER_ROW * max(rows(limit), 1.0), MIN_REMOVED):
                continue
            equal = [column(one.left) for one in conjuncts(node.filter) if one.operator == "=" and constant(one.right)]
            found = [one for one in dict.fromkeys(equal) if one]
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of {node_name(node)} are walked in the order of {node.index} to return {number(rows(limit))}",
                [
                    Fact("rows walked", rows_read(node), "rows"),
                    Fact("rows returned", rows(limit), "rows"),
                    Fact("index", node.index or ""),
                    Fact("condition", without_literals(node.filter)),
                ],
                share=context.share(node),
                title=f"Index {node_name(node)} by what is filtered, then by what is ordered"
                + (f": ({', '.join(found)}, …)" if found else ""),
                reason=f"Equality columns first, the columns of {node.index} behind them: the first rows read are the ones returned. "
                "Until then, `ORDER BY column + 0` keeps the planner from this index.",
                kind="index",
            )
