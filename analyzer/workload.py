"""A workload: executions grouped by fingerprint, whatever source they came from."""

from dataclasses import dataclass

from .query import CallSite, EntityUse, OrmLoad, Parameters, Scope, SessionEvent

CUT = "its text is longer than the source keeps: only its beginning is known"
"""Why a group that is `cut` is neither read nor explained."""


@dataclass(frozen=True, slots=True)
class ParameterSample:
    """One execution that can be explained: the driver's text, its values, and how long it took (None: not measured).

    `values` is None when the text carries `$n` without known values (pg_stat_statements) or was recorded without them;
    it is an empty tuple when the text needs none. `origin` says where the values came from, for the report.
    """

    sql: str
    values: Parameters | None
    duration_ms: float | None
    origin: str


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution inside a sequence, reduced to what rules about sequences need.

    scope: executions with equal scope belong together (process, thread, asyncio task). parameters: digest of the text
    and the bound values, equal when both are equal, None when values were not recorded.
    """

    fingerprint: str
    scope: str
    sequence: int
    started_at: float
    duration_ms: float
    rows: int | None
    transaction: int | None
    parameters: str | None
    executemany: bool
    call_site: CallSite | None
    stack: tuple[CallSite, ...]
    orm: OrmLoad | None
    unit: Scope | None = None
    """The request, test, task or named block, where the application has marked one."""
    process: str = ""
    streamed: bool = False
    """The rows were asked for a few at a time: memory does not grow with them."""
    awaited: bool = False
    """An asyncio task has sent it, by a driver that is awaited."""
    driver: str = ""
    """SQLAlchemy's name of it, such as `psycopg`; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class QueryGroup:
    """All executions of one normalised statement.

    text: literals and placeholders as `$1`, `$2` …; never holds a literal. calls: 0 when the source does not count (.sql
    file). Times in milliseconds, None when the source does not measure; percentiles only where executions are known.
    call_sites: most frequent first, with the number of calls. samples: slowest first, at most a few.
    sources: names of `Source` entries of the workload.
    """

    fingerprint: str
    text: str
    calls: int
    total_ms: float | None
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    max_ms: float | None
    rows: int | None
    errors: int
    call_sites: tuple[tuple[CallSite, int], ...]
    samples: tuple[ParameterSample, ...]
    sources: tuple[str, ...]
    histogram: tuple[tuple[float, int], ...] = ()
    """(upper bound in ms, executions) per bucket, powers of ten from 0.1 ms."""
    cut: bool = False
    """The source kept only the beginning of the text: statements that begin alike are one group, and nothing is read out of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where executions came from: a kind (`journal`, `pg_stat_statements`, `sql file`), a name for people, what was lost."""

    kind: str
    name: str
    calls: int
    total_ms: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not looked at, and why."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Workload:
    """Groups (most total time first, then fingerprint), the executions in recorded order, and what was left out."""

    groups: tuple[QueryGroup, ...]
    executions: tuple[Execution, ...]
    sources: tuple[Source, ...]
    skipped: tuple[Skipped, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    events: tuple[SessionEvent, ...] = ()
    uses: tuple[EntityUse, ...] = ()
