"""hash-batches."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number, work_mem


class HashBatches(PlanRule):
    """The hash table of a join did not fit in memory and was split into batches on disk.

    ## Why it is slow
    With several batches both sides of the join are written to temporary files and read again.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SET enable_mergejoin = off;
    SET enable_nestloop = off;
    SELECT max(b.note) FROM orders a JOIN orders b ON a.id = b.customer_id
    ```

    ## Good
    ```sql
    SET work_mem = '64MB';
    SELECT max(b.note) FROM orders a JOIN orders b ON a.id = b.customer_id
    ```
    """

    code = "PLN012"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            batches = (node.hash.batches or 1) if node.hash is not None else 1
            if node.type != "Hash" or node.hash is None or batches <= 1:
                continue
            original = node.hash.original_batches or batches
            megabytes, code = work_mem(2 * batches * (node.hash.peak_memory_kb or 4096.0))
            join = context.parent(node)
            grown = batches > original
            yield self.finding(
                context,
                node,
                f"The hash table of {number(rows(node))} rows was split into {batches} batches"
                + (f", {original} planned: more rows came than expected" if grown else ""),
                [
                    Fact("batches", batches),
                    Fact("planned batches", original),
                    Fact("peak memory", (node.hash.peak_memory_kb or 0.0) * 1024, "bytes"),
                    Fact("rows", rows(node), "rows"),
                    Fact("rows misestimated", grown),
                ],
                share=context.share(node, *([join] if join is not None else [])),
                title=f"Raise work_mem to {megabytes} MB (or hash_mem_multiplier) for this query",
                reason="In memory, each side is read once. Fewer columns, or a filter before the join, make the table smaller as well.",
                kind="setting",
                code=[code],
            )
