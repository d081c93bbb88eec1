"""heap-fetches."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ...analyzer.sql.identifier import quote_identifier
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_FETCHES = 100.0
MAX_RATIO = 0.1
"""Fetches per row read. A few per cent already cost more than the index saves; totals, since heap fetches are."""


class HeapFetches(PlanRule):
    """An index-only scan has to visit the table for many of its rows.

    ## Why it is slow
    The visibility map tells which pages hold only rows that everyone may see. After writes it is out of date until
    VACUUM has run, and the scan fetches from the table what the index already has.

    ## Setup
    ```sql
    CREATE TABLE stock (id int PRIMARY KEY, amount int) WITH (autovacuum_enabled = off);
    INSERT INTO stock SELECT n, n FROM generate_series(1, 50000) n;
    ANALYZE stock;
    ```

    ## Bad
    ```sql
    SELECT count(*) FROM stock WHERE id < 20000
    ```

    ## Good
    ```sql
    SELECT amount FROM stock WHERE id = 20
    ```
    """

    code = "PLN010"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Index Only Scan"):
            fetches, read = node.heap_fetches or 0.0, max(1.0, rows_read(node))
            if fetches < MIN_FETCHES or fetches <= MAX_RATIO * read:
                continue
            table = quote_identifier(node.relation or "?")
            yield self.finding(
                context,
                node,
                f"{number(fetches)} visits to the table {node_name(node)} for {number(read)} rows of an index-only scan",
                [
                    Fact("heap fetches", fetches, "rows"),
                    Fact("rows read", read, "rows"),
                    Fact("fetches per row", round(fetches / read, 3)),
                    Fact("index", node.index or ""),
                ],
                share=context.share(node),
                title=f"VACUUM {node_name(node)}, and let autovacuum do so earlier",
                reason="VACUUM marks the pages whose rows everyone may see; an earlier autovacuum keeps it so.",
                kind="setting",
                code=[
                    Code("Maintenance", "sql", f"VACUUM (ANALYZE) {table};"),
                    Code(
                        "Autovacuum",
                        "sql",
                        f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);",
                    ),
                ],
            )
