"""Candidate indexes for a whole workload."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..schema import Schema
from ..sql.parse import analyse
from .candidate_index import CandidateIndex
from .candidates import candidates, together
from .selection_types import WeightedQuery


@dataclass(frozen=True, slots=True)
class WorkloadCandidates:
    """indexes: each once, in the order in which queries ask for them. bundles: sets that serve only together (an OR's
    branches)."""

    indexes: tuple[CandidateIndex, ...]
    bundles: tuple[tuple[CandidateIndex, ...], ...] = ()


def workload_candidates(queries: Iterable[WeightedQuery], schema: Schema) -> WorkloadCandidates:
    """What any of the queries could use. Statements that cannot be analysed are passed over; selection makes the merges."""
    found: dict[CandidateIndex, None] = {}
    bundles: dict[tuple[CandidateIndex, ...], None] = {}
    for query in queries:
        for sql, _ in query.texts:
            for scan in analyse(sql, schema, shape=False).scans:
                table = schema.table(scan.table, scan.schema)
                if table is not None:
                    found |= dict.fromkeys(candidates(scan, table, schema))
                    bundles |= dict.fromkeys(together(scan, table, schema))
    return WorkloadCandidates(tuple(found), tuple(bundles))
