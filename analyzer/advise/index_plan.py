"""What the advisor tells about a workload's indexes as a whole; the actions themselves are recommendations."""

from dataclasses import dataclass

from ..recommendation import Alternative, EvidenceKind
from .selection_types import CurvePoint


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """A chosen index. recommendation: its id in `Report.recommendations`, where DDL, migration, model line and proof stand.

    marginal, write_share: of the workload's cost today, what is lost when this index alone is left out, and what keeping it
    costs its table's writes (0–1). build_ms: estimated, or measured where `proof` is. unproven: why its own evidence is
    weaker than the plan's, else empty. serves: fingerprints, most gain first.
    """

    recommendation: str
    schema: str
    table: str
    name: str
    definition: str
    size_bytes: int
    marginal: float
    write_share: float
    build_ms: float
    serves: tuple[str, ...]
    proof: EvidenceKind
    unproven: str = ""


@dataclass(frozen=True, slots=True)
class DroppableIndex:
    """An existing index that can go. recommendation: its id. scans: by the server's counter, None when not kept."""

    recommendation: str
    schema: str
    table: str
    name: str
    size_bytes: int
    reason: str
    replaced_by: tuple[str, ...]
    scans: int | None = None


@dataclass(frozen=True, slots=True)
class QueryChange:
    """One query under the whole plan. Costs are planner's units of one execution; times in ms are medians of warm runs, None
    where nothing was run. uses: chosen and existing indexes in its plan afterwards."""

    fingerprint: str
    calls: float
    cost_before: float
    cost_after: float
    ms_before: float | None
    ms_after: float | None
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptScan:
    """A sequential scan that stays. share: of its query's cost afterwards (0–1). remedy: what helps instead, else empty."""

    fingerprint: str
    schema: str
    table: str
    rows: float | None
    share: float
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """The set as a whole. door: where plans came from. cost_before, cost_after: calls × planner's units over all queries.
    ms_before, ms_after: calls × measured times over the queries that were run, None where none was. Limits: as asked for.
    complete: False when --max-seconds ended the search. write_cost: in the same units as the costs."""

    door: str
    evidence: EvidenceKind
    budget_bytes: int | None
    max_indexes: int | None
    max_per_table: int | None
    max_width: int | None
    cost_before: float
    cost_after: float
    write_cost: float
    ms_before: float | None
    ms_after: float | None
    size_bytes: int
    indexes: tuple[PlannedIndex, ...]
    dropped: tuple[DroppableIndex, ...]
    queries: tuple[QueryChange, ...]
    curve: tuple[CurvePoint, ...]
    kept_scans: tuple[KeptScan, ...]
    rejected: tuple[Alternative, ...]
    taken_out: tuple[Alternative, ...]
    complete: bool
