"""Judged plans as JSON: the format of `queryproof explain --format json`, described in docs/explain-schema.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ... import __version__
from ...analyzer.plan import Plan, PlanNode
from ...analyzer.plan_parts import HashTable, Jit, MemoizeCache, Modification, Planning, Serialization, Trigger, Usage
from ...analyzer.postgres.plan_shape import plan_shape
from ...analyzer.postgres.plan_text import CONDITIONS, LISTS
from ...analyzer.postgres.plan_text import title as node_title
from ...rules.finding import Fact, Finding, Severity
from ...rules.plan_context import misestimate
from ..json_report import encodable
from .judged_plan import JudgedPlan, share

SCHEMA_VERSION = 1
"""Raised with every change that an old reader would misread."""


@dataclass(frozen=True, slots=True)
class JsonCode:
    """Text to copy. language: sql, python or diff."""

    label: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class JsonFinding:
    """rank: 1 has the most time at stake. node: id of the guilty node, null for the plan as a whole. share: of the execution
    that could be saved at most (0–1; of the cost where nothing was run). at_stake_ms: the same in milliseconds."""

    rank: int
    id: str
    rule: str
    code: str
    severity: Severity
    node: int | None
    message: str
    at_stake_ms: float | None
    share: float
    facts: tuple[Fact, ...]
    remedy: str | None
    reason: str | None
    remedy_code: tuple[JsonCode, ...]


@dataclass(frozen=True, slots=True)
class JsonNodeFinding:
    """A finding about this node; its full text stands in the plan's `findings` under the same rank."""

    rank: int
    rule: str
    code: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class JsonNode:
    """One node, in EXPLAIN's order. Null: EXPLAIN did not tell.

    parent: id of the node above. depth: 0 is the root. rows: of all loops together; actual_rows and plan_rows: per loop.
    total_ms, self_ms: wall-clock, with and without what stands below. buffers: 8 kB blocks of shared memory of this node
    alone, found there or read. usage: PostgreSQL's own counters, with everything below. misestimate: the factor, at least 1,
    by which the estimate of rows is off. conditions and lists: by EXPLAIN's own names, literals as `?` unless asked for.
    workers: planned and launched. processes: that shared the work.
    """

    id: int
    parent: int | None
    depth: int
    type: str
    title: str
    relationship: str | None
    schema: str | None
    relation: str | None
    alias: str | None
    index: str | None
    join_type: str | None
    self_ms: float | None
    total_ms: float | None
    rows: float | None
    loops: float | None
    buffers: int | None
    actual_rows: float | None
    plan_rows: float
    misestimate: float | None
    plan_width: int
    startup_cost: float
    total_cost: float
    self_cost: float
    executed: bool | None
    rows_removed: float | None
    rows_removed_by_recheck: float | None
    rows_removed_by_join_filter: float | None
    heap_fetches: float | None
    sort_method: str | None
    sort_space_kb: float | None
    sort_space_type: str | None
    workers_planned: int | None
    workers_launched: int | None
    processes: float
    conditions: dict[str, str]
    lists: dict[str, tuple[str, ...]]
    usage: Usage | None
    hash: HashTable | None
    memoize: MemoizeCache | None
    modification: Modification | None
    findings: tuple[JsonNodeFinding, ...]


@dataclass(frozen=True, slots=True)
class JsonPlan:
    """One plan. source: where it came from. note: why it is not what was hoped for. parameters_origin: where the values came
    from. shape: equal for equal plans, whatever their figures and literals. self_ms_sum + triggers after the nodes +
    after_plan_ms + serialization + overhead_ms is the execution; rounding_ms is what PostgreSQL's rounding added to it."""

    source: str
    note: str
    parameters_origin: str
    statement: str | None
    query_id: str | None
    analyzed: bool
    shape: str
    total_cost: float
    planning_ms: float | None
    execution_ms: float | None
    duration_ms: float | None
    self_ms_sum: float | None
    after_plan_ms: float
    overhead_ms: float | None
    rounding_ms: float
    settings: dict[str, str]
    triggers: tuple[Trigger, ...]
    jit: Jit | None
    planning: Planning | None
    serialization: Serialization | None
    nodes: tuple[JsonNode, ...]
    findings: tuple[JsonFinding, ...]


@dataclass(frozen=True, slots=True)
class JsonExplanation:
    """plans: in the order of the file; of a statement, the first plan is its own, the rest are those of other values."""

    schema_version: int
    tool_version: str
    plans: tuple[JsonPlan, ...]


def plans_json(judged: Sequence[JudgedPlan]) -> bytes:
    """UTF-8, indented, the same bytes for the same plans."""
    return encoded(JsonExplanation(SCHEMA_VERSION, __version__, tuple(json_plan(one) for one in judged)))


def encoded(value: object) -> bytes:
    """Any of the documents of this folder as bytes."""
    try:
        data = msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:
        data = msgspec.json.encode(encodable(msgspec.to_builtins(value)), order="deterministic")
    return msgspec.json.format(data, indent=1) + b"\n"


def plans_schema() -> dict[str, Any]:
    """JSON Schema of `queryproof explain --format json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "queryproof explain",
    } | msgspec.json.schema(JsonExplanation)


def json_plan(judged: JudgedPlan) -> JsonPlan:
    """One plan with its nodes and findings."""
    plan = judged.plan
    own = [node.self_ms for node in plan.root.walk() if node.self_ms is not None]
    return JsonPlan(
        source=judged.source,
        note=judged.note,
        parameters_origin=judged.origin,
        statement=judged.statement,
        query_id=plan.query_id,
        analyzed=plan.analyzed,
        shape=plan_shape(plan.root),
        total_cost=plan.root.total_cost,
        planning_ms=plan.planning_ms,
        execution_ms=plan.execution_ms,
        duration_ms=plan.duration_ms,
        self_ms_sum=round(sum(own), 6) if own else None,
        after_plan_ms=round(plan.after_plan_ms, 6),
        overhead_ms=rounded(plan.overhead_ms),
        rounding_ms=round(plan.rounding_ms, 6),
        settings=dict(plan.settings),
        triggers=plan.triggers,
        jit=plan.jit,
        planning=plan.planning,
        serialization=plan.serialization,
        nodes=tuple(_nodes(judged, plan)),
        findings=tuple(_finding(rank, one) for rank, one in enumerate(judged.findings, 1)),
    )


def _nodes(judged: JudgedPlan, plan: Plan) -> list[JsonNode]:
    found: list[JsonNode] = []
    waiting: list[tuple[PlanNode, int | None, int]] = [(plan.root, None, 0)]
    while waiting:
        node, parent, depth = waiting.pop()
        found.append(_node(judged, node, parent, depth))
        waiting += [(child, node.id, depth + 1) for child in reversed(node.children)]
    return found


def _node(judged: JudgedPlan, node: PlanNode, parent: int | None, depth: int) -> JsonNode:
    conditions = {label: getattr(node, attribute) for label, attribute in CONDITIONS}
    lists = {label: getattr(node, attribute) for label, attribute in LISTS}
    return JsonNode(
        id=node.id,
        parent=parent,
        depth=depth,
        type=node.type,
        title=node_title(node),
        relationship=node.parent_relationship,
        schema=node.schema,
        relation=node.relation,
        alias=node.alias,
        index=node.index,
        join_type=node.join_type,
        self_ms=rounded(node.self_ms),
        total_ms=rounded(node.total_ms),
        rows=node.rows,
        loops=node.actual_loops,
        buffers=node.buffers,
        actual_rows=node.actual_rows,
        plan_rows=node.plan_rows,
        misestimate=round(misestimate(node), 2) if node.actual_loops and node.actual_rows is not None else None,
        plan_width=node.plan_width,
        startup_cost=node.startup_cost,
        total_cost=node.total_cost,
        self_cost=round(node.self_cost, 6),
        executed=node.actual_loops > 0 if node.actual_loops is not None else None,
        rows_removed=node.removed,
        rows_removed_by_recheck=node.removed_by_recheck,
        rows_removed_by_join_filter=node.removed_by_join_filter,
        heap_fetches=node.heap_fetches,
        sort_method=node.sort_method,
        sort_space_kb=node.sort_space_kb,
        sort_space_type=node.sort_space_type,
        workers_planned=node.workers_planned,
        workers_launched=node.workers_launched,
        processes=node.processes,
        conditions={label: text for label, text in conditions.items() if text},
        lists={label: texts for label, texts in lists.items() if texts},
        usage=node.usage,
        hash=node.hash,
        memoize=node.memoize,
        modification=node.modification,
        findings=tuple(
            JsonNodeFinding(rank, one.rule, one.code, one.severity, one.message)
            for rank, one in judged.of_node(node.id)
        ),
    )


def _finding(rank: int, one: Finding) -> JsonFinding:
    remedy = one.remedy
    return JsonFinding(
        rank=rank,
        id=one.identity,
        rule=one.rule,
        code=one.code,
        severity=one.severity,
        node=one.plan_node,
        message=one.message,
        at_stake_ms=rounded(one.at_stake_ms),
        share=share(one),
        facts=one.facts,
        remedy=remedy.title if remedy is not None else None,
        reason=remedy.reason if remedy is not None else None,
        remedy_code=tuple(JsonCode(code.label, code.language, code.text) for code in remedy.code) if remedy else (),
    )


def rounded(value: float | None) -> float | None:
    """To what PostgreSQL could have told: six decimals."""
    return round(value, 6) if value is not None else None
