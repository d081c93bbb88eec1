"""wide-rows."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

MANY_BYTES = 10e6
WIDE = 200
"""Bytes a row from which carrying it costs more than its key."""


class WideRows(PlanRule):
    """Many wide rows are returned, sorted or hashed.

    ## Why it is slow
    Columns nobody reads are still fetched, carried through every sort and hash, turned into text and sent. Large
    values cost a further look into their TOAST table each.

    ## Setup
    ```sql
    CREATE TABLE pages (id int PRIMARY KEY, title text, body text);
    INSERT INTO pages SELECT n, 't' || n, repeat('lorem ', 200) FROM generate_series(1, 12000) n;
    ANALYZE pages;
    ```

    ## Bad
    ```sql
    SELECT * FROM pages
    ```

    ## Good
    ```sql
    SELECT id, title FROM pages WHERE id < 100
    ```
    """

    code = "PLN041"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        root = context.plan.root
        serialized = context.plan.serialization
        size = rows(root) * root.plan_width
        if root.modification is None and (
            size >= MANY_BYTES or (serialized is not None and (serialized.volume_kb or 0.0) * 1024 >= MANY_BYTES)
        ):
            ms = (serialized.ms or 0.0) if serialized is not None else 0.0
            sent = (serialized.volume_kb or 0.0) * 1024 if serialized is not None else 0.0
            yield self.finding(
                context,
                root,
                f"{number(max(size, sent) / 1e6)} MB are returned: {number(rows(root))} rows of {root.plan_width} bytes",
                [
                    Fact("rows returned", rows(root), "rows"),
                    Fact("row width", root.plan_width, "bytes"),
                    Fact("bytes returned", max(size, sent), "bytes"),
                    Fact("columns", len(root.output)),
                    Fact("time to serialize", round(ms, 3), "ms"),
                ],
                share=max(context.share_of_ms(ms), context.share(root)),
                ceiling=Severity.WARNING if context.share_of_ms(ms) >= 0.1 else Severity.INFO,
                title="Name the columns that are used",
                reason="In SQLAlchemy: load_only() or deferred() columns. EXPLAIN (SERIALIZE) tells what sending costs.",
            )
        for node in context.executed_as("Sort", "Hash"):
            if node.plan_width < WIDE or rows(node) * node.plan_width < MANY_BYTES:
                continue
            yield self.finding(
                context,
                node,
                f"{number(rows(node))} rows of {node.plan_width} bytes are carried through a {node.type.lower()}",
                [
                    Fact("rows", rows(node), "rows"),
                    Fact("row width", node.plan_width, "bytes"),
                    Fact("bytes", rows(node) * node.plan_width, "bytes"),
                ],
                share=context.share(node),
                ceiling=Severity.INFO,
                title="Sort or join by keys first, and fetch the wide columns for what is left",
                reason="Only the key has to go through it.",
            )
