"""Answers the questions of a whole workload with one selected set of indexes, planned through a what-if door."""

from collections.abc import Mapping, Sequence

from ..plan import Plan
from ..recommendation import Alternative, Measurement
from ..schema import Schema
from ..sql.statement import Statement
from .candidate_pool import candidate_pool
from .index_advice import (
    MIN_GAIN,
    IndexAnswer,
    IndexQuestion,
    NoIndex,
    describe,
    no_candidate_reason,
)
from .planned_set import plan_set
from .selection import select_indexes
from .selection_types import ChosenIndex, Constraints, QueryGain, Selection, WeightedQuery
from .what_if import WhatIf

MAX_SECONDS = 60.0


def answer_by_selecting(
    questions: Sequence[IndexQuestion], schema: Schema, what_if: WhatIf
) -> list[IndexAnswer | NoIndex]:
    """One answer for each question. Costs before and after are the planner's, of the statement with its recorded values."""
    texts = {one.group.fingerprint: one.explained.sql or one.group.text for one in questions}
    calls = {one.group.fingerprint: float(max(one.group.calls, 1)) for one in questions}
    queries = [WeightedQuery(key, ((text, 1.0),), calls[key]) for key, text in texts.items()]
    statements: dict[str, Statement] = {one.group.fingerprint: one.statement for one in questions}
    today: dict[str, Plan] = {
        one.group.fingerprint: one.explained.plan for one in questions if one.explained.plan is not None
    }
    pool = candidate_pool(statements, today, schema)
    selection = select_indexes(
        queries, pool.indexes, what_if, schema, Constraints(max_seconds=MAX_SECONDS), bundles=pool.bundles, drop_existing=False
    )  # fmt: skip
    after = plan_set(what_if, selection, queries, today)
    gains = {gain.fingerprint: gain for gain in selection.gains}
    unplanned = {one.what: one.reason for one in selection.unplanned}
    return [_answer(one, selection, gains, unplanned, after) for one in questions]


def _answer(
    question: IndexQuestion,
    selection: Selection,
    gains: Mapping[str, QueryGain],
    unplanned: Mapping[str, str],
    after: Mapping[str, Plan],
) -> IndexAnswer | NoIndex:
    fingerprint, table = question.group.fingerprint, question.table
    tried = tuple(
        one for one in selection.rejected if f'"{table.name}"' in one.what or f" on {table.name} (" in one.what
    )
    gain = gains.get(fingerprint)
    if gain is None:
        return NoIndex(question, f"it could not be planned: {unplanned.get(fingerprint, 'no reason was given')}")
    chosen = _serving(question, selection, gain)
    if chosen is None:
        return NoIndex(
            question, no_candidate_reason(question) if not tried else "no candidate is worth its space", tried
        )
    if gain.cost_before < MIN_GAIN * gain.cost_after:
        return NoIndex(
            question,
            f"{describe(chosen.index)} would bring its planned cost from {gain.cost_before:.3g} to {gain.cost_after:.3g} only",
            tried,
        )
    others = tuple(
        Alternative(describe(one.index), "chosen for other queries of the workload")
        for one in selection.chosen
        if one is not chosen
        and fingerprint not in one.serves
        and (one.index.schema, one.index.table) == (table.schema, table.name)
    )
    return IndexAnswer(
        question,
        chosen.index,
        "planned",
        Measurement(cost=gain.cost_before),
        Measurement(cost=gain.cost_after),
        question.explained.plan,
        after.get(fingerprint),
        chosen.size_bytes,
        None,
        (*tried, *others),
    )


def _serving(question: IndexQuestion, selection: Selection, gain: QueryGain) -> ChosenIndex | None:
    """The chosen index on the question's table that its query uses: of several the one that is worth most."""
    place = (question.table.schema, question.table.name)
    found = [
        one
        for one in selection.chosen
        if question.group.fingerprint in one.serves
        and (one.index.schema, one.index.table) == place
        and one.name in gain.uses
    ]
    return max(found, key=lambda one: (one.marginal, one.name)) if found else None
