"""external-merge-join-sorts."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import bare, column
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import create_index, number


class ExternalMergeJoinSorts(PlanRule):
    """A merge join sorts its input on disk first.

    ## Why it is slow
    Both sides of a merge join have to be in order. A sort that does not fit in memory costs more than the join
    itself.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SET enable_hashjoin = off;
    SET enable_nestloop = off;
    SELECT count(*) FROM orders a JOIN orders b ON a.note = b.status
    ```

    ## Good
    ```sql
    SET enable_hashjoin = off;
    SET enable_nestloop = off;
    SELECT count(*) FROM orders a JOIN orders b ON a.id = b.id
    ```
    """

    code = "PLN045"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Merge Join"):
            for child in node.children:
                sort = child.children[0] if child.type == "Materialize" and child.children else child
                disk = (sort.sort_space_kb or 0.0) if sort.sort_space_type == "Disk" else 0.0
                disk += sum(group.peak_disk_kb or 0.0 for group in sort.sort_groups)
                if "Sort" not in sort.type or not disk:
                    continue
                scan = next((one for one in sort.walk() if one.relation), None)
                key = without_literals(", ".join(sort.sort_key))
                plain = [column(one) for one in sort.sort_key]
                columns = ", ".join(one for one in plain if one) if all(plain) else key
                yield self.finding(
                    context,
                    sort,
                    f"{number(rows(sort))} rows are sorted on disk ({number(disk)} kB) for a merge join",
                    [Fact("disk", disk * 1024, "bytes"), Fact("sort key", key), Fact("rows", rows(sort), "rows")],
                    share=context.share(sort),
                    title=f"Index ({columns}){' of ' + scan.relation if scan is not None and scan.relation else ''}, or let a hash join do it with more work_mem",
                    reason="An index gives the order without a sort; a hash join needs none.",
                    kind="index",
                    code=[create_index(scan, [bare(one) for one in sort.sort_key])]
                    if scan is not None and all(column(one) for one in sort.sort_key)
                    else [],
                )
