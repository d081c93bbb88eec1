"""Judges a plan that stands alone, with no workload around it."""

from functools import cache

from .finding import Finding, LookedAt
from .partitions import share_of
from .plan_context import PlanContext
from .plan_rule import PlanRule
from .rule import all_rules


@cache
def plan_rules() -> tuple[PlanRule, ...]:
    """The rules that need no more than a plan."""
    return tuple(rule for rule in all_rules() if isinstance(rule, PlanRule))


def judge_plan(context: PlanContext) -> tuple[list[Finding], list[LookedAt]]:
    """Findings, most time at stake first, and what was left alone on purpose. A rule that raises stops the judgement."""
    findings: dict[tuple[str, int | None], Finding] = {}
    looked_at: dict[LookedAt, None] = {}
    for rule in plan_rules():
        for verdict in rule.verdicts(context):
            if isinstance(verdict, LookedAt):
                looked_at[verdict] = None
            else:
                findings.setdefault((verdict.identity, verdict.plan_node), verdict)
    ranked = sorted(findings.values(), key=lambda one: (-(one.at_stake_ms or _share(one)), one.severity.rank, one.code, one.plan_node or 0))  # fmt: skip
    return ranked, list(looked_at)


def _share(finding: Finding) -> float:
    """Rank of a finding about a plan that was not run: below a millisecond, in the order of its share."""
    return share_of(finding) / 1000.0
