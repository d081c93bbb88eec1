"""or-same-table."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import arms, column, comparison
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number


class OrSameTable(PlanRule):
    """An OR over several columns of one table, for which no index serves all arms, scans the table.

    ## Why it is slow
    A scan by index is possible for an OR only when every arm has an index: then their bitmaps are united. One arm
    without, and the whole table is read.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT note FROM orders WHERE customer_id = 42 OR note = 'y'
    ```

    ## Good
    ```sql
    SELECT note FROM orders WHERE id = 42 OR id = 43
    ```
    """

    code = "PLN019"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            if (
                not node.filter
                or " OR " not in node.filter
                or (node.removed is not None and node.removed <= 2 * rows(node))
            ):
                continue
            for arm in arms(node.filter, "AND"):
                parts = arms(arm, "OR")
                compared = [comparison(part) for part in parts]
                names = [column(one.left) if one is not None else None for one in compared]
                found = list(dict.fromkeys(one for one in names if one))
                if len(parts) < 2 or len(found) < 2 or len(names) != len([one for one in names if one]):
                    continue
                table = context.table(node)
                missing = [
                    one
                    for one in found
                    if table is None or not any(index.columns[:1] == (one,) for index in table.indexes)
                ]
                if not missing:
                    continue
                yield self.finding(
                    context,
                    node,
                    f"{number(rows_read(node))} rows of {node_name(node)} are read for an OR over {', '.join(found)}",
                    [
                        Fact("condition", without_literals(node.filter)),
                        Fact("columns without an index", ", ".join(missing)),
                        Fact("rows read", rows_read(node), "rows"),
                        Fact("rows kept", rows(node), "rows"),
                    ],
                    share=context.share(node),
                    ceiling=self.severity if selective(node) else Severity.INFO,
                    title=f"Index each column of the OR: {', '.join(missing)}",
                    reason="With an index for every arm their bitmaps are united; UNION ALL of one query an arm does the same by hand.",
                    kind="index",
                    code=[create_index(node, [one]) for one in missing],
                )
