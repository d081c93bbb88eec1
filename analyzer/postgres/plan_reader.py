"""EXPLAIN's output in any format → `Plan`. PostgreSQL's key names stand in this folder only."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from msgspec.structs import astuple

from ..errors import StatementError
from ..plan import Plan, PlanNode
from ..plan_parts import Jit, Planning, Serialization, Trigger, Usage
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
from .self_time import Timed, number, time_nodes
from .told_node import KEPT, RawNode, told_node

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
        told = told_node(raw)
        for figure in (told.actual_loops, told.actual_rows, told.actual_total_ms, told.plan_rows, told.total_cost):
            # They are multiplied with one another: the product must be finite.
            if figure is not None and not -MOST <= figure <= MOST:
                raise OverflowError
        node = Timed(raw, told, _usage(raw), parent, told.actual_loops or 0.0, told.parent_relationship == "InitPlan")
        nodes.append(node)
        if parent is not None:
            parent.children.append(node)
        plans = raw.get("Plans")
        if isinstance(plans, list):
            waiting += [(child, node, depth + 1) for child in reversed(plans) if isinstance(child, dict)]
    return nodes


def _usage(raw: RawNode) -> Usage | None:
    return read_usage(raw) if "Shared Hit Blocks" in raw or "WAL Records" in raw else None


def _nodes(order: list[Timed]) -> PlanNode:
    """The tree from its leaves up, without recursion."""
    built: dict[int, PlanNode] = {}
    for identity in range(len(order), 0, -1):
        timed = order[identity - 1]
        children = tuple([built.pop(id(child)) for child in timed.children])
        built[id(timed)] = _node(timed, identity, children)
    return built[id(order[0])]


def _node(timed: Timed, identity: int, children: tuple[PlanNode, ...]) -> PlanNode:
    raw, told, own = timed.raw, timed.told, timed.own
    place = told.parent_relationship
    if place == "Member" and timed.parent is not None and timed.parent.raw.get("Node Type") == "ModifyTable":
        # Before PostgreSQL 14 the inputs of a ModifyTable are its members.
        place = "Outer"
    kind = str(raw.get("Node Type", "?"))
    aggregates = kind == "Aggregate"
    if aggregates:
        kind = _AGGREGATES.get(told.strategy or "", kind)
    loops, cost = told.actual_loops, told.total_cost or 0.0
    # Text leaves out what is zero; so that all formats read alike, a condition that removed nothing removed 0. A recheck always
    # tells how many, where there are any.
    removed = told.removed or (0.0 if told.filter is not None else None)
    by_join = told.removed_by_join_filter or (0.0 if told.join_filter is not None else None)
    kept = astuple(told)[:KEPT]
    return PlanNode(  # type: ignore[misc] # `kept` ends before the first that is named
        identity,
        kind,
        place,
        told.startup_cost or 0.0,
        cost,
        told.plan_rows or 0.0,
        told.plan_width or 0,
        told.actual_rows,
        loops,
        told.actual_total_ms,
        # Sixty arguments by name take longer than all the rest.
        *kept,
        # The text of an Aggregate names its input's order too.
        sort_key=told.sort_key if not aggregates else (),
        group_key=_group_key(raw) if "Group Key" in raw or "Grouping Sets" in raw else (),
        rows=_whole_rows(told.actual_rows, loops),
        removed=_times(removed, loops),
        removed_by_recheck=_times(told.removed_by_recheck or None, loops),
        removed_by_join_filter=_times(by_join, loops),
        total_ms=timed.inclusive_ms,
        self_ms=timed.self_ms,
        buffers=int(own[0]) if own is not None else None,
        children=children,
        function=told.function if told.function is not None else told.table_function,
        function_call=told.function_call if told.function_call is not None else told.table_function_call,
        subplans_removed=told.subplans_removed or None,
        usage=timed.usage,
        hash=read_hash(raw) if aggregates or kind == "Hash" else None,
        memoize=read_memoize(raw) if kind == "Memoize" else None,
        sort_groups=read_sort_groups(raw) if kind == "Incremental Sort" else (),
        workers=read_workers(raw) if "Workers" in raw else (),
        modification=read_modification(raw) if "Operation" in raw else None,
        processes=timed.processes,
        self_cost=_self_cost(kind, cost, children),
        self_read=int(own[1]) if own is not None else None,
        self_io_ms=round(own[2], 6) if own is not None else None,
        self_temp=int(own[3]) if own is not None else None,
    )


def _whole_rows(average: float | None, loops: float | None) -> float | None:
    """Rows of all loops together. PostgreSQL 18 tells two decimals of the average; whole rows came."""
    total = _times(average, loops)
    return float(round(total)) if total is not None and abs(total) < MOST_EXACT else total


def _times(average: float | None, loops: float | None) -> float | None:
    return average * loops if average is not None and loops is not None else None


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


_AGGREGATES = {"Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"}
