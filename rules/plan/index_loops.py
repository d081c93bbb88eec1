"""index-loops."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_LOOPS = 10_000.0


class IndexLoops(PlanRule):
    """An index is looked up tens of thousands of times, one row after the other.

    ## Why it is slow
    Each look-up walks down the index and fetches a page. For so many, reading the table once into a hash table is
    often faster.

    ## Setup
    ```sql
    CREATE TABLE lines (id int, item int);
    INSERT INTO lines SELECT n, n FROM generate_series(1, 30000) n;
    CREATE TABLE items (id int PRIMARY KEY, price int);
    INSERT INTO items SELECT n, n FROM generate_series(1, 30000) n;
    ANALYZE lines, items;
    ```

    ## Bad
    ```sql
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET enable_memoize = off;
    SELECT sum(i.price) FROM lines l JOIN items i ON i.id = l.item
    ```

    ## Good
    ```sql
    SELECT sum(i.price) FROM lines l JOIN items i ON i.id = l.item
    ```
    """

    code = "PLN043"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            loops = node.actual_loops or 0.0
            if (
                node.type not in ("Index Scan", "Index Only Scan")
                or loops < MIN_LOOPS
                or not node.index_cond
                or (node.buffers is not None and node.buffers < loops)
            ):
                continue
            yield self.finding(
                context,
                node,
                f"{node.index} is looked up {number(loops)} times, touching {number(node.buffers or 0)} pages",
                [
                    Fact("loops", loops),
                    Fact("blocks touched", node.buffers or 0, "blocks"),
                    Fact("rows", rows(node), "rows"),
                    Fact("index", node.index or ""),
                ],
                share=context.share(node),
                ceiling=Severity.INFO if context.expected_loops(node) else self.severity,
                title=f"Let {node_name(node)} be joined by hash, or cover the columns read in its index",
                reason="A hash join reads the table once; with INCLUDE columns a look-up need not visit the table.",
            )
