"""Builds chosen sets for real, measures the workload before and after, and takes out again what does not help in truth."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..postgres.plan_shape import plan_shape
from ..recommendation import Alternative
from ..schema import Partition
from .builder import Builder, Built
from .candidate_index import CandidateIndex
from .index_advice import MIN_GAIN_MS, Measure, describe
from .measured_set import MeasuredQuery, MeasuredSet

CHANGED = 1.1
"""A query counts as faster or slower from this factor on: medians of warm runs repeat within some per cent."""
SLOWED = 1.2
"""A query that becomes slower by this factor, and by SLOWED_MS, counts against the indexes in its plan."""
SLOWED_MS = 100.0
Shape = tuple[str, tuple[str, ...]]
"""Of a plan, with the trial indexes it uses: PostgreSQL names the indexes of a table's parts, and names others alike later."""
NOT_RUN = "none of its queries could be run: it is known by its plan alone"


class SetTrial:
    """Builds sets of indexes one after the other, and measures the statements under each. statements: (fingerprint, calls, text
    with values) of those that the sets should serve. What is built stays for the next set that holds it, until `close`.

    plan: plans a statement without running it; one whose plan was measured before, under another set, is not run again."""

    def __init__(
        self,
        statements: Sequence[tuple[str, float, str]],
        builder: Builder,
        measure: Measure,
        plan: Measure,
        progress: Callable[[str, Sequence[tuple[str, float, str]]], Iterator[tuple[str, float, str]]],
    ) -> None:
        self._ran = list(statements)
        self._builder = builder
        self._measure = measure
        self._plan = plan
        self._progress = progress
        self._before: dict[str, Plan] = {}
        self._after: dict[str, Plan] = {}
        self._known: dict[str, dict[Shape, Plan]] = {}
        """What was measured, by fingerprint and shape of the plan."""
        self._sure: set[tuple[str, Shape]] = set()
        """Of that, what was measured a second time."""
        self._stuck: dict[str, str] = {}
        """Names of indexes that could not be dropped, each with the reason."""
        self._built: dict[CandidateIndex, Built] = {}
        self._plain: dict[CandidateIndex, CandidateIndex] = {}
        self._taken_out: list[tuple[CandidateIndex, str]] = []
        self._refused: list[tuple[CandidateIndex, str]] = []
        self._unmeasured: list[Alternative] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything built. What cannot be dropped now is left to the builder, which tries again and tells."""
        while self._built:
            self._drop(next(reversed(self._built)))

    def measure(
        self, indexes: Sequence[CandidateIndex], serves: Mapping[CandidateIndex, Collection[str]]
    ) -> MeasuredSet:
        """This set, without what does not help in truth. serves: by index, fingerprints of the queries that it is for."""
        if not self._before:
            self._run("Measuring before", self._ran, self._before, "")
            self._after = dict(self._before)
        changed = self._change(indexes)
        pending = [one for one in self._ran if changed & _tables(self._before[one[0]].root)]
        while True:
            self._run("Measuring after", pending, self._after, "with the indexes built: ")
            self._set_aside(serves)
            useless = _useless(self._built, self._ran, self._before, self._after)
            if useless is None:
                break
            index, reason = useless
            # What used it is measured again under what is left.
            pending = self._using(index)
            if doubtful := [one for one in pending if (one[0], self._shape(self._after[one[0]])) not in self._sure]:
                # One moment of other load must not speak against an index.
                self._run("Measuring again", doubtful, self._after, "with the indexes built: ", again=True)
                pending = []
                continue
            self._drop(index)
            self._taken_out.append((index, reason))
        return MeasuredSet(
            dict(self._built), tuple(self._taken_out), tuple(self._refused),
            tuple(MeasuredQuery(key, calls, self._before[key], self._after[key]) for key, calls, _ in self._ran),
            tuple(self._unmeasured), dict(self._plain),
        )  # fmt: skip

    def _set_aside(self, serves: Mapping[CandidateIndex, Collection[str]]) -> None:
        """Take away what cannot be judged, since none of its queries could be run: writes, and runs that were lost."""
        could = {fingerprint for fingerprint, _, _ in self._ran}
        for index in list(self._built):
            own = serves.get(index, ())
            if own and could.isdisjoint(own):
                self._drop(index)
                self._refused.append((index, NOT_RUN))

    def _using(self, index: CandidateIndex) -> list[tuple[str, float, str]]:
        names = self._built[index].names
        return [one for one in self._ran if names & _used(self._after[one[0]].root)]

    def _shape(self, plan: Plan) -> Shape:
        used = _used(plan.root)
        return plan_shape(plan.root), tuple(sorted(one.name for one in self._built.values() if one.names & used))

    def _run(
        self,
        stage: str,
        statements: Sequence[tuple[str, float, str]],
        found: dict[str, Plan],
        where: str,
        again: bool = False,
    ) -> None:
        for one in self._progress(stage, list(statements)):
            try:
                plan = self._twice(one[0], one[2]) if again else self._measured(one[0], one[2])
                if stuck := _used(plan.root) & self._stuck.keys():
                    raise StatementError(self._stuck[min(stuck)])
                found[one[0]] = plan
            except StatementError as error:
                self._unmeasured.append(Alternative(one[0], f"{where}{error}"))
                self._ran.remove(one)

    def _measured(self, fingerprint: str, sql: str) -> Plan:
        known = self._known.setdefault(fingerprint, {})
        if known and (found := known.get(self._shape(self._plan(sql)))) is not None:
            return found
        plan = self._measure(sql)
        known[self._shape(plan)] = plan
        return plan

    def _twice(self, fingerprint: str, sql: str) -> Plan:
        """Measured once more: the faster of both, since other load only adds."""
        known, plan = self._known[fingerprint], self._measure(sql)
        shape = self._shape(plan)
        self._sure |= {(fingerprint, self._shape(self._after[fingerprint])), (fingerprint, shape)}
        known[shape] = min(known.get(shape, plan), plan, key=_ms)
        return known[shape]

    def _change(self, indexes: Sequence[CandidateIndex]) -> set[str]:
        """Build what is missing and drop what is not of the set: names of the tables whose indexes have changed."""
        known = {*self._built, *(index for index, _ in self._refused), *(index for index, _ in self._taken_out)}
        wanted = {*indexes, *(self._plain[index] for index in indexes if index in self._plain)}
        gone = [index for index in self._built if index not in wanted]
        for index in gone:
            self._drop(index)
        waiting = [index for index in indexes if index not in known]
        for index in waiting:
            try:
                self._built[index] = self._builder.build(index)
            except StatementError as error:
                if index.unique:
                    self._plain[index] = replace(index, unique=False)
                    waiting.append(self._plain[index])
                    self._taken_out.append((index, f"{error}: a plain one was built in its place"))
                else:
                    self._refused.append((index, str(error)))
        return {name for index in (*gone, *waiting) for name in (index.table, *_leaves(index.partitions))}

    def _drop(self, index: CandidateIndex) -> None:
        """Take it away. One that cannot be dropped now is left to the builder, and what uses it counts as not measured."""
        built = self._built.pop(index)
        try:
            self._builder.drop(index, built)
        except StatementError as error:
            self._stuck |= dict.fromkeys(built.names, str(error))


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
        # By query: one that takes long and stays as it is must not hide what another gains.
        worth = sum(calls * _saved(before[key], after[key]) for key, calls, _ in using)
        if worth <= 0 or max(_saved(before[key], after[key]) for key, _, _ in using) < MIN_GAIN_MS:
            reason = f"built and used, but its queries' time went from {old:.3g} to {new:.3g} ms"
            found.append((worth, describe(index), index, reason))
            continue
        slowed = [
            key
            for key, _, _ in using
            if _ms(after[key]) > SLOWED * _ms(before[key]) and _ms(after[key]) - _ms(before[key]) > SLOWED_MS
        ]
        if slowed:
            reason = f"built and used, but it made query {slowed[0]} slower: {_ms(before[slowed[0]]):.3g} ms became {_ms(after[slowed[0]]):.3g} ms"
            found.append((worth, describe(index), index, reason))
    if not found:
        return None
    _, _, index, reason = min(found, key=lambda one: (one[0], one[1]))
    return index, reason


def _saved(before: Plan, after: Plan) -> float:
    """Milliseconds of one run; 0 when they do not differ by more than runs of the same plan do."""
    old, new = _ms(before), _ms(after)
    return old - new if max(old, new) >= CHANGED * min(old, new) else 0.0


def _leaves(partitions: Sequence[Partition]) -> Iterator[str]:
    for one in partitions:
        yield one.name
        yield from _leaves(one.parts)


def _tables(root: PlanNode) -> set[str]:
    return {node.relation for node in root.walk() if node.relation is not None}


def _used(root: PlanNode) -> set[str]:
    return {node.index for node in root.walk() if node.index is not None}


def _ms(plan: Plan) -> float:
    return plan.execution_ms or 0.0
