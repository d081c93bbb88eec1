"""The report: what every renderer takes, and the shape of report.json."""

from dataclasses import dataclass

from ..analyzer.advise.index_plan import IndexPlan
from ..analyzer.plan import Plan
from ..analyzer.query import CallSite
from ..analyzer.recommendation import Evidence, Recommendation
from ..analyzer.workload import Skipped, Source
from ..rules.finding import Fact, LookedAt, Severity, Subject

SCHEMA_VERSION = 2
"""Version of report.json; raised with every change that an old reader would misread."""


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding as shown. id: stable identity. recommendations: ids of the actions that settle it; empty: no remedy."""

    id: str
    rule: str
    code: str
    severity: Severity
    subject: Subject
    message: str
    facts: tuple[Fact, ...]
    evidence: Evidence
    at_stake_ms: float | None
    place: CallSite | None
    plan_node: int | None
    recommendations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportedSite:
    """A call site with its number of calls."""

    place: CallSite
    calls: int


@dataclass(frozen=True, slots=True)
class ReportedBucket:
    """One bar of a histogram: executions up to `up_to_ms`."""

    up_to_ms: float
    calls: int


@dataclass(frozen=True, slots=True)
class ReportedParameters:
    """Parameter values of one sample as text; present only when the user asked for parameters in the report."""

    values: str
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class ReportedVariant:
    """Another plan of the same statement, for other values. plan_id: key into `Report.plans`. origin: where the values came
    from. note: why the plan is not what was hoped for."""

    plan_id: str
    origin: str
    note: str


@dataclass(frozen=True, slots=True)
class ReportedQuery:
    """One query group. text: formatted SQL with `$n` for every literal. plan_id: key into `Report.plans`, or None with the
    reason in plan_note."""

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
    call_sites: tuple[ReportedSite, ...]
    histogram: tuple[ReportedBucket, ...]
    sources: tuple[str, ...]
    findings: tuple[str, ...]
    plan_id: str | None
    plan_note: str
    parameters: tuple[ReportedParameters, ...] = ()
    parameters_origin: str = ""
    """Where the values came from that `plan_id` was planned or run with."""
    variants: tuple[ReportedVariant, ...] = ()
    """The plan differs by value: the others, one per shape."""


@dataclass(frozen=True, slots=True)
class RulePage:
    """A rule's documentation, quoted where the report explains a finding."""

    name: str
    code: str
    page: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a renderer shows; holds no clock of its own: times come from the recording.

    recommendations: best first (saves_ms, then id). findings: severest first within time at stake. queries: most total
    time first. total_ms: recorded database time, None when no source measures. saved_ms: what all recommendations
    together can save, never more than total_ms. examined: sentences on what was examined.
    """

    schema_version: int
    tool_version: str
    started_at: float | None
    ended_at: float | None
    server: str | None
    total_ms: float | None
    saved_ms: float | None
    calls: int
    sources: tuple[Source, ...]
    recommendations: tuple[Recommendation, ...]
    findings: tuple[ReportedFinding, ...]
    queries: tuple[ReportedQuery, ...]
    plans: dict[str, Plan]
    looked_at: tuple[LookedAt, ...]
    skipped: tuple[Skipped, ...]
    rules: tuple[RulePage, ...]
    examined: tuple[str, ...]
    index_plan: IndexPlan | None = None
    """Of `queryproof advise`: the set of indexes as a whole."""
