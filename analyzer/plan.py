"""A PostgreSQL plan: its own values and ours kept apart."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One node, numbered in preorder from 1. Field names follow EXPLAIN's keys; None: the key was absent.

    PostgreSQL's own: costs, plan_*, actual_* (per loop). Ours: `rows` (actual rows × loops), `total_ms`, `self_ms`
    (wall-clock share as `self_time.py` defines it; None without ANALYZE), `removed` (rows discarded by Filter, × loops),
    `buffers` (shared blocks hit + read by this node alone).
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
    schema: str | None = None
    relation: str | None = None
    alias: str | None = None
    index: str | None = None
    join_type: str | None = None
    strategy: str | None = None
    subplan_name: str | None = None
    cte_name: str | None = None
    scan_direction: str | None = None
    parallel_aware: bool = False
    filter: str | None = None
    index_cond: str | None = None
    recheck_cond: str | None = None
    join_filter: str | None = None
    hash_cond: str | None = None
    merge_cond: str | None = None
    sort_key: tuple[str, ...] = ()
    presorted_key: tuple[str, ...] = ()
    group_key: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    sort_method: str | None = None
    sort_space_kb: float | None = None
    sort_space_type: str | None = None
    hash_batches: int | None = None
    heap_fetches: float | None = None
    workers_planned: int | None = None
    workers_launched: int | None = None
    shared_hit: int | None = None
    shared_read: int | None = None
    temp_written: int | None = None
    rows: float | None = None
    removed: float | None = None
    removed_by_recheck: float | None = None
    removed_by_join_filter: float | None = None
    total_ms: float | None = None
    self_ms: float | None = None
    buffers: int | None = None
    children: tuple["PlanNode", ...] = ()

    def walk(self) -> Iterator["PlanNode"]:
        """This node and all below it, in preorder."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. Times in milliseconds. rounding_ms: negative self time clamped to 0 (PostgreSQL rounds to 1 µs).

    analyzed: whether the statement was really run. text: the plan as people read it (literals hidden unless asked for).
    """

    root: PlanNode
    analyzed: bool
    planning_ms: float | None = None
    execution_ms: float | None = None
    rounding_ms: float = 0.0
    settings: tuple[tuple[str, str], ...] = ()
    text: str = ""


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
