"""seq-scan-high-filter."""

from collections.abc import Iterator
from functools import lru_cache
from textwrap import shorten

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..condition import column, columns, conjuncts
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number
from . import contains_without_gin, implicit_cast, leading_wildcard, nonsargable_function, or_same_table

REMOVED_PER_ROW = 2.0
"""Rows thrown away per row kept: the rule explain.depesz.com has used for years."""
MIN_BYTES = 3 * 8192
"""Three pages are read at once, whatever the index."""
MOST_TITLE = 80
"""Characters of a condition that stand in a title."""
PRECISE: tuple[PlanRule, ...] = (
    contains_without_gin.ContainsWithoutGin(),
    implicit_cast.ImplicitCast(),
    leading_wildcard.LeadingWildcard(),
    nonsargable_function.NonsargableFunction(),
    or_same_table.OrSameTable(),
)
"""They say what of the condition is at fault, and what to do."""


class SeqScanHighFilter(PlanRule):
    """A sequential scan reads many rows and its filter throws most of them away.

    ## Why it is slow
    Every call reads the whole table, so its time grows with the table and not with the result. An index on the
    filtered columns leads to the rows wanted.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT note FROM orders WHERE customer_id = 42
    ```

    ## Good
    ```sql
    SELECT note FROM orders WHERE id = 42
    ```
    """

    code = "PLN003"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            if not node.filter or node.id in context.around.claimed:
                continue
            if node.removed is None:
                continue
            if node.removed <= REMOVED_PER_ROW * rows(node) or rows_read(node) * node.plan_width <= MIN_BYTES:
                continue
            names = _indexable(node)
            if not names and node.id in _told(context):
                continue
            condition = without_literals(node.filter)
            where = f" on ({', '.join(names)})" if names else f" for {shorten(condition, MOST_TITLE, placeholder=' …')}"
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of {node_name(node)} are read one after the other to keep {number(rows(node))}",
                [
                    Fact("rows read", rows_read(node), "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("rows removed by filter", node.removed, "rows"),
                    Fact("condition", condition),
                ],
                share=context.share(node),
                ceiling=self.severity if selective(node) else Severity.INFO,
                title=f"Index {node_name(node)}{where} so that the rows wanted are found, not searched for",
                reason="Columns compared for equality come first, a range last. `queryproof analyze` proves the index before you keep it.",
                kind="index",
                code=[create_index(node, names)] if names else [],
            )


@lru_cache(maxsize=1)
def _told(context: PlanContext) -> frozenset[int | None]:
    """Ids of the scans that a rule speaks of which knows why no plain index helps there."""
    return frozenset(
        one.plan_node
        for rule in PRECISE
        for one in rule.looked(context)
        if isinstance(one, Finding) and one.severity is not Severity.INFO
    )


def _indexable(node: PlanNode) -> list[str]:
    """Columns compared with a value by an operator that a B-tree serves: equality first, then one range."""
    equal, ranged = [], []
    for one in conjuncts(node.filter or ""):
        name = column(one.left)
        if name is not None and not columns(one.right):
            if one.operator == "=":
                equal.append(name)
            elif one.operator in ("<", ">", "<=", ">="):
                ranged.append(name)
    return list(dict.fromkeys(equal + ranged[:1]))
