"""What the rules say of a captured plan, set against its labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.schema import Schema
from queryproof.rules.finding import Severity
from queryproof.rules.judge_plan import judge_plan, plan_rules
from queryproof.rules.plan_context import Around, PlanContext

from .corpus import Captured
from .scenario import Scenario

BY_THE_CLOCK = frozenset(
    "io-time-dominates jit-overhead low-cache-hit parallel-absent plan-regression planning-dominates many-partitions-planning "
    "trigger-time volatile-fn-per-row worker-skew workers-not-launched".split()
)
"""Rules whose finding itself is a time, a share of workers or of the cache: a busy machine makes it true of any plan."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """found: every rule that spoke, of a finding or of what it left alone; loud: those above `info`."""

    scenario: Scenario
    server: str
    plan: Plan
    found: frozenset[str]
    loud: frozenset[str]

    @property
    def missed(self) -> frozenset[str]:
        """Rules that should have spoken."""
        return self.scenario.finds - self.found

    @property
    def false(self) -> frozenset[str]:
        """Rules that should have stayed at `info`."""
        return self.loud - self.scenario.finds - self.scenario.may


def verdicts(
    scenarios: Mapping[str, Scenario], schemas: Mapping[str, Schema], captured: Sequence[Captured]
) -> Iterator[Verdict]:
    """One for each plan of a server. With an empty `schemas` no catalog is known, as for a plan that stands alone."""
    plans = {one.scenario: read_plan(one.plan) for one in captured}
    for one in captured:
        scenario = scenarios[one.scenario]
        earlier = (plans[scenario.earlier],) if scenario.earlier is not None else ()
        around = Around(schema=schemas.get(scenario.theme), earlier=earlier)
        findings, looked_at = judge_plan(PlanContext(plans[one.scenario], around))
        yield Verdict(
            scenario,
            one.server,
            plans[one.scenario],
            frozenset(one.rule for one in findings) | frozenset(one.rule for one in looked_at),
            frozenset(one.rule for one in findings if one.severity is not Severity.INFO),
        )


@dataclass(frozen=True, slots=True)
class Score:
    """Of one rule. wanted: plans in which it must speak, hit: those in which it did. others: plans in which it must stay
    silent or at `info`, tempting: those of them made to mislead it, false: those in which it spoke louder."""

    rule: str
    wanted: int
    hit: int
    others: int
    tempting: int
    false: int

    @property
    def recall(self) -> float:
        """Share of the wanted."""
        return self.hit / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        """Share of what it said above `info`, or rightly at any severity."""
        return self.hit / (self.hit + self.false) if self.hit + self.false else 1.0


def scores(judged: Iterable[Verdict]) -> list[Score]:
    """In the order of the rules' codes."""
    every = list(judged)
    found: list[Score] = []
    for rule in plan_rules():
        wanted = [one for one in every if rule.name in one.scenario.finds]
        others = [one for one in every if rule.name not in one.scenario.finds | one.scenario.may]
        found.append(
            Score(
                rule.name,
                len(wanted),
                sum(1 for one in wanted if rule.name in one.found),
                len(others),
                sum(1 for one in others if rule.name in one.scenario.tempts),
                sum(1 for one in others if rule.name in one.loud),
            )
        )
    return found
