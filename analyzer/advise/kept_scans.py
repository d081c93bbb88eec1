"""Why each sequential scan that stays, stays."""

from collections.abc import Collection, Iterator, Mapping

from ..plan import Plan, PlanNode
from ..recommendation import Alternative
from ..schema import Schema, Table
from ..sql.identifier import quote_identifier, quote_qualified
from ..sql.statement import Statement, TableScan
from ..sql.tokens import names_in
from .candidate_pool import CandidatePool
from .index_plan import KeptScan
from .scanned_table import scanned_table, table_rows
from .selection_limits import WIDE
from .selection_search import UNUSED

MIN_ROWS = 1_000
"""Below this many rows reading a table whole takes well under a millisecond."""
MIN_SHARE = 0.05
"""Of the query's cost: below it nobody asks."""
KEEPS = "the condition keeps"
"""How a reason begins that hangs on the values."""
OTHER_VALUES = "give a journal or a .sql file with the values that are usual, where those keep fewer"
ADVISING = ("write ", "give ", "name ", "use ")
"""How the second half of an obstacle begins where it says what to do."""


def kept_scans(
    plans: Mapping[str, Plan],
    statements: Mapping[str, Statement],
    schema: Schema,
    pool: CandidatePool,
    rejected: tuple[Alternative, ...],
    assumed: Collection[str] = (),
) -> tuple[KeptScan, ...]:
    """One entry for each query and table, most expensive scan first within the query. plans: those afterwards. assumed: queries
    whose values nobody recorded."""
    found: list[KeptScan] = []
    for fingerprint, plan in plans.items():
        statement = statements.get(fingerprint)
        if statement is None:
            continue
        seen: set[tuple[str, str]] = set()
        for node in sorted(_scans(plan.root), key=lambda one: -one.self_cost):
            place = scanned_table(node, statement, schema)
            if place is None or (place[0].schema, place[0].name) in seen:
                continue
            table, scans = place
            rows = table_rows(table, schema)
            share = min(1.0, node.total_cost / plan.root.total_cost) if plan.root.total_cost else 0.0
            if share < MIN_SHARE or (rows is not None and rows < MIN_ROWS):
                continue
            seen.add((table.schema, table.name))
            if statement.problem is not None and not scans:
                reason, remedy = f"the statement was not taken apart: {statement.problem}", ""
            else:
                reason, remedy = _reason(fingerprint, node, table, scans, rows, pool, rejected)
                if fingerprint in assumed and reason.startswith(KEEPS):
                    reason, remedy = f"{reason}, with values assumed", remedy or OTHER_VALUES
            found.append(KeptScan(fingerprint, table.schema, table.name, rows, round(share, 4), reason, remedy))
    return tuple(found)


def _not_taken(table: Table, scans: tuple[TableScan, ...], rejected: tuple[Alternative, ...]) -> list[str]:
    """Why candidates on the table's columns that the scans ask for were not taken."""
    start = f"{quote_qualified(table.schema, table.name)} "
    asked = [one for scan in scans for one in scan.predicates]
    asked += [one for scan in scans for branches in scan.or_branches for branch in branches for one in branch]
    columns = {quote_identifier(one.column) for one in asked if one.column is not None}
    expressions = [names_in(one.expression) for one in asked if one.column is None]

    def concerns(what: str) -> bool:
        return any(column in what for column in columns) or any(
            names and names <= names_in(what) for names in expressions
        )

    return [one.reason for one in rejected if one.what.startswith(start) and concerns(one.what[len(start) :])]


def _scans(root: PlanNode) -> Iterator[PlanNode]:
    return (node for node in root.walk() if node.type in ("Seq Scan", "Parallel Seq Scan") and node.relation)


def _reason(
    fingerprint: str,
    node: PlanNode,
    table: Table,
    scans: tuple[TableScan, ...],
    rows: float | None,
    pool: CandidatePool,
    rejected: tuple[Alternative, ...],
) -> tuple[str, str]:
    obstacles = pool.obstacles.get((fingerprint, table.schema, table.name), ())
    if obstacles:
        condition, why = obstacles[0]
        reason, _, remedy = why.rpartition(": ")
        if not remedy.startswith(ADVISING):
            reason, remedy = why, ""
        more = f", and {len(obstacles) - 1} more conditions like it" if len(obstacles) > 1 else ""
        return f"its condition on {condition} can use no index{more}: {reason}", remedy
    if rows is None:
        return "the table has no statistics, so nobody knows what an index would save", "run ANALYZE and look again"
    if not any(scan.predicates or scan.or_branches for scan in scans):
        if any(scan.or_predicates for scan in scans):
            return "its conditions are joined by OR and do not each restrict this table", "a UNION of two queries"
        if node.filter and not scans:
            return (
                "its condition stands in a function that the statement calls",
                "give the function's own statement too",
            )
        if node.filter:
            return "its condition names no column of the table: every row has to be looked at", ""
        return "the query asks for every row of the table: reading it from start to end is the cheapest way", ""
    share = node.plan_rows / rows if rows else 0.0
    if share > 0.1:
        if any(not one.join for scan in scans for one in scan.predicates) or any(scan.or_branches for scan in scans):
            return (
                f"{KEEPS} ≈ {share:.0%} of the rows: so many single visits cost more than reading all",
                "",
            )
        return (
            "only a join restricts it, and it needs most of the rows: reading all once is cheaper than a visit for each",
            "",
        )
    helpful = [reason for reason in _not_taken(table, scans, rejected) if reason != UNUSED]
    if helpful:
        # That a wider one was not allowed says least: another one may have been.
        return f"an index could serve it and was not taken: {min(helpful, key=lambda one: one.startswith(WIDE))}", ""
    return f"the planner expects ≈ {node.plan_rows:,.0f} rows and finds reading the table cheaper".replace(
        ",", "\u202f"
    ), ""
