"""The way itself: sources → workload → plans → findings → recommendations → report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from psycopg2.extensions import connection as Connection

from .analyzer.advise.agreed import agreed
from .analyzer.advise.builder import Builder
from .analyzer.advise.clone_what_if import CloneWhatIf
from .analyzer.advise.door import open_door
from .analyzer.advise.index_advice import Measure
from .analyzer.advise.what_if import WhatIf
from .analyzer.errors import ServerError, SourceError
from .analyzer.plan import ExplainedQuery, Plan
from .analyzer.postgres.catalog import read_schema
from .analyzer.postgres.clone import HollowClone
from .analyzer.postgres.clone_file import load_clone
from .analyzer.postgres.connect import connect
from .analyzer.postgres.explain import MAX_COST, TIMEOUT_S, Explainer
from .analyzer.postgres.explain_workload import explain_workload
from .analyzer.postgres.warm_runs import WARM_RUNS
from .analyzer.schema import Schema
from .analyzer.source_edit.with_diffs import with_diffs
from .analyzer.sources.grouping import build_workload, merge
from .analyzer.sources.journal import read_recording
from .analyzer.sources.pg_stat_statements import Snapshot, snapshot, workload_between
from .analyzer.sources.sql_files import read_sql_files
from .analyzer.sql.identifier import quote_identifier
from .analyzer.sql.json_keys import with_json_keys
from .analyzer.sql.parse import analyse
from .analyzer.sql.statement import Statement
from .analyzer.workload import CUT, QueryGroup, Skipped, Workload
from .answering import answer
from .orm_evidence import with_proofs
from .orm_outlook import with_outlook
from .orm_proof import read_proofs
from .reports.assemble import assemble
from .reports.report import Report
from .rules.judge import judge
from .rules.one_row import with_one_row
from .rules.rule import Case

Prove = Literal["auto", "measure", "no"]
Progress = Callable[[str, Sequence[Any]], Iterator[Any]]
"""Called with a stage's name and its items; yields the items while they are worked on."""


def silent(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    """Progress that shows nothing."""
    yield from items


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What to analyse, and what is allowed.

    url: the database that plans; without it only rules that need none run. clone: a file of `queryproof clone` that plans in
    its place (`url` then is only a source of statements). since: an earlier snapshot of
    pg_stat_statements, so that only what came after counts. analyze: recorded SELECTs may be run again (EXPLAIN ANALYZE).
    analyze_writes: INSERT, UPDATE, DELETE and MERGE may be run too, in a transaction that is rolled back. max_cost, max_seconds:
    what is estimated above it is not run; what takes longer is stopped. connections: at the same time, for plain EXPLAIN.
    prove: `measure` builds candidate indexes for real over `build_url` (default: url) and drops them again; `auto` does so
    only where `build_url` names a scratch copy, else indexes are planned on a hollow clone of the database; `no` estimates. show_parameters: values may appear in the report.
    """

    journal: Path | None = None
    files: tuple[Path, ...] = ()
    url: str | None = None
    clone: Path | None = None
    pg_stat_statements: bool = False
    since: Snapshot | None = None
    analyze: bool = False
    analyze_writes: bool = False
    max_cost: float = MAX_COST
    max_seconds: float = TIMEOUT_S
    connections: int = 1
    prove: Prove = "auto"
    build_url: str | None = None
    allow_superuser: bool = False
    show_parameters: bool = False

    @property
    def builds(self) -> bool:
        """Whether indexes are built."""
        return self.prove == "measure" or (self.prove == "auto" and self.build_url is not None)


def analyze(request: AnalysisRequest, progress: Progress = silent) -> Report:
    """Run the whole analysis. Raises QueryproofError when a source or the database cannot be used at all."""
    with ExitStack() as stack:
        connection = _open(request.url, stack) if request.url is not None else None
        workload = read_sources(request, connection)
        hollow = _open_clone(request, stack) if request.clone else None
        if hollow is not None:
            connection = _open(hollow.url, stack)
        schema = hollow.schema() if hollow is not None else read_schema(connection) if connection is not None else None
        statements = {
            group.fingerprint: read_statement(group, schema)
            for group in progress("Reading statements", workload.groups)
        }
        plans, prover, skipped = _look(request, connection, workload, progress, stack)
        if hollow is not None:
            skipped += _missing(hollow)
        case = Case(workload, statements, plans, schema)
        findings, looked_at = judge(case)
        planner = _Planner(request, hollow, stack)
        answers = answer(case, findings, looked_at, prover, progress, planner)
        skipped += planner.left_out
        if request.journal is not None:
            answers.recommendations = with_proofs(
                answers.recommendations, answers.findings, read_proofs(request.journal)
            )
            answers.recommendations = with_outlook(answers.recommendations, answers.findings, case)
            answers.recommendations = with_diffs(answers.recommendations, Path.cwd())
        return assemble(
            case,
            answers.findings,
            answers.recommendations,
            answers.looked_at,
            answers.plans,
            skipped,
            show_parameters=request.show_parameters,
        )


def read_sources(request: AnalysisRequest, connection: Connection | None) -> Workload:
    """All sources of the request as one workload. Raises SourceError when there is none, or one cannot be read."""
    workloads = []
    if request.journal is not None:
        recording = read_recording(request.journal)
        workloads.append(build_workload(recording.queries, (recording.source,), recording.events, recording.uses))
    if request.files:
        workloads.append(read_sql_files(request.files))
    if request.pg_stat_statements:
        if connection is None:
            raise SourceError("--pg-stat-statements needs the server to read it from: add --url postgresql://…")
        workloads.append(workload_between(request.since, snapshot(connection)))
    if not workloads:
        raise SourceError("nothing to analyse: name a journal directory or .sql files, or add --pg-stat-statements")
    return merge(workloads) if len(workloads) > 1 else workloads[0]


def read_statement(group: QueryGroup, schema: Schema | None) -> Statement:
    """What the group's statement asks for: with the constants that all its known texts share, with JSON keys that were bound
    as parameters, since an index can only be on a key that is known, and with what the code around it says of its rows."""
    if group.cut:
        return Statement(kind=group.text.partition(" ")[0].upper(), problem=CUT)
    texts = [sample.sql for sample in group.samples] or [group.text]
    values = [sample.values for sample in group.samples]
    statement = agreed([analyse(with_json_keys(text, values), schema) for text in dict.fromkeys(texts)])
    return with_one_row(statement, group)


def _look(
    request: AnalysisRequest, connection: Connection | None, workload: Workload, progress: Progress, stack: ExitStack
) -> tuple[dict[str, ExplainedQuery], tuple[Builder, Measure] | None, tuple[Skipped, ...]]:
    """Plans and the means of proof, as far as the database and the request allow."""
    if connection is None:
        reason = "no database was given: add --url to have statements explained and indexes advised"
        return {}, None, (Skipped("plans, schema and missing indexes", reason),)
    try:
        explainer = Explainer(
            connection,
            analyze=request.analyze or request.builds,
            analyze_writes=request.analyze_writes,
            timeout_s=request.max_seconds,
            max_cost=request.max_cost,
            allow_superuser=request.allow_superuser,
            reconnect=lambda: _open(request.url or "", stack),
        )
    except ServerError as error:
        return {}, None, (Skipped("plans and missing indexes", str(error)),)
    try:
        plans = explain_workload(workload, explainer, progress, request.connections)
    except ServerError as error:
        return {}, None, (Skipped("plans and missing indexes", str(error)),)
    _check_rights(plans, explainer.target.role)
    if not request.builds:
        return plans, None, ()
    target = request.build_url or request.url or ""
    try:
        builder = stack.enter_context(Builder(_open(target, stack), reconnect=lambda: _open(target, stack)))
    except ServerError as error:
        return plans, None, (Skipped("measuring indexes", str(error)),)

    def measure(sql: str) -> Plan:
        return explainer.measure(sql, runs=WARM_RUNS)

    return plans, (builder, measure), ()


def _check_rights(plans: Mapping[str, ExplainedQuery], role: str) -> None:
    """A role that may read nothing would else make a report without a finding, which reads like a clean one."""
    denied = sum(one.plan is None and "42501" in one.note for one in plans.values())
    if denied and not any(one.plan is not None for one in plans.values()):
        raise ServerError(
            f"the role {role} may read no table that the statements name (42501, {denied} times). "
            f"Remedy: GRANT pg_read_all_data TO {quote_identifier(role)}, or SELECT on the tables"
        )


class _Planner:
    """Opens a door to what-if planning when the first index is asked for: a hollow clone of the database costs seconds."""

    def __init__(self, request: AnalysisRequest, hollow: HollowClone | None, stack: ExitStack) -> None:
        self._request, self._hollow, self._stack = request, hollow, stack
        self.left_out: tuple[Skipped, ...] = ()

    def __call__(self) -> WhatIf | None:
        if self._hollow is not None:
            return CloneWhatIf(self._hollow)
        if self._request.url is None or self._request.prove == "no":
            return None
        door = open_door(self._request.url, None, self._stack)
        self.left_out = door.left_out
        return door.what_if


def _open_clone(request: AnalysisRequest, stack: ExitStack) -> HollowClone:
    if request.analyze or request.builds:
        raise SourceError(
            "a clone holds no rows, so nothing can be run or measured on it: leave out --analyze and --prove"
        )
    return stack.enter_context(HollowClone(load_clone(request.clone or Path())))


def _missing(hollow: HollowClone) -> tuple[Skipped, ...]:
    """What the clone does not have, and that its plans are the planner's word alone."""
    about = Skipped("running statements", f"plans are those of a {hollow.kind}: costs and estimates, never measured")
    return (about, *(Skipped(note.what, note.reason) for note in hollow.left_out))


def _open(url: str, stack: ExitStack) -> Connection:
    connection = connect(url)
    stack.callback(connection.close)
    return connection
