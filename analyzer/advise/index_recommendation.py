"""Turns answers about single queries into recommendations: one per index, every query it serves with its own figures."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..plan import Plan, PlanNode
from ..recommendation import Cost, Evidence, Measurement, QueryEvidence, Recommendation
from ..schema import Table
from .builder import TRIAL_PREFIX, Builder
from .candidate_index import CandidateIndex
from .index_advice import IndexAnswer, Measure, describe, measurement

ORIGINS = {
    "measured": "built for real and dropped again; each time is the median of warm runs of the same statement; one that "
    "was ended at the time limit counts with the limit",
    "estimated": "not built: rows read are the planner's own estimates from the table's statistics",
}


_ADJECTIVES = {
    "composite": "composite ",
    "partial": "partial ",
    "covering": "covering ",
    "GIN full text": "full-text ",
    "GIN trigram": "trigram ",
}


def consolidate(answers: Sequence[IndexAnswer], builder: Builder, measure: Measure) -> list[IndexAnswer]:
    """Answers whose index is a prefix of another's move to that one, when a measurement shows it serves as well."""
    kept: list[IndexAnswer] = []
    for answer in answers:
        wider = [other.index for other in answers if answer.index.subsumed_by(other.index)]
        kept.append(_moved(answer, wider, builder, measure) or answer)
    return kept


def _moved(
    answer: IndexAnswer, wider: Sequence[CandidateIndex], builder: Builder, measure: Measure
) -> IndexAnswer | None:
    sql = answer.question.explained.sql
    for index in wider:
        if sql is None or any(other.subsumed_by(index) is False and index.subsumed_by(other) for other in wider):
            continue
        with builder.built(index) as built:
            plan = measure(sql)
        if (plan.execution_ms or 0.0) <= 1.5 * (answer.after.ms or 0.0) + 0.1:
            return replace(
                answer,
                index=index,
                after=measurement(plan),
                after_plan=plan,
                size_bytes=built.size_bytes,
                build_ms=built.build_ms,
            )
    return None


def recommendations(answers: Sequence[IndexAnswer], plans: dict[str, Plan]) -> tuple[Recommendation, ...]:
    """One recommendation per index. Plans before and after are added to `plans` under the keys that the evidence names."""
    by_index: dict[CandidateIndex, list[IndexAnswer]] = {}
    for answer in answers:
        by_index.setdefault(answer.index, []).append(answer)
    taken: dict[tuple[str, str], set[str]] = {}
    found = []
    for index, group in sorted(by_index.items(), key=lambda item: (item[0].schema, item[0].table, describe(item[0]))):
        table = group[0].question.table
        names = taken.setdefault((table.schema, table.name), {existing.name for existing in table.indexes})
        name = index.name(frozenset(names))
        names.add(name)
        found.append(_recommendation(index, name, group, table, plans))
    return tuple(found)


def _recommendation(
    index: CandidateIndex, name: str, answers: Sequence[IndexAnswer], table: Table, plans: dict[str, Plan]
) -> Recommendation:
    identity = hashlib.sha256(repr(index).encode()).hexdigest()[:16]
    per_query: dict[str, QueryEvidence] = {}
    for answer in sorted(answers, key=lambda one: one.question.group.fingerprint):
        fingerprint = answer.question.group.fingerprint
        per_query[fingerprint] = QueryEvidence(
            fingerprint,
            _with_plan(answer.before, answer.before_plan, f"{fingerprint}-before", plans),
            _with_plan(answer.after, _named(answer.after_plan, name), f"{fingerprint}-{identity}", plans),
        )
    first = answers[0]
    sizes = [answer.size_bytes for answer in answers if answer.size_bytes is not None]
    builds = [answer.build_ms for answer in answers if answer.build_ms is not None]
    places = [site for answer in answers for site, _ in answer.question.group.call_sites[:1]]
    return Recommendation(
        id=identity,
        kind="index",
        title=f"Add a {_ADJECTIVES.get(index.shape, '')}{describe(index).replace(' on ', ' index on ', 1)}",
        reason=_reason(index, first),
        evidence=Evidence(first.kind, ORIGINS[first.kind], tuple(per_query.values())),  # type: ignore[arg-type] # kind is one of ORIGINS' keys
        code=index.codes(name),
        settles=tuple(sorted({answer.question.id for answer in answers})),
        cost=Cost(
            max(sizes, default=None),
            max(builds, default=None),
            "CREATE INDEX CONCURRENTLY takes SHARE UPDATE EXCLUSIVE: reads and writes go on while it builds; it waits for "
            "transactions that are open when it starts, cannot run inside a transaction, and leaves an invalid index behind "
            "when it fails: drop that one and try again",
            _write_penalty(index, table),
        ),
        saves_ms=_saved(answers),
        place=places[0] if places else None,
        alternatives=tuple(dict.fromkeys(other for answer in answers for other in answer.tried)),
    )


def _with_plan(figures: Measurement, plan: Plan | None, key: str, plans: dict[str, Plan]) -> Measurement:
    if plan is None:
        return figures
    plans[key] = plan
    return replace(figures, plan_id=key)


def _named(plan: Plan | None, name: str) -> Plan | None:
    """The plan with the recommended index's name in place of the trial's."""
    if plan is None:
        return None
    return replace(
        plan, root=_renamed(plan.root, name), text=re.sub(rf"\b{TRIAL_PREFIX}\d+\b", lambda _: name, plan.text)
    )


def _renamed(node: PlanNode, name: str) -> PlanNode:
    index = name if node.index is not None and node.index.startswith(TRIAL_PREFIX) else node.index
    return replace(node, index=index, children=tuple(_renamed(child, name) for child in node.children))


def _saved(answers: Sequence[IndexAnswer]) -> float | None:
    """Recorded total × the share of the execution time that the index took away, per query once."""
    saved: Mapping[str, float] = {
        answer.question.group.fingerprint: (answer.question.group.total_ms or 0.0)
        * (1 - (answer.after.ms or 0.0) / answer.before.ms)
        for answer in answers
        if answer.before.ms and answer.after.ms is not None
    }
    return sum(saved.values()) if saved else None


def _reason(index: CandidateIndex, answer: IndexAnswer) -> str:
    why = {
        "hash": "The column is only ever compared for equality and its values are long: a hash index stores a 4-byte code "
        "of each, so it is smaller than a B-tree and as fast.",
        "partial": "The condition is the same in every call and keeps few rows: an index of those rows alone is small and "
        "is not written to by the others.",
        "covering": "Every column the query names is in the index, so the table itself is not visited.",
        "composite": "Equality columns come first, then the order or the range: the rows wanted stand side by side.",
        "sort": "The index gives the order, so the query stops after the rows it wants instead of sorting the table.",
        "expression": "The query compares an expression, and only an index on that very expression serves it.",
        "GIN on jsonb": "`jsonb_path_ops` indexes whole paths: smaller and faster than the default for `@>`."
        if any(key.operator_class == "jsonb_path_ops" for key in index.keys)
        else "The default operator class is the one that serves key-exists operators.",
        "GIN on an array": "A GIN index has one entry per element, which is what `@>` and `&&` ask for.",
        "GIN full text": "A GIN index has one entry per lexeme, which is what `@@` asks for.",
        "GIN trigram": "A pattern that does not start with fixed letters needs an index of three-letter pieces.",
    }.get(index.shape, "The rows wanted are few and the index leads straight to them.")
    return why


def _write_penalty(index: CandidateIndex, table: Table) -> str:
    which = "every INSERT and every UPDATE of an indexed column"
    if index.predicate:
        which = "every INSERT or UPDATE of a row that meets the condition"
    seen = (
        f"; {table.writes:,} rows written to {table.name} since its statistics began".replace(",", "\u202f")
        if table.writes
        else ""
    )
    pending = ", several entries per row" if index.method == "gin" else ""
    return f"{which} writes to it{pending}{seen}"
