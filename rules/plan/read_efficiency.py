"""read-efficiency."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_BLOCKS = 1_000
"""joe's limit of what is much to touch."""
MIN_RATIO = 50.0
SPARSE = 0.5
"""Rows a page: no row is larger than a page, so a table with fewer is mostly dead space. Wide rows read for a narrow column
are none of the table's fault."""
SCANS = ("Seq Scan", "Index Scan", "Bitmap Heap Scan")
"""Not those of an index alone (`heap-fetches` tells what they read besides), and none in a loop, which meets the same blocks
again."""


class ReadEfficiency(PlanRule):
    """A scan reads far more data than its rows hold.

    ## Why it is slow
    Rows spread over the whole table cost a page each; a bloated table has pages that hold hardly any rows. Either way
    most of what is read is not wanted.

    ## Setup
    ```sql
    CREATE TABLE bloated (id int, pad text) WITH (autovacuum_enabled = off);
    INSERT INTO bloated SELECT n, repeat('x', 500) FROM generate_series(1, 40000) n;
    DELETE FROM bloated WHERE id % 1000 <> 0;
    ANALYZE bloated;
    CREATE TABLE dense (id int);
    INSERT INTO dense SELECT n FROM generate_series(1, 40) n;
    ANALYZE dense;
    ```

    ## Bad
    ```sql
    SELECT id FROM bloated
    ```

    ## Good
    ```sql
    SELECT id FROM dense
    ```
    """

    code = "PLN029"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as(*SCANS):
            if not 0 < (node.actual_loops or 0.0) <= node.processes:
                continue
            blocks = (node.buffers or 0) + sum(
                child.buffers or 0 for child in node.children if child.type.startswith("Bitmap")
            )
            if blocks < MIN_BLOCKS:
                continue
            kept, removed = rows(node), (node.removed or 0.0) + (node.removed_by_recheck or 0.0)
            useful = max(kept, 1.0) * max(node.plan_width, 8)
            ratio = blocks * 8192 / useful
            if ratio < MIN_RATIO or removed > kept:
                continue
            whole = node.type == "Seq Scan" and rows_read(node) < SPARSE * blocks
            yield self.finding(
                context,
                node,
                f"{number(blocks * 8)} kB of {node_name(node)} are read for {number(kept)} rows of {node.plan_width} bytes",
                [
                    Fact("blocks read", blocks, "blocks"),
                    Fact("rows kept", kept, "rows"),
                    Fact("row width", node.plan_width, "bytes"),
                    Fact("read over useful", round(ratio, 1)),
                ],
                share=context.share(node),
                ceiling=self.severity if whole else Severity.INFO,
                title=f"Rewrite {node_name(node)} without its dead space"
                if whole
                else f"Cover the columns in an index of {node_name(node)}, or order the table by it",
                reason="pg_repack does it without a lock; VACUUM FULL locks the table; an earlier autovacuum keeps it from coming back."
                if whole
                else "A covering index reads no table pages; CLUSTER or pg_repack puts rows that are read together side by side.",
                kind="setting",
            )
