"""Builds chosen sets for real, measures the workload before and after, and takes out again what does not help in truth."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, Self

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..postgres.plan_shape import plan_shape
from ..recommendation import Alternative
from ..schema import Partition
from ..sql.identifier import quote_qualified
from ..sql.tokens import names_in
from .banned import SlowRead, columns_of
from .builder import Builder, Built
from .candidate_index import CandidateIndex
from .measured_set import MeasuredQuery, MeasuredSet
from .trial_verdict import Verdict, is_slower, verdict

CLEAR = 1.25
"""A query that has become faster by this factor is believed at once: any other is measured again, in turns with and without."""
Shape = tuple[str, tuple[str, ...]]
"""Of a plan, with the trial indexes it uses: PostgreSQL names the indexes of a table's parts, and names others alike later."""
NOT_RUN = "none of its queries could be run: it is known by its plan alone"


class Runs(Protocol):
    """How statements are planned and run, each raising StatementError."""

    def plan(self, sql: str) -> Plan:
        """Planned, not run."""

    def measure(self, sql: str) -> Plan:
        """The plan of the median warm run."""

    def in_turns(self, sql: str, hidden: Sequence[Sequence[str]]) -> Sequence[Plan]:
        """The fastest of warm runs without each of these sets of indexes (SQL names), all in turns."""


class SetTrial:
    """Builds sets of indexes one after the other, and measures the statements under each. statements: (fingerprint, calls, text
    with values) of those that the sets should serve. What is built stays for the next set that holds it, until `close`.

    A statement whose plan was measured before, under another set, is not run again."""

    def __init__(
        self,
        statements: Sequence[tuple[str, float, str]],
        builder: Builder,
        runs: Runs,
        progress: Callable[[str, Sequence[tuple[str, float, str]]], Iterator[tuple[str, float, str]]],
    ) -> None:
        self._ran = list(statements)
        self._builder = builder
        self._runs = runs
        self._progress = progress
        self._before: dict[str, Plan] = {}
        self._after: dict[str, Plan] = {}
        self._known: dict[str, dict[Shape, Plan]] = {}
        """What was measured, by fingerprint and shape of the plan."""
        self._sure: set[tuple[str, Shape]] = set()
        """Of that, what was measured in turns with and without the indexes."""
        self._without: dict[tuple[str, Shape], dict[CandidateIndex, float]] = {}
        """Of what has become slower: milliseconds without each index of the plan alone."""
        self._stuck: dict[str, str] = {}
        """Names of indexes that could not be dropped, each with the reason."""
        self._built: dict[CandidateIndex, Built] = {}
        self._plain: dict[CandidateIndex, CandidateIndex] = {}
        self._taken_out: list[tuple[CandidateIndex, str]] = []
        self._slow: list[SlowRead] = []
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
            for one in self._progress("Measuring in turns", [one for one in self._ran if self._doubtful(one[0])]):
                self._compare(one[0], one[2])
            useless = self._useless()
            if useless is None:
                break
            index = useless.index
            self._slow += [
                read for one in self._ran if one[0] in useless.slowed for read in self._slow_reads(index, one)
            ]
            # What used it is measured again under what is left.
            pending = self._using(index)
            self._drop(index)
            self._taken_out.append((index, useless.reason))
        return MeasuredSet(
            dict(self._built), tuple(self._taken_out), tuple(self._refused),
            tuple(MeasuredQuery(key, calls, self._before[key], self._after[key]) for key, calls, _ in self._ran),
            tuple(self._unmeasured), dict(self._plain), tuple(self._slow),
        )  # fmt: skip

    def _run(
        self, stage: str, statements: Sequence[tuple[str, float, str]], found: dict[str, Plan], where: str
    ) -> None:
        for one in self._progress(stage, list(statements)):
            try:
                plan = self._measured(one[0], one[2])
                if stuck := _used(plan.root) & self._stuck.keys():
                    raise StatementError(self._stuck[min(stuck)])
                found[one[0]] = plan
            except StatementError as error:
                self._unmeasured.append(Alternative(one[0], f"{where}{error}"))
                self._ran.remove(one)

    def _measured(self, fingerprint: str, sql: str) -> Plan:
        known = self._known.setdefault(fingerprint, {})
        if known and (found := known.get(self._shape(self._runs.plan(sql)))) is not None:
            return found
        plan = self._runs.measure(sql)
        return known.setdefault(self._shape(plan), plan)

    def _set_aside(self, serves: Mapping[CandidateIndex, Collection[str]]) -> None:
        """Take away what cannot be judged, since none of its queries could be run: writes, and runs that were lost."""
        could = {fingerprint for fingerprint, _, _ in self._ran}
        for index in list(self._built):
            own = serves.get(index, ())
            if own and could.isdisjoint(own):
                self._drop(index)
                self._refused.append((index, NOT_RUN))

    def _doubtful(self, fingerprint: str) -> bool:
        """Whether one measurement does not show that its indexes help."""
        before, after = self._before[fingerprint], self._after[fingerprint]
        return (
            bool(self._within(after))
            and (fingerprint, self._shape(after)) not in self._sure
            and CLEAR * _ms(after) > _ms(before)
        )

    def _compare(self, fingerprint: str, sql: str) -> None:
        """Measure with and without the indexes in turns, so that a moment of other load speaks neither for nor against them; where
        they slow it down, without each of them, too. Where that cannot be, what is known has to do."""
        earlier = self._before[fingerprint], self._after[fingerprint]
        self._sure.add((fingerprint, self._shape(earlier[1])))
        tables = _tables(earlier[0].root)
        standing = [self._name(index) for index in self._built if tables & _own_tables(index)]
        try:
            before, after = map(_timed, earlier, self._runs.in_turns(sql, [standing, []]))
            key = fingerprint, self._shape(after)
            self._sure.add(key)
            self._before[fingerprint] = self._known[fingerprint][self._shape(before)] = before
            self._after[fingerprint] = self._known[fingerprint][key[1]] = after
            within = self._within(after)
            if len(within) > 1 and is_slower(_ms(before), _ms(after)):
                plans = self._runs.in_turns(sql, [[self._name(index)] for index in within])
                self._without[key] = {index: _ms(plan) for index, plan in zip(within, plans, strict=True)}
        except StatementError:
            return

    def _useless(self) -> Verdict | None:
        """The index that helps least of those that do not help; None when all do."""
        keys = [key for key, _, _ in self._ran]
        return verdict(
            {index: [(key, calls) for key, calls, _ in self._using(index)] for index in self._built},
            {key: _ms(self._before[key]) for key in keys},
            {key: _ms(self._after[key]) for key in keys},
            {key: self._without.get((key, self._shape(self._after[key])), {}) for key in keys},
        )

    def _using(self, index: CandidateIndex) -> list[tuple[str, float, str]]:
        names = self._built[index].names
        return [one for one in self._ran if names & _used(self._after[one[0]].root)]

    def _slow_reads(self, index: CandidateIndex, statement: tuple[str, float, str]) -> Iterator[SlowRead]:
        """How a query that the index slows down reads it in place of its table."""
        names = self._built[index].names
        for node in self._after[statement[0]].root.walk():
            if node.type == "Index Only Scan" and node.index in names:
                yield SlowRead(index, columns_of(index) & names_in(statement[2]), node.index_cond is None)

    def _within(self, plan: Plan) -> list[CandidateIndex]:
        """The trial indexes that a plan uses."""
        used = _used(plan.root)
        return [index for index, built in self._built.items() if built.names & used]

    def _shape(self, plan: Plan) -> Shape:
        return plan_shape(plan.root), tuple(sorted(self._built[index].name for index in self._within(plan)))

    def _name(self, index: CandidateIndex) -> str:
        return quote_qualified(index.schema, self._built[index].name)

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
        return {name for index in (*gone, *waiting) for name in _own_tables(index)}

    def _drop(self, index: CandidateIndex) -> None:
        """Take it away. One that cannot be dropped now is left to the builder, and what uses it counts as not measured."""
        built = self._built.pop(index)
        try:
            self._builder.drop(index, built)
        except StatementError as error:
            self._stuck |= dict.fromkeys(built.names, str(error))


def _own_tables(index: CandidateIndex) -> set[str]:
    return {index.table, *_leaves(index.partitions)}


def _leaves(partitions: Sequence[Partition]) -> Iterator[str]:
    for one in partitions:
        yield one.name
        yield from _leaves(one.parts)


def _tables(root: PlanNode) -> set[str]:
    return {node.relation for node in root.walk() if node.relation is not None}


def _used(root: PlanNode) -> set[str]:
    return {node.index for node in root.walk() if node.index is not None}


def _timed(earlier: Plan, later: Plan) -> Plan:
    """The later plan's time, with what the earlier run of the same plan counted."""
    alike = plan_shape(earlier.root) == plan_shape(later.root) and _used(earlier.root) == _used(later.root)
    return replace(earlier, execution_ms=later.execution_ms) if alike else later


def _ms(plan: Plan) -> float:
    return plan.execution_ms or 0.0
