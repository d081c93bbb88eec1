"""Rounds of a loop: several statements that follow each other in the same order again and again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..analyzer.query import SessionEvent
from ..analyzer.workload import Execution
from .asked_for import asked_for, why_right
from .recorded import MAX_GAP_S, Recorded, Step, loop_key, one_run

MIN_ROUNDS = 3
MAX_STATEMENTS = 8
"""Statements of one round that are looked for."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """times: rounds; executions: all of them in order; whole: the loop sends its statements in these rounds and not besides,
    but for one that broke off."""

    executions: tuple[Execution, ...]
    times: int
    whole: bool

    @property
    def length(self) -> int:
        """Statements of one round."""
        return len(self.executions) // self.times

    @property
    def pattern(self) -> tuple[object, ...]:
        """Statement and loop of each place of the round."""
        return tuple(map(_key, self.executions[: self.length]))

    def place(self, number: int) -> tuple[Execution, ...]:
        """The executions of one statement of the round."""
        return self.executions[number :: self.length]


def rounds(recorded: Recorded) -> Iterator[Rounds]:
    """Rounds among the free queries of each unit, with other values each time. A write, the end of a transaction or a long pause
    ends them."""
    counts = _Counts(recorded)
    for steps in recorded.units.values():
        sent = Counter(_sent_by(recorded, step) for step in steps if isinstance(step, Execution))
        for stretch in _stretches(recorded, counts, steps):
            for executions, times in _repeated(recorded, stretch):
                kept = Counter(_sent_by(recorded, one) for one in executions)
                whole = all(sent[key] - count <= 1 for key, count in kept.items())
                yield Rounds(tuple(executions), times, whole)


def _stretches(recorded: Recorded, counts: "_Counts", steps: Sequence[Step]) -> Iterator[list[Execution]]:
    stretch: list[Execution] = []
    for step in steps:
        if isinstance(step, SessionEvent):
            ends = step.kind in ("rollback", "commit") and not one_run(step)
        else:
            ends = recorded.writes(step) or bool(
                stretch and step.started_at - stretch[-1].started_at - stretch[-1].duration_ms / 1000 > MAX_GAP_S
            )
        if ends:
            yield stretch
            stretch = []
        if isinstance(step, Execution) and recorded.free(step, reserved=True) and counts(step):
            stretch.append(step)
    yield stretch


def _repeated(recorded: Recorded, stretch: Sequence[Execution]) -> Iterator[tuple[Sequence[Execution], int]]:
    numbers: dict[tuple[str, int], int] = {}
    keys = [numbers.setdefault(_sent_by(recorded, one), len(numbers)) for one in stretch]
    start = 0
    while start + 2 * MIN_ROUNDS <= len(stretch):
        for length in range(2, MAX_STATEMENTS + 1):
            if keys[start + length : start + length + 1] != keys[start : start + 1]:
                continue
            times = 1
            pattern = keys[start : start + length]
            while keys[start + times * length : start + (times + 1) * length] == pattern:
                times += 1
            found = stretch[start : start + times * length]
            if times >= MIN_ROUNDS and len(set(pattern)) > 1 and _values_differ(found, length):
                yield found, times
                start += times * length - 1
                break
        start += 1


def _key(execution: Execution) -> tuple[object, ...]:
    return (execution.fingerprint, loop_key(execution))


def _sent_by(recorded: Recorded, execution: Execution) -> tuple[str, int]:
    """Equal where `_key` is, and cheap to compare."""
    return execution.fingerprint, recorded.loop(execution)


class _Counts:
    """Whether an execution can be of a round: known by its statement, and by whether it has found more than one row."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._known: dict[tuple[str, bool], bool] = {}

    def __call__(self, execution: Execution) -> bool:
        statement = asked_for(self._recorded, execution)
        if statement is None:
            return False
        key = (execution.fingerprint, (execution.rows or 0) > 1)
        if key not in self._known:
            text = self._recorded.groups[execution.fingerprint].text
            self._known[key] = why_right(statement, text, [execution]) is None
        return self._known[key]


def _values_differ(found: Sequence[Execution], length: int) -> bool:
    """Whether each place of the round is asked with other values in most rounds."""
    for place in range(length):
        values = [one.parameters for one in found[place::length]]
        if None not in values and len(set(values)) <= len(values) / 2:
            return False
    return True
