"""Answers questions of the form "could an index serve this query better?" with a proven index, or with the reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import StatementError
from ..plan import ExplainedQuery, Plan, PlanNode
from ..recommendation import Alternative, Measurement
from ..schema import Schema, Table
from ..sql.identifier import quote_identifier
from ..sql.statement import Statement, TableScan
from ..workload import QueryGroup
from .builder import Builder
from .candidate_index import CandidateIndex
from .candidates import candidates
from .scanned_table import table_rows

MIN_GAIN = 1.25
"""An index must make its query at least this many times faster, or it is not worth its writes."""
MIN_GAIN_MS = 0.05
"""And by at least this much: less is below what a warm run repeats."""
ESTIMATED_MAX_SHARE = 0.05
"""Without a proof, only scans that keep at most this share of the table are answered: beyond it a sequential scan is
usually chosen (random_page_cost 4 against 1, 20–40 rows a page)."""

Measure = Callable[[str], Plan]
"""Runs a statement warm and returns the plan of the median run."""


@dataclass(frozen=True, slots=True)
class IndexQuestion:
    """A finding in the advisor's words. id: the finding's identity; scans: what the statement asks of the table."""

    id: str
    group: QueryGroup
    statement: Statement
    explained: ExplainedQuery
    table: Table
    scans: tuple[TableScan, ...]
    node: PlanNode


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """An index for a question. before and after are plans of the same statement; without a proof `after_plan` is None."""

    question: IndexQuestion
    index: CandidateIndex
    kind: str
    before: Measurement
    after: Measurement
    before_plan: Plan | None
    after_plan: Plan | None
    size_bytes: int | None
    build_ms: float | None
    tried: tuple[Alternative, ...]
    note: str = ""
    """Why the evidence is weaker than was asked for, else empty."""


@dataclass(frozen=True, slots=True)
class NoIndex:
    """No index is recommended, because of `reason`."""

    question: IndexQuestion
    reason: str
    tried: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class _Trial:
    index: CandidateIndex
    plan: Plan
    size_bytes: int
    build_ms: float

    @property
    def ms(self) -> float:
        return self.plan.execution_ms or 0.0

    @property
    def buffers(self) -> int:
        return _buffers(self.plan)


def answer_by_measuring(
    question: IndexQuestion, schema: Schema, builder: Builder, measure: Measure
) -> IndexAnswer | NoIndex:
    """Really build each candidate, run the statement before and after, and keep the smallest of the best.

    Raises StatementError when the proof itself is refused: the statement may not be run, or no candidate may be built.
    """
    options = _options(question, schema)
    if not options:
        return NoIndex(question, no_candidate_reason(question))
    if question.explained.sql is None:
        raise StatementError(f"it could not be run: {question.explained.note}")
    builder.clear()
    before = _before(question, measure)
    trials: list[_Trial] = []
    tried: list[Alternative] = []
    refused = 0
    for option in options:
        enough = next((one for one in trials if _unbeatable(before, one) and _no_smaller(option, one.index)), None)
        if enough is not None:
            reason = f"not built: no smaller than {describe(enough.index)}, which leaves next to nothing to save"
            tried.append(Alternative(describe(option), reason))
            continue
        try:
            with builder.built(option) as built:
                after = measure(question.explained.sql)
        except StatementError as error:
            tried.append(Alternative(describe(option), str(error)))
            refused += 1
            if option.unique:
                # A value comes twice after all: the next one tried is plain.
                options.insert(options.index(option) + 1, replace(option, unique=False))
            continue
        trial = _Trial(option, after, built.size_bytes, built.build_ms)
        if not _uses(after, built.names):
            tried.append(Alternative(describe(option), "built, and the planner did not use it"))
        elif not _helps(before, trial):
            tried.append(Alternative(describe(option), f"built and used, but {_times(before.execution_ms, trial.ms)}"))
        else:
            trials.append(trial)
    if not trials:
        if refused == len(options):
            raise StatementError(tried[0].reason)
        return NoIndex(question, f"{_built(len(options))} made it faster", tuple(tried))
    best = choose(before, trials)
    tried += [
        Alternative(describe(trial.index), f"{_times(before.execution_ms, trial.ms)}, {trial.size_bytes // 1024} kB")
        for trial in trials
        if trial is not best
    ]
    return IndexAnswer(
        question,
        best.index,
        "measured",
        measurement(before),
        measurement(best.plan),
        before,
        best.plan,
        best.size_bytes,
        best.build_ms,
        tuple(tried),
    )


def _built(number: int) -> str:
    return (
        "one candidate index was built, and it has not"
        if number == 1
        else f"{number} candidate indexes were built, and none"
    )


def _before(question: IndexQuestion, measure: Measure) -> Plan:
    """The plan before; a statement whose run was ended keeps its plain plan, with the limit as the least it takes."""
    explained = question.explained
    if explained.timed_out_s is not None and explained.plan is not None:
        return replace(explained.plan, execution_ms=explained.timed_out_s * 1000)
    return measure(explained.sql or "")


def choose(before: Plan, trials: Sequence[_Trial]) -> _Trial:
    """The smallest index among those that save nearly as much as the best.

    Nearly: the time differs by at most 2 % of the time before (0.1 ms at least, 1 ms at most), the buffers by at most 2 %
    of those before (64 at least). A covering index that turns 0.05 ms into 0.02 ms is not worth three times the space.
    """
    slack_ms, slack_buffers = _slack(before)
    slack_buffers = max(slack_buffers, 0.02 * max(trial.buffers for trial in trials))
    fastest = min(trial.ms for trial in trials)
    fewest = min(trial.buffers for trial in trials)
    as_good = [one for one in trials if one.ms <= fastest + slack_ms and one.buffers <= fewest + slack_buffers]
    if as_good:
        return min(as_good, key=lambda one: (one.size_bytes, one.ms))
    return min(trials, key=lambda one: (one.ms, one.size_bytes))


def _slack(before: Plan) -> tuple[float, float]:
    return min(max(0.1, 0.02 * (before.execution_ms or 0.0)), 1.0), max(64.0, 0.02 * _buffers(before))


def _unbeatable(before: Plan, trial: _Trial) -> bool:
    """Whether even an index that costs nothing at all would save only nearly as much."""
    slack_ms, slack_buffers = _slack(before)
    return trial.ms <= slack_ms and trial.buffers <= slack_buffers


def _no_smaller(index: CandidateIndex, other: CandidateIndex) -> bool:
    """Whether it holds all that the other holds, for the same rows or for all."""
    mine, theirs = _columns(index), _columns(other)
    return index.method == other.method == "btree" and index.predicate in (None, other.predicate) and theirs <= mine


def _columns(index: CandidateIndex) -> set[str]:
    return {*(key.bare for key in index.keys), *map(quote_identifier, index.include)}


def answer_by_estimate(question: IndexQuestion, schema: Schema) -> IndexAnswer | NoIndex:
    """Arithmetic on the planner's own row estimates; nothing is executed."""
    options = _options(question, schema)
    if not options:
        return NoIndex(question, no_candidate_reason(question))
    node, rows = question.node, table_rows(question.table, schema)
    if not rows:
        return NoIndex(question, "the table has no statistics yet: run ANALYZE and look again")
    returned = node.rows if node.rows is not None else node.plan_rows
    index = options[0]
    serves_order = any(scan.limited and scan.order_by for scan in question.scans)
    share = returned / rows
    if share > ESTIMATED_MAX_SHARE and not serves_order:
        return NoIndex(
            question, f"the scan keeps {share:.0%} of the table: an index would hardly be used; prove it by measuring"
        )
    before = Measurement(cost=node.total_cost, rows_read=rows)
    after = Measurement(rows_read=min(returned, rows))
    tried = tuple(Alternative(describe(option), "not tried: nothing was built") for option in options[1:])
    return IndexAnswer(question, index, "estimated", before, after, question.explained.plan, None, None, None, tried)


def measurement(plan: Plan) -> Measurement:
    """The figures of a plan that was run."""
    reads = [node for node in plan.root.walk() if node.relation is not None and node.rows is not None]
    rows_read = float(sum((node.rows or 0.0) + (node.removed or 0.0) for node in reads))
    if not plan.analyzed:
        return Measurement(plan.execution_ms, plan.root.total_cost)
    return Measurement(plan.execution_ms, plan.root.total_cost, _buffers(plan), rows_read)


METHODS = {"btree": "B-tree", "hash": "Hash", "gin": "GIN", "gist": "GiST", "spgist": "SP-GiST", "brin": "BRIN"}
"""Access methods as PostgreSQL's documentation writes them."""


def describe(index: CandidateIndex) -> str:
    """The index in one phrase, such as `B-tree on task_refs (project_id, created_at) where …`."""
    method = METHODS.get(index.method, index.method)
    if index.unique:
        method = f"unique {method}"
    text = f"{method} on {index.table} ({', '.join(key.sql.replace(chr(34), '') for key in index.keys)})"
    if index.include:
        text += f" including {', '.join(index.include)}"
    if index.predicate:
        text += f" where {index.predicate.replace(chr(34), '')}"
    return text


def _options(question: IndexQuestion, schema: Schema) -> list[CandidateIndex]:
    found: dict[CandidateIndex, None] = {}
    for scan in question.scans:
        found |= dict.fromkeys(candidates(scan, question.table, schema))
    return list(found)


def no_candidate_reason(question: IndexQuestion) -> str:
    """Why nothing is proposed at all."""
    if any(scan.or_predicates for scan in question.scans):
        return "its conditions are joined by OR: no single index serves them; a UNION of two queries could"
    return "it compares no column in a way that an index supports, or an index for it exists already"


def _uses(plan: Plan, names: frozenset[str]) -> bool:
    return any(node.index in names for node in plan.root.walk())


def _helps(before: Plan, trial: _Trial) -> bool:
    before_ms = before.execution_ms or 0.0
    return before_ms >= MIN_GAIN * trial.ms and before_ms - trial.ms >= MIN_GAIN_MS


def _times(before: float | None, after: float) -> str:
    return f"{before or 0:.3g} ms became {after:.3g} ms"


def _buffers(plan: Plan) -> int:
    return (plan.root.shared_hit or 0) + (plan.root.shared_read or 0)
