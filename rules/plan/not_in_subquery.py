"""not-in-subquery."""

import re
from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..condition import columns, qualifier
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule
from ..remedy import number


class NotInSubquery(PlanRule):
    """NOT IN with a subquery that is not hashed: each row is compared with all rows of the subquery.

    ## Why it is slow
    NOT IN must take NULLs into account, so it cannot become an anti-join. When the subquery's result does not fit in
    hash memory, it is searched from the beginning for every row: rows times rows.

    ## Setup
    ```sql
    CREATE TABLE lists (id int PRIMARY KEY);
    CREATE TABLE banned (id int);
    INSERT INTO lists SELECT n FROM generate_series(1, 400) n;
    INSERT INTO banned SELECT n * 2 FROM generate_series(1, 8000) n;
    ANALYZE lists, banned;
    ```

    ## Bad
    ```sql
    SET work_mem = '64kB';
    SET hash_mem_multiplier = 1;
    SELECT count(*) FROM lists WHERE id NOT IN (SELECT id FROM banned)
    ```

    ## Good
    ```sql
    SELECT count(*) FROM lists l WHERE NOT EXISTS (SELECT FROM banned b WHERE b.id = l.id)
    ```
    """

    code = "PLN021"
    severity = Severity.ERROR

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            for child in node.children:
                if (
                    child.parent_relationship != "SubPlan"
                    or not child.subplan_name
                    or not _unhashed_not_in(node, child)
                ):
                    continue
                loops = child.actual_loops or 0.0
                table = next((one.relation for one in child.walk() if one.relation), "the subquery")
                yield self.finding(
                    context,
                    node,
                    f"NOT IN compares each row with all rows of {table}"
                    + (f", {number(loops)} times" if loops else ""),
                    [
                        Fact("condition", without_literals(node.filter or node.join_filter or "")),
                        Fact("loops of the subquery", loops),
                        Fact("rows of the subquery", child.plan_rows, "rows"),
                    ],
                    share=max(context.subtree_share(child), context.share(node)),
                    title=f"Ask with NOT EXISTS instead of NOT IN whether {table} has the row",
                    reason="NOT EXISTS becomes an anti-join. It differs where the subquery gives a NULL: NOT IN then returns no row at all. "
                    "More work_mem lets PostgreSQL hash the subquery, as long as it fits.",
                )


def _unhashed_not_in(node: PlanNode, child: PlanNode) -> bool:
    text, name = f"{node.filter or ''} {node.join_filter or ''} {node.one_time_filter or ''}", child.subplan_name or ""
    if re.search(rf"NOT \((?:ALL|ANY) \(.*\({re.escape(name)}\)\.col", text) or re.search(
        rf"<> ALL \(.*\({re.escape(name)}\)\.col", text
    ):
        return True
    # Before PostgreSQL 17 NOT EXISTS looks the same; only that of NOT IN can be without a column from outside.
    return f"NOT ({name})" in text and (child.type == "Materialize" or not _correlated(child))


def _correlated(child: PlanNode) -> bool:
    inside = {one.alias or one.relation or one.cte_name for one in child.walk()}
    for one in child.walk():
        for text in (one.filter, one.index_cond, one.recheck_cond, one.join_filter, one.hash_cond, one.one_time_filter):
            if text and any(qualifier(name) not in inside for name in columns(text) if qualifier(name)):
                return True
    return False
