"""slow-count."""

import re
from collections.abc import Iterator, Sequence

from ...analyzer.plan import PlanNode
from ...analyzer.recommendation import Code
from ...analyzer.sql.identifier import quote_identifier
from ..finding import Fact, Finding, LookedAt, Severity
from ..partitions import parent_of
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number

MANY = 10_000.0
ESTIMATE = "SELECT reltuples::bigint FROM pg_class WHERE oid ="
OF_PARTITIONS = "SELECT sum(greatest(c.reltuples, 0))::bigint FROM pg_partition_tree('{}') p JOIN pg_class c ON c.oid = p.relid WHERE p.isleaf"
OF_PARTS = "SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE oid IN"
QUOTE = "'"
OTHERS = re.compile(r"\b(sum|avg|min|max|string_agg|array_agg|jsonb?_agg|stddev\w*|var\w*|bool_\w+|every)\(")
"""Where these are asked for too, the rows have to be read."""
SLOW_MS = 100.0
"""Below it a count is worth knowing, no more; so is one with a condition, which no counter could replace."""
SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Foreign Scan")
PASSING = ("Gather", "Gather Merge", "Append", "Bitmap Index Scan")
"""Between a scan and its count these change no number of rows."""


class SlowCount(PlanRule):
    """count(*) reads very many rows to return one number.

    ## Why it is slow
    PostgreSQL keeps no row count: every count(*) visits every row that it counts.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
    INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, repeat('x', 60) FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT count(*) FROM orders
    ```

    ## Good
    ```sql
    SELECT max(id) FROM orders
    ```
    """

    code = "PLN028"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        node = context.plan.root
        while node.type in ("Limit", "Result", "Subquery Scan") and len(node.children) == 1:
            node = node.children[0]
        if node.type != "Aggregate" or node.group_key or not node.children or not _counts(node):
            return
        below = list(_counted(node))[1:]
        counted = sum(rows(one) for one in below if one.relation and one.type in SCANS)
        if counted < MANY:
            return
        elapsed = context.elapsed_ms or 0.0
        bare = _one_table(context, below) and all(map(_keeps_all, below))
        yield self.finding(
            context,
            node,
            f"{number(counted)} rows are read to be counted",
            [Fact("rows counted", counted, "rows")],
            share=context.subtree_share(node),
            ceiling=self.severity if bare and elapsed >= SLOW_MS else Severity.INFO,
            title="Estimate the number, keep a counter, or count by a narrow index"
            if bare
            else "Show the planner's estimate of the rows, or count up to a limit",
            reason="pg_class.reltuples is near enough for display; a counter kept by triggers is exact; an index-only scan reads far less "
            "where VACUUM is up to date."
            if bare
            else "The rows that EXPLAIN expects are near enough for display; count(*) over a subquery with LIMIT 1001 tells that there are "
            "more than 1 000.",
            code=[Code("Estimate", "sql", _estimate(context, below))] if bare else [],
        )


def _counts(node: PlanNode) -> bool:
    if node.output:
        return all(re.search(r"\bcount\(", one) and not OTHERS.search(one) for one in node.output)
    # Without VERBOSE: count(*) alone gives one bigint, and needs no column of what it counts.
    below = node.children[0]
    if below.partial_mode == "Partial" or below.type.startswith("Gather"):
        return node.plan_width == 8 and below.plan_width == 8
    return node.plan_width == 8 and below.plan_width == 0


def _counted(node: PlanNode) -> Iterator[PlanNode]:
    """What hands its rows up to the count: not what a subquery in a condition reads."""
    if node.actual_loops == 0:
        return
    yield node
    for child in node.children:
        in_condition = child.parent_relationship in ("InitPlan", "SubPlan")
        if not in_condition or (child.subplan_name or "").startswith("CTE "):
            yield from _counted(child)


def _keeps_all(node: PlanNode) -> bool:
    """Whether as many rows leave the node as its table has."""
    if node.filter or node.index_cond or node.recheck_cond:
        return False
    return node.type in (*SCANS, *PASSING) or (node.type == "Aggregate" and node.partial_mode == "Partial")


def _one_table(context: PlanContext, below: Sequence[PlanNode]) -> bool:
    """Whether a single table is read, or partitions of a single one."""
    named = [one for one in below if one.relation]
    parents = {parent_of(context, one) for one in named}
    return len(named) == 1 or (len(parents) == 1 and None not in parents)


def _estimate(context: PlanContext, below: Sequence[PlanNode]) -> str:
    named = next((one for one in below if one.relation), None)
    parent = parent_of(context, named) if named is not None else None
    if parent is not None and parent.name is not None:
        return f"{OF_PARTITIONS.format(parent.quoted.replace(QUOTE, 2 * QUOTE))};"
    if parent is not None:
        # Nobody tells the name of the table above them.
        parts = sorted({quote_identifier(one.relation) for one in below if one.relation})
        listed = ", ".join(f"'{one.replace(QUOTE, 2 * QUOTE)}'::regclass" for one in parts)
        return f"{OF_PARTS} ({listed});"
    table = quote_identifier(named.relation or "?") if named is not None else "?"
    return f"{ESTIMATE} '{table.replace(QUOTE, 2 * QUOTE)}'::regclass;"
