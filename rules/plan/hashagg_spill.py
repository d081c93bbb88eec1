"""hashagg-spill."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number, work_mem

FACTOR = 3.0
"""Memory over size on disk: a rule of thumb."""


class HashaggSpill(PlanRule):
    """Grouping by hash did not fit in memory and spilled to disk.

    ## Why it is slow
    Groups that do not fit are written to temporary files and grouped later, batch after batch.

    ## Setup
    ```sql
    CREATE TABLE clicks (id int, page int);
    INSERT INTO clicks SELECT n, n FROM generate_series(1, 60000) n;
    ANALYZE clicks;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SET enable_sort = off;
    SELECT page, count(*) FROM clicks GROUP BY page
    ```

    ## Good
    ```sql
    SET work_mem = '64MB';
    SELECT page, count(*) FROM clicks GROUP BY page
    ```
    """

    code = "PLN013"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if "Aggregate" not in node.type:
                continue
            tables = [table for table in (node.hash, *(worker.hash for worker in node.workers)) if table is not None]
            disk = sum(table.disk_kb or 0.0 for table in tables)
            batches = max((table.batches or 1 for table in tables), default=1)
            if batches <= 1 and not disk:
                continue
            megabytes, code = work_mem(max(disk, 4096.0) * FACTOR)
            yield self.finding(
                context,
                node,
                f"Grouping {number(rows(node))} groups took {batches} batches and {number(disk)} kB on disk",
                [
                    Fact("batches", batches),
                    Fact("disk", disk * 1024, "bytes"),
                    Fact("groups", rows(node), "rows"),
                    Fact("group key", without_literals(", ".join(node.group_key))),
                ],
                share=context.share(node),
                title=f"Raise work_mem to {megabytes} MB (or hash_mem_multiplier) for this query",
                reason="In memory each row is grouped once. An index on the group key lets rows come in order, group by group.",
                kind="setting",
                code=[code],
            )
