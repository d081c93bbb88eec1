"""How the trial of a set runs statements: by an explainer, warm, nodes not timed."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..plan import Plan
from ..postgres.explain import Explainer
from ..postgres.warm_runs import WARM_RUNS


@dataclass(frozen=True, slots=True)
class TrialRuns:
    """`set_trial.Runs`. explainer: its role owns the tables, since indexes are hidden by a DROP that is rolled back."""

    explainer: Explainer

    def plan(self, sql: str) -> Plan:
        """Planned, not run."""
        return self.explainer.plan(sql)

    def measure(self, sql: str) -> Plan:
        """The plan of the median warm run."""
        return self.explainer.measure(sql, WARM_RUNS, timing=False)

    def in_turns(self, sql: str, hidden: Sequence[Sequence[str]]) -> Sequence[Plan]:
        """The fastest of warm runs without each of these sets of indexes, all in turns."""
        return self.explainer.measure_in_turns(sql, hidden, WARM_RUNS)
