"""partition-prune-miss."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ..condition import bare, column, columns, conjuncts, constant
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule

MIN_CHILDREN = 4
MOST_FILLED = 0.25
"""Of the partitions scanned: with more, there is little to leave out."""


class PartitionPruneMiss(PlanRule):
    """All partitions are scanned though few of them hold rows that match.

    ## Why it is slow
    Partitions are left out only for conditions on the partition key itself. A function or a cast around the key hides
    it, and every partition is searched.

    ## Setup
    ```sql
    CREATE TABLE logs (day date, v int) PARTITION BY RANGE (day);
    CREATE TABLE logs1 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
    CREATE TABLE logs2 PARTITION OF logs FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
    CREATE TABLE logs3 PARTITION OF logs FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
    CREATE TABLE logs4 PARTITION OF logs FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
    INSERT INTO logs SELECT date '2024-01-01' + n % 120, n FROM generate_series(1, 20000) n;
    ANALYZE logs;
    ```

    ## Bad
    ```sql
    SELECT v FROM logs WHERE to_char(day, 'YYYY-MM') = '2024-02'
    ```

    ## Good
    ```sql
    SELECT v FROM logs WHERE day >= '2024-02-01' AND day < '2024-03-01'
    ```
    """

    code = "PLN039"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Append", "Merge Append"):
            if node.subplans_removed:
                continue
            scans = [
                one
                for child in node.children
                if (one := _scan(child)) is not None and one.actual_loops and one.rows is not None
            ]
            filled = [one for one in scans if rows(one) > 0]
            if len(scans) < MIN_CHILDREN or not scans[0].filter or len(filled) > MOST_FILLED * len(scans):
                continue
            key = _key(context, scans[0])
            hidden = [
                one.left
                for one in conjuncts(scans[0].filter)
                if constant(one.right)
                and columns(one.left)
                and column(one.left) is None
                and (key is None or {bare(name) for name in columns(one.left)} & key)
            ]
            same = len({len(one.filter or "") for one in scans}) <= 3
            if not hidden or not same:
                continue
            empty = [one for one in scans if not rows(one)]
            yield self.finding(
                context,
                node,
                f"{len(scans)} partitions are scanned, of which {len(filled)} hold matching rows",
                [
                    Fact("partitions scanned", len(scans)),
                    Fact("partitions with rows", len(filled)),
                    Fact("expression", without_literals(hidden[0])),
                ],
                share=context.share(*[below for one in empty for below in one.walk()]),
                ceiling=Severity.INFO if key is None else self.severity,
                title="Compare the partition key itself, with a range",
                reason="`key >= start AND key < end`, with values of the key's type, leaves the other partitions out; stable functions on the other side "
                "do so when the query starts.",
            )


def _scan(node: PlanNode) -> PlanNode | None:
    while node.relation is None and len(node.children) == 1:
        node = node.children[0]
    return node if node.relation is not None and node.type.endswith("Scan") else None


def _key(context: PlanContext, scan: PlanNode) -> set[str] | None:
    """Columns of the keys by which the table is split, at every level; None where the catalog is not known."""
    table, names = context.table(scan), set[str]()
    if table is None or context.around.schema is None:
        return None
    while table is not None and table.partition_of is not None:
        table = context.around.schema.table(table.partition_of, table.schema)
        if table is not None and table.partition_key is not None:
            names |= {bare(name) for name in columns(table.partition_key.partition("(")[2])}
    return names
