"""materialize-spill."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number, work_mem

KEEPERS = (
    "Materialize",
    "CTE Scan",
    "WindowAgg",
    "Function Scan",
    "Table Function Scan",
    "Recursive Union",
    "WorkTable Scan",
)


class MaterializeSpill(PlanRule):
    """An intermediate result is kept on disk because it does not fit in work_mem.

    ## Why it is slow
    Materialize, CTE scans, window functions and set-returning functions keep rows to read them again. Above work_mem
    that is a temporary file.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    WITH o AS MATERIALIZED (SELECT * FROM orders) SELECT count(*) FROM o a JOIN o b ON a.id = b.id + 1
    ```

    ## Good
    ```sql
    SELECT max(b.id) FROM orders a JOIN orders b ON a.id = b.id + 1
    ```
    """

    code = "PLN014"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if node.type not in KEEPERS or not (node.self_temp or node.storage == "Disk"):
                continue
            kilobytes = node.storage_kb if node.storage_kb and node.storage == "Disk" else (node.self_temp or 0) * 8.0
            megabytes, code = work_mem(2 * kilobytes)
            cte = node.type == "CTE Scan"
            yield self.finding(
                context,
                node,
                f"{_kept(node)} takes {number(kilobytes)} kB in a temporary file",
                [
                    Fact("disk", kilobytes * 1024, "bytes"),
                    Fact("temporary blocks written", node.self_temp or 0, "blocks"),
                    Fact("rows", rows(node), "rows"),
                ],
                share=context.share(node),
                title=_remedy(node, megabytes),
                reason="Only what is used later has to be kept; what fits in work_mem is kept in memory.",
                kind="sql-rewrite" if cte else "setting",
                code=[code],
            )


def _kept(node: PlanNode) -> str:
    """What the node keeps, as the beginning of a sentence."""
    if "Function Scan" in node.type:
        return f"The result of {node_name(node)}"
    name = node.cte_name or ""
    return f"What {node.type}{f' of {name}' if name else ''} keeps"


def _remedy(node: PlanNode, megabytes: int) -> str:
    if node.type == "CTE Scan":
        return f"Let the CTE {node.cte_name} be NOT MATERIALIZED, or select fewer columns in it"
    if node.type == "Function Scan":
        # There a function that gives its rows one by one is asked for them one by one.
        return f"Let {node_name(node)} give fewer rows, or call it in a select list, which keeps none; else raise work_mem to {megabytes} MB"
    return f"Keep fewer columns, or raise work_mem to {megabytes} MB for this query"
