"""Builds a chosen set for real, measures the workload before and after, and takes out again what does not help in truth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..recommendation import Alternative
from .builder import Builder, Built
from .candidate_index import CandidateIndex
from .index_advice import MIN_GAIN_MS, Measure, describe

MIN_GAIN = 1.1
"""What its queries together must gain, as a factor, for an index to stay: medians of warm runs repeat within some per cent."""
SLOWED = 1.2
"""A query that becomes slower by this factor, and by MIN_GAIN_MS, counts against the indexes in its plan."""


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """Plans of the median warm runs, before and with the indexes that stayed."""

    fingerprint: str
    calls: float
    before: Plan
    after: Plan


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """kept: those that helped, as they were built. taken_out: those that did not, with the reason. refused: those that
    PostgreSQL did not build, of which nothing is known but their plan. queries: those that could
    be run; unmeasured: the rest, with the reason. plain: UNIQUE ones that the data refused, with those built in their place."""

    kept: Mapping[CandidateIndex, Built]
    taken_out: tuple[tuple[CandidateIndex, str], ...]
    refused: tuple[tuple[CandidateIndex, str], ...]
    queries: tuple[MeasuredQuery, ...]
    unmeasured: tuple[Alternative, ...]
    plain: Mapping[CandidateIndex, CandidateIndex]


def measure_set(
    indexes: Sequence[CandidateIndex],
    statements: Sequence[tuple[str, float, str]],
    builder: Builder,
    measure: Measure,
    progress: Callable[[str, Sequence[tuple[str, float, str]]], Iterator[tuple[str, float, str]]],
) -> MeasuredSet:
    """statements: (fingerprint, calls, text with values) of those that the set should serve. Everything built is dropped
    before this returns, also when it fails. Raises ServerError when that cannot be done."""
    before: dict[str, Plan] = {}
    unmeasured: list[Alternative] = []
    for fingerprint, _, sql in progress("Measuring before", statements):
        try:
            before[fingerprint] = measure(sql)
        except StatementError as error:
            unmeasured.append(Alternative(fingerprint, str(error)))
    ran = [one for one in statements if one[0] in before]
    built: dict[CandidateIndex, Built] = {}
    taken_out: list[tuple[CandidateIndex, str]] = []
    refused: list[tuple[CandidateIndex, str]] = []
    plain: dict[CandidateIndex, CandidateIndex] = {}
    try:
        waiting = list(indexes)
        for index in waiting:
            try:
                built[index] = builder.build(index)
            except StatementError as error:
                if index.unique:
                    plain[index] = replace(index, unique=False)
                    waiting.append(plain[index])
                    taken_out.append((index, f"{error}: a plain one was built in its place"))
                else:
                    refused.append((index, str(error)))
        after = dict(before)
        pending = ran
        while True:
            for fingerprint, _, sql in progress("Measuring after", pending):
                try:
                    after[fingerprint] = measure(sql)
                except StatementError as error:
                    unmeasured.append(Alternative(fingerprint, f"with the indexes built: {error}"))
                    before.pop(fingerprint, None)
            ran = [one for one in ran if one[0] in before]
            useless = _useless(built, ran, before, after)
            if useless is None:
                break
            index, reason = useless
            names = built[index].names
            builder.drop(index, built.pop(index))
            taken_out.append((index, reason))
            # What used it is measured again under what is left.
            pending = [one for one in ran if names & _used(after[one[0]].root)]
        queries = tuple(MeasuredQuery(key, calls, before[key], after[key]) for key, calls, _ in ran)
    finally:
        for index, trial in built.items():
            builder.drop(index, trial)
    return MeasuredSet(dict(built), tuple(taken_out), tuple(refused), queries, tuple(unmeasured), plain)


def _useless(
    built: Mapping[CandidateIndex, Built],
    ran: Sequence[tuple[str, float, str]],
    before: Mapping[str, Plan],
    after: Mapping[str, Plan],
) -> tuple[CandidateIndex, str] | None:
    """The index that helps least of those that do not help, with the reason; None when all do."""
    found: list[tuple[float, str, CandidateIndex, str]] = []
    for index, trial in built.items():
        using = [one for one in ran if trial.names & _used(after[one[0]].root)]
        if not using:
            found.append((0.0, describe(index), index, "built, and no query that was run used it"))
            continue
        old = sum(calls * _ms(before[key]) for key, calls, _ in using)
        new = sum(calls * _ms(after[key]) for key, calls, _ in using)
        gained = sum(max(0.0, _ms(before[key]) - _ms(after[key])) for key, _, _ in using)
        if old < MIN_GAIN * new or gained < MIN_GAIN_MS:
            reason = f"built and used, but its queries' time went from {old:.3g} to {new:.3g} ms"
            found.append((old - new, describe(index), index, reason))
            continue
        slowed = [
            key
            for key, _, _ in using
            if _ms(after[key]) > SLOWED * _ms(before[key]) and _ms(after[key]) - _ms(before[key]) > 100.0
        ]
        if slowed:
            reason = f"built and used, but it made query {slowed[0]} slower: {_ms(before[slowed[0]]):.3g} ms became {_ms(after[slowed[0]]):.3g} ms"
            found.append((old - new, describe(index), index, reason))
    if not found:
        return None
    _, _, index, reason = min(found, key=lambda one: (one[0], one[1]))
    return index, reason


def _used(root: PlanNode) -> set[str]:
    return {node.index for node in root.walk() if node.index is not None}


def _ms(plan: Plan) -> float:
    return plan.execution_ms or 0.0
