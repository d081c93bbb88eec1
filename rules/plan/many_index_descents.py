"""many-index-descents."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

PER_LOOP = 10.0
MIN_SEARCHES = 50.0
LISTED = 2.0
"""Searches for a row found, up to which a list of values is looked up as well as can be."""


class ManyIndexDescents(PlanRule):
    """One scan descends its index again and again.

    ## Why it is slow
    Each value of an ANY() list, and each value of a leading column that the condition skips, is a search from the
    root of the index. PostgreSQL 18 counts them.

    ## Bad
    ```text
    Index Only Scan using shops_region_code_idx on shops  (cost=0.29..900.31 rows=10 width=8) (actual time=0.031..3.032 rows=10 loops=1)
      Index Cond: (code = 42)
      Heap Fetches: 0
      Index Searches: 802
    Planning Time: 0.110 ms
    Execution Time: 3.120 ms
    ```

    ## Good
    ```text
    Index Only Scan using shops_code_idx on shops  (cost=0.29..8.31 rows=10 width=8) (actual time=0.011..0.032 rows=10 loops=1)
      Index Cond: (code = 42)
      Heap Fetches: 0
      Index Searches: 1
    Planning Time: 0.110 ms
    Execution Time: 0.120 ms
    ```
    """

    code = "PLN042"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if not node.index_searches:
                continue
            searches, loops = node.index_searches, max(1.0, node.actual_loops or 1.0)
            if searches < max(PER_LOOP * loops, MIN_SEARCHES):
                continue
            listed = "ANY (" in (node.index_cond or "")
            if listed and searches <= LISTED * max(rows(node), loops):
                continue
            place = context.relation(node) or node
            yield self.finding(
                context,
                node,
                f"{number(searches)} searches in {node.index} for {number(loops)} loops"
                + ("" if listed else ": its leading column is skipped"),
                [
                    Fact("index searches", searches),
                    Fact("loops", loops),
                    Fact("index", node.index or ""),
                    Fact("condition", without_literals(node.index_cond or "")),
                    Fact("list", listed),
                ],
                share=context.share(node),
                ceiling=Severity.INFO if listed else self.severity,
                title=f"Index {node_name(place)} with the compared columns first",
                reason="An index that begins with what is compared needs one search; a long list may be quicker as a join with unnest().",
                kind="index",
            )
