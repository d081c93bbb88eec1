"""Findings → recommendations: each missing index is tried out, and a finding that no index settles is withdrawn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .analyzer.advise.builder import Builder
from .analyzer.advise.index_advice import (
    IndexAnswer,
    IndexQuestion,
    Measure,
    NoIndex,
    answer_by_estimate,
    answer_by_measuring,
)
from .analyzer.advise.index_recommendation import consolidate, recommendations
from .analyzer.errors import StatementError
from .analyzer.plan import Plan
from .analyzer.recommendation import Recommendation
from .rules.finding import Finding, LookedAt
from .rules.rule import Case

INDEX_RULE = "missing-index"


@dataclass(slots=True)
class Answers:
    """What came of the findings: those that stand, the actions, the silences, and the plans that the evidence names."""

    findings: list[Finding]
    recommendations: list[Recommendation]
    looked_at: list[LookedAt]
    plans: dict[str, Plan] = field(default_factory=dict)


def answer(
    case: Case,
    findings: Sequence[Finding],
    looked_at: Sequence[LookedAt],
    prover: tuple[Builder, Measure] | None,
    progress: Callable[[str, Sequence[Finding]], Iterator[Finding]],
) -> Answers:
    """Answer every finding. With a prover, indexes are built and measured; without, they are estimated."""
    result = Answers([], [], list(looked_at))
    index_answers: list[IndexAnswer] = []
    missing = [finding for finding in findings if finding.rule == INDEX_RULE]
    for finding in progress("Trying indexes" if prover else "Weighing indexes", missing):
        reply = _reply(case, finding, prover)
        if isinstance(reply, IndexAnswer):
            index_answers.append(reply)
            result.findings.append(finding)
        else:
            result.looked_at.append(LookedAt(finding.rule, finding.subject, _because(reply)))
    if prover:
        index_answers = consolidate(index_answers, *prover)
    result.recommendations += recommendations(index_answers, result.plans)
    for finding in findings:
        if finding.rule != INDEX_RULE:
            result.findings.append(finding)
            if finding.remedy is not None:
                result.recommendations.append(finding.remedy)
    return result


def _reply(case: Case, finding: Finding, prover: tuple[Builder, Measure] | None) -> IndexAnswer | NoIndex | str:
    question = _question(case, finding)
    if question is None or case.schema is None:
        return "the statement or its plan could not be read far enough to name the table"
    explained = question.explained
    ran = explained.timed_out_s is not None or (explained.plan is not None and explained.plan.analyzed)
    if prover is None or not ran:
        return answer_by_estimate(question, case.schema)
    try:
        return answer_by_measuring(question, case.schema, *prover)
    except StatementError as error:
        return f"the proof failed: {error}"


def _because(reply: NoIndex | str) -> str:
    if isinstance(reply, str):
        return reply
    tried = "; ".join(f"{one.what}: {one.reason}" for one in reply.tried)
    return f"{reply.reason} ({tried})" if tried else reply.reason


def _question(case: Case, finding: Finding) -> IndexQuestion | None:
    fingerprint, name = finding.subject.fingerprint, finding.subject.table
    group = next((group for group in case.workload.groups if group.fingerprint == fingerprint), None)
    if group is None or name is None or case.schema is None:
        return None
    explained, statement = case.plans.get(group.fingerprint), case.statements.get(group.fingerprint)
    table = next((t for t in case.schema.tables if f"{t.schema}.{t.name}" == name), None) or case.schema.table(name)
    if explained is None or explained.plan is None or statement is None or table is None:
        return None
    nodes = list(explained.plan.root.walk())
    node = next((node for node in nodes if node.id == finding.plan_node), None)
    node = node or next((node for node in nodes if node.relation == table.name), None)
    scans = tuple(scan for scan in statement.scans if scan.table == table.name and scan.schema in (None, table.schema))
    if node is None or not scans:
        return None
    return IndexQuestion(finding.identity, group, statement, explained, table, scans, node)
