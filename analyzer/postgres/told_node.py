"""What EXPLAIN tells of a node by itself, read by its keys."""

from typing import Any

import msgspec
from msgspec import ValidationError, convert, field

RawNode = dict[str, object]


class ToldNode(msgspec.Struct, frozen=True, gc=False):
    """Named as in `PlanNode`; None: the key was absent. The first `KEPT` are kept as they are and stand in the same order there,
    the others are looked at once more. Both in the order in which PostgreSQL writes them, in which they are found fastest.
    """

    strategy: str | None = field(default=None, name="Strategy")
    partial_mode: str | None = field(default=None, name="Partial Mode")
    subplan_name: str | None = field(default=None, name="Subplan Name")
    parallel_aware: bool = field(default=False, name="Parallel Aware")
    scan_direction: str | None = field(default=None, name="Scan Direction")
    index: str | None = field(default=None, name="Index Name")
    relation: str | None = field(default=None, name="Relation Name")
    cte_name: str | None = field(default=None, name="CTE Name")
    schema: str | None = field(default=None, name="Schema")
    alias: str | None = field(default=None, name="Alias")
    join_type: str | None = field(default=None, name="Join Type")
    actual_startup_ms: float | None = field(default=None, name="Actual Startup Time")
    disabled: bool = field(default=False, name="Disabled")
    output: tuple[str, ...] = field(default=(), name="Output")
    storage: str | None = field(default=None, name="Storage")
    storage_kb: float | None = field(default=None, name="Maximum Storage")
    run_condition: str | None = field(default=None, name="Run Condition")
    presorted_key: tuple[str, ...] = field(default=(), name="Presorted Key")
    sort_method: str | None = field(default=None, name="Sort Method")
    sort_space_kb: float | None = field(default=None, name="Sort Space Used")
    sort_space_type: str | None = field(default=None, name="Sort Space Type")
    index_cond: str | None = field(default=None, name="Index Cond")
    merge_cond: str | None = field(default=None, name="Merge Cond")
    hash_cond: str | None = field(default=None, name="Hash Cond")
    join_filter: str | None = field(default=None, name="Join Filter")
    recheck_cond: str | None = field(default=None, name="Recheck Cond")
    order_by: str | None = field(default=None, name="Order By")
    tid_cond: str | None = field(default=None, name="TID Cond")
    one_time_filter: str | None = field(default=None, name="One-Time Filter")
    filter: str | None = field(default=None, name="Filter")
    heap_fetches: float | None = field(default=None, name="Heap Fetches")
    index_searches: float | None = field(default=None, name="Index Searches")
    exact_heap_blocks: int | None = field(default=None, name="Exact Heap Blocks")
    lossy_heap_blocks: int | None = field(default=None, name="Lossy Heap Blocks")
    remote_sql: str | None = field(default=None, name="Remote SQL")
    workers_planned: int | None = field(default=None, name="Workers Planned")
    params_evaluated: tuple[str, ...] = field(default=(), name="Params Evaluated")
    workers_launched: int | None = field(default=None, name="Workers Launched")
    parent_relationship: str | None = field(default=None, name="Parent Relationship")
    function: str | None = field(default=None, name="Function Name")
    table_function: str | None = field(default=None, name="Table Function Name")
    startup_cost: float | None = field(default=None, name="Startup Cost")
    total_cost: float | None = field(default=None, name="Total Cost")
    plan_rows: float | None = field(default=None, name="Plan Rows")
    plan_width: int | None = field(default=None, name="Plan Width")
    actual_total_ms: float | None = field(default=None, name="Actual Total Time")
    actual_rows: float | None = field(default=None, name="Actual Rows")
    actual_loops: float | None = field(default=None, name="Actual Loops")
    sort_key: tuple[str, ...] = field(default=(), name="Sort Key")
    removed_by_join_filter: float | None = field(default=None, name="Rows Removed by Join Filter")
    removed_by_recheck: float | None = field(default=None, name="Rows Removed by Index Recheck")
    function_call: str | None = field(default=None, name="Function Call")
    table_function_call: str | None = field(default=None, name="Table Function Call")
    removed: float | None = field(default=None, name="Rows Removed by Filter")
    subplans_removed: int | None = field(default=None, name="Subplans Removed")


def told_node(raw: RawNode) -> ToldNode:
    """Of a node in the shape of EXPLAIN's JSON. A value of another type than PostgreSQL gives is read as well as it can be.

    Raises OverflowError for a figure too large for any plan.
    """
    try:
        return convert(raw, ToldNode)
    except ValidationError:
        return convert(
            {key: _mended(key, value) for key, value in raw.items() if key in _KINDS and value is not None}, ToldNode
        )


KEPT = ToldNode.__struct_fields__.index("parent_relationship")
"""How many of the fields are kept."""
_KINDS: dict[str, Any] = {one.encode_name: one.type for one in msgspec.structs.fields(ToldNode)}


def _mended(key: str, value: object) -> object:
    kind = _KINDS[key]
    if kind is bool:
        return value is True
    if kind == tuple[str, ...]:
        return tuple(map(str, value)) if isinstance(value, list) else ()
    if kind == str | None:
        return str(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if kind == float | None else int(value)
