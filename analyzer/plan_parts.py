"""Parts of a plan node and of a plan that only some carry: PostgreSQL's own figures, not multiplied, not divided."""

from dataclasses import dataclass

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Blocks of 8 kB, I/O times in ms and WAL of a node with everything below it, all loops and processes together.

    Times are None without track_io_timing; before PostgreSQL 17 `shared_*_ms` includes local blocks.
    """

    shared_hit: int = 0
    shared_read: int = 0
    shared_dirtied: int = 0
    shared_written: int = 0
    local_hit: int = 0
    local_read: int = 0
    local_dirtied: int = 0
    local_written: int = 0
    temp_read: int = 0
    temp_written: int = 0
    shared_read_ms: float | None = None
    shared_write_ms: float | None = None
    local_read_ms: float | None = None
    local_write_ms: float | None = None
    temp_read_ms: float | None = None
    temp_write_ms: float | None = None
    wal_records: int | None = None
    wal_full_pages: int | None = None
    wal_bytes: int | None = None
    wal_buffers_full: int | None = None


@dataclass(frozen=True, slots=True)
class HashTable:
    """Of Hash and of hashed Aggregates. Memory and disk in kB; batches > 1 or disk > 0: it did not fit in memory."""

    batches: int | None = None
    original_batches: int | None = None
    buckets: int | None = None
    original_buckets: int | None = None
    planned_partitions: int | None = None
    peak_memory_kb: float | None = None
    disk_kb: float | None = None


@dataclass(frozen=True, slots=True)
class MemoizeCache:
    """Of Memoize (PostgreSQL 14 and later). Counts None when it was not run."""

    key: str | None = None
    mode: str | None = None
    hits: float | None = None
    misses: float | None = None
    evictions: float | None = None
    overflows: float | None = None
    peak_memory_kb: float | None = None


@dataclass(frozen=True, slots=True)
class SortGroups:
    """Of Incremental Sort. kind: `Full-sort` or `Pre-sorted`; kB; disk is None when all groups fitted in memory."""

    kind: str
    groups: int
    methods: tuple[str, ...] = ()
    average_memory_kb: float | None = None
    peak_memory_kb: float | None = None
    average_disk_kb: float | None = None
    peak_disk_kb: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerDetail:
    """One parallel worker's own figures, where EXPLAIN shows them (VERBOSE, or a sort's). Per loop, as PostgreSQL's."""

    number: int
    actual_rows: float | None = None
    actual_loops: float | None = None
    actual_total_ms: float | None = None
    sort_method: str | None = None
    sort_space_kb: float | None = None
    sort_space_type: str | None = None
    hash: HashTable | None = None
    jit_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Modification:
    """Of ModifyTable: what it does, and what became of conflicting rows."""

    operation: str
    conflict_resolution: str | None = None
    conflict_indexes: tuple[str, ...] = ()
    inserted: float | None = None
    updated: float | None = None
    deleted: float | None = None
    skipped: float | None = None
    conflicting: float | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """ms: all calls together, None with TIMING OFF. constraint: set for foreign keys and other constraint triggers.

    after: it ran when the statement's own nodes had ended, so that no node's time holds it; None: not known.
    """

    name: str
    relation: str | None = None
    constraint: str | None = None
    ms: float | None = None
    calls: float = 0.0
    after: bool | None = None


@dataclass(frozen=True, slots=True)
class Jit:
    """Just-in-time compilation, ms summed over the leader and all workers."""

    functions: int = 0
    generation_ms: float | None = None
    inlining_ms: float | None = None
    optimization_ms: float | None = None
    emission_ms: float | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Planning:
    """What planning took besides its time. Memory in kB (PostgreSQL 17 and later, on demand)."""

    usage: Usage | None = None
    memory_used_kb: float | None = None
    memory_allocated_kb: float | None = None


@dataclass(frozen=True, slots=True)
class Serialization:
    """Turning the result into what the client gets (PostgreSQL 17 and later, on demand)."""

    ms: float | None = None
    volume_kb: float | None = None
    format: str | None = None
