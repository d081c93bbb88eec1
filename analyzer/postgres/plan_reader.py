"""EXPLAIN's output in any format → `Plan`. PostgreSQL's key names stand in this folder only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..plan_parts import Jit, Planning, Serialization, Trigger
from .plan_document import documents
from .plan_from_markup import MOST
from .plan_parts_reader import (
    read_hash,
    read_memoize,
    read_modification,
    read_sort_groups,
    read_usage,
    read_workers,
)
from .self_time import RawNode, Timed, number, time_nodes

MOST_EXACT = 2.0**53
"""A count above it has no hundredths."""
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
        try:
            yield _plan(one)
        except OverflowError:
            raise StatementError("the plan holds a figure that is out of range, and was not read") from None


def _plan(document: RawNode) -> Plan:
    raw = document["Plan"]
    assert isinstance(raw, dict)
    nodes = _tree(raw)
    accounts = time_nodes(nodes)
    node = _nodes(nodes)
    for timed in nodes:
        timed.parent = None  # A circle would wait for the garbage collector.
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
        jit=_jit(document.get("JIT")),
        planning=_planning(document.get("Planning")),
        serialization=_serialization(document.get("Serialization")),
        query_text=_text(document, "Query Text"),
        query_id=str(query_id) if query_id is not None else None,
        duration_ms=number(document, "Duration"),
    )
    triggers = _triggers(document.get("Triggers"), plan)
    return replace(plan, triggers=triggers) if triggers else plan


def _tree(raw: dict[str, Any]) -> list[Timed]:
    """The nodes in preorder."""
    nodes: list[Timed] = []
    waiting: list[tuple[dict[str, Any], Timed | None, int]] = [(raw, None, 1)]
    while waiting:
        raw, parent, depth = waiting.pop()
        if len(nodes) >= MAX_NODES or depth > MAX_DEPTH:
            raise StatementError("the plan has too many nodes or levels and was not read")
        values = _values(raw)
        node = Timed(
            raw, values, parent, values.get("actual_loops") or 0.0, raw.get("Parent Relationship") == "InitPlan"
        )
        nodes.append(node)
        if parent is not None:
            parent.children.append(node)
        plans = raw.get("Plans")
        if isinstance(plans, list):
            waiting += [(child, node, depth + 1) for child in reversed(plans) if isinstance(child, dict)]
    return nodes


def _values(raw: dict[str, Any]) -> dict[str, Any]:
    """What a node's keys tell by themselves, by the names of `PlanNode`.

    Of some seventy keys a node has thirty: those it has are gone through, not those it could have.
    """
    found: dict[str, Any] = {}
    for key, value in raw.items():
        place = _KEYS.get(key)
        if place is not None and value is not None:
            attribute, kind, read = place
            given = type(value)
            if given is kind:
                found[attribute] = value
            elif given is int and kind is float:
                found[attribute] = float(value)
            else:
                found[attribute] = read(raw, key)
    for attribute in _MULTIPLIED:
        if not -MOST <= (found.get(attribute) or 0.0) <= MOST:
            raise OverflowError(attribute)
    return found


def _nodes(order: list[Timed]) -> PlanNode:
    """The tree from its leaves up, without recursion."""
    built: dict[int, PlanNode] = {}
    for identity in range(len(order), 0, -1):
        timed = order[identity - 1]
        children = tuple([built.pop(id(child)) for child in timed.children])
        built[id(timed)] = _node(timed, identity, children)
    return built[id(order[0])]


def _node(timed: Timed, identity: int, children: tuple[PlanNode, ...]) -> PlanNode:
    raw, found, own = timed.raw, timed.values, timed.own
    cost = found.pop("total_cost", None) or 0.0
    told = found.pop("parent_relationship", None)
    if told == "Member" and timed.parent is not None and timed.parent.raw.get("Node Type") == "ModifyTable":
        # Before PostgreSQL 14 the inputs of a ModifyTable are its members.
        told = "Outer"
    kind = str(raw.get("Node Type", "?"))
    if kind == "Aggregate":
        kind = _AGGREGATES.get(str(raw.get("Strategy")), kind)
        # The text of an Aggregate names its input's order too.
        found.pop("sort_key", None)
    elif kind == "Memoize":
        found["memoize"] = read_memoize(raw)
    _multiply(found)
    if own is not None:
        found["buffers"], found["self_read"], found["self_temp"] = int(own[0]), int(own[1]), int(own[3])
        found["self_io_ms"] = round(own[2], 6)
    return PlanNode(
        id=identity,
        type=kind,
        startup_cost=found.pop("startup_cost", None) or 0.0,
        total_cost=cost,
        plan_rows=found.pop("plan_rows", None) or 0.0,
        plan_width=found.pop("plan_width", None) or 0,
        parent_relationship=told,
        total_ms=timed.inclusive_ms,
        self_ms=timed.self_ms,
        children=children,
        processes=timed.processes,
        self_cost=_self_cost(kind, cost, children),
        **found,
    )


def _multiply(found: dict[str, Any]) -> None:
    """Averages of a loop → all loops together."""
    loops = found.get("actual_loops")
    if found.get("actual_rows") is not None and loops is not None:
        # PostgreSQL 18 tells two decimals of the average; in all loops together whole rows came.
        total = found["actual_rows"] * loops
        found["rows"] = float(round(total)) if abs(total) < MOST_EXACT else total
    for attribute, condition in _REMOVED:
        if attribute in found or condition in found:
            # Text leaves out what is zero; so that all formats read alike, a condition that removed nothing removed 0.
            removed = found.pop(attribute, None) or (0.0 if condition in found else None)
            if removed is not None and loops is not None:
                found[attribute] = removed * loops


def _self_cost(kind: str, cost: float, children: tuple[PlanNode, ...]) -> float:
    """Cost without the inputs'; a Limit stops its input early, so that it costs less than that."""
    if not children:
        return max(0.0, cost)
    if kind in ("Nested Loop", "Limit"):
        # The inner side runs once a row of the outer one, which its own cost does not tell.
        return max(0.0, cost - max((child.total_cost for child in children), default=0.0))
    return max(0.0, cost - sum([child.total_cost for child in children]))


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


def _text(raw: Mapping[str, object], key: str) -> str | None:
    value = raw.get(key)
    return str(value) if value is not None else None


def _texts(raw: RawNode, key: str) -> tuple[str, ...]:
    value = raw.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _whole(raw: RawNode, key: str) -> int | None:
    value = number(raw, key)
    return int(value) if value is not None else None


def _true(raw: RawNode, key: str) -> bool:
    return raw[key] is True


def _some(raw: RawNode, key: str) -> int | None:
    return _whole(raw, key) or None


def _part(read: Callable[[RawNode], Any]) -> Callable[[RawNode, str], Any]:
    return lambda raw, key: read(raw)


_AGGREGATES = {"Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"}
_MULTIPLIED = ("actual_loops", "actual_rows", "actual_total_ms", "plan_rows", "total_cost")
"""What is multiplied with one another: the product must be finite."""
_REMOVED = (("removed", "filter"), ("removed_by_recheck", ""), ("removed_by_join_filter", "join_filter"))
"""Our attribute, and the condition that removed the rows. A recheck always tells how many, where there are any."""

_KEYS: dict[str, tuple[str, type | None, Callable[[RawNode, str], Any]]] = {
    **{
        key: (attribute, str, _text)
        for key, attribute in (
            ("Schema", "schema"), ("Relation Name", "relation"), ("Alias", "alias"), ("Index Name", "index"),
            ("Join Type", "join_type"), ("Strategy", "strategy"), ("Subplan Name", "subplan_name"), ("CTE Name", "cte_name"),
            ("Scan Direction", "scan_direction"), ("Filter", "filter"), ("Index Cond", "index_cond"),
            ("Recheck Cond", "recheck_cond"), ("Join Filter", "join_filter"), ("Hash Cond", "hash_cond"),
            ("Merge Cond", "merge_cond"), ("Sort Method", "sort_method"), ("Sort Space Type", "sort_space_type"),
            ("Partial Mode", "partial_mode"), ("One-Time Filter", "one_time_filter"), ("TID Cond", "tid_cond"),
            ("Order By", "order_by"), ("Run Condition", "run_condition"), ("Remote SQL", "remote_sql"), ("Storage", "storage"),
            ("Parent Relationship", "parent_relationship"), ("Function Name", "function"), ("Table Function Name", "function"),
            ("Function Call", "function_call"), ("Table Function Call", "function_call"),
        )
    },
    **{
        key: (attribute, float, number)
        for key, attribute in (
            ("Startup Cost", "startup_cost"), ("Total Cost", "total_cost"), ("Plan Rows", "plan_rows"),
            ("Actual Rows", "actual_rows"), ("Actual Loops", "actual_loops"), ("Actual Total Time", "actual_total_ms"),
            ("Actual Startup Time", "actual_startup_ms"), ("Sort Space Used", "sort_space_kb"),
            ("Heap Fetches", "heap_fetches"), ("Index Searches", "index_searches"), ("Maximum Storage", "storage_kb"),
            ("Rows Removed by Filter", "removed"), ("Rows Removed by Index Recheck", "removed_by_recheck"),
            ("Rows Removed by Join Filter", "removed_by_join_filter"),
        )
    },
    **{
        key: (attribute, int, _whole)
        for key, attribute in (
            ("Plan Width", "plan_width"), ("Workers Planned", "workers_planned"), ("Workers Launched", "workers_launched"),
            ("Exact Heap Blocks", "exact_heap_blocks"), ("Lossy Heap Blocks", "lossy_heap_blocks"),
        )
    },
    **{
        key: (attribute, None, _texts)
        for key, attribute in (
            ("Sort Key", "sort_key"), ("Presorted Key", "presorted_key"), ("Output", "output"),
            ("Params Evaluated", "params_evaluated"),
        )
    },
    "Parallel Aware": ("parallel_aware", bool, _true),
    "Disabled": ("disabled", bool, _true),
    "Subplans Removed": ("subplans_removed", None, _some),
    **{
        key: (attribute, None, _part(read))
        for attribute, read, keys in (
            ("group_key", _group_key, ("Group Key", "Grouping Sets")),
            ("usage", read_usage, ("Shared Hit Blocks", "WAL Records")),
            ("hash", read_hash, ("Hash Batches", "HashAgg Batches", "Planned Partitions", "Hash Buckets", "Disk Usage")),
            ("sort_groups", read_sort_groups, ("Full-sort Groups", "Pre-sorted Groups")),
            ("workers", read_workers, ("Workers",)),
            ("modification", read_modification, ("Operation",)),
        )
        for key in keys
    },
}  # fmt: skip
"""By EXPLAIN's key: our attribute, the type of a value that is kept as it is, and how others are read."""
