"""volatile-fn-per-row."""

from collections.abc import Iterator

from ..builtin_functions import BUILTIN_FUNCTIONS
from ..condition import bare, functions
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import number

MIN_ROWS = 1_000.0
SLOW_MS = 100.0
"""Fewer rows are worth a word when the calls took this long."""
MIN_US = 2.0
"""Microseconds a row: several times what PostgreSQL's own operators take."""
MS_A_BLOCK = 0.02
"""Below it the time may go into reading."""


class VolatileFnPerRow(PlanRule):
    """A function of your own is called for every row, and that is where the time goes.

    ## Why it is slow
    A VOLATILE or PL/pgSQL function is called row by row: it can be neither inlined nor computed once.

    ## Setup
    ```sql
    CREATE FUNCTION taxed(v int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM count(*) FROM generate_series(1, 20); RETURN v * 2; END $$;
    CREATE TABLE sums (id int, v int);
    INSERT INTO sums SELECT n, n FROM generate_series(1, 1500) n;
    ANALYZE sums;
    ```

    ## Bad
    ```sql
    SELECT id FROM sums WHERE taxed(v) < 0
    ```

    ## Good
    ```sql
    SELECT id FROM sums WHERE v * 2 < 0
    ```
    """

    code = "PLN049"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if not node.type.endswith("Scan") and node.type not in ("Result", "ProjectSet"):
                continue
            # What a Function Scan runs is called once a loop, whatever number of rows it gives.
            calls = node.actual_loops or 0.0 if node.type == "Function Scan" else rows_read(node)
            read = max(1.0, calls)
            if (
                (node.type == "Function Scan" and calls < MIN_ROWS)
                or not node.self_ms
                or (read < MIN_ROWS and node.self_ms < SLOW_MS)
                or node.self_ms * 1000 < MIN_US * read / node.processes
            ):
                continue
            if node.buffers and node.self_ms / node.buffers < MS_A_BLOCK:
                continue
            told = (node.function_call or "",) if node.type == "Function Scan" else (node.filter or "", *node.output)
            called = [one for text in told for one in functions(text) if not _known(one)]
            if not called:
                continue
            names = ", ".join(dict.fromkeys(called))
            yield self.finding(
                context,
                node,
                f"{names} is called for {number(read)} rows of {node_name(node)}: {node.self_ms * 1000 / read:.1f} µs a row",
                [
                    Fact("functions", names),
                    Fact("rows", read, "rows"),
                    Fact("self time", round(node.self_ms, 3), "ms"),
                    Fact("blocks", node.buffers or 0, "blocks"),
                ],
                share=context.share(node),
                ms=node.self_ms,
                title=f"Mark {names} STABLE or IMMUTABLE if it is, write it in SQL, or call it for fewer rows",
                reason="An SQL function can be inlined; an immutable one can be indexed; a set-based query does the work of all rows in one go.",
            )


def _known(name: str) -> bool:
    return (
        name.startswith("pg_catalog.")
        or bare(name).lower().startswith("st_")
        or ("." not in name and name.lower() in BUILTIN_FUNCTIONS)
    )
