"""lossy-bitmap."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number, work_mem


class LossyBitmap(PlanRule):
    """The bitmap of rows did not fit in work_mem, so whole pages are read and checked again.

    ## Why it is slow
    A bitmap that outgrows work_mem remembers pages instead of rows. Every row of these pages is then tested again.

    ## Setup
    ```sql
    CREATE TABLE points (id int, v int, pad text);
    INSERT INTO points SELECT n, (n * 7919) % 1000, repeat('x', 300) FROM generate_series(1, 60000) n;
    CREATE INDEX ON points (v);
    ANALYZE points;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SET enable_seqscan = off;
    SET enable_indexscan = off;
    SELECT count(pad) FROM points WHERE v < 300
    ```

    ## Good
    ```sql
    SET work_mem = '8MB';
    SELECT count(pad) FROM points WHERE v < 3
    ```
    """

    code = "PLN009"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            lossy = node.lossy_heap_blocks or 0
            if lossy <= 0:
                continue
            exact = node.exact_heap_blocks or 0
            if exact <= 0:
                # An index that knows pages only (BRIN) gives nothing else, whatever the memory.
                continue
            megabytes, code = work_mem(4 * _memory_kb(context))
            yield self.finding(
                context,
                node,
                f"{number(lossy)} of {number(lossy + exact)} pages of {node_name(node)} were remembered as a whole, and {number(node.removed_by_recheck or 0.0)} "
                "rows tested in vain",
                [
                    Fact("lossy pages", lossy, "blocks"),
                    Fact("exact pages", exact, "blocks"),
                    Fact("rows removed by recheck", node.removed_by_recheck or 0.0, "rows"),
                ],
                share=context.share(node) * lossy / (lossy + exact),
                title=f"Raise work_mem to {megabytes} MB for this query, or use a more selective index",
                reason="With enough memory the bitmap names each row, and nothing is tested twice.",
                kind="setting",
                code=[code],
            )


def _memory_kb(context: PlanContext) -> float:
    """work_mem as the plan's settings tell it, else PostgreSQL's default of 4 MB."""
    value = dict(context.plan.settings).get("work_mem", "4MB")
    for unit, factor in (("kB", 1.0), ("MB", 1024.0), ("GB", 1024.0 * 1024.0)):
        if value.endswith(unit) and value.removesuffix(unit).isdigit():
            return float(value.removesuffix(unit)) * factor
    return 4096.0
