"""The stored plans of 13–18: times add up, every finding is found, and nothing else is said above `info`.

`make plans` makes them anew, `tests/matrix/test_plans.py` judges new ones.
"""

import pytest

from queryproof.analyzer.plan import Plan
from queryproof.rules.judge_plan import plan_rules

from .corpus import file_of, read, stored
from .scenario import MAJORS, scenarios
from .table import table, written
from .verdicts import Verdict, verdicts

NEEDS_CATALOG = frozenset(("stale-stats", "implicit-cast"))
"""Rules that know more with the catalog at hand: without it they may stay silent, but say nothing false either."""


@pytest.fixture(scope="module")
def judged() -> list[Verdict]:
    known = scenarios()
    return [one for schemas, plans in stored() for one in verdicts(known, schemas, plans)]


@pytest.fixture(scope="module")
def judged_alone() -> list[Verdict]:
    """The newest major's, without a catalog."""
    return list(verdicts(scenarios(), {}, read(file_of("postgresql_18"))[1]))


def test_every_major_and_every_rule_is_there(judged: list[Verdict]) -> None:
    assert len(judged) >= 300
    assert {int(one.server.split(".")[0]) for one in judged} == set(MAJORS)
    for rule in plan_rules():
        assert len({one.scenario.name for one in judged if rule.name in one.scenario.finds}) >= 2, rule.name
        assert len({one.scenario.name for one in judged if rule.name in one.scenario.tempts}) >= 1, rule.name
    assert sum(1 for one in judged if not one.scenario.finds | one.scenario.may) >= 250


def test_self_times_add_up(judged: list[Verdict]) -> None:
    """To the root's time and that of CTEs run after it; with what stands beside the nodes, to the execution time."""
    timed = [one for one in judged if one.plan.analyzed and one.plan.root.total_ms is not None]
    assert len(timed) >= 900
    off = [(one.server, one.scenario.name, *sums(one.plan)) for one in timed if not adds_up(one.plan)]
    assert off == []


def sums(plan: Plan) -> tuple[float, float, float, float]:
    """Milliseconds: all self times; root and CTEs after it; these, triggers after them and serialization; the execution."""
    nodes = sum(node.self_ms or 0.0 for node in plan.root.walk())
    return nodes, (plan.root.total_ms or 0.0) + plan.after_plan_ms, plan.accounted_ms or 0.0, plan.execution_ms or 0.0


def adds_up(plan: Plan, *, made_anew: bool = False) -> bool:
    """Within 1 % + 0.1 ms. What the execution took more is told as the executor's own start, end and output. made_anew: and within
    what PostgreSQL may round away: a node's time is printed for one loop, to 1 µs."""
    nodes, tree, accounted, execution = sums(plan)
    whole = accounted + (plan.overhead_ms or 0.0)
    loops = sum(node.actual_loops or 0.0 for node in plan.root.walk() if (node.actual_loops or 0.0) > 1)
    rounded = 0.0005 * loops if made_anew else 0.0
    return close(nodes, tree, rounded) and close(whole, execution, rounded)


def close(one: float, other: float, rounded: float) -> bool:
    return abs(one - other) <= 0.01 * other + 0.1 + rounded


def test_every_finding_is_found(judged: list[Verdict]) -> None:
    assert [(one.server, one.scenario.name, sorted(one.missed)) for one in judged if one.missed] == []


def test_nothing_else_is_said_above_info(judged: list[Verdict]) -> None:
    assert [(one.server, one.scenario.name, sorted(one.false)) for one in judged if one.false] == []


def test_the_same_holds_without_a_catalog(judged_alone: list[Verdict]) -> None:
    missed = [(one.server, one.scenario.name, sorted(one.missed)) for one in judged_alone if one.missed - NEEDS_CATALOG]
    assert missed == []
    assert [(one.server, one.scenario.name, sorted(one.false)) for one in judged_alone if one.false] == []


def test_the_figures_in_the_readme_are_these(judged: list[Verdict]) -> None:
    """After a change: `make bench-findings`."""
    assert written() == table(judged)
