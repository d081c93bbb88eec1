"""inefficient-index."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import column, conjuncts
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number

PER_ROW = 10.0
MIN_REMOVED = 1_000.0
SCANS = ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")


class InefficientIndex(PlanRule):
    """The index leads to many rows of which the filter throws nearly all away.

    ## Why it is slow
    An index that matches a part of the condition only fetches every row for that part from the table, in random
    order, just to discard it. One that holds the filtered columns too, or a partial one, never touches those rows.

    ## Setup
    ```sql
    CREATE TABLE visits (id int PRIMARY KEY, site int, state text, pad text);
    INSERT INTO visits SELECT n, n % 5, 's' || n % 2000, repeat('x', 100) FROM generate_series(1, 50000) n;
    CREATE INDEX ON visits (site);
    ANALYZE visits;
    ```

    ## Bad
    ```sql
    SET enable_seqscan = off;
    SELECT pad FROM visits WHERE site = 3 AND state = 's3'
    ```

    ## Good
    ```sql
    SELECT pad FROM visits WHERE site = 3 AND id = 8
    ```
    """

    code = "PLN006"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as(*SCANS):
            if not node.filter or node.id in context.around.claimed:
                continue
            removed = node.removed or 0.0
            if removed < max(PER_ROW * max(rows(node), 1.0), MIN_REMOVED):
                continue
            if not (node.index_cond or node.recheck_cond) and context.stops_early(node):
                continue
            names = [
                column(one.left)
                for one in (*conjuncts(node.index_cond or node.recheck_cond or ""), *conjuncts(node.filter))
                if one.operator == "="
            ]
            found = [one for one in dict.fromkeys(names) if one]
            index = node.index or next((one.index for one in node.walk() if one.index), None) or "the index"
            table = context.table(node)
            part = (
                next((one.predicate for one in table.indexes if one.name == index), None) if table is not None else None
            )
            yield self.finding(
                context,
                node,
                f"{index} leads to {number(rows_read(node))} rows of {node_name(node)}, of which {number(rows(node))} are kept",
                [
                    Fact("rows read", rows_read(node), "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("rows removed by filter", removed, "rows"),
                    Fact("index", index),
                    Fact("condition", without_literals(node.filter)),
                ],
                share=context.share(node, *node.children),
                title=f"Put the filtered columns into an index of {node_name(node)}"
                + (f": ({', '.join(found)})" if found else "")
                + (", as partial as this one" if part else ""),
                reason="The columns of the index condition and those of the filter in one index; a partial index where the filter is "
                "always the same constant.",
                kind="index",
                code=[create_index(node, found, predicate=part or "")] if found else [],
            )
