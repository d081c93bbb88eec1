"""ORM edits with what their proofs have measured: shared out where several edits of one line were proven together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .analyzer.query import CallSite
from .analyzer.recommendation import Evidence, Measurement, QueryEvidence, Recommendation
from .orm_proof import OrmProof
from .rules.finding import Finding
from .rules.orm_rule import OrmRule
from .rules.rule import all_rules

N_PLUS_ONE = "n-plus-one"
COLUMN_LOAD = "column-load-in-loop"
EAGER = {"selectinload", "joinedload", "subqueryload"}
Key = tuple[CallSite, str, bool]
"""Query line, root, and whether deferred columns are loaded instead of relationships: what a proof is of."""
ORIGIN = (
    "the program was run again with the option added at this line; counted and timed are the query of this line and every "
    "load of its instances' relationships and deferred columns, over the whole run"
)


def with_proofs(
    recommendations: Iterable[Recommendation], findings: Iterable[Finding], proofs: Sequence[OrmProof] | None
) -> list[Recommendation]:
    """The recommendations, those that a proof belongs to with its figures as evidence, and all others on the ORM's use with the
    reason why nothing was measured. proofs: None when nobody has asked for any, which needs no reason."""
    if proofs is None:
        return list(recommendations)
    names = {rule.name for rule in all_rules() if isinstance(rule, OrmRule)}
    rules = {finding.identity: finding.rule for finding in findings if finding.rule in names}
    by_query: dict[Key, OrmProof] = {(proof.origin, proof.root, bool(proof.columns)): proof for proof in proofs}
    proven: defaultdict[Key, list[Recommendation]] = defaultdict(list)
    keys: dict[str, Key] = {}
    given = list(recommendations)
    for one in given:
        key = _key(one)
        if key is not None and one.evidence.queries and key in by_query:
            proven[key].append(one)
            keys[one.id] = key
    shares = {one.id: shared for several in proven.values() for one, shared in _shares(several)}
    return [
        _with_proof(one, by_query[keys[one.id]], *shares[one.id])
        if one.id in keys
        else _unproven(one, {rules[key] for key in one.settles if key in rules})
        for one in given
    ]


def _key(one: Recommendation) -> Key | None:
    """What a proof of it would be of; None when it is no edit of the kinds that are proven."""
    if one.edit is None or not (EAGER & set(one.edit.loaders) or _undefers(one)):
        return None
    return one.place or one.edit.place, one.edit.root, _undefers(one)


def _undefers(one: Recommendation) -> bool:
    return one.edit is not None and "undefer(" in one.edit.option


def _unproven(one: Recommendation, rules: set[str]) -> Recommendation:
    """rules: of the ORM, whose findings it answers."""
    if not rules:
        return one
    if one.edit is None:
        why = "a proof adds loader options at queries and changes no other code"
    elif rules == {N_PLUS_ONE} or (rules == {COLUMN_LOAD} and _undefers(one)):
        why = "no proof was made for this line's query"
    else:
        why = "a proof tries eager loading and undefer() where an N+1 or deferred columns ask for it, and no other edit"
    return replace(one, evidence=replace(one.evidence, origin=f"{one.evidence.origin}; not measured, because {why}"))


def _shares(several: Sequence[Recommendation]) -> Iterator[tuple[Recommendation, tuple[float, int]]]:
    """The edits of one query line, each with its share (0–1) of what they save together, by the time of their own loads, and
    with the number of the others."""
    whole = sum(one.saves_ms or 0.0 for one in several)
    for one in several:
        yield one, ((one.saves_ms or 0.0) / whole if whole else 1 / len(several), len(several) - 1)


def _with_proof(one: Recommendation, proof: OrmProof, share: float, others: int) -> Recommendation:
    if proof.refused is not None or proof.queries_after is None or proof.ms_after is None:
        origin = f"{one.evidence.origin}; the proof was tried and does not stand: {proof.refused}"
        return replace(one, evidence=replace(one.evidence, origin=origin))
    rounds = f" (median of {proof.rounds} runs each way)" if proof.rounds > 1 else ""
    how = f"{ORIGIN}{rounds}, {'inside a transaction that was rolled back' if proof.rolled_back else 'which writes nothing'}"
    evidence = QueryEvidence(
        one.evidence.queries[0].fingerprint,
        Measurement(ms=proof.ms_before, queries=proof.queries_before, plan_id=one.evidence.queries[0].before.plan_id),
        Measurement(ms=proof.ms_after, queries=proof.queries_after),
    )
    if others:
        with_them = "another edit" if others == 1 else f"{others} other edits"
        how += f". They are those of this edit and {with_them} of the line together; what they save is shared out by the time of their loads"
    difference = max(0.0, proof.ms_before - proof.ms_after)
    if difference > proof.ms_recorded:
        how += f". In the recording they took {proof.ms_recorded:.3g} ms: no more is counted as saved"
    saved = min(proof.ms_recorded, difference) * share
    return replace(one, evidence=Evidence("measured", how, (evidence,)), saves_ms=saved)
