"""Findings → recommendations: each missing index is tried out, and a finding that no index settles is withdrawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from .analyzer.advise.scanned_table import scanned_table
from .analyzer.advise.selected_answers import answer_by_selecting
from .analyzer.advise.what_if import WhatIf
from .analyzer.errors import StatementError
from .analyzer.plan import Plan
from .analyzer.recommendation import Recommendation
from .rules.finding import Finding, LookedAt
from .rules.judge import released
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
    planner: Callable[[], WhatIf | None] = lambda: None,
) -> Answers:
    """Answer every finding. With a prover, indexes are built and measured. What is not measured is planned, as one set for the
    whole workload, through the door that `planner` opens when it is first needed; without one it is estimated."""
    result = Answers([], [], list(looked_at))
    missing = [finding for finding in findings if finding.rule == INDEX_RULE]
    replies: dict[str, IndexAnswer | NoIndex | str] = {}
    open_questions: dict[str, tuple[IndexQuestion, str]] = {}
    for finding in progress("Trying indexes" if prover else "Weighing indexes", missing):
        question = _question(case, finding)
        if question is None:
            replies[finding.identity] = "the statement or its plan could not be read far enough to name the table"
            continue
        try:
            replies[finding.identity] = _measured(case, question, prover)
        except StatementError as error:
            open_questions[finding.identity] = (question, f"not measured: {error}" if prover else "")
    replies |= _unmeasured(case, open_questions, planner)
    index_answers: list[IndexAnswer] = []
    withdrawn: list[Finding] = []
    for finding in missing:
        reply = replies[finding.identity]
        if isinstance(reply, IndexAnswer):
            index_answers.append(reply)
            result.findings.append(finding)
        else:
            withdrawn.append(finding)
            result.looked_at.append(LookedAt(finding.rule, finding.subject, _because(reply)))
    result.recommendations += recommendations(consolidate(index_answers, prover), result.plans)
    for finding in (*findings, *released(case, withdrawn)):
        if finding.rule != INDEX_RULE:
            result.findings.append(finding)
            if finding.remedy is not None:
                result.recommendations.append(finding.remedy)
    return result


def _measured(case: Case, question: IndexQuestion, prover: tuple[Builder, Measure] | None) -> IndexAnswer | NoIndex:
    """Raises StatementError with the reason when it cannot be measured."""
    explained = question.explained
    ran = explained.timed_out_s is not None or (explained.plan is not None and explained.plan.analyzed)
    if prover is None or case.schema is None:
        raise StatementError("")
    if not ran:
        raise StatementError(explained.note or "the statement was not run")
    return answer_by_measuring(question, case.schema, *prover)


def _unmeasured(
    case: Case, questions: Mapping[str, tuple[IndexQuestion, str]], planner: Callable[[], WhatIf | None]
) -> dict[str, IndexAnswer | NoIndex | str]:
    """Planned where there is a door, else estimated; each with the reason why it was not measured."""
    if not questions or case.schema is None:
        return {}
    what_if = planner()
    asked = [question for question, _ in questions.values()]
    if what_if is not None:
        answers = answer_by_selecting(asked, case.schema, what_if)
    else:
        answers = [answer_by_estimate(question, case.schema) for question in asked]
    return {
        identity: replace(reply, note=note) if isinstance(reply, IndexAnswer) and note else reply
        for (identity, (_, note)), reply in zip(questions.items(), answers, strict=True)
    }


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
    table = next((t for t in case.schema.tables if f"{t.schema}.{t.name}" == name), None)
    if explained is None or explained.plan is None or statement is None or table is None:
        return None
    nodes = list(explained.plan.root.walk())
    node = next((node for node in nodes if node.id == finding.plan_node), None)
    place = scanned_table(node, statement, case.schema) if node is not None else None
    if node is None or place is None or not place[1]:
        return None
    return IndexQuestion(finding.identity, group, statement, explained, table, place[1], node)
