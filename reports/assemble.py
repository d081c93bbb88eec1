"""Case, findings and recommendations → Report."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .. import __version__
from ..analyzer.advise.index_plan import IndexPlan
from ..analyzer.plan import ExplainedQuery, Plan
from ..analyzer.postgres.literals import without_literals
from ..analyzer.postgres.plan_text import described, hide_literals
from ..analyzer.recommendation import Alternative, Recommendation
from ..analyzer.sql.parse import NO_QUERY, format_sql
from ..analyzer.sql.statement import Statement
from ..analyzer.workload import QueryGroup, Skipped
from ..rules.finding import Finding, LookedAt
from ..rules.rule import Case, all_rules
from .numbers import plural
from .report import (
    SCHEMA_VERSION,
    Report,
    ReportedBucket,
    ReportedFinding,
    ReportedParameters,
    ReportedQuery,
    ReportedSite,
    ReportedVariant,
    RulePage,
)
from .savings import savings

_OPTIONS = re.compile(r"( WITH \([a-z_]+ = \d+\))")


def assemble(
    case: Case,
    findings: Sequence[Finding],
    recommendations: Sequence[Recommendation],
    looked_at: Sequence[LookedAt],
    proof_plans: Mapping[str, Plan],
    skipped: Sequence[Skipped],
    *,
    show_parameters: bool,
    index_plan: IndexPlan | None = None,
) -> Report:
    """The report, everything in a fixed order. Literals in plans are hidden unless parameters may be shown."""
    workload = case.workload
    plans = {key: plan.plan for key, plan in case.plans.items() if plan.plan is not None} | dict(proof_plans)
    plans |= {
        _variant_id(key, number): variant.plan
        for key, explained in case.plans.items()
        for number, variant in enumerate(explained.variants, 2)
    }
    shown = {key: described(plan if show_parameters else hide_literals(plan)) for key, plan in plans.items()}
    ranked = tuple(sorted(findings, key=lambda one: (-(one.at_stake_ms or 0.0), one.severity.rank, one.identity)))
    if not show_parameters:
        # An edit's alternatives are lines of files.
        recommendations = [
            one if one.kind == "orm-edit" else replace(one, alternatives=_outlined(one.alternatives))
            for one in recommendations
        ]
        if index_plan is not None:
            rejected, taken_out = _outlined(index_plan.rejected), _outlined(index_plan.taken_out)
            index_plan = replace(index_plan, rejected=rejected, taken_out=taken_out)
    actions = tuple(sorted(recommendations, key=_rank))
    times = [source_time for group in workload.groups if (source_time := group.total_ms) is not None]
    totals = {group.fingerprint: group.total_ms or 0.0 for group in workload.groups}
    unexplained = [
        Skipped(f"query {group.fingerprint}", explained.note)
        for group in workload.groups
        if (explained := case.plans.get(group.fingerprint)) is not None
        and explained.plan is None
        and not _is_no_query(case.statements.get(group.fingerprint))
    ]
    told = {one.subject for one in unexplained}
    unread = [one for one in _unread(case) if one.subject not in told]
    rules = {finding.rule for finding in findings}
    return Report(
        schema_version=SCHEMA_VERSION,
        tool_version=__version__,
        started_at=workload.started_at,
        ended_at=workload.ended_at,
        server=_server(case),
        total_ms=sum(times) if times else None,
        saved_ms=sum(savings(actions, totals).values()) if times else None,
        calls=sum(group.calls for group in workload.groups),
        sources=workload.sources,
        recommendations=actions,
        findings=tuple(_finding(finding, actions) for finding in ranked),
        queries=tuple(
            _query(group, case.plans.get(group.fingerprint), ranked, show_parameters) for group in workload.groups
        ),
        plans=dict(sorted(shown.items())),
        looked_at=tuple(sorted(looked_at, key=repr)),
        skipped=(*skipped, *workload.skipped, *unexplained, *unread, *_uncounted(case)),
        rules=tuple(RulePage(rule.name, rule.code, rule.page) for rule in all_rules() if rule.name in rules),
        examined=_examined(case),
        index_plan=index_plan,
    )


def _outlined(alternatives: Sequence[Alternative]) -> tuple[Alternative, ...]:
    """Indexes that are not recommended need no values in their conditions; storage parameters are no values."""
    return tuple(
        replace(
            one,
            what="".join(
                part if number % 2 else without_literals(part) for number, part in enumerate(_OPTIONS.split(one.what))
            ),
        )
        for one in alternatives
    )


def _finding(finding: Finding, actions: Sequence[Recommendation]) -> ReportedFinding:
    identity = finding.identity
    return ReportedFinding(
        id=identity,
        rule=finding.rule,
        code=finding.code,
        severity=finding.severity,
        subject=finding.subject,
        message=finding.message,
        facts=finding.facts,
        evidence=finding.evidence,
        at_stake_ms=finding.at_stake_ms,
        place=finding.place,
        plan_node=finding.plan_node,
        recommendations=tuple(action.id for action in actions if identity in action.settles),
    )


def _query(
    group: QueryGroup, explained: ExplainedQuery | None, findings: Sequence[Finding], show_parameters: bool
) -> ReportedQuery:
    note = "no database was given" if explained is None else explained.note or explained.parameters_origin
    if explained is not None and explained.plan is not None and explained.parameters_origin not in note:
        note += f"; values: {explained.parameters_origin}"
    variants = [
        ReportedVariant(_variant_id(group.fingerprint, number), variant.origin, variant.note)
        for number, variant in enumerate(explained.variants if explained is not None else (), 2)
    ]
    parameters = [
        ReportedParameters(repr(sample.values), sample.duration_ms) for sample in group.samples if sample.values
    ]
    return ReportedQuery(
        fingerprint=group.fingerprint,
        text=format_sql(group.text),
        calls=group.calls,
        total_ms=group.total_ms,
        mean_ms=group.mean_ms,
        p50_ms=group.p50_ms,
        p95_ms=group.p95_ms,
        max_ms=group.max_ms,
        rows=group.rows,
        errors=group.errors,
        call_sites=tuple(ReportedSite(place, calls) for place, calls in group.call_sites),
        histogram=tuple(ReportedBucket(up_to, calls) for up_to, calls in group.histogram),
        sources=group.sources,
        findings=tuple(one.identity for one in findings if one.subject.fingerprint == group.fingerprint),
        plan_id=group.fingerprint if explained is not None and explained.plan is not None else None,
        plan_note=note,
        parameters=tuple(parameters) if show_parameters else (),
        parameters_origin=explained.parameters_origin if explained is not None else "",
        variants=tuple(variants),
    )


def _unread(case: Case) -> list[Skipped]:
    """Statements that could not be analysed, one by one; those that are no queries, such as DDL, in one line."""
    problems = {
        fingerprint: statement for fingerprint, statement in case.statements.items() if statement.problem is not None
    }
    others = [statement.kind for statement in problems.values() if _is_no_query(statement)]
    unread = [
        Skipped(f"query {fingerprint}", f"not analysed: {statement.problem}")
        for fingerprint, statement in problems.items()
        if not _is_no_query(statement)
    ]
    if others:
        kinds = ", ".join(sorted({kind for kind in others if kind}))
        unread.append(Skipped(plural(len(others), "statement"), f"not analysed: no queries ({kinds})"))
    return unread


def _uncounted(case: Case) -> list[Skipped]:
    """SELECTs whose rows nobody has counted, nor the instances that came of them, by driver."""
    workload = case.workload
    failed = {group.fingerprint for group in workload.groups if group.errors}
    selects = {name for name, one in case.statements.items() if one.kind == "SELECT" and one.scans} - failed
    loaded = {use.origin for use in workload.uses}
    drivers = Counter(
        one.driver
        for one in workload.executions
        # Where collections are joined, instances do not tell of rows.
        if one.rows is None
        and one.fingerprint in selects
        and (one.call_site not in loaded or (one.orm is not None and one.orm.joined))
    )
    deep = "" if workload.uses else "; recorded with --deep, instances are counted instead"
    return [
        Skipped(f"rows of {plural(count, 'execution')}", f"the driver {driver} does not tell how many{deep}")
        for driver, count in sorted(drivers.items())
        if driver
    ]


def _is_no_query(statement: Statement | None) -> bool:
    return statement is not None and (statement.problem or "").endswith(NO_QUERY)


def _variant_id(fingerprint: str, number: int) -> str:
    return f"{fingerprint}/{number}"


def _rank(one: Recommendation) -> tuple[float, float, bool, str]:
    """What serves no query comes last: an index is dropped after the one that takes its place is built."""
    return -(one.saves_ms or 0.0), -max(0.0, _per_call(one)), not one.evidence.queries, one.id


def _per_call(action: Recommendation) -> float:
    """What the query that gains most gains by, in ms or else in planner's units: for sources that count no time."""
    gains = [
        (one.before.ms - one.after.ms) if one.before.ms is not None and one.after.ms is not None
        else (one.before.cost - one.after.cost) / 1_000_000 if one.before.cost is not None and one.after.cost is not None
        else 0.0
        for one in action.evidence.queries
    ]  # fmt: skip
    return max(gains, default=0.0)


def _server(case: Case) -> str | None:
    if case.schema is None:
        return None
    major, minor = divmod(case.schema.server_version, 10000)
    return f"PostgreSQL {major}.{minor}"


def _examined(case: Case) -> tuple[str, ...]:
    groups = case.workload.groups
    run = sum(1 for plan in case.plans.values() if plan.plan is not None and plan.plan.analyzed)
    planned = sum(1 for plan in case.plans.values() if plan.plan is not None) - run
    names = [rule.name for rule in all_rules() if case.schema is not None or not rule.needs_database]
    sentences = [
        f"{plural(len(groups), 'distinct statement')} in {plural(sum(group.calls for group in groups), 'execution')}",
        f"{plural(len(names), 'rule')} applied; `queryproof rules` lists them",
    ]
    if case.schema is not None:
        sentences.append(f"{plural(run, 'plan')} from real runs, {planned} planned without running")
        if differing := sum(1 for plan in case.plans.values() if plan.variants):
            sentences.append(f"{plural(differing, 'statement')} with plans that differ by value")
        sentences.append(f"{plural(len(case.schema.tables), 'table')} with indexes and statistics")
    return tuple(sentences)
