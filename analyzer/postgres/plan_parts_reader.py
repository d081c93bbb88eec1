"""The parts of a node that only some carry, from EXPLAIN's keys."""

from operator import itemgetter
from typing import Any

from ..plan_parts import HashTable, MemoizeCache, Modification, SortGroups, Usage, WorkerDetail
from .self_time import number
from .told_node import RawNode


def read_usage(raw: RawNode) -> Usage | None:
    """Blocks, I/O times and WAL; None when neither BUFFERS nor WAL was asked for."""
    if number(raw, "Shared Hit Blocks") is None and number(raw, "WAL Records") is None:
        return None
    try:
        blocks = _BLOCKS(raw)
    except KeyError:
        # Text leaves out what is zero.
        blocks = tuple(raw.get(key, 0) for key in _BLOCK_KEYS)
    if {*map(type, blocks)} != {int}:
        blocks = tuple(_count(raw, key) for key in _BLOCK_KEYS)
    # Times of zero are left out too, so that zero and absent read alike.
    found: dict[str, Any] = {}
    if any(map(raw.get, _TIME_KEYS)):
        found = {attribute: ms for key, attribute in _TIMES if (ms := number(raw, key))}
    for key, attribute in _WAL:
        if key in raw:
            found[attribute] = _whole(raw, key)
    if raw.get("WAL Buffers Full"):
        found["wal_buffers_full"] = _whole(raw, "WAL Buffers Full")
    return Usage(*blocks, **found)


def read_hash(raw: RawNode) -> HashTable | None:
    """The hash table of a Hash node or of a hashed Aggregate."""
    batches = number(raw, "Hash Batches")
    if batches is None:
        batches = number(raw, "HashAgg Batches")
    partitions = _whole(raw, "Planned Partitions") or None
    if batches is None and partitions is None and number(raw, "Hash Buckets") is None and not number(raw, "Disk Usage"):
        return None
    return HashTable(
        batches=int(batches) if batches is not None else None,
        original_batches=_whole(raw, "Original Hash Batches"),
        buckets=_whole(raw, "Hash Buckets"),
        original_buckets=_whole(raw, "Original Hash Buckets"),
        planned_partitions=partitions,
        peak_memory_kb=number(raw, "Peak Memory Usage"),
        disk_kb=number(raw, "Disk Usage") or None,
    )


def read_memoize(raw: RawNode) -> MemoizeCache | None:
    """The cache of a Memoize node."""
    if raw.get("Node Type") != "Memoize":
        return None
    key, mode = raw.get("Cache Key"), raw.get("Cache Mode")
    return MemoizeCache(
        key=str(key) if key is not None else None,
        mode=str(mode) if mode is not None else None,
        hits=number(raw, "Cache Hits"),
        misses=number(raw, "Cache Misses"),
        evictions=number(raw, "Cache Evictions"),
        overflows=number(raw, "Cache Overflows"),
        peak_memory_kb=number(raw, "Peak Memory Usage"),
    )


def read_sort_groups(raw: RawNode) -> tuple[SortGroups, ...]:
    """The groups of an Incremental Sort."""
    found = []
    for kind in ("Full-sort", "Pre-sorted"):
        group = raw.get(f"{kind} Groups")
        if not isinstance(group, dict):
            continue
        methods = group.get("Sort Methods Used")
        memory, disk = (_space(group, f"Sort Space {one}") for one in ("Memory", "Disk"))
        found.append(
            SortGroups(
                kind, _count(group, "Group Count"), tuple(map(str, methods)) if isinstance(methods, list) else (),
                *memory, *disk,
            )
        )  # fmt: skip
    return tuple(found)


def read_workers(raw: RawNode) -> tuple[WorkerDetail, ...]:
    """What EXPLAIN shows of each parallel worker."""
    rows = raw.get("Workers")
    found = []
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        jit = row.get("JIT")
        timing = jit.get("Timing") if isinstance(jit, dict) else None
        method, space = row.get("Sort Method"), row.get("Sort Space Type")
        found.append(
            WorkerDetail(
                number=_count(row, "Worker Number"),
                actual_rows=number(row, "Actual Rows"),
                actual_loops=number(row, "Actual Loops"),
                actual_total_ms=number(row, "Actual Total Time"),
                sort_method=str(method) if method is not None else None,
                sort_space_kb=number(row, "Sort Space Used"),
                sort_space_type=str(space) if space is not None else None,
                hash=read_hash(row),
                jit_ms=number(timing, "Total") if isinstance(timing, dict) else None,
            )
        )
    return tuple(found)


def read_modification(raw: RawNode) -> Modification | None:
    """Of a ModifyTable, or a foreign scan that modifies."""
    operation = raw.get("Operation")
    if operation is None or operation == "Select":
        return None
    resolution, indexes = raw.get("Conflict Resolution"), raw.get("Conflict Arbiter Indexes")
    return Modification(
        operation=str(operation),
        conflict_resolution=str(resolution) if resolution is not None else None,
        conflict_indexes=tuple(map(str, indexes)) if isinstance(indexes, list) else (),
        inserted=number(raw, "Tuples Inserted") or None,
        updated=number(raw, "Tuples Updated") or None,
        deleted=number(raw, "Tuples Deleted") or None,
        skipped=number(raw, "Tuples Skipped") or None,
        conflicting=number(raw, "Conflicting Tuples") or None,
    )


def _space(group: RawNode, key: str) -> tuple[float | None, float | None]:
    space = group.get(key)
    if not isinstance(space, dict):
        return None, None
    return number(space, "Average Sort Space Used"), number(space, "Peak Sort Space Used")


def _count(raw: RawNode, key: str) -> int:
    value = raw.get(key)
    return value if type(value) is int else int(number(raw, key) or 0)


def _whole(raw: RawNode, key: str) -> int | None:
    value = number(raw, key)
    return int(value) if value is not None else None


_BLOCK_KEYS = (
    *(f"{kind} {what} Blocks" for kind in ("Shared", "Local") for what in ("Hit", "Read", "Dirtied", "Written")),
    *("Temp Read Blocks", "Temp Written Blocks"),
)
"""In the order of `Usage`."""
_BLOCKS = itemgetter(*_BLOCK_KEYS)
_TIMES = (
    ("I/O Read Time", "shared_read_ms"),
    ("I/O Write Time", "shared_write_ms"),
    *(
        (f"{kind} I/O {what} Time", f"{kind.lower()}_{what.lower()}_ms")
        for kind in ("Shared", "Local", "Temp")
        for what in ("Read", "Write")
    ),
)
"""EXPLAIN's key and our attribute. Since PostgreSQL 17 the shared times have a name of their own."""
_TIME_KEYS = tuple(key for key, _ in _TIMES)
_WAL = (("WAL Records", "wal_records"), ("WAL FPI", "wal_full_pages"), ("WAL Bytes", "wal_bytes"))
