"""EXPLAIN's output in any format → `Plan`. PostgreSQL's key names stand in this folder only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..plan_parts import Jit, Planning, Serialization, Trigger
from .plan_document import documents
from .plan_parts_reader import (
    read_hash,
    read_memoize,
    read_modification,
    read_sort_groups,
    read_usage,
    read_workers,
)
from .plan_shape import plan_shape
from .plan_text import plan_lines
from .self_time import RawNode, Timed, number, time_nodes

MAX_NODES = 20_000
MAX_DEPTH = 250
"""Nodes below one another: a join of 100 tables needs about as many. Deeper ones would exhaust Python's stack."""


def read_plan(document: str | object) -> Plan:
    """A plan from EXPLAIN's output, as text in any format or decoded JSON; of several the first.

    Raises StatementError when it is none, is damaged, or is too large (200 MB, 20,000 nodes, 250 levels).
    """
    return next(read_plans(document))


def read_plans(document: str | object) -> Iterator[Plan]:
    """Every plan in the text, such as those in auto_explain's log. Raises StatementError as `read_plan` does."""
    decoded = documents(document) if isinstance(document, str) else document
    found = decoded if isinstance(decoded, list) else [decoded]
    if not found:
        raise StatementError("the document holds no plan")
    for one in found:
        if not isinstance(one, dict) or not isinstance(one.get("Plan"), dict):
            raise StatementError("the document holds no plan")
        yield _plan(one)


def _plan(document: RawNode) -> Plan:
    raw = document["Plan"]
    assert isinstance(raw, dict)
    root = _tree(raw)
    accounts = time_nodes(root)
    node = _nodes(root)
    execution = number(document, "Execution Time")
    if execution is None:
        # TIMING OFF and auto_explain keep the runtime elsewhere, old tools called it so.
        execution = number(document, "Total Runtime")
    settings = document.get("Settings")
    query_id = document.get("Query Identifier")
    plan = Plan(
        root=node,
        analyzed=node.actual_loops is not None,
        planning_ms=number(document, "Planning Time"),
        execution_ms=execution,
        rounding_ms=accounts.clamped_ms,
        settings=tuple(sorted((str(k), str(v)) for k, v in settings.items())) if isinstance(settings, dict) else (),
        after_plan_ms=accounts.after_plan_ms,
        shape=plan_shape(node),
        jit=_jit(document.get("JIT")),
        planning=_planning(document.get("Planning")),
        serialization=_serialization(document.get("Serialization")),
        query_text=_text(document, "Query Text"),
        query_id=str(query_id) if query_id is not None else None,
        duration_ms=number(document, "Duration"),
    )
    plan = replace(plan, triggers=_triggers(document.get("Triggers"), plan))
    return replace(plan, text="\n".join(plan_lines(plan)))


def _tree(raw: dict[str, Any]) -> Timed:
    root = Timed(raw, None)
    waiting: list[tuple[Timed, int]] = [(root, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise StatementError("the plan has too many nodes or levels and was not read")
        plans = node.raw.get("Plans")
        for child in plans if isinstance(plans, list) else ():
            if isinstance(child, dict):
                below = Timed(child, node)
                node.children.append(below)
                waiting.append((below, depth + 1))
    return root


def _nodes(root: Timed) -> PlanNode:
    """The tree from its leaves up, without recursion."""
    order: list[Timed] = []
    waiting = [root]
    while waiting:
        timed = waiting.pop()
        order.append(timed)
        waiting += reversed(timed.children)
    built: dict[int, PlanNode] = {}
    for identity in range(len(order), 0, -1):
        timed = order[identity - 1]
        children = tuple(built.pop(id(child)) for child in timed.children)
        built[id(timed)] = _node(timed, identity, children)
    return built[id(root)]


def _node(timed: Timed, identity: int, children: tuple[PlanNode, ...]) -> PlanNode:
    raw = timed.raw
    # Of some seventy keys a node has thirty: those it has are gone through, not those it could have.
    found: dict[str, Any] = {}
    for key, value in raw.items():
        place = _KEYS.get(key)
        if place is not None and value is not None:
            found[place[0]] = place[1](raw, key)
    if raw.get("Node Type") == "Aggregate":
        # The text of an Aggregate names its input's order too.
        found.pop("sort_key", None)
    loops, rows = found.get("actual_loops"), found.get("actual_rows")
    cost = found.setdefault("total_cost", 0.0)
    own = timed.own
    return PlanNode(
        id=identity,
        type=_type(raw),
        parent_relationship=_relationship(timed),
        startup_cost=found.pop("startup_cost", None) or 0.0,
        total_cost=found.pop("total_cost") or 0.0,
        plan_rows=found.pop("plan_rows", None) or 0.0,
        plan_width=found.pop("plan_width", None) or 0,
        parallel_aware=raw.get("Parallel Aware") is True,
        group_key=_group_key(raw),
        rows=_times(rows, loops),
        removed=_removed(raw, "Rows Removed by Filter", loops, "Filter"),
        removed_by_recheck=_removed(raw, "Rows Removed by Index Recheck", loops, ""),
        removed_by_join_filter=_removed(raw, "Rows Removed by Join Filter", loops, "Join Filter"),
        total_ms=timed.inclusive_ms,
        self_ms=timed.self_ms,
        buffers=int(own[0]) if own is not None else None,
        children=children,
        function=_text(raw, "Function Name") or _text(raw, "Table Function Name"),
        function_call=_text(raw, "Function Call") or _text(raw, "Table Function Call"),
        subplans_removed=_whole(raw, "Subplans Removed") or None,
        disabled=raw.get("Disabled") is True,
        usage=read_usage(raw),
        hash=read_hash(raw),
        memoize=read_memoize(raw),
        sort_groups=read_sort_groups(raw),
        workers=read_workers(raw),
        modification=read_modification(raw),
        processes=timed.processes,
        self_cost=_self_cost(raw, cost or 0.0, children),
        self_read=int(own[1]) if own is not None else None,
        self_io_ms=round(own[2], 6) if own is not None else None,
        self_temp=int(own[3]) if own is not None else None,
        **found,
    )


def _relationship(timed: Timed) -> str | None:
    """Before PostgreSQL 14 the inputs of a ModifyTable are its members."""
    told = _text(timed.raw, "Parent Relationship")
    below = timed.parent is not None and timed.parent.raw.get("Node Type") == "ModifyTable"
    return "Outer" if below and told == "Member" else told


def _self_cost(raw: RawNode, cost: float, children: tuple[PlanNode, ...]) -> float:
    """Cost without the inputs'; a Limit stops its input early, so that it costs less than that."""
    if raw.get("Node Type") in ("Nested Loop", "Limit"):
        # The inner side runs once a row of the outer one, which its own cost does not tell.
        return max(0.0, cost - max((child.total_cost for child in children), default=0.0))
    return max(0.0, cost - sum(child.total_cost for child in children))


def _type(raw: RawNode) -> str:
    name = str(raw.get("Node Type", "?"))
    if name == "Aggregate" and raw.get("Strategy") in ("Hashed", "Sorted", "Mixed"):
        return {"Hashed": "HashAggregate", "Sorted": "GroupAggregate"}.get(str(raw["Strategy"]), "MixedAggregate")
    return name


def _group_key(raw: RawNode) -> tuple[str, ...]:
    keys = list(_texts(raw, "Group Key"))
    sets = raw.get("Grouping Sets")
    for one in sets if isinstance(sets, list) else ():
        for name in ("Hash Keys", "Group Keys"):
            groups = one.get(name) if isinstance(one, dict) else None
            for group in groups if isinstance(groups, list) else ():
                keys += map(str, group) if isinstance(group, list) else ()
    return tuple(keys)


def _triggers(value: object, plan: Plan) -> tuple[Trigger, ...]:
    """EXPLAIN does not tell which triggers ran inside the nodes (BEFORE) and which after: those of constraints do, and of
    the others those whose time the rest of the execution has room for."""
    rows = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    found = [
        Trigger(
            name=_text(one, "Constraint Name") or _text(one, "Trigger Name") or "?",
            relation=_text(one, "Relation"),
            constraint=_text(one, "Constraint Name"),
            ms=number(one, "Time"),
            calls=number(one, "Calls") or 0.0,
        )
        for one in rows
    ]
    room = None
    if plan.execution_ms is not None and plan.accounted_ms is not None:
        room = plan.execution_ms - plan.accounted_ms - sum(one.ms or 0.0 for one in found if one.constraint)
    placed = dict(enumerate(found))
    for place, one in sorted(placed.items(), key=lambda item: -(item[1].ms or 0.0)):
        after: bool | None = True if one.constraint else None
        if after is None and room is not None and one.ms is not None:
            after = one.ms <= room + 0.05
            room -= one.ms if after else 0.0
        placed[place] = replace(one, after=after)
    return tuple(placed.values())


def _jit(value: object) -> Jit | None:
    if not isinstance(value, dict):
        return None
    timing = value.get("Timing")
    times: RawNode = timing if isinstance(timing, dict) else {}
    generation = times.get("Generation")
    if isinstance(generation, dict):
        # PostgreSQL 17 tells the part for deforming apart.
        times = times | {"Generation": generation.get("Total")}
    return Jit(
        functions=_whole(value, "Functions") or 0,
        generation_ms=number(times, "Generation"),
        inlining_ms=number(times, "Inlining"),
        optimization_ms=number(times, "Optimization"),
        emission_ms=number(times, "Emission"),
        total_ms=number(times, "Total"),
    )


def _planning(value: object) -> Planning | None:
    if not isinstance(value, dict) or not value:
        return None
    return Planning(read_usage(value), number(value, "Memory Used"), number(value, "Memory Allocated"))


def _serialization(value: object) -> Serialization | None:
    if not isinstance(value, dict):
        return None
    return Serialization(number(value, "Time"), number(value, "Output Volume"), _text(value, "Format"))


def _times(value: float | None, loops: float | None) -> float | None:
    return value * loops if value is not None and loops is not None else None


def _removed(raw: RawNode, key: str, loops: float | None, condition: str) -> float | None:
    """Text leaves out what is zero; so that all formats read alike, a condition that removed nothing removed 0."""
    value = number(raw, key)
    if value is None and loops is not None and condition in raw:
        value = 0.0
    return _times(value, loops) if condition or value else None


def _text(raw: Mapping[str, object], key: str) -> str | None:
    value = raw.get(key)
    return str(value) if value is not None else None


def _texts(raw: RawNode, key: str) -> tuple[str, ...]:
    value = raw.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _whole(raw: RawNode, key: str) -> int | None:
    value = number(raw, key)
    return int(value) if value is not None else None


_KEYS: dict[str, tuple[str, Callable[[RawNode, str], Any]]] = {
    **{
        key: (attribute, _text)
        for key, attribute in (
            ("Schema", "schema"), ("Relation Name", "relation"), ("Alias", "alias"), ("Index Name", "index"),
            ("Join Type", "join_type"), ("Strategy", "strategy"), ("Subplan Name", "subplan_name"), ("CTE Name", "cte_name"),
            ("Scan Direction", "scan_direction"), ("Filter", "filter"), ("Index Cond", "index_cond"),
            ("Recheck Cond", "recheck_cond"), ("Join Filter", "join_filter"), ("Hash Cond", "hash_cond"),
            ("Merge Cond", "merge_cond"), ("Sort Method", "sort_method"), ("Sort Space Type", "sort_space_type"),
            ("Partial Mode", "partial_mode"), ("One-Time Filter", "one_time_filter"), ("TID Cond", "tid_cond"),
            ("Order By", "order_by"), ("Run Condition", "run_condition"), ("Remote SQL", "remote_sql"), ("Storage", "storage"),
        )
    },
    **{
        key: (attribute, number)
        for key, attribute in (
            ("Startup Cost", "startup_cost"), ("Total Cost", "total_cost"), ("Plan Rows", "plan_rows"),
            ("Actual Rows", "actual_rows"), ("Actual Loops", "actual_loops"), ("Actual Total Time", "actual_total_ms"),
            ("Actual Startup Time", "actual_startup_ms"), ("Sort Space Used", "sort_space_kb"),
            ("Heap Fetches", "heap_fetches"), ("Index Searches", "index_searches"), ("Maximum Storage", "storage_kb"),
        )
    },
    **{
        key: (attribute, _whole)
        for key, attribute in (
            ("Plan Width", "plan_width"), ("Workers Planned", "workers_planned"), ("Workers Launched", "workers_launched"),
            ("Exact Heap Blocks", "exact_heap_blocks"), ("Lossy Heap Blocks", "lossy_heap_blocks"),
        )
    },
    **{
        key: (attribute, _texts)
        for key, attribute in (
            ("Sort Key", "sort_key"), ("Presorted Key", "presorted_key"), ("Output", "output"),
            ("Params Evaluated", "params_evaluated"),
        )
    },
}  # fmt: skip
"""By EXPLAIN's key: our attribute, and how its value is read. What needs more than its own key is read in `_node`."""
