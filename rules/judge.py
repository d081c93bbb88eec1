"""Runs every rule over a case."""

from .finding import Finding, LookedAt
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
