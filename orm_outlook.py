"""From N+1 to plan: the repeated statement's index is named beside the edit, and the cost is worked out for the given database.

A recording is made where tables are small. The planner knows how many rows the origin query finds in the database that was
given, and each of them is asked about once more.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .analyzer.recommendation import Prediction, Recommendation
from .analyzer.workload import Execution
from .rules.finding import Finding
from .rules.rule import Case

MIN_GROWTH = 1.5
"""Times as many queries as recorded before the other row counts are worth a word."""
MADE_UP = ("generic", "statistics")
"""Words in the origin of a plan's values that say they are not the recorded ones: a LIMIT among them is not known then."""


def with_outlook(
    recommendations: Sequence[Recommendation], findings: Iterable[Finding], case: Case
) -> list[Recommendation]:
    """The recommendations with links between those about one statement, and with what an N+1 costs at the database's row
    counts, where they differ from the recording's."""
    fingerprints = {finding.identity: finding.subject.fingerprint for finding in findings}
    edited: dict[str, set[str]] = {}
    indexed: defaultdict[str, list[str]] = defaultdict(list)
    for one in recommendations:
        if one.kind == "orm-edit":
            edited[one.id] = {found for key in one.settles if (found := fingerprints.get(key)) is not None}
        elif one.kind == "index":
            for proof in one.evidence.queries:
                indexed[proof.fingerprint].append(one.id)
    links: defaultdict[str, set[str]] = defaultdict(set)
    for identity, statements in edited.items():
        for index in (index for statement in statements for index in indexed[statement]):
            links[identity].add(index)
            links[index].add(identity)
    return [
        replace(
            one,
            related=tuple(sorted(links[one.id])),
            prediction=_prediction(one, edited[one.id], case) if one.id in edited else None,
        )
        for one in recommendations
    ]


def _prediction(one: Recommendation, statements: set[str], case: Case) -> Prediction | None:
    runs: defaultdict[tuple[str, int], list[Execution]] = defaultdict(list)
    for execution in case.workload.executions:
        load = execution.orm
        if load is None or load.kind != "lazy" or load.origin != one.place or execution.fingerprint not in statements:
            continue
        if load.origin_sequence is not None:
            runs[execution.process, load.origin_sequence].append(execution)
    origins = [
        execution
        for execution in case.workload.executions
        if (execution.process, execution.sequence) in runs and execution.rows
    ]
    if not origins:
        return None
    rows = _rows(origins[0].fingerprint, case)
    if rows is None:
        return None
    loads = [load for origin in origins for load in runs[origin.process, origin.sequence]]
    queries = rows * len(loads) / sum(origin.rows or 0 for origin in origins)
    if queries < MIN_GROWTH * max(len(runs[origin.process, origin.sequence]) for origin in origins):
        return None
    recorded = sum(load.duration_ms for load in loads) / len(loads)
    explained = case.plans.get(loads[0].fingerprint)
    there = explained.plan.elapsed_ms if explained is not None and explained.plan is not None else None
    per_query = max(recorded, there or 0.0)
    took = (
        "the time one of them takes on the server there"
        if there is not None and there > recorded
        else "the mean time of one in the recording, round trip included"
    )
    origin = f"the planner's estimate of the rows that the query at this line finds in the given database, × the loads for each row in the recording, × {took}"  # fmt: skip
    return Prediction("estimated", rows, queries, queries * per_query, origin)


def _rows(fingerprint: str, case: Case) -> float | None:
    """Rows of a statement in the given database; None where that is not known well enough to be told."""
    explained, statement = case.plans.get(fingerprint), case.statements.get(fingerprint)
    if explained is None or explained.plan is None or statement is None or case.schema is None:
        return None
    if any(word in explained.parameters_origin for word in MADE_UP):
        return None
    tables = [case.schema.table(scan.table, scan.schema) for scan in statement.scans]
    if not tables or any(table is None or not table.rows or table.rows < 0 for table in tables):
        # Without ANALYZE the planner takes a number of its own for every table.
        return None
    root = explained.plan.root
    return root.plan_rows if root.rows is None else root.rows
