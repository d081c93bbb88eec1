"""The plans of every scenario, made anew on every major: times add up, every finding is found, nothing false is said.

What depends on the machine's speed, its load or its cache is not judged: such scenarios say `times`, such rules are named beside the verdicts.
"""

import pytest

from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Schema

from ..plans.capture import capture
from ..plans.corpus import Captured, Catalog
from ..plans.scenario import scenarios
from ..plans.test_corpus import adds_up
from ..plans.verdicts import BY_THE_CLOCK, Verdict, verdicts


@pytest.fixture(scope="module")
def judged(major_server: Server) -> list[Verdict]:
    made = list(capture(major_server))
    schemas: dict[str, Schema] = {one.theme: one.schema for one in made if isinstance(one, Catalog)}
    return list(verdicts(scenarios(), schemas, [one for one in made if isinstance(one, Captured)]))


def test_new_plans_are_read_and_judged_as_the_stored_ones(judged: list[Verdict]) -> None:
    assert len(judged) >= 380
    timed = [one for one in judged if one.plan.analyzed and one.plan.root.total_ms is not None]
    off = [one.scenario.name for one in timed if not adds_up(one.plan, made_anew=True)]
    assert off == []
    steady = [one for one in judged if not one.scenario.times]
    assert [(one.scenario.name, sorted(one.missed)) for one in steady if one.missed] == []
    false = [(one.scenario.name, sorted(one.false - BY_THE_CLOCK)) for one in judged]
    assert [one for one in false if one[1]] == []
