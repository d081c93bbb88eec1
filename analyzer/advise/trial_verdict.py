"""Which of the built indexes does not help in truth, by what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .candidate_index import CandidateIndex
from .index_advice import MIN_GAIN_MS, describe

CHANGED = 1.1
"""A query counts as faster or slower from this factor on: medians of warm runs repeat within some per cent."""
SLOWED = 1.1
"""A query that becomes slower by this factor, and by SLOWED_MS, counts against the indexes in its plan: no more is allowed to plans either."""
SLOWED_MS = 100.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The index that is to go. worth: milliseconds that it saves the workload. slowed: fingerprints of the queries that it slows down."""

    index: CandidateIndex
    worth: float
    reason: str
    slowed: tuple[str, ...] = ()


def verdict(
    using: Mapping[CandidateIndex, Sequence[tuple[str, float]]],
    before: Mapping[str, float],
    after: Mapping[str, float],
    without: Mapping[str, Mapping[CandidateIndex, float]],
) -> Verdict | None:
    """The index that is worth least of those that do not help or slow a query down; None when all help.

    using: (fingerprint, calls) of the statements whose plans hold each index; before, after: milliseconds by fingerprint;
    without: milliseconds without one index alone, where that was looked at. An index without which a query stays as slow is not
    to blame for it, unless none is."""
    slowing: list[Verdict] = []
    helpless: list[Verdict] = []
    for index, statements in using.items():
        if not statements:
            helpless.append(Verdict(index, 0.0, "built, and no query that was run used it"))
            continue
        # By query: one that takes long and stays as it is must not hide what another gains.
        saved = {key: _saved(before[key], after[key]) for key, _ in statements}
        worth = sum(calls * saved[key] for key, calls in statements)
        slowed = [
            key for key in saved if is_slower(before[key], after[key]) and _to_blame(index, before[key], without[key])
        ]
        if slowed:
            old, new = before[slowed[0]], after[slowed[0]]
            reason = f"built and used, but it made query {slowed[0]} slower: {old:.3g} ms became {new:.3g} ms"
            slowing.append(Verdict(index, worth, reason, tuple(slowed)))
        elif worth <= 0 or max(saved.values()) < MIN_GAIN_MS:
            old, new = (sum(calls * times[key] for key, calls in statements) for times in (before, after))
            reason = f"built and used, but its queries' time went from {old:.3g} to {new:.3g} ms"
            helpless.append(Verdict(index, worth, reason))
    # What others slow down would count against an index: without those it is judged anew.
    return min(slowing or helpless, key=lambda one: (one.worth, describe(one.index)), default=None)


def is_slower(before: float, after: float) -> bool:
    """Whether a query has become too slow, by milliseconds of one run."""
    return after > SLOWED * before and after - before > SLOWED_MS


def _to_blame(index: CandidateIndex, before: float, without: Mapping[CandidateIndex, float]) -> bool:
    healing = [one for one, ms in without.items() if not is_slower(before, ms)]
    return not healing or index in healing


def _saved(before: float, after: float) -> float:
    """Milliseconds of one run; 0 when they do not differ by more than runs of the same plan do."""
    return before - after if max(before, after) >= CHANGED * min(before, after) else 0.0
