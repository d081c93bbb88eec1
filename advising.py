"""The way of the index advisor: sources → workload → candidates → what-if door → selection → proof → report."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from psycopg2.extensions import connection as Connection

from .analysis import AnalysisRequest, Progress, read_sources, read_statement, silent
from .analyzer.advise.banned import NOTHING, Banned
from .analyzer.advise.builder import Builder
from .analyzer.advise.candidate_pool import CandidatePool, candidate_pool
from .analyzer.advise.clone_what_if import CloneWhatIf
from .analyzer.advise.door import Door, open_door, without_door
from .analyzer.advise.existing_definitions import existing_definitions
from .analyzer.advise.measured_set import MeasuredSet
from .analyzer.advise.planned_set import plan_set, plan_today
from .analyzer.advise.prove_set import prove_set
from .analyzer.advise.scratch_what_if import ScratchWhatIf
from .analyzer.advise.selection import select_indexes
from .analyzer.advise.selection_types import Constraints, Selection, TableWrites, WeightedQuery
from .analyzer.advise.set_trial import SetTrial
from .analyzer.advise.table_writes import table_writes
from .analyzer.advise.trial_runs import TrialRuns
from .analyzer.advise.weighted_queries import weighted_queries
from .analyzer.advise.workload_costs import WorkloadCosts
from .analyzer.errors import ServerError, SourceError
from .analyzer.postgres.connect import connect
from .analyzer.postgres.explain import Explainer
from .analyzer.postgres.explain_workload import explain_workload
from .analyzer.postgres.outcome import ConnectionLost
from .analyzer.sources.pg_stat_statements import Snapshot
from .analyzer.sql.statement import Statement
from .analyzer.workload import Skipped, Workload
from .answering import INDEX_RULE, answer
from .reports.advice_report import advice_report
from .reports.assemble import assemble
from .reports.report import Report
from .rules.judge import judge
from .rules.rule import Case

CURVE_POINTS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Budgets of the curve, as shares of the size of all tables."""
LEFT_BEHIND = "trial indexes"
"""What a report calls them where they could not be taken away."""
Counter = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class AdviceRequest:
    """What to advise on. sources: journal, files, pg_stat_statements of `url`. url or clone: what plans. prove: `planned`
    builds nothing; `measure` really builds the chosen set on the database at `url`, measures, and drops it again."""

    journal: Path | None = None
    files: tuple[Path, ...] = ()
    pg_stat_statements: bool = False
    since: Snapshot | None = None
    url: str | None = None
    clone: Path | None = None
    constraints: Constraints = field(default_factory=Constraints)
    prove: Literal["planned", "measure"] = "planned"
    curve: bool = True
    allow_superuser: bool = False
    show_parameters: bool = False


def advise(
    request: AdviceRequest, progress: Progress = silent, count: Counter = lambda stage, done, total: None
) -> Report:
    """The whole way. Raises QueryproofError when a source or the database cannot be used at all."""
    with ExitStack() as stack:
        workload = _workload(request, stack)
        # First: trial indexes that a killed run left behind must be gone before the database is read.
        builder = _builder(request, stack)
        report = _advised(request, workload, builder, stack, progress, count)
        if builder is None:
            return report
        try:
            builder.close()
        except ServerError as error:
            # Hours of measuring are not thrown away for it.
            builder.give_up()
            report = replace(report, skipped=(Skipped(LEFT_BEHIND, str(error)), *report.skipped))
        return report


def _advised(
    request: AdviceRequest,
    workload: Workload,
    builder: Builder | None,
    stack: ExitStack,
    progress: Progress,
    count: Counter,
) -> Report:
    """Door → queries → the best that can be said with what there is."""
    door = open_door(request.url, request.clone, stack, builder)
    explainer = Explainer(door.connection, analyze=False, allow_superuser=request.allow_superuser, options=False)
    queries, unbound = weighted_queries(workload, explainer, progress)
    statements = {group.fingerprint: read_statement(group, door.schema) for group in workload.groups}
    if door.what_if is None:
        return _estimated(request, workload, statements, door, explainer, unbound, progress)
    try:
        return _planned(request, workload, statements, door, queries, unbound, builder, stack, progress, count)
    except ConnectionLost as error:
        if request.url is None:
            raise ServerError(f"planning was given up: {error}") from None
        door = without_door(request.url, stack, f"given up: {error}")
        explainer = Explainer(door.connection, analyze=False, allow_superuser=request.allow_superuser, options=False)
        return _estimated(request, workload, statements, door, explainer, unbound, progress)


def _planned(
    request: AdviceRequest,
    workload: Workload,
    statements: Mapping[str, Statement],
    door: Door,
    queries: Sequence[WeightedQuery],
    unbound: Sequence[Skipped],
    builder: Builder | None,
    stack: ExitStack,
    progress: Progress,
    count: Counter,
) -> Report:
    """Candidates → selection → proof → report, on a door. Raises ConnectionLost when its server is gone for good."""
    if door.what_if is None:
        raise ServerError("there is nothing to plan with")
    today, unplanned = plan_today(door.what_if, queries)
    queries = tuple(query for query in queries if query.fingerprint in today)
    pool = candidate_pool(statements, today, door.schema)
    writes = table_writes(door.schema, workload, statements, door.counters)
    costs = WorkloadCosts(queries, door.what_if, door.schema)
    selection = _select(request, door, queries, pool, writes, costs, count)
    measured = None
    if builder is not None and selection.chosen:
        first = selection

        def again(found: MeasuredSet) -> Selection:
            # Other doors plan on the very database in which the trial's indexes stand now.
            if not isinstance(door.what_if, CloneWhatIf):
                return first
            costs.measured({index: built.size_bytes for index, built in found.kept.items()})
            return _select(request, door, queries, pool, writes, costs, count, found.banned, first)

        if isinstance(door.what_if, ScratchWhatIf):
            # What is measured before would find every candidate in its place.
            door.what_if.clear()
        with _trial(request, first, queries, builder, stack, progress) as trial:
            selection, measured = prove_set(first, again, trial, request.constraints.budget_bytes)
    planned = plan_set(door.what_if, selection, queries, today)
    return advice_report(
        workload=workload, statements=statements, queries=queries, door=door, pool=pool, selection=selection,
        today=today, planned=planned, measured=measured, constraints=request.constraints,
        definitions=existing_definitions(door.reopen, selection.dropped),
        skipped=(*door.left_out, *unbound, *unplanned), show_parameters=request.show_parameters,
    )  # fmt: skip


def _workload(request: AdviceRequest, stack: ExitStack) -> Workload:
    if request.url is None and request.clone is None:
        raise SourceError("nothing to plan with: add --url postgresql://… or --clone FILE (see `queryproof clone`)")
    if request.prove == "measure" and (request.url is None or request.clone is not None):
        raise SourceError(
            "--prove measure builds indexes on a development database: name it with --url, and leave out --clone"
        )
    connection = _open(request.url, stack) if request.pg_stat_statements and request.url else None
    sources = AnalysisRequest(
        journal=request.journal, files=request.files, url=request.url,
        pg_stat_statements=request.pg_stat_statements, since=request.since,
    )  # fmt: skip
    return read_sources(sources, connection)


def _builder(request: AdviceRequest, stack: ExitStack) -> Builder | None:
    if request.prove != "measure" or request.url is None:
        return None
    url = request.url
    return stack.enter_context(Builder(_open(url, stack), reconnect=lambda: _open(url, stack)))


def _select(
    request: AdviceRequest,
    door: Door,
    queries: Sequence[WeightedQuery],
    pool: CandidatePool,
    writes: Sequence[TableWrites],
    costs: WorkloadCosts,
    count: Counter,
    banned: Banned = NOTHING,
    first: Selection | None = None,
) -> Selection:
    """first: the selection before anything was banned, whose curve of planned costs holds."""
    assert door.what_if is not None
    total = sum(table.pages for table in door.schema.tables) * 8192
    budgets = {int(total * share) for share in CURVE_POINTS} if request.curve and queries and first is None else set()
    if budgets and request.constraints.budget_bytes:
        budgets.add(request.constraints.budget_bytes)
    found = select_indexes(
        queries, pool.indexes, door.what_if, door.schema, request.constraints, writes, bundles=pool.bundles,
        budgets=sorted(budgets - {0}), drop_existing=door.drops,
        merge_existing=request.prove != "measure", banned=banned, costs=costs,
        start=[one.index for one in first.chosen] if first is not None else (), progress=count,
    )  # fmt: skip
    return found if first is None else replace(found, curve=first.curve)


def _trial(
    request: AdviceRequest,
    selection: Selection,
    queries: Sequence[WeightedQuery],
    builder: Builder,
    stack: ExitStack,
    progress: Progress,
) -> SetTrial:
    """Sets really built on the development database, for the queries whose plans the first one changes."""
    assert request.url is not None
    url = request.url
    explainer = Explainer(
        _open(url, stack),
        analyze=True,
        allow_superuser=request.allow_superuser,
        reconnect=lambda: _open(url, stack),
        options=False,
    )
    served = {fingerprint for chosen in selection.chosen for fingerprint in chosen.serves}
    # A query that an index is not for may use it all the same, and become slower.
    names = {chosen.name for chosen in selection.chosen}
    changed = {gain.fingerprint for gain in selection.gains if not names.isdisjoint(gain.uses)}
    statements = [
        (one.fingerprint, one.calls, one.texts[0][0]) for one in queries if one.fingerprint in served | changed
    ]

    return SetTrial(statements, builder, TrialRuns(explainer), progress)


def _estimated(
    request: AdviceRequest,
    workload: Workload,
    statements: Mapping[str, Statement],
    door: Door,
    explainer: Explainer,
    unbound: Sequence[Skipped],
    progress: Progress,
) -> Report:
    """Without a door: arithmetic on statistics, query by query, and openly so."""
    plans = explain_workload(workload, explainer, progress)
    case = Case(workload, statements, plans, door.schema)
    answers = answer(case, [one for one in judge(case)[0] if one.rule == INDEX_RULE], [], None, progress)
    return assemble(
        case, answers.findings, answers.recommendations, answers.looked_at, answers.plans, (*door.left_out, *unbound),
        show_parameters=request.show_parameters,
    )  # fmt: skip


def _open(url: str, stack: ExitStack) -> Connection:
    connection = connect(url)
    stack.callback(connection.close)
    return connection
