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
SLOWED = 1.1
"""A query that becomes slower by this factor, and by SLOWED_MS, counts against the indexes in its plan: no more is allowed to plans either."""
SLOWED_MS = 100.0
Shape = tuple[str, tuple[str, ...]]
"""Of a plan, with the trial indexes it uses: PostgreSQL names the indexes of a table's parts, and names others alike later."""
NOT_RUN = "none of its queries could be run: it is known by its plan alone"


class SetTrial:
    """Builds sets of indexes one after the other, and measures the statements under each. statements: (fingerprint, calls, text
    with values) of those that the sets should serve. What is built stays for the next set that holds it, until `close`.

    plan: plans a statement without running it; one whose plan was measured before, under another set, is not run again.
    yardstick: milliseconds of a statement that no index concerns: an index is useless only if it is so by times in its measure,
    too, since other load comes and goes."""

    def __init__(
        self,
        statements: Sequence[tuple[str, float, str]],
        builder: Builder,
        measure: Measure,
        plan: Measure,
        progress: Callable[[str, Sequence[tuple[str, float, str]]], Iterator[tuple[str, float, str]]],
        yardstick: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._ran = list(statements)
        self._builder = builder
        self._measure = measure
        self._plan = plan
        self._progress = progress
        self._yardstick = yardstick
        self._before: dict[str, Plan] = {}
        self._after: dict[str, Plan] = {}
        self._known: dict[str, dict[Shape, Plan]] = {}
        """What was measured, by fingerprint and shape of the plan."""
        self._sure: set[tuple[str, Shape]] = set()
        """Of that, what was measured a second time."""
        self._pace: dict[tuple[str, Shape], float] = {}
        """Of that, milliseconds of the yardstick around the run."""
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
            useless = self._useless()
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
        return self._timed(fingerprint, sql)

    def _twice(self, fingerprint: str, sql: str) -> Plan:
        """Measured once more: the faster of both, since other load only adds."""
        first = self._shape(self._after[fingerprint])
        plan = self._timed(fingerprint, sql)
        self._sure |= {(fingerprint, first), (fingerprint, self._shape(plan))}
        return plan

    def _timed(self, fingerprint: str, sql: str) -> Plan:
        """Run now: the fastest run of this plan so far."""
        known, pace = self._known[fingerprint], self._yardstick()
        plan = self._measure(sql)
        pace = (pace + self._yardstick()) / 2
        shape = self._shape(plan)
        if shape not in known or _ms(plan) < _ms(known[shape]):
            known[shape], self._pace[fingerprint, shape] = plan, pace
        return known[shape]

    def _useless(self) -> tuple[CandidateIndex, str] | None:
        """The index that helps least of those that do not help, with the reason; None when all do."""
        keys = [key for key, _, _ in self._ran]
        using = {index: self._using(index) for index in self._built}
        before, after = ({key: _ms(plans[key]) for key in keys} for plans in (self._before, self._after))
        best = min(self._pace.values(), default=1.0)
        even_before, even_after = (
            {key: _ms(plans[key]) * best / self._pace.get((key, self._shape(plans[key])), best) for key in keys}
            for plans in (self._before, self._after)
        )
        # A gain that either shows is one; a query is slower where it is so for a machine that stays alike.
        helpless, _ = _judged(using, before, after)
        even_helpless, slowing = _judged(using, even_before, even_after)
        found = {index: verdict for index, verdict in helpless.items() if index in even_helpless} | slowing
        if not found:
            return None
        index = min(found, key=lambda one: (found[one][0], describe(one)))
        return index, found[index][1]

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


def _judged(
    using: Mapping[CandidateIndex, Sequence[tuple[str, float, str]]],
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> tuple[dict[CandidateIndex, tuple[float, str]], dict[CandidateIndex, tuple[float, str]]]:
    """The indexes that do not help, and those that slow a query down: what they are worth in milliseconds, with the reason.
    using: statements whose plans hold each; before, after: milliseconds by fingerprint."""
    helpless: dict[CandidateIndex, tuple[float, str]] = {}
    slowing: dict[CandidateIndex, tuple[float, str]] = {}
    for index, statements in using.items():
        if not statements:
            helpless[index] = 0.0, "built, and no query that was run used it"
            continue
        # By query: one that takes long and stays as it is must not hide what another gains.
        saved = {key: _saved(before[key], after[key]) for key, _, _ in statements}
        worth = sum(calls * saved[key] for key, calls, _ in statements)
        slowed = [key for key in saved if after[key] > SLOWED * before[key] and after[key] - before[key] > SLOWED_MS]
        if worth <= 0 or max(saved.values()) < MIN_GAIN_MS:
            old, new = (sum(calls * times[key] for key, calls, _ in statements) for times in (before, after))
            helpless[index] = worth, f"built and used, but its queries' time went from {old:.3g} to {new:.3g} ms"
        if slowed:
            old, new = before[slowed[0]], after[slowed[0]]
            slowing[index] = (
                worth,
                f"built and used, but it made query {slowed[0]} slower: {old:.3g} ms became {new:.3g} ms",
            )
    return helpless, slowing


def _saved(before: float, after: float) -> float:
    """Milliseconds of one run; 0 when they do not differ by more than runs of the same plan do."""
    return before - after if max(before, after) >= CHANGED * min(before, after) else 0.0


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
