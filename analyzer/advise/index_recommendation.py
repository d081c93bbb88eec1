"""Turns answers about single queries into recommendations: one per index, every query it serves with its own figures."""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import StatementError
from ..plan import Plan
from ..postgres.leftovers import TRIAL_PREFIX
from ..recommendation import Cost, Evidence, Measurement, QueryEvidence, Recommendation
from ..schema import Index, Table
from ..sql.identifier import quote_identifier
from .builder import Builder
from .candidate_duplicates import canonical, collated
from .candidate_index import CandidateIndex
from .existing_indexes import protected
from .index_advice import IndexAnswer, Measure, describe, measurement
from .partition_recipe import any_foreign
from .standing_indexes import standing_indexes, taken_over

ORIGINS = {
    "measured": "built for real and dropped again; each time is the median of warm runs of the same statement; one that "
    "was ended at the time limit counts with the limit",
    "planned": "nothing was built: both costs are the planner's own, of the same statement without and with the index",
    "estimated": "not built: rows read are the planner's own estimates from the table's statistics",
}


_ADJECTIVES = {
    "composite": "composite ",
    "partial": "partial ",
    "covering": "covering ",
    "GIN full text": "full-text ",
    "GIN trigram": "trigram ",
}


def consolidate(answers: Sequence[IndexAnswer], prover: tuple[Builder, Measure] | None) -> list[IndexAnswer]:
    """Answers whose index is a prefix of another's move to that one: measured ones when a measurement shows that it serves as
    well, estimated ones by its keys. Planned ones were chosen together."""
    kept: list[IndexAnswer] = []
    for answer in answers:
        wider = [one.index for one in answers if one.kind == answer.kind and answer.index.subsumed_by(one.index)]
        widest = [index for index in wider if not any(index.subsumed_by(other) for other in wider)]
        if answer.kind == "estimated" and widest:
            kept.append(replace(answer, index=widest[0]))
        elif answer.kind == "measured" and prover is not None:
            kept.append(_moved(answer, widest, *prover) or answer)
        else:
            kept.append(answer)
    return kept


def _moved(
    answer: IndexAnswer, wider: Sequence[CandidateIndex], builder: Builder, measure: Measure
) -> IndexAnswer | None:
    sql = answer.question.explained.sql
    for index in wider if sql is not None else ():
        try:
            with builder.built(index) as built:
                plan = measure(sql or "")
        except StatementError:
            continue
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
    per_query: dict[str, QueryEvidence] = {}
    for answer in sorted(answers, key=lambda one: one.question.group.fingerprint):
        fingerprint = answer.question.group.fingerprint
        per_query[fingerprint] = QueryEvidence(
            fingerprint,
            _with_plan(answer.before, answer.before_plan, f"{fingerprint}-before", plans),
            _with_plan(answer.after, _named(answer.after_plan, name), f"{fingerprint}-{index.id}", plans),
        )
    # Told by the weakest of its answers: a plan is not a measurement because another query's was one.
    kind = max((answer.kind for answer in answers), key=list(ORIGINS).index)
    notes = [answer.note for answer in answers if answer.note]
    sizes = [answer.size_bytes for answer in answers if answer.size_bytes is not None]
    builds = [answer.build_ms for answer in answers if answer.build_ms is not None]
    places = [site for answer in answers for site, _ in answer.question.group.call_sites[:1]]
    standing = standing_indexes(index, table)
    return Recommendation(
        id=index.id,
        kind="index",
        title=title_of(index),
        reason=" ".join(filter(None, (why_it_helps(index), *replaced(index, table), taken_over(standing)))),
        evidence=Evidence(kind, "; ".join(dict.fromkeys((ORIGINS[kind], *notes))), tuple(per_query.values())),  # type: ignore[arg-type] # one of ORIGINS' keys
        code=index.codes(name, standing),
        settles=tuple(sorted({answer.question.id for answer in answers})),
        cost=Cost(
            max(sizes, default=None),
            max(builds, default=None),
            lock_of(index),
            write_penalty(index, table),
        ),
        saves_ms=_saved(answers),
        place=places[0] if places else None,
        alternatives=tuple(dict.fromkeys(other for answer in answers for other in answer.tried)),
    )


def title_of(index: CandidateIndex) -> str:
    """`Add a partial B-tree index on …`."""
    return f"Add a {_ADJECTIVES.get(index.shape, '')}{describe(index).replace(' on ', ' index on ', 1)}"


def lock_of(index: CandidateIndex) -> str:
    """What building it holds up (measured on PostgreSQL 12–18)."""
    if index.partitions:
        builds = (
            "each part's CREATE INDEX CONCURRENTLY takes SHARE UPDATE EXCLUSIVE on that part: reads and writes go on. What follows "
            "takes a moment, but "
        )
        ends = ", and others wait behind it: it gives up after 5 s and can be run again"
        if any_foreign(index.partitions):
            return (
                f"{builds}CREATE INDEX on the whole takes SHARE on it and all its parts, so it waits for whoever has written to them"
                f"{ends}. Parts that are foreign tables have no indexes here"
            )
        return (
            f"{builds}CREATE INDEX ON ONLY the whole waits for whoever has written through it, and ALTER INDEX … ATTACH PARTITION, which "
            f"takes ACCESS EXCLUSIVE on the part's index, for whoever reads that part{ends}"
        )
    return (
        "CREATE INDEX CONCURRENTLY takes SHARE UPDATE EXCLUSIVE: reads and writes go on while it builds; it waits for "
        "transactions that are open when it starts, cannot run inside a transaction, and leaves an invalid index behind "
        "when it fails: drop that one and try again" + ("; it fails where a value comes twice" if index.unique else "")
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
    return replace(plan, root=plan.root.with_indexes(lambda own: name if own.startswith(TRIAL_PREFIX) else own))


def _saved(answers: Sequence[IndexAnswer]) -> float | None:
    """Recorded total × the share that the index took away of the time, else of the planned cost, else of the rows read; each
    query once. An estimate of rows speaks for its scan alone, so it counts with the scan's share of the execution."""
    saved: dict[str, float] = {}
    for answer in answers:
        total = answer.question.group.total_ms
        for one, two, share in (
            (answer.before.ms, answer.after.ms, 1.0),
            (answer.before.cost, answer.after.cost, 1.0),
            (answer.before.rows_read, answer.after.rows_read, _scan_share(answer)),
        ):
            if total is not None and one and two is not None:
                gained = max(0.0, total * share * (1 - two / one))
                saved[answer.question.group.fingerprint] = max(
                    gained, saved.get(answer.question.group.fingerprint, 0.0)
                )
                break
    return sum(saved.values()) if saved else None


def _scan_share(answer: IndexAnswer) -> float:
    plan, node = answer.question.explained.plan, answer.question.node
    if plan is None or not plan.root.total_cost:
        return 1.0
    return min(1.0, node.total_cost / plan.root.total_cost)


def replaced(index: CandidateIndex, table: Table) -> list[str]:
    """Sentences on existing indexes that the new one does the work of: they would be kept up to date twice."""
    return [
        f"It does all that {existing.name} does: drop that one once this one is built and used."
        for existing in table.indexes
        if _does_the_work_of(index, existing, table)
    ]


def _does_the_work_of(index: CandidateIndex, existing: Index, table: Table) -> bool:
    """B-trees of the whole table alone: the new one begins with the old one's keys, in their order, and carries its columns."""
    if protected(existing, table):
        return False
    if not existing.method == index.method == "btree" or existing.predicate is not None or index.predicate is not None:
        return False
    own = [canonical(key.bare) for key in index.keys]
    old = [canonical(name) for name in existing.columns]
    if own[: len(old)] != old:
        return False
    carried = own + [canonical(quote_identifier(name)) for name in index.include]
    if not {canonical(quote_identifier(name)) for name in existing.include} <= set(carried):
        return False
    for place, key in enumerate(index.keys[: len(old)]):
        nulls_first = key.descending if key.nulls_first is None else key.nulls_first
        if (key.descending, nulls_first) != (_flag(existing.descending, place), _flag(existing.nulls_first, place)):
            return False
        if not collated(existing, place, existing.columns[place], table):
            return False
        pattern = place < len(existing.operator_classes) and existing.operator_classes[place].endswith("_pattern_ops")
        if pattern != bool(key.operator_class):
            return False
    return True


def _flag(flags: tuple[bool, ...], place: int) -> bool:
    return place < len(flags) and flags[place]


def why_it_helps(index: CandidateIndex) -> str:
    """One or two sentences for the shape of the index, and why it is UNIQUE where it is."""
    why = _why_this_shape(index)
    if index.unique:
        why += (
            " The code takes one row for a value and refuses more, and no value came twice when the table was last "
            "analysed: UNIQUE has the database keep what the code relies on. From then on it refuses a second row of a value."
        )
    return why


def _why_this_shape(index: CandidateIndex) -> str:
    return {
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


def write_penalty(index: CandidateIndex, table: Table) -> str:
    """Which writes it makes dearer, and how many there were."""
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
