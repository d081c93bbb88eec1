"""missing-index."""

from collections.abc import Iterator

from ...analyzer.plan import ExplainedQuery, PlanNode
from ...analyzer.recommendation import Evidence
from ...analyzer.schema import Table
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import QueryGroup
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..rule import Case, Rule

MIN_ROWS = 1_000
"""Below this many rows a sequential scan takes well under a millisecond."""
MIN_BYTES = 3 * 8192
"""Bytes read: three pages are read at once whatever the index."""
REMOVED_PER_ROW = 2.0
"""Rows thrown away per row kept; the limit explain.depesz.com has used for years."""
MIN_SHARE = 0.05
"""Of the execution time: below it there is nothing to gain."""
HEAP_ROWS = 300
"""Rows fetched from the table by an index scan before leaving the table alone pays."""
COVERED_COLUMNS = 4
"""More columns than this in an index, and it is a copy of the table."""
SCANS = ("Index Scan", "Bitmap Heap Scan")


class MissingIndex(Rule):
    """A query reads many rows of a table to keep few of them, and an index would lead straight to those.

    ## Why it is slow
    Without an index that fits, PostgreSQL reads the whole table for every call and throws away what the condition
    rejects, or sorts all of it to return the first few rows. The time grows with the table, not with the result.
    What fits depends on the question: a B-tree for equality, range and order; Hash for equality on long values; GIN for
    arrays, jsonb, full text and patterns; a partial index for a rare constant; a covering one for few columns.

    ## Setup
    ```sql
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL);
    INSERT INTO orders SELECT n, n % 5000, n % 100 FROM generate_series(1, 50000) n;
    ANALYZE orders;
    ```

    ## Bad
    ```sql
    SELECT total FROM orders WHERE customer_id = 42
    ```

    ## Good
    ```sql
    SELECT total FROM orders WHERE id = 42
    ```
    """

    code = "IDX001"
    severity = Severity.WARNING
    needs_database = True

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Look at every scan of every plan."""
        for group in case.workload.groups:
            explained, statement = case.plans.get(group.fingerprint), case.statements.get(group.fingerprint)
            if explained is None or explained.plan is None or statement is None or case.schema is None:
                continue
            tables: set[str] = set()
            for node, parents in _scans(explained.plan.root, ()):
                table = case.schema.table(node.relation or "", node.schema)
                if table is None or f"{table.schema}.{table.name}" in tables:
                    continue
                why = _waste(node, parents, statement, table)
                if why is None:
                    continue
                verdict = self._verdict(group, explained, node, parents, table, why)
                if isinstance(verdict, Finding):
                    tables.add(f"{table.schema}.{table.name}")
                yield verdict

    def _verdict(
        self,
        group: QueryGroup,
        explained: ExplainedQuery,
        node: PlanNode,
        parents: tuple[PlanNode, ...],
        table: Table,
        why: str,
    ) -> Finding | LookedAt:
        subject = Subject(group.fingerprint, f"{table.schema}.{table.name}")
        plan = explained.plan
        assert plan is not None
        sorts = [parent for parent in parents if "Sort" in parent.type]
        share = _share(node, sorts, plan.root)
        if (table.rows or 0) < MIN_ROWS:
            return LookedAt(
                self.name, subject, f"{table.name} has {table.rows or 0:.0f} rows: reading them all is cheap"
            )
        if share < MIN_SHARE:
            return LookedAt(self.name, subject, f"the scan takes {share:.0%} of the time: an index could save no more")
        read, kept = _rows_read(node, table), node.rows if node.rows is not None else node.plan_rows
        at_stake = group.total_ms * share if group.total_ms is not None else None
        per_call = (node.self_ms or 0.0) if plan.analyzed else (group.mean_ms or 0.0) * share
        return Finding(
            rule=self.name,
            code=self.code,
            severity=_severity(at_stake, per_call),
            subject=subject,
            message=f"{why}: {read:,.0f} rows of {table.name} are read to keep {kept:,.0f}".replace(",", "\u202f"),
            facts=(
                Fact("rows read", read, "rows"),
                Fact("rows kept", kept, "rows"),
                Fact("rows in the table", table.rows or 0.0, "rows"),
                Fact("share of the execution", round(share, 4)),
                Fact("node", node.type),
            ),
            evidence=Evidence(
                "measured" if plan.analyzed else "estimated",
                "rows and times of a real run" if plan.analyzed else "the planner's estimates; nothing was run",
            ),
            at_stake_ms=at_stake,
            place=group.call_sites[0][0] if group.call_sites else None,
            plan_node=node.id,
        )


def claimed_nodes(case: Case) -> dict[str, frozenset[int]]:
    """By fingerprint, the scans that this rule speaks of, so that no other rule tells the same of them again."""
    if case.schema is None:
        return {}
    found: dict[str, set[int]] = {}
    for verdict in MissingIndex().check(case):
        if isinstance(verdict, Finding) and verdict.plan_node is not None and verdict.subject.fingerprint is not None:
            found.setdefault(verdict.subject.fingerprint, set()).add(verdict.plan_node)
    return {fingerprint: frozenset(nodes) for fingerprint, nodes in found.items()}


def _scans(node: PlanNode, parents: tuple[PlanNode, ...]) -> Iterator[tuple[PlanNode, tuple[PlanNode, ...]]]:
    if node.relation is not None and node.type.endswith("Scan"):
        yield node, parents
    for child in node.children:
        yield from _scans(child, (*parents, node))


def _waste(node: PlanNode, parents: tuple[PlanNode, ...], statement: Statement, table: Table) -> str | None:
    """What is wasteful about the scan, as the beginning of a sentence; None when nothing is."""
    if node.actual_loops == 0:
        return None
    kept = node.rows if node.rows is not None else node.plan_rows
    read = _rows_read(node, table)
    removed = read - kept
    if node.type == "Seq Scan":
        if node.filter and removed > REMOVED_PER_ROW * kept and read * max(node.plan_width, 8) > MIN_BYTES:
            return "The whole table is scanned and most of it thrown away"
        if _sorted_for_few(parents):
            return "The whole table is sorted to return its first rows"
        if node.filter and (node.actual_loops or 1) > 1:
            return "The table is scanned again for every row of the outer side"
    if node.type in SCANS:
        if (node.removed or 0) + (node.removed_by_recheck or 0) >= max(10 * kept, MIN_ROWS):
            return "The index used leads to rows of which most are thrown away"
        if kept >= HEAP_ROWS and _coverable(statement, table):
            return "The index used leads to many rows that are then fetched one by one"
        if kept >= HEAP_ROWS and _sorted_for_few(parents):
            return "Many rows are fetched and sorted to return the first ones"
    return None


def _sorted_for_few(parents: tuple[PlanNode, ...]) -> bool:
    types = [parent.type for parent in parents]
    return "Limit" in types and any("Sort" in name for name in types[types.index("Limit") :])


def _coverable(statement: Statement, table: Table) -> bool:
    scans = [scan for scan in statement.scans if scan.table == table.name]
    return bool(scans) and all(scan.columns is not None and len(scan.columns) <= COVERED_COLUMNS for scan in scans)


def _rows_read(node: PlanNode, table: Table) -> float:
    if node.rows is not None:
        return node.rows + (node.removed or 0) + (node.removed_by_recheck or 0)
    return table.rows or node.plan_rows if node.type == "Seq Scan" else node.plan_rows


def _share(node: PlanNode, sorts: list[PlanNode], root: PlanNode) -> float:
    """Of the execution: the scan's own part, what stands below it, and the sorts that an ordered index would spare."""
    parts = [node, *node.children, *sorts]
    if root.total_ms and node.self_ms is not None:
        return min(1.0, sum(part.self_ms or 0.0 for part in parts) / root.total_ms)
    return min(1.0, node.total_cost / root.total_cost) if root.total_cost else 0.0


def _severity(at_stake: float | None, per_call: float) -> Severity:
    if (at_stake or 0.0) >= 1_000 or per_call >= 100:
        return Severity.ERROR
    return Severity.WARNING if per_call >= 1 else Severity.INFO
