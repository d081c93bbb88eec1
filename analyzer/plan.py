"""A PostgreSQL plan: its own values and ours kept apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from .plan_parts import (
    HashTable,
    Jit,
    MemoizeCache,
    Modification,
    Planning,
    Serialization,
    SortGroups,
    Trigger,
    Usage,
    WorkerDetail,
)


class PlanNode(msgspec.Struct, frozen=True, gc=False):
    """One node, numbered in preorder from 1. Field names follow EXPLAIN's keys; None: the key was absent.

    PostgreSQL's own: costs, plan_*, actual_* (per loop), everything that is not named here. Ours: `rows` (actual rows ×
    loops), `removed*` (× loops), `total_ms` and `self_ms` (wall-clock share as `self_time.py` defines it; None without
    times), `processes` that shared the work, and of this node alone: `self_cost` (planner's units), `buffers` (shared
    blocks hit + read), `self_read` (shared blocks read), `self_io_ms` (reading), `self_temp` (temporary blocks written).
    A Struct, because plans have many: to make a frozen dataclass of so many fields takes five times as long. Never part of
    a circle, so that the garbage collector need not look at it: that was a third of the time.
    """

    id: int
    type: str
    parent_relationship: str | None
    startup_cost: float
    total_cost: float
    plan_rows: float
    plan_width: int
    actual_rows: float | None = None
    actual_loops: float | None = None
    actual_total_ms: float | None = None
    strategy: str | None = None
    partial_mode: str | None = None
    subplan_name: str | None = None
    parallel_aware: bool = False
    scan_direction: str | None = None
    index: str | None = None
    relation: str | None = None
    cte_name: str | None = None
    schema: str | None = None
    alias: str | None = None
    join_type: str | None = None
    actual_startup_ms: float | None = None
    disabled: bool = False
    output: tuple[str, ...] = ()
    storage: str | None = None
    storage_kb: float | None = None
    run_condition: str | None = None
    presorted_key: tuple[str, ...] = ()
    sort_method: str | None = None
    sort_space_kb: float | None = None
    sort_space_type: str | None = None
    index_cond: str | None = None
    merge_cond: str | None = None
    hash_cond: str | None = None
    join_filter: str | None = None
    recheck_cond: str | None = None
    order_by: str | None = None
    tid_cond: str | None = None
    one_time_filter: str | None = None
    filter: str | None = None
    heap_fetches: float | None = None
    index_searches: float | None = None
    exact_heap_blocks: int | None = None
    lossy_heap_blocks: int | None = None
    remote_sql: str | None = None
    workers_planned: int | None = None
    params_evaluated: tuple[str, ...] = ()
    workers_launched: int | None = None
    sort_key: tuple[str, ...] = ()
    group_key: tuple[str, ...] = ()
    rows: float | None = None
    removed: float | None = None
    removed_by_recheck: float | None = None
    removed_by_join_filter: float | None = None
    total_ms: float | None = None
    self_ms: float | None = None
    buffers: int | None = None
    children: tuple["PlanNode", ...] = ()
    function: str | None = None
    function_call: str | None = None
    subplans_removed: int | None = None
    usage: Usage | None = None
    hash: HashTable | None = None
    memoize: MemoizeCache | None = None
    sort_groups: tuple[SortGroups, ...] = ()
    workers: tuple[WorkerDetail, ...] = ()
    modification: Modification | None = None
    processes: float = 1.0
    self_cost: float = 0.0
    self_read: int | None = None
    self_io_ms: float | None = None
    self_temp: int | None = None

    @property
    def shared_hit(self) -> int | None:
        """Shared blocks found in PostgreSQL's cache, with everything below; None without BUFFERS."""
        return self.usage.shared_hit if self.usage is not None else None

    @property
    def shared_read(self) -> int | None:
        """Shared blocks read from the operating system, with everything below; None without BUFFERS."""
        return self.usage.shared_read if self.usage is not None else None

    @property
    def temp_written(self) -> int | None:
        """Temporary blocks written, with everything below; None without BUFFERS."""
        return self.usage.temp_written if self.usage is not None else None

    @property
    def hash_batches(self) -> int | None:
        """Parts the hash table was split into; more than one: it did not fit in memory."""
        return self.hash.batches if self.hash is not None else None

    def walk(self) -> Iterator["PlanNode"]:
        """This node and all below it, in preorder."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def with_indexes(self, renamed: Callable[[str], str]) -> "PlanNode":
        """The same tree with other names for its indexes."""
        children = tuple([child.with_indexes(renamed) for child in self.children])
        index = renamed(self.index) if self.index is not None else None
        return msgspec.structs.replace(self, index=index, children=children)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. Times in milliseconds. rounding_ms: negative self time clamped to 0 (PostgreSQL rounds to 1 µs).

    analyzed: whether the statement was really run.
    text: the plan as people read it; shape: digest of what EXPLAIN (COSTS OFF) shows, without literals: equal for equal
    plans, whatever their figures. Both are empty until `plan_text.described` writes them for a report.
    after_plan_ms: data-modifying CTEs that nobody read to their end, run when the root had ended.
    query_text, query_id, duration_ms: as auto_explain or VERBOSE name them.
    """

    root: PlanNode
    analyzed: bool
    planning_ms: float | None = None
    execution_ms: float | None = None
    rounding_ms: float = 0.0
    settings: tuple[tuple[str, str], ...] = ()
    text: str = ""
    after_plan_ms: float = 0.0
    shape: str = ""
    triggers: tuple[Trigger, ...] = ()
    jit: Jit | None = None
    planning: Planning | None = None
    serialization: Serialization | None = None
    query_text: str | None = None
    query_id: str | None = None
    duration_ms: float | None = None

    @property
    def elapsed_ms(self) -> float | None:
        """Execution time, or where it is not told the duration in the log, or the root's time; None without times."""
        return next((ms for ms in (self.execution_ms, self.duration_ms, self.root.total_ms) if ms is not None), None)

    @property
    def accounted_ms(self) -> float | None:
        """The part of the execution that has a place: nodes, triggers after them, unread CTEs, serialization."""
        if self.root.total_ms is None:
            return None
        after = sum(trigger.ms or 0.0 for trigger in self.triggers if trigger.after)
        serialized = (self.serialization.ms or 0.0) if self.serialization is not None else 0.0
        return self.root.total_ms + after + self.after_plan_ms + serialized

    @property
    def overhead_ms(self) -> float | None:
        """What is left of the execution: starting and ending the executor, and compiling (JIT) before the first row."""
        if self.execution_ms is None or self.accounted_ms is None:
            return None
        return max(0.0, self.execution_ms - self.accounted_ms)


@dataclass(frozen=True, slots=True)
class ExplainedQuery:
    """The outcome of explaining one query group: a plan, or the reason why there is none.

    sql: the statement as it was explained, values bound (for our own use; never rendered unless parameters are asked for).
    note: why a plan is not what was hoped for ("not run, because …"), or where the parameter values came from.
    """

    fingerprint: str
    plan: Plan | None
    sql: str | None
    note: str
    parameters_origin: str
    timed_out_s: float | None = None
    """The run was ended after this many seconds, so `plan` is a plain one."""
    variants: tuple["PlanVariant", ...] = ()
    """The plans of other values whose shape is another one: the plan depends on the value."""


@dataclass(frozen=True, slots=True)
class PlanVariant:
    """The plan of the same statement for other parameter values. origin: where the values came from. note: as above."""

    plan: Plan
    origin: str
    note: str = ""
