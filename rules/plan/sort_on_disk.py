"""sort-on-disk."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import index_for_order, number, work_mem

FACTOR = 3.0
"""Memory that rows take over their size on disk: a rule of thumb."""


class SortOnDisk(PlanRule):
    """A sort did not fit in work_mem and went to disk.

    ## Why it is slow
    An external sort writes everything to temporary files and reads it again, often several times.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SELECT note FROM orders ORDER BY status, note
    ```

    ## Good
    ```sql
    SET work_mem = '64MB';
    SELECT note FROM orders ORDER BY status, note
    ```
    """

    code = "PLN011"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if node.sort_space_type != "Disk" and not node.workers and not node.sort_groups:
                continue
            disks = [node.sort_space_kb or 0.0] if node.sort_space_type == "Disk" else []
            disks += [worker.sort_space_kb or 0.0 for worker in node.workers if worker.sort_space_type == "Disk"]
            disks += [group.peak_disk_kb for group in node.sort_groups if group.peak_disk_kb]
            if not disks:
                continue
            megabytes, code = work_mem(FACTOR * max(disks))
            key = without_literals(", ".join(node.sort_key))
            order = index_for_order(node.sort_key) if _of_one_table(node) else ""
            yield self.finding(
                context,
                node,
                f"A sort by {key} wrote {number(sum(disks))} kB to disk",
                [
                    Fact("disk", sum(disks) * 1024, "bytes"),
                    Fact("sort key", key),
                    Fact("method", node.sort_method or ""),
                    Fact("rows", rows(node), "rows"),
                ],
                share=context.share(node),
                title=f"Read the rows in order from an index on ({order}), or raise work_mem to {megabytes} MB for this query"
                if order
                else f"Raise work_mem to {megabytes} MB for this query, or sort fewer rows",
                reason="Rows take about three times as much in memory as on disk. "
                + ("An index that gives the order needs no sort at all; " if order else "")
                + "a LIMIT keeps only its first rows.",
                kind="setting",
                code=[code],
            )


def _of_one_table(node: PlanNode) -> bool:
    """Whether the rows sorted come from a single table, as it holds them: an aggregate's results have no index."""
    below = list(node.walk())
    return sum(1 for one in below if one.relation) == 1 and not any("Aggregate" in one.type for one in below)
