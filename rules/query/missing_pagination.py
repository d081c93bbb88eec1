"""missing-pagination."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from ...analyzer.plan import ExplainedQuery
from ...analyzer.recommendation import Code, Evidence, Measurement, QueryEvidence, Recommendation
from ...analyzer.schema import Schema, Table
from ...analyzer.sql.identifier import quote_identifier
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import QueryGroup, Workload
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..rule import Case, Rule

MANY_ROWS = 1_000
"""Rows a call: no page shows more, and a batch of this size is worth streaming."""
MANY_PLANNED = 10_000
"""Rows when only the planner's estimate is known."""
PAGE = 100
_JOINED = ("joined ", "contains ")


class MissingPagination(Rule):
    """A query returns a large result set without LIMIT.

    ## Why it is slow
    Every row is read, sent, and kept in memory by the driver and the ORM, and their number grows with the table: what
    took 10 ms at the start takes seconds after a year. A page with LIMIT, and a keyset condition instead of a growing
    OFFSET, keeps the time constant. An export that needs every row should stream them (`yield_per`): that is not reported.

    ## Setup
    ```sql
    CREATE TABLE events (id int PRIMARY KEY, kind text NOT NULL);
    INSERT INTO events SELECT n, 'k' FROM generate_series(1, 20000) n;
    ANALYZE events;
    ```

    ## Bad
    ```sql
    SELECT id, kind FROM events ORDER BY id
    ```

    ## Good
    ```sql
    SELECT id, kind FROM events WHERE id > 500 ORDER BY id LIMIT 100
    ```
    """

    code = "SQL003"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Look at every SELECT that may return any number of rows."""
        streamed = _streamed(case.workload)
        roots = _roots(case.workload)
        for group in case.workload.groups:
            statement = case.statements.get(group.fingerprint)
            if statement is None or not _unbounded(statement):
                continue
            if case.schema is not None and _unique_lookup(statement, case.schema):
                continue
            if any(
                predicate.kind == "in" and not predicate.join
                for scan in statement.scans
                for predicate in scan.predicates
            ):
                continue
            rows, known = _rows(group, case.plans.get(group.fingerprint))
            if group.fingerprint in roots:
                # A joined collection repeats its owner: a page counts owners. See cartesian-eager-load for the rows.
                rows, known = roots[group.fingerprint], "counted"
            if rows is None:
                if _reads_all(statement) and case.schema is None and group.total_ms is None:
                    yield self._finding(group, statement, None, "", case.schema)
                continue
            if rows < (MANY_PLANNED if known == "planned" else MANY_ROWS):
                continue
            if statement.grouped:
                subject = Subject(group.fingerprint, ", ".join(statement.tables))
                yield LookedAt(self.name, subject, f"it returns {rows:.0f} groups: a report, which is wanted whole")
                continue
            if group.fingerprint in streamed:
                subject = Subject(group.fingerprint, ", ".join(statement.tables))
                yield LookedAt(self.name, subject, f"its {_count(rows)} are streamed: an export, which is wanted whole")
                continue
            yield self._finding(group, statement, rows, known, case.schema)

    def _finding(
        self, group: QueryGroup, statement: Statement, rows: float | None, known: str, schema: Schema | None
    ) -> Finding:
        names = ", ".join(statement.tables)
        count = _count(rows) if rows is not None else "every row"
        evidence = Evidence(
            "matched" if rows is None else "estimated" if known == "planned" else "measured",
            {"": "a pattern in the statement's text", "planned": "the planner's estimate of the rows returned"}.get(
                known, "rows returned by the recorded calls"
            ),
        )
        place = group.call_sites[0][0] if group.call_sites else None
        finding = Finding(
            rule=self.name,
            code=self.code,
            severity=Severity.INFO if rows is None else self.severity,
            subject=Subject(group.fingerprint, names),
            message=f"A call returns {count} of {names}, without LIMIT: the result grows with the table.",
            facts=(Fact("rows per call", rows, "rows"),) if rows is not None else (),
            evidence=evidence,
            at_stake_ms=group.total_ms * (1 - PAGE / rows) if group.total_ms is not None and rows else None,
            place=place,
        )
        table = (
            schema.table(statement.scans[0].table, statement.scans[0].schema) if schema and statement.scans else None
        )
        claim = evidence
        if rows is not None:
            claim = Evidence(
                "estimated",
                f"rows of a page of {PAGE} against the rows returned now; time is taken to be in proportion to rows",
                (QueryEvidence(group.fingerprint, Measurement(rows_read=rows), Measurement(rows_read=float(PAGE))),),
            )
        remedy = Recommendation(
            id=finding.identity,
            kind="orm-edit" if place is not None and place.in_program else "sql-rewrite",
            title=f"Page through {names}" if names else "Page through the result",
            reason="LIMIT bounds the work; a keyset condition stays fast on late pages, where OFFSET reads all that it skips. "
            "Where a program needs every row, `yield_per` streams them.",
            evidence=claim,
            code=_code(statement, table, place is not None and place.in_program),
            settles=(finding.identity,),
            saves_ms=finding.at_stake_ms,
            place=place,
        )
        return replace(finding, remedy=remedy)


def _count(rows: float) -> str:
    return f"{rows:,.0f} rows".replace(",", "\u202f")


def _roots(workload: Workload) -> dict[str, float]:
    """Instances that a call of a statement asks for, by fingerprint, where collections are joined to it."""
    counts: defaultdict[str, list[int]] = defaultdict(list)
    for execution in workload.executions:
        load = execution.orm
        if load is not None and load.roots is not None and any(option.startswith(_JOINED) for option in load.options):
            counts[execution.fingerprint].append(load.roots)
    return {fingerprint: sum(found) / len(found) for fingerprint, found in counts.items()}


def _streamed(workload: Workload) -> set[str]:
    """Fingerprints of which every recorded execution asked for its rows a few at a time."""
    asked: dict[str, bool] = {}
    for execution in workload.executions:
        asked[execution.fingerprint] = execution.streamed and asked.get(execution.fingerprint, True)
    return {fingerprint for fingerprint, always in asked.items() if always}


def _unbounded(statement: Statement) -> bool:
    return (
        statement.kind == "SELECT"
        and statement.problem is None
        and statement.has_from
        and bool(statement.scans)
        and not statement.limited
        and not statement.aggregated
        # Rows are locked to be worked on, all of them.
        and not any(scan.locks for scan in statement.scans)
        # Pages inside bound the result.
        and not all(scan.limited for scan in statement.scans)
    )


def _unique_lookup(statement: Statement, schema: Schema) -> bool:
    """Whether a unique index is compared with one value in all its columns, so that one row comes back."""
    if len(statement.scans) != 1:
        return False
    scan = statement.scans[0]
    table = schema.table(scan.table, scan.schema)
    equal = {predicate.column for predicate in scan.predicates if predicate.kind == "equality"}
    return table is not None and any(index.unique and set(index.columns) <= equal for index in table.indexes)


def _rows(group: QueryGroup, explained: ExplainedQuery | None) -> tuple[float | None, str]:
    """Rows per call and how they are known: counted, from a run, or planned."""
    succeeded = group.calls - group.errors
    if group.rows is not None and succeeded > 0:
        return group.rows / succeeded, "counted"
    if explained is None or explained.plan is None:
        return None, ""
    root = explained.plan.root
    return (root.rows, "run") if root.rows is not None else (root.plan_rows, "planned")


def _reads_all(statement: Statement) -> bool:
    return (
        not statement.grouped
        and not statement.distinct
        and not all(name.startswith("pg_") for name in statement.tables)
        and not any(scan.predicates or scan.or_predicates for scan in statement.scans)
    )


def _code(statement: Statement, table: Table | None, in_orm: bool) -> tuple[Code, ...]:
    primary = next((index.columns for index in table.indexes if index.primary), ()) if table is not None else ()
    ordered = [key.column for key in statement.scans[0].order_by if key.column] if statement.scans else []
    keys = list(dict.fromkeys([*ordered, *primary])) or ["id"]
    row = ", ".join(quote_identifier(key) for key in keys)
    values = ", ".join(f":last_{key}" if key.isidentifier() else f":last_{n}" for n, key in enumerate(keys, 1))
    sql = f"WHERE ({row}) > ({values})  -- the last row of the page before\nORDER BY {row}\nLIMIT {PAGE}"
    codes = [Code("Keyset page", "sql", sql)]
    if in_orm:
        codes.insert(0, Code("At the query", "python", f".limit({PAGE})"))
    return tuple(codes)
