"""write-cost."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

MIN_PART = 0.2
MIN_ROWS = 1_000.0


class WriteCost(PlanRule):
    """Writing or locking rows is where the statement's time goes.

    ## Why it is slow
    Every changed row is written to the table, to each of its indexes and to the WAL; a first change of a page after a
    checkpoint writes the whole page to the WAL.

    ## Setup
    ```sql
    CREATE TABLE counters (id int PRIMARY KEY, a int, b int, c int);
    INSERT INTO counters SELECT n, n, n, n FROM generate_series(1, 20000) n;
    CREATE INDEX ON counters (a);
    CREATE INDEX ON counters (b);
    CREATE INDEX ON counters (c);
    ANALYZE counters;
    ```

    ## Bad
    ```sql
    UPDATE counters SET a = a + 1
    ```

    ## Good
    ```sql
    UPDATE counters SET a = a + 1 WHERE id = 7
    ```
    """

    code = "PLN048"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("ModifyTable", "LockRows"):
            if context.share(node) < MIN_PART:
                continue
            handled = max((rows(child) for child in node.children if child.parent_relationship == "Outer"), default=0.0)
            if handled < MIN_ROWS:
                continue
            usage, change = node.usage, node.modification
            table = context.table(node)
            facts = [Fact("rows", handled, "rows"), Fact("self time", round(node.self_ms or 0.0, 3), "ms")]
            if usage is not None and usage.wal_bytes:
                facts += [
                    Fact("WAL", usage.wal_bytes, "bytes"),
                    Fact("full pages in the WAL", usage.wal_full_pages or 0),
                ]
            if change is not None and change.conflicting:
                facts.append(Fact("conflicting rows", change.conflicting, "rows"))
            if table is not None:
                facts.append(Fact("indexes", len(table.indexes)))
            word = "locked" if node.type == "LockRows" else "written"
            yield self.finding(
                context,
                node,
                f"{number(handled)} rows {'of ' + node.relation + ' ' if node.relation else ''}are {word}, which takes most of the time",
                facts,
                share=context.share(node),
                title="Lock fewer rows"
                if word == "locked"
                else "Write in batches, and keep only the indexes that are used",
                reason="Each index less is a write less for each row; without an index on the changed columns, and with free space in the page (fillfactor), "
                "an update stays in its page (HOT).",
            )
