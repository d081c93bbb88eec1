"""stale-stats."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.schema import Table
from ..condition import column, columns, conjuncts
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, misestimate, rows, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import analyze, number

FACTOR = 10.0
MANY = 100.0
CHANGED = 0.1
"""Of the table: what autovacuum itself takes as the time to analyse again."""
PATTERNS = ("~~", "~~*", "~", "~*", "!~~", "!~~*", "!~", "!~*")
GUESSED = ("@>", "<@", "@@", "@@@", "&&", "?", "?|", "?&", "@?", "<<", ">>", "-|-")
GUESSES = (0.001, 0.005, 0.01)
"""Shares that the planner takes for containment and text search where no statistics can tell (contsel, tsmatchsel, areasel,
matchingsel)."""
GROWN = 2.0
"""Rows a whole scan has seen over those the catalog tells of, or the other way round."""
SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")


class StaleStats(PlanRule):
    """The statistics of a table are older than its contents, and the planner counts rows that are no longer there.

    ## Why it is slow
    The planner knows a table by what ANALYZE last saw. After a bulk load or a mass delete it plans for a table that
    does not exist any more, until autovacuum comes by.

    ## Setup
    ```sql
    CREATE TABLE events (id int, kind int) WITH (autovacuum_enabled = off);
    INSERT INTO events SELECT n, n % 10 FROM generate_series(1, 100) n;
    ANALYZE events;
    INSERT INTO events SELECT n, 77 FROM generate_series(1, 50000) n;
    CREATE TABLE kinds (id int, name text);
    INSERT INTO kinds SELECT n, 'k' FROM generate_series(1, 100) n;
    ANALYZE kinds;
    ```

    ## Bad
    ```sql
    SELECT count(*) FROM events WHERE kind = 77
    ```

    ## Good
    ```sql
    SELECT count(*) FROM kinds
    ```
    """

    code = "PLN002"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            factor = misestimate(node)
            if node.type not in SCANS or factor < FACTOR or max(rows(node), node.plan_rows) < MANY:
                continue
            if not context.complete(node):
                continue
            table = context.table(node)
            whole = not node.filter and not node.index_cond and not node.recheck_cond and node.type == "Seq Scan"
            changed = table.modified if table is not None else None
            if not whole and (not _aged(node, table) or _guessed(node, table)):
                continue
            facts = [
                Fact("expected rows per loop", node.plan_rows, "rows"),
                Fact("actual rows per loop", node.actual_rows or 0.0, "rows"),
                Fact("factor", round(factor, 1)),
            ]
            if table is not None and changed is not None:
                facts += [
                    Fact("rows changed since ANALYZE", changed, "rows"),
                    Fact("rows at the last ANALYZE", table.rows or 0.0, "rows"),
                ]
            yield self.finding(
                context,
                node,
                f"The statistics of {node_name(node)} are stale: {number(node.plan_rows)} rows were expected, {number(node.actual_rows or 0.0)} came",
                facts,
                share=context.subtree_share(node),
                title=f"ANALYZE {node_name(node)}, and let autovacuum do so earlier",
                reason="Autovacuum analyses a table when a tenth of it has changed; a lower autovacuum_analyze_scale_factor makes it "
                "come sooner, and after a bulk load ANALYZE belongs into the job itself.",
                kind="setting",
                code=[analyze(node)],
            )


def _guessed(node: PlanNode, table: Table | None) -> bool:
    """Whether the estimate is one of the planner's constants, or of an expression it knows nothing of: ANALYZE would not
    change it."""
    asked = conjuncts(node.filter or node.recheck_cond or node.index_cond or "")
    if any(one.operator in PATTERNS or (columns(one.left) and column(one.left) is None) for one in asked):
        return True
    if table is None or not any(one.operator in GUESSED for one in asked):
        return False
    return any(abs(node.plan_rows - (table.rows or 0.0) * share) <= max(1.0, 0.2 * node.plan_rows) for share in GUESSES)


def _aged(node: PlanNode, table: Table | None) -> bool:
    """Whether the catalog says so: by the changes counted since ANALYZE, or by a size that the scan itself disproves."""
    if table is None or table.rows is None:
        return False
    if (table.modified or 0) > CHANGED * max(table.rows, MANY):
        return True
    read = rows_read(node) / max(1.0, node.actual_loops or 1.0)
    return node.type == "Seq Scan" and max(read, table.rows) >= GROWN * max(1.0, min(read, table.rows))
