"""What a statement takes when what it reads is in memory: medians of several runs, or the fastest of runs in turns."""

from collections.abc import Callable, Sequence

from ..plan import Plan

WARM_RUNS = 5
"""Runs per measurement, of which the median counts; one more run before them warms the cache."""
SLOW_MS = 50.0
"""From here on three runs are measured instead of five: a statement repeats the better the longer it takes."""
LONG_MS = 2_000.0
"""From here on two runs, of which the faster counts: other load only adds. Runs in turns are three from here on, and five below."""
FEW_RUNS = 3
LEAST_RUNS = 2

Once = Callable[[Sequence[str]], Plan]
"""Runs the statement once without some indexes, given as SQL names."""


def measure(once: Once, runs: int) -> Plan:
    """Run it `runs` times after one warming run; the plan of the run with the median time."""
    first = once(())
    # The first run counts where it found everything in memory.
    slow = _ms(first) >= SLOW_MS
    plans = [first] if slow and runs > 1 and not first.root.shared_read else []
    wanted = LEAST_RUNS if _ms(first) >= LONG_MS else FEW_RUNS if slow else runs
    count = min(runs, wanted) - len(plans)
    return _median(plans + [once(()) for _ in range(count)])


def measure_in_turns(once: Once, hidden: Sequence[Sequence[str]], runs: int) -> list[Plan]:
    """Run it in turns without each of these sets of indexes, so that other load meets all of them alike; the plan of each set's
    fastest run, since other load only adds."""
    found = [[once(names)] for names in hidden]
    count = min(runs, FEW_RUNS) if any(_ms(plans[0]) >= LONG_MS for plans in found) else runs
    for _ in range(count - 1):
        for plans, names in zip(found, hidden, strict=True):
            plans.append(once(names))
    return [min(plans, key=_ms) for plans in found]


def _median(plans: Sequence[Plan]) -> Plan:
    return sorted(plans, key=_ms)[(len(plans) - 1) // 2]


def _ms(plan: Plan) -> float:
    return plan.execution_ms or 0.0
