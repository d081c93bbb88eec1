"""join-filter-waste."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..condition import column, conjuncts
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

PER_ROW = 10.0
MIN_REMOVED = 10_000.0
TITLE = "Join by an equality or by a range that an index can look up"
REASON = "An equality can be hashed; a range can be looked up in an index with LATERAL … ORDER BY … LIMIT 1, or by GiST on a range type."
HASHABLE_TITLE = "Let the equality be hashed: correct the estimates below, or index the inner side"
HASHABLE_REASON = "The join has an equality: fewer rows were expected than make a hash table pay, a LIMIT above asks for the first row, or a setting rules hashing out."


class JoinFilterWaste(PlanRule):
    """A nested loop compares every row with every row and throws nearly all pairs away.

    ## Why it is slow
    With no equality to look up or hash by, the join tests the product of both sides.

    ## Setup
    ```sql
    CREATE TABLE bands (lo int, hi int);
    INSERT INTO bands SELECT n * 10, n * 10 + 9 FROM generate_series(1, 500) n;
    CREATE TABLE marks (v int);
    INSERT INTO marks SELECT n FROM generate_series(1, 500) n;
    ANALYZE bands, marks;
    ```

    ## Bad
    ```sql
    SELECT count(*) FROM bands b JOIN marks m ON m.v > b.lo AND m.v < b.hi
    ```

    ## Good
    ```sql
    SELECT count(*) FROM bands b JOIN marks m ON m.v = b.lo
    ```
    """

    code = "PLN016"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            removed = node.removed_by_join_filter or 0.0
            if node.type not in ("Nested Loop", "Hash Join", "Merge Join") or removed < max(
                PER_ROW * rows(node), MIN_REMOVED
            ):
                continue
            yield self.finding(
                context,
                node,
                f"{number(removed)} pairs of rows are compared and thrown away to keep {number(rows(node))}",
                [
                    Fact("rows removed by join filter", removed, "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("condition", without_literals(node.join_filter or "")),
                ],
                share=_share(context, node),
                title=HASHABLE_TITLE if (equality := _equality(node)) else TITLE,
                reason=HASHABLE_REASON if equality else REASON,
            )


def _share(context: PlanContext, node: PlanNode) -> float:
    """Comparing, and giving the inner rows again and again; not what the outer side takes."""
    inner = [one for one in node.children if one.parent_relationship == "Inner" and node.type == "Nested Loop"]
    return context.share(node, *(below for one in inner for below in one.walk()))


def _equality(node: PlanNode) -> bool:
    """Whether the nested loop tests an equality of two columns, which other joins could look up."""
    return node.type == "Nested Loop" and any(
        one.operator == "=" and column(one.left) is not None and column(one.right) is not None
        for one in conjuncts(node.join_filter or "")
    )
