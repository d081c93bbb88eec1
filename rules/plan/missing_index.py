"""missing-index."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...analyzer.advise.scanned_table import read_table, scanned_table, table_rows
from ...analyzer.plan import Plan, PlanNode
from ...analyzer.recommendation import Evidence
from ...analyzer.schema import Table
from ...analyzer.sql.statement import TableScan
from ...analyzer.workload import QueryGroup
from ..few_joined import few_joined
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
    arrays, jsonb, full text and patterns; a partial index for a rare constant; a covering one for few columns. It is
    UNIQUE where the code takes one row and refuses more (`.one()`, `.scalar_one_or_none()` …) and no value comes twice.

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
        """Look at every scan of every plan: one verdict for each query and table, its parts taken together."""
        for group in case.workload.groups:
            for place in _wasteful(case, group):
                yield self._verdict(case, group, place)

    def _verdict(self, case: Case, group: QueryGroup, place: "_Place") -> Finding | LookedAt:
        table, plan = place.table, place.plan
        assert case.schema is not None
        subject = Subject(group.fingerprint, f"{table.schema}.{table.name}")
        rows = table_rows(table, case.schema)
        worst = max(place.scans, key=lambda one: one.share)
        share = min(1.0, sum(one.share for one in place.scans))
        if rows is not None and rows < MIN_ROWS:
            return LookedAt(self.name, subject, f"{table.name} has {rows:.0f} rows: reading them all is cheap")
        if share < MIN_SHARE:
            return LookedAt(self.name, subject, f"the scan takes {share:.0%} of the time: an index could save no more")
        read, kept = sum(one.read for one in place.scans), sum(one.kept for one in place.scans)
        if rows is None and read < MIN_ROWS:
            return LookedAt(
                self.name, subject, f"{table.name} seems to have {read:.0f} rows: reading them all is cheap"
            )
        at_stake = group.total_ms * share if group.total_ms is not None else None
        own_ms = sum(one.node.self_ms or 0.0 for one in place.scans)
        if place.timed_out_s is not None and group.total_ms is None:
            at_stake = place.timed_out_s * 1000 * share * max(group.calls, 1)
        per_call = own_ms if plan.analyzed else (group.mean_ms or (place.timed_out_s or 0.0) * 1000) * share
        parts = f" (in {len(place.scans)} parts)" if len(place.scans) > 1 else ""
        return Finding(
            rule=self.name,
            code=self.code,
            severity=_severity(at_stake, per_call),
            subject=subject,
            message=f"{worst.why}: {read:,.0f} rows of {table.name}{parts} are read to keep {kept:,.0f}".replace(
                ",", "\u202f"
            ),
            facts=(
                Fact("rows read", read, "rows"),
                Fact("rows kept", kept, "rows"),
                Fact("rows in the table", rows or 0.0, "rows"),
                Fact("share of the execution", round(share, 4)),
                Fact("node", worst.node.type),
            ),
            evidence=Evidence(
                "measured" if plan.analyzed else "estimated",
                "rows and times of a real run" if plan.analyzed else "the planner's estimates; nothing was run",
            ),
            at_stake_ms=at_stake,
            place=group.call_sites[0][0] if group.call_sites else None,
            plan_node=worst.node.id,
        )


@dataclass(frozen=True, slots=True)
class _Scan:
    """A wasteful node. read, kept: rows of all loops; share: of the execution (0–1)."""

    node: PlanNode
    why: str
    read: float
    kept: float
    share: float


@dataclass(frozen=True, slots=True)
class _Place:
    """The wasteful scans of one table in one plan."""

    table: Table
    plan: Plan
    scans: tuple[_Scan, ...]
    timed_out_s: float | None


def claimed_nodes(case: Case) -> dict[str, dict[int, str]]:
    """By fingerprint, the scans that this rule speaks of, so that no other rule tells the same of them again: by the node's id
    the table, as the finding's subject names it."""
    found: dict[str, dict[int, str]] = {}
    rule = MissingIndex()
    for group in case.workload.groups:
        for place in _wasteful(case, group):
            verdict = rule._verdict(case, group, place)
            if isinstance(verdict, Finding):
                nodes = dict.fromkeys((one.node.id for one in place.scans), verdict.subject.table or "")
                found.setdefault(group.fingerprint, {}).update(nodes)
    return found


def _wasteful(case: Case, group: QueryGroup) -> list[_Place]:
    explained, statement = case.plans.get(group.fingerprint), case.statements.get(group.fingerprint)
    if explained is None or explained.plan is None or statement is None or case.schema is None:
        return []
    plan = explained.plan
    found: dict[tuple[str, str], tuple[Table, list[_Scan]]] = {}
    for node, parents in _scans(plan.root, ()):
        place = scanned_table(node, statement, case.schema)
        if place is None:
            continue
        table, asked = place
        # Of a partition the rows are its own; the index is the whole table's.
        own = read_table(node, table, case.schema)
        why = _waste(node, parents, asked, own)
        kept = node.rows if node.rows is not None else node.plan_rows
        joined = few_joined(node, reversed(parents), plan.settings, sure=False) if why is None else None
        if joined is not None:
            why, kept = "The whole table is read to join few of its rows", joined.wanted
        if why is not None:
            sorts = [parent for parent in parents if "Sort" in parent.type]
            scan = _Scan(node, why, _rows_read(node, own), kept, _share(node, sorts, plan.root))
            found.setdefault((table.schema, table.name), (table, []))[1].append(scan)
    return [_Place(table, plan, tuple(scans), explained.timed_out_s) for table, scans in found.values()]


def _scans(node: PlanNode, parents: tuple[PlanNode, ...]) -> Iterator[tuple[PlanNode, tuple[PlanNode, ...]]]:
    if node.relation is not None and node.type.endswith("Scan"):
        yield node, parents
    for child in node.children:
        yield from _scans(child, (*parents, node))


def _waste(node: PlanNode, parents: tuple[PlanNode, ...], scans: tuple[TableScan, ...], table: Table) -> str | None:
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
        if kept >= HEAP_ROWS and _coverable(scans):
            return "The index used leads to many rows that are then fetched one by one"
        if kept >= HEAP_ROWS and _sorted_for_few(parents):
            return "Many rows are fetched and sorted to return the first ones"
    return None


def _sorted_for_few(parents: tuple[PlanNode, ...]) -> bool:
    types = [parent.type for parent in parents]
    return "Limit" in types and any("Sort" in name for name in types[types.index("Limit") :])


def _coverable(scans: tuple[TableScan, ...]) -> bool:
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
