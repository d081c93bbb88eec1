"""What selection is given and what it gives: a weighted workload in, a set of indexes with its figures out."""

from dataclasses import dataclass

from ..recommendation import Alternative
from .candidate_index import CandidateIndex


@dataclass(frozen=True, slots=True)
class WeightedQuery:
    """A query group as selection sees it. texts: statements with values in place, each with its share of the calls; shares
    add up to 1. calls: executions of the whole group in the recorded interval, at least 1. assumed: whether the values are not
    recorded ones."""

    fingerprint: str
    texts: tuple[tuple[str, float], ...]
    calls: float
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class TableWrites:
    """Writes to a table in the recorded interval. hot_updates: those of `updates` that touched no indexed column.
    updated_columns: columns that recorded UPDATEs set, with the number of executions' rows; empty when not known."""

    schema: str
    table: str
    inserts: float
    updates: float
    deletes: float
    hot_updates: float
    updated_columns: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a selection must keep to; None is no limit. max_slowdown: no query may be planned at more than this factor of its
    cost today. max_seconds: the best set found by then is given. max_width: key and INCLUDE columns of one index."""

    budget_bytes: int | None = None
    max_indexes: int | None = None
    max_per_table: int | None = None
    max_width: int | None = None
    max_slowdown: float = 1.1
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class QueryGain:
    """One query under the chosen set. costs: planner units of one execution, the mean over its texts by share."""

    fingerprint: str
    cost_before: float
    cost_after: float
    uses: tuple[str, ...]
    """Names of the chosen indexes (`ChosenIndex.name`) and existing ones (`schema.name`) in its plans after."""


@dataclass(frozen=True, slots=True)
class ChosenIndex:
    """An index of the set. name: one that no relation of its schema has. size_bytes: estimated. marginal: workload cost (calls x planner units) that is lost when it alone
    is taken out of the set. write_cost: planner units per interval that keeping it costs. serves: fingerprints, most gain first."""

    index: CandidateIndex
    name: str
    size_bytes: int
    marginal: float
    write_cost: float
    serves: tuple[str, ...]
    replaces: tuple[str, ...] = ()
    """Names of the two existing indexes in whose place it stands, where it was chosen for that alone."""


@dataclass(frozen=True, slots=True)
class DroppedIndex:
    """An existing index that can go: no recorded query is planned worse without it, once the chosen set is there.
    replaced_by: names of chosen or existing indexes that take its place, empty for an unused one."""

    schema: str
    table: str
    name: str
    size_bytes: int
    reason: str
    replaced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The best set within a budget. cost: workload cost after, as a share of the cost before."""

    budget_bytes: int
    size_bytes: int
    indexes: int
    cost: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen set. complete: False when time ran out. rejected: what was looked at and not taken, with the reason."""

    chosen: tuple[ChosenIndex, ...]
    dropped: tuple[DroppedIndex, ...]
    gains: tuple[QueryGain, ...]
    cost_before: float
    cost_after: float
    curve: tuple[CurvePoint, ...] = ()
    rejected: tuple[Alternative, ...] = ()
    unplanned: tuple[Alternative, ...] = ()
    """Queries (what: fingerprint) that could not be priced, and why."""
    complete: bool = True
