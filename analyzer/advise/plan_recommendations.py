"""A selection as actions: one recommendation for each index to add and each one to drop."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..plan import Plan
from ..recommendation import Cost, Evidence, EvidenceKind, Measurement, QueryEvidence, Recommendation
from ..schema import Index, Table
from ..sql.identifier import quote_qualified
from ..workload import QueryGroup
from .candidate_code import drop_codes
from .index_advice import measurement
from .index_recommendation import ORIGINS, lock_of, title_of, why_it_helps, write_penalty
from .measured_set import MeasuredQuery
from .selection_types import ChosenIndex, DroppedIndex, QueryGain
from .standing_indexes import standing_indexes, taken_over

DROP_LOCK = (
    "DROP INDEX CONCURRENTLY takes SHARE UPDATE EXCLUSIVE: reads and writes go on; it waits for transactions that use the "
    "table, and cannot run inside a transaction"
)
WHOLE_DROP_LOCK = (
    "DROP INDEX takes ACCESS EXCLUSIVE on the partitioned table and all its parts: it waits for whoever reads or writes them, and "
    "others wait behind it: it gives up after 5 s and can be run again"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a set does to each query. plans: before and after by plan id. measured: of the queries that were run."""

    door: str
    gains: Mapping[str, QueryGain]
    measured: Mapping[str, MeasuredQuery]
    plans: Mapping[str, Plan]

    def of(self, fingerprint: str) -> QueryEvidence:
        """Before and after of one query, measured where it was run."""
        run = self.measured.get(fingerprint)
        gain = self.gains[fingerprint]
        before_id, after_id = before_key(fingerprint), after_key(fingerprint)
        if run is not None:
            one, two = measurement(run.before), measurement(run.after)
        else:
            one, two = Measurement(cost=gain.cost_before), Measurement(cost=gain.cost_after)
        return QueryEvidence(fingerprint, _with_plan(one, before_id, self.plans), _with_plan(two, after_id, self.plans))

    def left(self, fingerprint: str) -> float:
        """The share of the query's time or cost that is left afterwards."""
        run = self.measured.get(fingerprint)
        if run is not None and run.before.execution_ms:
            return (run.after.execution_ms or 0.0) / run.before.execution_ms
        gain = self.gains[fingerprint]
        return gain.cost_after / gain.cost_before if gain.cost_before else 1.0


def before_key(fingerprint: str) -> str:
    """Id of the plan today."""
    return fingerprint


def after_key(fingerprint: str) -> str:
    """Id of the plan under the whole set."""
    return f"{fingerprint}-after"


def add_recommendation(
    chosen: ChosenIndex,
    table: Table,
    groups: Mapping[str, QueryGroup],
    proof: Proof,
    *,
    build_ms: float,
    caution: str,
    measured_size: int | None,
) -> Recommendation:
    """The action for one index of the set. Each query's saving is split evenly among the indexes that it uses. caution: why
    what is planned of it may not come true, else empty."""
    index = chosen.index
    ran = measured_size is not None and any(key in proof.measured for key in chosen.serves)
    kind: EvidenceKind = "measured" if ran else "planned"
    saved = 0.0
    timed = False
    for fingerprint in chosen.serves:
        total = groups[fingerprint].total_ms
        users = max(1, sum(1 for name in proof.gains[fingerprint].uses if "." not in name))
        if total is not None:
            timed = True
            saved += max(0.0, total * (1 - proof.left(fingerprint))) / users
    places = [site for key in chosen.serves for site, _ in groups[key].call_sites[:1]]
    standing = standing_indexes(index, table)
    origin = ORIGINS[kind] if kind == "measured" else f"{ORIGINS[kind]}; {proof.door}"
    return Recommendation(
        id=index.id,
        kind="index",
        title=title_of(index),
        reason=" ".join(filter(None, (_in_place_of(chosen) or why_it_helps(index), caution, taken_over(standing)))),
        evidence=Evidence(kind, origin, tuple(proof.of(fingerprint) for fingerprint in chosen.serves)),
        code=index.codes(chosen.name, standing),
        settles=(),
        cost=Cost(
            measured_size if measured_size is not None else chosen.size_bytes,
            build_ms if measured_size is not None else None,
            lock_of(index),
            write_penalty(index, table),
        ),
        saves_ms=saved if timed else None,
        place=places[0] if places else None,
    )


def _in_place_of(chosen: ChosenIndex) -> str:
    if not chosen.replaces:
        return ""
    one, other = chosen.replaces
    return (
        f"It does the work of {one} and {other}, which can go once it is built: less space, and one index less for every write to "
        "keep up to date. No query becomes faster by it."
    )


def drop_recommendation(
    dropped: DroppedIndex, existing: Index, table: Table, definition: str, door: str
) -> Recommendation:
    """The action that drops an existing index. definition: what made it, for the way back."""
    name = quote_qualified(dropped.schema, dropped.name)
    instead = f"; {', '.join(dropped.replaced_by)} takes its place" if dropped.replaced_by else ""
    new = sorted(set(dropped.replaced_by) - {one.name for one in table.indexes})
    first = f" once {new[0]} is built and used" if new else ""
    seen = ""
    if existing.scans is not None:
        seen = f"; it was itself used {existing.scans} times since the server's statistics began"
    return Recommendation(
        id=hashlib.sha256(f"drop\x1f{dropped.schema}\x1f{dropped.name}".encode()).hexdigest()[:16],
        kind="index",
        title=f"Drop the index {dropped.name} on {dropped.table}{first}",
        reason=f"{dropped.reason}{instead}{seen}. Every write to {dropped.table} keeps it up to date for nothing. "
        "Ask first whether a job that was not recorded (a monthly report, a replica) needs it.",
        evidence=Evidence("planned", f"no recorded query is planned worse without {name}; {door}"),
        code=drop_codes(dropped.schema, dropped.name, table, definition),
        settles=(),
        cost=Cost(
            lock=WHOLE_DROP_LOCK if table.kind == "partitioned table" else DROP_LOCK,
            write_penalty=f"none: it frees {dropped.size_bytes // 1024} kB",
        ),
    )


def ordered(recommendations: Sequence[Recommendation]) -> tuple[Recommendation, ...]:
    """By id, as every renderer ranks them itself."""
    return tuple(sorted(recommendations, key=lambda one: one.id))


def _with_plan(figures: Measurement, key: str, plans: Mapping[str, Plan]) -> Measurement:
    return Measurement(
        figures.ms, figures.cost, figures.buffers, figures.rows_read, figures.queries, key if key in plans else None
    )
