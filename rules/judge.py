"""Runs every rule over a case."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .finding import Finding, LookedAt, Severity
from .judge_plan import plan_rules
from .plan_context import PlanContext
from .plan_rule import contexts
from .rule import Case, all_rules


def judge(case: Case) -> tuple[list[Finding], list[LookedAt]]:
    """All findings and all explained silences, in the order of the rules' codes. A rule that raises stops the analysis:
    half a verdict would read as a clean one."""
    findings: dict[str, Finding] = {}
    looked_at: dict[LookedAt, None] = {}
    for rule in all_rules():
        if rule.needs_database and case.schema is None:
            continue
        for verdict in rule.check(case):
            if isinstance(verdict, LookedAt):
                looked_at[verdict] = None
            else:
                findings.setdefault(verdict.identity, verdict)
    return list(findings.values()), list(looked_at)


def released(case: Case, withdrawn: Sequence[Finding]) -> Iterator[Finding]:
    """Findings on the scans for which missing-index was withdrawn, since no index helps: what other rules say of them, as far as
    their remedy is no index either."""
    tables = {(one.subject.fingerprint, one.subject.table) for one in withdrawn}
    for context in contexts(case) if tables else ():
        around = context.around
        nodes = {node for node, table in around.claimed.items() if (around.fingerprint, table) in tables}
        if not nodes:
            continue
        left = {node: table for node, table in around.claimed.items() if node not in nodes}
        around = replace(around, claimed=left)
        for rule in plan_rules():
            for verdict in rule.verdicts(PlanContext(context.plan, around)):
                if (
                    isinstance(verdict, Finding)
                    and verdict.plan_node in nodes
                    and verdict.severity is not Severity.INFO
                    and verdict.remedy is not None
                    and verdict.remedy.kind != "index"
                ):
                    yield verdict
