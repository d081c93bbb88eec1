"""nested-loop-high-loops."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, misestimate, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_LOOPS = 1_000.0
INNER_SHARE = 0.2
OFF = 10.0
LOOKUPS = ("Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Memoize", "Materialize")


class NestedLoopHighLoops(PlanRule):
    """A nested loop runs its inner side thousands of times, and that is where the time goes.

    ## Why it is slow
    A nested loop is right for few rows. When many more come than expected, thousands of look-ups are slower than
    reading the inner side once into a hash table.

    ## Setup
    ```sql
    CREATE TABLE tags (id int PRIMARY KEY, kind text, sub text);
    INSERT INTO tags SELECT n, 'k' || n % 50, 's' || n % 50 FROM generate_series(1, 100000) n;
    CREATE TABLE uses (tag_id int PRIMARY KEY, n int);
    INSERT INTO uses SELECT n, n FROM generate_series(1, 100000) n;
    ANALYZE tags, uses;
    ```

    ## Bad
    ```sql
    SELECT sum(u.n) FROM tags t JOIN uses u ON u.tag_id = t.id WHERE t.kind = 'k7' AND t.sub = 's7'
    ```

    ## Good
    ```sql
    SELECT sum(u.n) FROM tags t JOIN uses u ON u.tag_id = t.id WHERE t.id < 10
    ```
    """

    code = "PLN015"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Nested Loop"):
            if len(node.children) < 2:
                continue
            outer, inner = _sides(node)
            loops = (inner.actual_loops or 0.0) / node.processes
            if loops < MIN_LOOPS:
                continue
            share = context.subtree_share(inner)
            wrong = misestimate(outer) if context.complete(outer) else 1.0
            if share < INNER_SHARE and (wrong < OFF or _inherits(context, outer)):
                continue
            expected = wrong < OFF and inner.type in LOOKUPS
            yield self.finding(
                context,
                node,
                f"{node_name(inner)} is visited {number(loops)} times"
                + (f"; {number(outer.plan_rows)} rows were expected to ask for it" if wrong >= OFF else ""),
                [
                    Fact("inner loops", loops),
                    Fact("outer rows expected", outer.plan_rows, "rows"),
                    Fact("outer rows", rows(outer), "rows"),
                    Fact("outer misestimate", round(wrong, 1)),
                    Fact("inner share", round(share, 4)),
                ],
                share=share,
                ceiling=Severity.INFO if expected else self.severity,
                title=f"Let {node_name(inner)} be joined by hash, or make each visit cheaper",
                reason="Better statistics of the outer side let the planner see how many rows come; a MATERIALIZED CTE or a covering index "
                "on the inner key helps where they do not."
                if not expected
                else "The planner expected this many and took the look-ups for the cheaper way: a covering index makes each cheaper.",
            )


def _sides(node: PlanNode) -> tuple[PlanNode, PlanNode]:
    inputs = [child for child in node.children if child.parent_relationship not in ("InitPlan", "SubPlan")]
    return (inputs[0], inputs[1]) if len(inputs) > 1 else (node.children[0], node.children[1])


def _inherits(context: PlanContext, outer: PlanNode) -> bool:
    """Whether a loop below has the same wrong estimate already."""
    return any(
        one.type == "Nested Loop" and misestimate(_sides(one)[0]) >= OFF and context.complete(_sides(one)[0])
        for one in outer.walk()
        if len(one.children) > 1
    )
