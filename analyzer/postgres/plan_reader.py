"""EXPLAIN (FORMAT JSON) → `Plan`. PostgreSQL's key names stand here and in `self_time` only."""

import json
from typing import Any

from ..errors import StatementError
from ..plan import Plan, PlanNode
from .plan_text import plan_lines
from .self_time import RawNode, Timed, number, time_nodes

MAX_BYTES = 64 * 1024 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 200


def read_plan(document: str | object) -> Plan:
    """A plan from EXPLAIN's JSON, as text or already decoded. Raises StatementError when it is none, or too large."""
    if isinstance(document, str):
        if len(document) > MAX_BYTES:
            raise StatementError("the plan is larger than 64 MB and was not read")
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            raise StatementError("the plan is not valid JSON and was not read") from None
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict) or not isinstance(document.get("Plan"), dict):
        raise StatementError("the document holds no plan")
    root = _tree(document["Plan"])
    rounding = time_nodes(root)
    counter = iter(range(1, MAX_NODES + 2))
    node = _node(root, counter)
    analyzed = node.actual_loops is not None
    plan = Plan(
        root=node,
        analyzed=analyzed,
        planning_ms=number(document, "Planning Time"),
        execution_ms=number(document, "Execution Time"),
        rounding_ms=rounding,
        settings=tuple(sorted((str(k), str(v)) for k, v in dict(document.get("Settings") or {}).items())),
    )
    return Plan(
        plan.root, plan.analyzed, plan.planning_ms, plan.execution_ms, plan.rounding_ms, plan.settings,
        "\n".join(plan_lines(plan)),
    )  # fmt: skip


def _tree(raw: dict[str, Any]) -> Timed:
    root = Timed(raw, None)
    waiting: list[tuple[Timed, int]] = [(root, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise StatementError("the plan has too many nodes and was not read")
        plans = node.raw.get("Plans")
        for child in plans if isinstance(plans, list) else ():
            if isinstance(child, dict):
                below = Timed(child, node)
                node.children.append(below)
                waiting.append((below, depth + 1))
    return root


def _node(timed: Timed, counter: Any) -> PlanNode:
    raw = timed.raw
    identity = next(counter)
    loops, rows = number(raw, "Actual Loops"), number(raw, "Actual Rows")
    return PlanNode(
        id=identity,
        type=_type(raw),
        parent_relationship=_text(raw, "Parent Relationship"),
        startup_cost=number(raw, "Startup Cost") or 0.0,
        total_cost=number(raw, "Total Cost") or 0.0,
        plan_rows=number(raw, "Plan Rows") or 0.0,
        plan_width=int(number(raw, "Plan Width") or 0),
        actual_rows=rows,
        actual_loops=loops,
        actual_total_ms=number(raw, "Actual Total Time"),
        schema=_text(raw, "Schema"),
        relation=_text(raw, "Relation Name"),
        alias=_text(raw, "Alias"),
        index=_text(raw, "Index Name"),
        join_type=_text(raw, "Join Type"),
        strategy=_text(raw, "Strategy"),
        subplan_name=_text(raw, "Subplan Name"),
        cte_name=_text(raw, "CTE Name"),
        scan_direction=_text(raw, "Scan Direction"),
        parallel_aware=raw.get("Parallel Aware") is True,
        filter=_text(raw, "Filter"),
        index_cond=_text(raw, "Index Cond"),
        recheck_cond=_text(raw, "Recheck Cond"),
        join_filter=_text(raw, "Join Filter"),
        hash_cond=_text(raw, "Hash Cond"),
        merge_cond=_text(raw, "Merge Cond"),
        sort_key=_texts(raw, "Sort Key"),
        presorted_key=_texts(raw, "Presorted Key"),
        group_key=_texts(raw, "Group Key"),
        output=_texts(raw, "Output"),
        sort_method=_text(raw, "Sort Method"),
        sort_space_kb=number(raw, "Sort Space Used"),
        sort_space_type=_text(raw, "Sort Space Type"),
        hash_batches=_whole(raw, "Hash Batches"),
        heap_fetches=number(raw, "Heap Fetches"),
        workers_planned=_whole(raw, "Workers Planned"),
        workers_launched=_whole(raw, "Workers Launched"),
        shared_hit=_whole(raw, "Shared Hit Blocks"),
        shared_read=_whole(raw, "Shared Read Blocks"),
        temp_written=_whole(raw, "Temp Written Blocks"),
        rows=_times(rows, loops),
        removed=_times(number(raw, "Rows Removed by Filter"), loops),
        removed_by_recheck=_times(number(raw, "Rows Removed by Index Recheck"), loops),
        removed_by_join_filter=_times(number(raw, "Rows Removed by Join Filter"), loops),
        total_ms=timed.inclusive_ms,
        self_ms=timed.self_ms,
        buffers=timed.self_blocks,
        children=tuple(_node(child, counter) for child in timed.children),
    )


def _type(raw: RawNode) -> str:
    name = str(raw.get("Node Type", "?"))
    if name == "Aggregate" and raw.get("Strategy") in ("Hashed", "Sorted"):
        return "HashAggregate" if raw["Strategy"] == "Hashed" else "GroupAggregate"
    return name


def _times(value: float | None, loops: float | None) -> float | None:
    return value * loops if value is not None and loops is not None else None


def _text(raw: RawNode, key: str) -> str | None:
    value = raw.get(key)
    return str(value) if value is not None else None


def _texts(raw: RawNode, key: str) -> tuple[str, ...]:
    value = raw.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _whole(raw: RawNode, key: str) -> int | None:
    value = number(raw, key)
    return int(value) if value is not None else None
