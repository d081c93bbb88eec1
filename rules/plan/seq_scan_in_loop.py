"""seq-scan-in-loop."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..condition import column, conjuncts, qualifier
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number

MIN_ROWS = 1_000.0
"""Read in all loops together: below it there is nothing to gain."""
EACH = 100.0
"""Rows a loop: a table of a page or two is read as quickly as any index."""


class SeqScanInLoop(PlanRule):
    """A table is scanned from end to end again for every row of the other side.

    ## Why it is slow
    A nested loop or a subquery runs its inner side once a row. With no index on what is compared there, each run
    reads the whole table: rows times rows.

    ## Setup
    ```sql
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE logins (user_id int, at int);
    INSERT INTO users SELECT n, 'u' FROM generate_series(1, 300) n;
    INSERT INTO logins SELECT n % 300, n FROM generate_series(1, 5000) n;
    ANALYZE users, logins;
    ```

    ## Bad
    ```sql
    SELECT u.id, (SELECT max(l.at) FROM logins l WHERE l.user_id = u.id) FROM users u
    ```

    ## Good
    ```sql
    SELECT u.id, l.at FROM users u LEFT JOIN (SELECT user_id, max(at) AS at FROM logins GROUP BY user_id) l ON l.user_id = u.id
    ```
    """

    code = "PLN004"
    severity = Severity.ERROR

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            loops = (node.actual_loops or 0.0) / node.processes
            if loops <= 1 or rows_read(node) < MIN_ROWS or node.id in context.around.claimed:
                continue
            if not any(below.parent_relationship in ("Inner", "SubPlan") for _, below in _way(context, node)):
                continue
            names = [column(one.left) or column(one.right) for one in conjuncts(node.filter or "")]
            found = [one for one in dict.fromkeys(names) if one] or _joined(context, node)
            if not node.filter and found and (index := context.leading_index(node, found)):
                yield self.silence(context, node, f"the index {index} is there, and the planner chose to read all rows")
                continue
            yield self.finding(
                context,
                node,
                f"{node_name(node)} is read from end to end {number(loops)} times: {number(rows_read(node))} rows in all",
                [
                    Fact("loops", node.actual_loops or 0.0),
                    Fact("rows read", rows_read(node), "rows"),
                    Fact("rows kept", rows(node), "rows"),
                ]
                + ([Fact("condition", without_literals(node.filter))] if node.filter else []),
                share=context.share(node),
                ceiling=self.severity if rows_read(node) >= EACH * (node.actual_loops or 1.0) else Severity.INFO,
                title=f"Index what is compared in {node_name(node)}" + (f": ({', '.join(found)})" if found else ""),
                reason="An index on the join key makes each run a look-up; a join instead of the subquery lets the table be read once.",
                kind="index",
                code=[create_index(node, found[:2])] if found else [],
            )


def _joined(context: PlanContext, node: PlanNode) -> list[str]:
    """The scan's own columns in the condition of the nearest join above."""
    for above in context.ancestors(node):
        condition = above.hash_cond or above.merge_cond or above.join_filter
        if condition is not None:
            sides = [side for one in conjuncts(condition) if one.operator == "=" for side in (one.left, one.right)]
            own = [name for side in sides if (name := column(side)) and qualifier(side) == node.alias]
            return list(dict.fromkeys(own))
    return []


def _way(context: PlanContext, node: PlanNode) -> Iterator[tuple[PlanNode, PlanNode]]:
    yield from context.path(node)
    yield node, node
