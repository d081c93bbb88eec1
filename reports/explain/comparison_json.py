"""Two plans side by side as JSON: the format of `queryproof explain --compare A B --format json`."""

from dataclasses import dataclass
from typing import Any

import msgspec

from ... import __version__
from ...analyzer.postgres.plan_comparison import Cause, Change, NodePair, PlanComparison
from .judged_plan import JudgedPlan
from .plan_json import SCHEMA_VERSION, JsonPlan, encoded, json_plan, rounded


@dataclass(frozen=True, slots=True)
class JsonPair:
    """Nodes of both plans that do the same work: their ids, null where a plan has none. type, relation: of the plan after
    where it has one. saved_ms: self time that is gone; negative: that came."""

    before: int | None
    after: int | None
    type: str
    relation: str | None
    self_ms_before: float | None
    self_ms_after: float | None
    saved_ms: float | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class JsonComparison:
    """before, after: both plans as of `queryproof explain --format json`. same_shape: equal but for figures and literals.
    causes: why it changed, most likely first. gone, new: rules whose findings only the one or the other plan has."""

    schema_version: int
    tool_version: str
    same_shape: bool
    saved_ms: float | None
    saved_cost: float
    causes: tuple[Cause, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    pairs: tuple[JsonPair, ...]
    before: JsonPlan
    after: JsonPlan


def comparison_json(comparison: PlanComparison, before: JudgedPlan, after: JudgedPlan) -> bytes:
    """UTF-8, indented, the same bytes for the same plans."""
    first, second = comparison.before.elapsed_ms, comparison.after.elapsed_ms
    rules = [{one.rule for one in judged.findings} for judged in (before, after)]
    return encoded(
        JsonComparison(
            schema_version=SCHEMA_VERSION,
            tool_version=__version__,
            same_shape=comparison.same_shape,
            saved_ms=round(first - second, 6) if first is not None and second is not None else None,
            saved_cost=round(comparison.before.root.total_cost - comparison.after.root.total_cost, 6),
            causes=comparison.causes,
            gone=tuple(sorted(rules[0] - rules[1])),
            new=tuple(sorted(rules[1] - rules[0])),
            pairs=tuple(_pair(pair) for pair in comparison.pairs),
            before=json_plan(before),
            after=json_plan(after),
        )
    )


def comparison_schema() -> dict[str, Any]:
    """JSON Schema of it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "queryproof explain --compare",
    } | msgspec.json.schema(JsonComparison)


def _pair(pair: NodePair) -> JsonPair:
    node = pair.after or pair.before
    assert node is not None
    saved = pair.saved_ms
    return JsonPair(
        before=pair.before.id if pair.before is not None else None,
        after=pair.after.id if pair.after is not None else None,
        type=node.type,
        relation=node.relation,
        self_ms_before=rounded(pair.before.self_ms) if pair.before is not None else None,
        self_ms_after=rounded(pair.after.self_ms) if pair.after is not None else None,
        saved_ms=rounded(saved),
        changes=pair.changes,
    )
