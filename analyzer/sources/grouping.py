"""Executions → groups → workload; several workloads → one."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from ..query import EntityUse, RecordedQuery, SessionEvent
from ..sql.fingerprint import fingerprint, normalize
from ..sql.placeholders import undoubled
from ..sql.tokens import significant
from ..workload import Execution, ParameterSample, QueryGroup, Skipped, Source, Workload

_OPEN_LIST = re.compile(r"(?:[\s(),]*\$\d+)+[\s(),]*\Z")
_AWAITED = re.compile(r"^aio|async|^psycopg$|^oracledb$")
"""Drivers that are awaited, or can be: SQLAlchemy calls both of psycopg's alike."""

HALVING = frozenset(("psycopg2", "psycopg2cffi", "psycopg", "psycopg_async", "pg8000"))
"""Drivers to which `%` is written `%%`, even in a statement without values; asyncpg sends what it gets."""
MAX_SAMPLES = 3
MAX_SITES = 10
BUCKETS = (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0, float("inf"))
CONTROL = frozenset("begin commit rollback savepoint release set reset show start abort end discard deallocate".split())
"""Statements that steer the session; they have no plan and are not part of a workload."""


def build_workload(
    queries: Sequence[RecordedQuery],
    sources: Sequence[Source],
    events: Sequence[SessionEvent] = (),
    uses: Sequence[EntityUse] = (),
) -> Workload:
    """Group recorded executions by fingerprint; percentiles over all executions of a group."""
    kept = [query for query in queries if not is_control(query.sql)]
    by_group: defaultdict[str, list[RecordedQuery]] = defaultdict(list)
    keys = [_key(query) for query in kept]
    for key, query in zip(keys, kept, strict=True):
        by_group[key].append(query)
    figures = _figures(keys, kept)
    names = tuple(source.name for source in sources)
    groups = tuple(_group(key, members, figures[key], names) for key, members in by_group.items())
    return Workload(
        groups=ranked(groups),
        executions=tuple(map(_execution, keys, kept)),
        sources=tuple(sources),
        started_at=min((query.started_at for query in kept), default=None),
        ended_at=max((query.started_at + query.duration_ms / 1000 for query in kept), default=None),
        events=tuple(events),
        uses=tuple(uses),
    )


def merge(workloads: Sequence[Workload]) -> Workload:
    """One workload of several. A statement in two sources is one group: the recorder's own figures stand, since another
    source's time is of the same executions; samples with known values come first."""
    groups: dict[str, QueryGroup] = {}
    for workload in workloads:
        for group in workload.groups:
            known = groups.get(group.fingerprint)
            groups[group.fingerprint] = _joined(known, group) if known is not None else group
    starts = [workload.started_at for workload in workloads if workload.started_at is not None]
    ends = [workload.ended_at for workload in workloads if workload.ended_at is not None]
    return Workload(
        groups=ranked(groups.values()),
        executions=tuple(execution for workload in workloads for execution in workload.executions),
        sources=tuple(source for workload in workloads for source in workload.sources),
        skipped=tuple(dict.fromkeys(skipped for workload in workloads for skipped in workload.skipped)),
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None),
        events=tuple(event for workload in workloads for event in workload.events),
        uses=tuple(use for workload in workloads for use in workload.uses),
    )


def ranked(groups: Iterable[QueryGroup]) -> tuple[QueryGroup, ...]:
    """Most total time first, then by fingerprint."""
    return tuple(sorted(groups, key=lambda group: (-(group.total_ms or 0.0), group.fingerprint)))


def cut_text(sql: str) -> str:
    """The normalised beginning of a statement that was cut, without the values it breaks off in: how many of a list's fit
    depends on their width."""
    return f"{_OPEN_LIST.sub('', normalize(sql))} …"


def is_control(sql: str) -> bool:
    """Whether the statement only steers the session or its transaction."""
    return _is_control(sql[:200])


@lru_cache(maxsize=4096)
def _is_control(beginning: str) -> bool:
    head = significant(beginning)
    return not head or head[0].word in CONTROL


def not_looked_at(text: str, reason: str) -> Skipped:
    """A statement that was left out; its normalised beginning names it."""
    return Skipped(normalize(text)[:80], reason)


def _key(query: RecordedQuery) -> str:
    return fingerprint(cut_text(_sent(query)) if query.truncated else _sent(query))


def _sent(query: RecordedQuery) -> str:
    """The text as the server got it."""
    return undoubled(query.sql) if query.driver in HALVING else query.sql


def _figures(keys: Sequence[str], queries: Sequence[RecordedQuery]) -> dict[str, dict[str, float]]:
    import pandas as pd  # Half a second that only recordings need.

    frame = pd.DataFrame({"key": keys, "ms": [query.duration_ms for query in queries]})
    grouped = frame.groupby("key", sort=False)["ms"]
    table = pd.DataFrame(
        {
            "calls": grouped.size(),
            "total": grouped.sum(),
            "mean": grouped.mean(),
            "p50": grouped.quantile(0.5),
            "p95": grouped.quantile(0.95),
            "max": grouped.max(),
        }
    )
    return {str(key): {str(name): float(value) for name, value in row.items()} for key, row in table.iterrows()}


def _group(key: str, members: list[RecordedQuery], figures: dict[str, float], sources: tuple[str, ...]) -> QueryGroup:
    sites = Counter(query.call_site for query in members if query.call_site is not None)
    counted = [query.rows for query in members if query.rows is not None]
    return QueryGroup(
        fingerprint=key,
        text=cut_text(_sent(members[0])) if members[0].truncated else normalize(_sent(members[0])),
        calls=int(figures["calls"]),
        total_ms=float(figures["total"]),
        mean_ms=float(figures["mean"]),
        p50_ms=float(figures["p50"]),
        p95_ms=float(figures["p95"]),
        max_ms=float(figures["max"]),
        rows=sum(counted) if counted else None,
        errors=sum(1 for query in members if query.error is not None),
        call_sites=tuple(sorted(sites.items(), key=lambda item: (-item[1], item[0]))[:MAX_SITES]),
        samples=_samples(members),
        sources=sources,
        histogram=_histogram(members),
        cut=members[0].truncated,
    )


def _samples(members: list[RecordedQuery]) -> tuple[ParameterSample, ...]:
    """Executions with different values: the slowest, and of the other two thirds the middle ones, so that no few large customers stand
    for all. Failed, cut and executemany ones cannot be run again."""
    usable = [query for query in members if query.error is None and not query.truncated and not query.executemany]
    usable.sort(key=lambda one: (-one.duration_ms, one.process, one.sequence))
    values = [repr((query.sql, query.parameters)) for query in usable]
    found: dict[str, int] = {}
    for start in (0, len(usable) // 2, len(usable) * 5 // 6, 0, 0):
        new = (position for position in range(start, len(usable)) if values[position] not in found)
        if len(found) < MAX_SAMPLES and (position := next(new, None)) is not None:
            found[values[position]] = position
    return tuple(_sample(usable[position], slowest=position == 0) for position in sorted(found.values()))


def _sample(query: RecordedQuery, *, slowest: bool) -> ParameterSample:
    of = "the slowest call" if slowest else "an ordinary call"
    origin = f"recorded values of {of}" if query.parameters is not None else "values were not recorded"
    return ParameterSample(_sent(query), query.parameters, query.duration_ms, origin)


def _histogram(members: list[RecordedQuery]) -> tuple[tuple[float, int], ...]:
    counts = Counter(next(bound for bound in BUCKETS if query.duration_ms <= bound) for query in members)
    top = max(counts)
    # JSON has no infinity: the last bucket ends at the longest time.
    longest = max(query.duration_ms for query in members)
    return tuple((bound if bound != float("inf") else longest, counts[bound]) for bound in BUCKETS if bound <= top)


def _execution(key: str, query: RecordedQuery) -> Execution:
    digest = None
    if query.parameters is not None:
        digest = hashlib.sha256(repr((query.sql, query.parameters)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Execution(
        fingerprint=key,
        scope=f"{query.process}/{query.thread}/{query.task or ''}",
        sequence=query.sequence,
        started_at=query.started_at,
        duration_ms=query.duration_ms,
        rows=query.rows,
        transaction=query.transaction,
        parameters=digest,
        executemany=query.executemany,
        call_site=query.call_site,
        stack=query.stack,
        orm=query.orm,
        unit=query.scope,
        process=query.process,
        streamed=query.streamed,
        awaited=query.task is not None and _AWAITED.search(query.driver) is not None,
        driver=query.driver,
    )


def _joined(one: QueryGroup, other: QueryGroup) -> QueryGroup:
    first, second = (one, other) if one.p50_ms is not None or other.p50_ms is None else (other, one)
    samples = sorted((*first.samples, *second.samples), key=lambda sample: sample.values is None)
    both_recorded = first.p50_ms is not None and second.p50_ms is not None
    added = (
        replace(
            first,
            calls=first.calls + second.calls,
            total_ms=(first.total_ms or 0.0) + (second.total_ms or 0.0),
        )
        if both_recorded
        else first
    )
    if added.total_ms is None:
        added = replace(
            added,
            calls=second.calls or added.calls,
            total_ms=second.total_ms,
            mean_ms=second.mean_ms,
            max_ms=second.max_ms,
            rows=second.rows,
        )
    sites = dict(second.call_sites) | dict(first.call_sites)
    return replace(
        added,
        samples=tuple(samples[:MAX_SAMPLES]),
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
        call_sites=tuple(sorted(sites.items(), key=lambda item: (-item[1], item[0]))[:MAX_SITES]),
    )
