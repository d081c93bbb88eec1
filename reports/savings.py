"""What actions save together, each millisecond counted once: the one source of the headline and of the bar below it."""

from collections.abc import Mapping, Sequence

from ..analyzer.recommendation import ActionKind, QueryEvidence, Recommendation

ORDER: tuple[ActionKind, ...] = ("orm-edit", "sql-rewrite", "index", "setting")
"""An edit sends a statement no more; what is left of it an index makes faster."""


def savings(actions: Sequence[Recommendation], totals: Mapping[str, float]) -> dict[ActionKind, float]:
    """Milliseconds by kind of action. totals: recorded time by fingerprint; together no more than that is saved.

    What an action saves is taken from the queries of its evidence, by their own savings or evenly where those are not known.
    Two actions on one query save no more than its time; only ORM edits do not share any, since each statement is spoken of
    by one rule. What is more than the queries of the evidence take goes on queries that it does not name, such as the origin
    of an N+1. So one action alone saves here what it says of itself.
    """
    left, whole = dict(totals), sum(totals.values())
    saved: dict[ActionKind, float] = {}
    for kind in ORDER:
        for action in actions:
            if action.kind != kind or not action.saves_ms:
                continue
            named = [one for one in action.evidence.queries if totals.get(one.fingerprint)]
            here = min(action.saves_ms, sum(totals[one.fingerprint] for one in named))
            taken = _take(left, named, here)
            counted = min(whole, action.saves_ms - here + (here if kind == "orm-edit" else taken))
            whole -= counted
            saved[kind] = saved.get(kind, 0.0) + counted
    return saved


def _take(left: dict[str, float], queries: Sequence[QueryEvidence], ms: float) -> float:
    """Take the time from what is left of these queries; returns how much of it there was."""
    weights = {one.fingerprint: share(one) * left[one.fingerprint] for one in queries}
    whole, taken = sum(weights.values()), 0.0
    for fingerprint, weight in weights.items():
        part = min(left[fingerprint], ms * weight / whole) if whole else 0.0
        left[fingerprint] -= part
        taken += part
    return taken


def share(proof: QueryEvidence) -> float:
    """The share of a query's time that goes away, by its own figures (0–1); 1 where they do not tell."""
    for before, after in (
        (proof.before.ms, proof.after.ms), (proof.before.cost, proof.after.cost), (proof.before.rows_read, proof.after.rows_read)
    ):  # fmt: skip
        if before and after is not None:
            return max(0.0, 1 - after / before)
    return 1.0
