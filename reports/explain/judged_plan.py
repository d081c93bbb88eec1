"""A plan with what the rules say of it: what every view of a lone plan takes."""

from dataclasses import dataclass

from ...analyzer.plan import Plan
from ...rules.finding import Finding, LookedAt


@dataclass(frozen=True, slots=True)
class JudgedPlan:
    """plan: literals hidden unless they may be shown. findings: most time at stake first.

    source: where the plan came from, for people. note: why it is not what was hoped for. origin: where the parameter values
    came from. statement: its text, literals hidden like the plan's; None when not known.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    looked_at: tuple[LookedAt, ...]
    source: str
    note: str = ""
    origin: str = ""
    statement: str | None = None

    def of_node(self, node: int | None) -> list[tuple[int, Finding]]:
        """(rank from 1, finding) of one node; None: those about the whole plan."""
        return [(rank, one) for rank, one in enumerate(self.findings, 1) if one.plan_node == node]


def share(finding: Finding) -> float:
    """Of the execution, what the finding could save at most (0–1); of the cost where nothing was run."""
    return next((float(fact.value) for fact in finding.facts if fact.name == "share of the execution"), 0.0)
