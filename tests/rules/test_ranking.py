"""What holds of the findings of any plan: ranked by time at stake, quiet below 5 %, and where the fault begins."""

import pytest

from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.rules.finding import Finding, Severity
from queryproof.rules.judge_plan import judge_plan
from queryproof.rules.plan_context import PlanContext
from queryproof.rules.plan_rule import MIN_SHARE

from ..plans.corpus import FOLDER, read


def _share(finding: Finding) -> float:
    return next(float(fact.value) for fact in finding.facts if fact.name == "share of the execution")


@pytest.fixture(scope="module")
def judged() -> list[tuple[str, PlanContext, list[Finding]]]:
    found = []
    for file in sorted(FOLDER.glob("*.jsonl.gz")):
        for captured in read(file)[1]:
            context = PlanContext(read_plan(captured.plan))
            found.append((f"{captured.scenario} on {captured.server}", context, judge_plan(context)[0]))
    assert len(found) >= 100
    return found


def test_most_time_at_stake_comes_first(judged: list[tuple[str, PlanContext, list[Finding]]]) -> None:
    for name, context, findings in judged:
        stakes = [one.at_stake_ms if context.elapsed_ms is not None else _share(one) for one in findings]
        assert stakes == sorted(stakes, key=lambda one: -(one or 0.0)), name
        for one in findings:
            assert 0.0 <= _share(one) <= 1.0, (name, one.rule)
            if context.elapsed_ms is not None:
                assert one.at_stake_ms is not None, (name, one.rule)
                assert one.at_stake_ms <= context.elapsed_ms + (context.plan.planning_ms or 0.0) + 0.001, (
                    name,
                    one.rule,
                )


def test_below_five_per_cent_nothing_is_above_info(judged: list[tuple[str, PlanContext, list[Finding]]]) -> None:
    assert MIN_SHARE == 0.05
    small = 0
    for name, _, findings in judged:
        for one in findings:
            if _share(one) < MIN_SHARE:
                small += 1
                assert one.severity is Severity.INFO, (name, one.rule)
    assert small > 0


def test_a_fault_is_told_once_and_where_it_begins(judged: list[tuple[str, PlanContext, list[Finding]]]) -> None:
    told = 0
    for name, context, findings in judged:
        assert len({(one.identity, one.plan_node) for one in findings}) == len(findings), name
        nodes = {node.id: node for node in context.nodes}
        wrong = {one.plan_node for one in findings if one.rule == "row-misestimate"}
        told += len(wrong)
        for one in wrong:
            assert one is not None
            inputs = [
                child for child in nodes[one].children if child.parent_relationship in ("Outer", "Inner", "Member")
            ]
            assert not wrong & {child.id for child in inputs}, (name, one)
    assert told > 0


def test_every_finding_has_evidence_and_a_remedy(judged: list[tuple[str, PlanContext, list[Finding]]]) -> None:
    for name, context, findings in judged:
        ids = {node.id for node in context.nodes} | {None}
        for one in findings:
            assert one.plan_node in ids, (name, one.rule)
            assert one.facts, (name, one.rule)
            assert one.remedy is not None, (name, one.rule)
            assert one.remedy.title, (name, one.rule)
