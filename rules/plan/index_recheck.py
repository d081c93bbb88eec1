"""index-recheck."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_REMOVED = 100.0


class IndexRecheck(PlanRule):
    """The index gives candidates of which most fail when the row itself is looked at.

    ## Why it is slow
    GIN and GiST indexes of patterns and shapes are inexact: every candidate is fetched and tested again. Short
    patterns, or an operator class that does not fit, make nearly every candidate a wrong one.

    ## Setup
    ```sql
    CREATE TABLE words (w text);
    INSERT INTO words SELECT 'abcx cxbc xbcd ' || n FROM generate_series(1, 5000) n;
    INSERT INTO words SELECT 'uvwxyz ' || n FROM generate_series(1, 500) n;
    CREATE INDEX ON words USING gin (w gin_trgm_ops);
    ANALYZE words;
    ```

    ## Bad
    ```sql
    SET enable_seqscan = off;
    SELECT w FROM words WHERE w LIKE '%abcxbcd%'
    ```

    ## Good
    ```sql
    SET enable_seqscan = off;
    SELECT w FROM words WHERE w LIKE '%uvwxyz%'
    ```
    """

    code = "PLN008"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            removed = node.removed_by_recheck or 0.0
            if (
                removed <= rows(node)
                or removed < MIN_REMOVED
                or node.lossy_heap_blocks
                or any(one.lossy_heap_blocks for one in node.walk())
            ):
                continue
            index = node.index or next((one.index for one in node.walk() if one.index), None) or "the index"
            yield self.finding(
                context,
                node,
                f"{number(removed)} candidates that {index} gave fail on recheck, {number(rows(node))} are kept",
                [
                    Fact("rows removed by recheck", removed, "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("index", index),
                ],
                share=context.share(node, *node.children),
                title=f"Make the condition on {node_name(node)} more selective for its index",
                reason="A longer pattern, another operator class, or a B-tree where equality or a prefix is all that is asked.",
            )
