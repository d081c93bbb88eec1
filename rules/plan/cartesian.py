"""cartesian."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ..condition import columns, conjuncts, constant, qualifier
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number


class Cartesian(PlanRule):
    """Every row of one side meets every row of the other: no condition joins them.

    ## Why it is slow
    The result has as many rows as the product of both sides. A join condition is nearly always missing; where the
    product is meant, CROSS JOIN says so.

    ## Setup
    ```sql
    CREATE TABLE reds (id int);
    INSERT INTO reds SELECT n FROM generate_series(1, 300) n;
    CREATE TABLE blues (id int);
    INSERT INTO blues SELECT n FROM generate_series(1, 300) n;
    ANALYZE reds, blues;
    ```

    ## Bad
    ```sql
    SELECT r.id, b.id FROM reds r, blues b
    ```

    ## Good
    ```sql
    SELECT r.id, b.id FROM reds r JOIN blues b ON b.id = r.id
    ```
    """

    code = "PLN017"
    severity = Severity.ERROR

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Nested Loop"):
            if node.join_type not in (None, "Inner") or node.join_filter:
                continue
            inputs = [child for child in node.children if child.parent_relationship in ("Outer", "Inner")]
            if len(inputs) != 2:
                continue
            outer, inner = inputs
            each = inner.actual_rows if inner.actual_rows is not None else inner.plan_rows
            many = rows(outer)
            if (
                min(each, many) <= 1
                or not 0.9 * many * each <= rows(node) <= 1.1 * many * each
                or not (_tables(outer) and _tables(inner))
                or _depends(outer, inner)
                or _compared(outer) & _compared(inner)
            ):
                continue
            if (
                context.around.in_workload
                and context.around.statement is not None
                and context.around.statement.problem is None
            ):
                yield self.silence(context, node, "the rule cartesian-join reads this from the statement itself")
                continue
            yield self.finding(
                context,
                node,
                f"{number(many)} rows meet {number(each)} rows each, without a condition: {number(rows(node))} rows",
                [
                    Fact("outer rows", many, "rows"),
                    Fact("inner rows", each, "rows"),
                    Fact("rows of the product", rows(node), "rows"),
                ],
                share=context.subtree_share(node),
                title=f"Join {_names(outer)} and {_names(inner)} by a condition",
                reason="Where the product is meant, write CROSS JOIN.",
            )


def _depends(outer: PlanNode, inner: PlanNode) -> bool:
    """Whether the inner side is looked up, or computed, by what the outer side gives."""
    aliases = {node.alias or node.relation for node in outer.walk()} - {None}
    for node in inner.walk():
        if node.type in ("Function Scan", "Table Function Scan", "Memoize", "ProjectSet", "WorkTable Scan"):
            return True
        told = (
            node.index_cond,
            node.recheck_cond,
            node.filter,
            node.tid_cond,
            node.join_filter,
            node.hash_cond,
            node.one_time_filter,
            *node.output,
        )
        for text in told:
            if text and any(qualifier(one) in aliases for one in columns(text)):
                return True
    return False


def _tables(side: PlanNode) -> bool:
    """Whether rows of a table take part: VALUES and functions are joined to every row on purpose."""
    return any(one.relation or one.cte_name for one in side.walk())


def _compared(side: PlanNode) -> set[str]:
    """What columns of the side are equal to. `a.k = b.k AND a.k = 7` is planned as `a.k = 7` and `b.k = 7`: the same value
    on both sides is a condition between them."""
    texts = [
        text
        for node in side.walk()
        for text in (node.index_cond, node.recheck_cond, node.filter, node.one_time_filter)
        if text
    ]
    return {
        one.right
        for text in texts
        for one in conjuncts(text)
        if one.operator == "=" and columns(one.left) and constant(one.right)
    }


def _names(node: PlanNode) -> str:
    return next((one.relation for one in node.walk() if one.relation), node_name(node))
