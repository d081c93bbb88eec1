"""What a statement takes when what it reads is in memory: medians of several runs."""

from collections.abc import Callable, Sequence

from ..plan import Plan

SLOW_MS = 50.0
"""From here on three runs are measured instead of five: a statement repeats the better the longer it takes."""
SLOW_RUNS = 3

Once = Callable[[Sequence[str]], Plan]
"""Runs the statement once without some indexes, given as SQL names."""


def measure(once: Once, runs: int) -> Plan:
    """Run it `runs` times after one warming run; the plan of the run with the median time."""
    first = once(())
    # The first run counts where it found everything in memory.
    plans = [first] if _slow(first) and runs > 1 and not first.root.shared_read else []
    count = min(runs, SLOW_RUNS) - len(plans) if _slow(first) else runs
    return _median(plans + [once(()) for _ in range(count)])


def measure_in_turns(once: Once, hidden: Sequence[Sequence[str]], runs: int) -> list[Plan]:
    """Run it in turns without each of these sets of indexes, so that other load meets all of them alike; the plan of each set's
    run with the median time."""
    found = [[once(names)] for names in hidden]
    count = min(runs, SLOW_RUNS) if any(_slow(plans[0]) for plans in found) else runs
    for _ in range(count - 1):
        for plans, names in zip(found, hidden, strict=True):
            plans.append(once(names))
    return [_median(plans) for plans in found]


def _slow(plan: Plan) -> bool:
    return (plan.execution_ms or 0.0) >= SLOW_MS


def _median(plans: Sequence[Plan]) -> Plan:
    return sorted(plans, key=lambda plan: plan.execution_ms or 0.0)[len(plans) // 2]
