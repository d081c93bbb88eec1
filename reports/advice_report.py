"""What the advisor found → Report: an action for each index, the plan as a whole, and what helps where no index does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..analyzer.advise.build_time import build_ms
from ..analyzer.advise.candidate_pool import CandidatePool
from ..analyzer.advise.door import Door
from ..analyzer.advise.existing_indexes import too_young
from ..analyzer.advise.index_advice import describe
from ..analyzer.advise.index_plan import DroppableIndex, IndexPlan, PlannedIndex, QueryChange
from ..analyzer.advise.kept_scans import kept_scans
from ..analyzer.advise.measured_set import MeasuredQuery, MeasuredSet
from ..analyzer.advise.plan_recommendations import Proof, add_recommendation, after_key, before_key, drop_recommendation
from ..analyzer.advise.planned_set import renamed
from ..analyzer.advise.scanned_table import table_rows
from ..analyzer.advise.selection_types import ChosenIndex, Constraints, Selection, WeightedQuery
from ..analyzer.advise.whole_index_read import whole_index_read
from ..analyzer.plan import ExplainedQuery, Plan
from ..analyzer.recommendation import Alternative, Recommendation
from ..analyzer.schema import Index, Table
from ..analyzer.sql.statement import Statement
from ..analyzer.workload import Skipped, Workload
from ..rules.finding import Finding
from ..rules.judge import judge
from ..rules.rule import Case
from .advice_words import SECURED, UNPROVEN
from .assemble import assemble
from .report import Report

REWRITES = frozenset(
    "nonsargable-function implicit-cast leading-wildcard or-same-table late-or-across-tables not-in-subquery subplan-per-row "
    "large-offset cte-materialized join-filter-waste cartesian".split()
)
"""Rules whose remedy is another way to write the statement, so that its scan goes away or an index fits."""


def advice_report(
    *,
    workload: Workload,
    statements: Mapping[str, Statement],
    queries: Sequence[WeightedQuery],
    door: Door,
    pool: CandidatePool,
    selection: Selection,
    today: Mapping[str, Plan],
    planned: Mapping[str, Plan],
    measured: MeasuredSet | None,
    constraints: Constraints,
    definitions: Mapping[tuple[str, str], str],
    skipped: Sequence[Skipped],
    show_parameters: bool,
) -> Report:
    """The report of `queryproof advise`."""
    tables = {(table.schema, table.name): table for table in door.schema.tables}
    groups = {group.fingerprint: group for group in workload.groups}
    out = {index for index, _ in measured.taken_out} if measured is not None else set()
    plain = measured.plain if measured is not None else {}
    chosen_truly = [replace(one, index=plain.get(one.index, one.index)) for one in selection.chosen]
    stays = [one for one in chosen_truly if one.index not in out]
    ran = _ran(measured, stays)
    plans = _plans(today, planned, measured, ran, stays)
    proof = Proof(door.kind, {gain.fingerprint: gain for gain in selection.gains}, ran, plans)
    actions: list[Recommendation] = []
    indexes: list[PlannedIndex] = []
    for chosen in stays:
        table = tables[chosen.index.schema, chosen.index.table]
        built = measured.kept.get(chosen.index) if measured is not None else None
        time = (
            built.build_ms
            if built is not None
            else build_ms(chosen.index, table, table_rows(table, door.schema) or 0.0)
        )
        unproven = UNPROVEN if built is None and any(key.column is None for key in chosen.index.keys) else ""
        if built is None and (table.schema, table.name) in door.secured:
            unproven = SECURED
        whole = whole_index_read(chosen.name, planned) if built is None and chosen.index.predicate is None else ""
        action = add_recommendation(
            chosen, table, groups, proof, build_ms=time, caution=" ".join(filter(None, (unproven, whole))),
            measured_size=built.size_bytes if built is not None else None,
        )  # fmt: skip
        actions.append(action)
        indexes.append(_planned_index(chosen, action, time, unproven, selection))
    dropped: list[DroppableIndex] = []
    doubtful = [one for one in selection.dropped if too_young(one, door.schema.counted_days)]
    undecided = tuple(
        Skipped(f"index {one.schema}.{one.name}", f"{one.reason}: dropping it is not proposed") for one in doubtful
    )
    for one in selection.dropped:
        if one in doubtful:
            continue
        existing = _existing(tables[one.schema, one.table], one.name)
        action = drop_recommendation(
            one, existing, tables[one.schema, one.table], definitions.get((one.schema, one.name), ""), door.kind
        )
        actions.append(action)
        dropped.append(
            DroppableIndex(action.id, one.schema, one.table, one.name, one.size_bytes, one.reason, one.replaced_by, existing.scans)
        )  # fmt: skip
    after = {
        query.fingerprint: plans[after_key(query.fingerprint)]
        for query in queries
        if after_key(query.fingerprint) in plans
    }
    assumed = {query.fingerprint for query in queries if query.assumed}
    scans = kept_scans(after, statements, door.schema, pool, selection.rejected, assumed)
    texts = {query.fingerprint: query.texts[0][0] for query in queries}
    case = Case(
        workload,
        statements,
        {key: ExplainedQuery(key, plan, texts[key], f"planned on a {door.kind}", "") for key, plan in today.items()},
        door.schema,
    )
    findings = rewrites(case, after, {one.fingerprint for one in scans}, texts)
    actions += [finding.remedy for finding in findings if finding.remedy is not None]
    index_plan = IndexPlan(
        door=door.kind,
        evidence="measured" if ran else "planned",
        budget_bytes=constraints.budget_bytes,
        max_indexes=constraints.max_indexes,
        max_per_table=constraints.max_per_table,
        max_width=constraints.max_width,
        cost_before=selection.cost_before,
        cost_after=selection.cost_after,
        write_cost=sum(one.write_cost for one in stays),
        ms_before=sum(one.calls * (one.before.execution_ms or 0.0) for one in ran.values()) if ran else None,
        ms_after=sum(one.calls * (one.after.execution_ms or 0.0) for one in ran.values()) if ran else None,
        size_bytes=sum(one.size_bytes for one in indexes),
        indexes=tuple(indexes),
        dropped=tuple(dropped),
        queries=_changes(queries, proof),
        curve=selection.curve,
        kept_scans=scans,
        rejected=selection.rejected,
        taken_out=_taken_out(measured),
        complete=selection.complete,
    )
    extra = {key: plan for key, plan in plans.items() if key not in today}
    unpriced = [Skipped(f"query {one.what}", one.reason) for one in selection.unplanned]
    unrun = [Skipped(f"measuring query {one.what}", one.reason) for one in (measured.unmeasured if measured else ())]
    if measured is not None:
        unrun += [Skipped(f"measuring {describe(index)}", reason) for index, reason in measured.refused]
    return assemble(
        case, findings, actions, (), extra, (*skipped, *unpriced, *unrun, *undecided),
        show_parameters=show_parameters, index_plan=index_plan,
    )  # fmt: skip


def rewrites(case: Case, after: Mapping[str, Plan], left: set[str], texts: Mapping[str, str]) -> list[Finding]:
    """What the rules say of the queries that no index frees of their scans, judged on the plans afterwards: rewrites alone."""
    plans = {key: ExplainedQuery(key, after[key], texts[key], "", "") for key in sorted(left) if key in after}
    if not plans:
        return []
    groups = tuple(group for group in case.workload.groups if group.fingerprint in plans)
    workload = Workload(groups, (), case.workload.sources)
    found, _ = judge(Case(workload, case.statements, plans, case.schema))
    return [one for one in found if one.rule in REWRITES and one.remedy is not None]


def _ran(measured: MeasuredSet | None, stays: Sequence[ChosenIndex]) -> dict[str, MeasuredQuery]:
    """Queries whose measurement speaks for the whole set: not those of an index that was not built."""
    if measured is None:
        return {}
    refused = {index for index, _ in measured.refused}
    waiting = {fingerprint for one in stays if one.index in refused for fingerprint in one.serves}
    return {one.fingerprint: one for one in measured.queries if one.fingerprint not in waiting}


def _plans(
    today: Mapping[str, Plan],
    planned: Mapping[str, Plan],
    measured: MeasuredSet | None,
    ran: Mapping[str, MeasuredQuery],
    stays: Sequence[ChosenIndex],
) -> dict[str, Plan]:
    """By plan id: those of today, and those afterwards where they differ or were measured."""
    plans = {before_key(key): plan for key, plan in today.items()}
    plans |= {after_key(key): plan for key, plan in planned.items()}
    if measured is not None:
        names = {
            name: one.name for one in stays if one.index in measured.kept for name in measured.kept[one.index].names
        }
        for one in ran.values():
            plans[before_key(one.fingerprint)] = one.before
            plans[after_key(one.fingerprint)] = renamed(one.after, names)
    return plans


def _planned_index(
    chosen: ChosenIndex, action: Recommendation, time: float, unproven: str, selection: Selection
) -> PlannedIndex:
    before = selection.cost_before or 1.0
    return PlannedIndex(
        recommendation=action.id,
        schema=chosen.index.schema,
        table=chosen.index.table,
        name=chosen.name,
        definition=describe(chosen.index),
        size_bytes=action.cost.size_bytes or chosen.size_bytes,
        marginal=chosen.marginal / before,
        write_share=chosen.write_cost / before,
        build_ms=time,
        serves=chosen.serves,
        proof=action.evidence.kind,
        unproven=unproven,
    )


def _changes(queries: Sequence[WeightedQuery], proof: Proof) -> tuple[QueryChange, ...]:
    found = []
    for query in queries:
        gain = proof.gains.get(query.fingerprint)
        if gain is None:
            continue
        run = proof.measured.get(query.fingerprint)
        found.append(
            QueryChange(
                query.fingerprint, query.calls, gain.cost_before, gain.cost_after,
                run.before.execution_ms if run is not None else None,
                run.after.execution_ms if run is not None else None,
                gain.uses,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-(one.cost_before - one.cost_after) * one.calls, one.fingerprint)))


def _taken_out(measured: MeasuredSet | None) -> tuple[Alternative, ...]:
    return tuple(Alternative(describe(index), reason) for index, reason in measured.taken_out) if measured else ()


def _existing(table: Table, name: str) -> Index:
    return next(index for index in table.indexes if index.name == name)
