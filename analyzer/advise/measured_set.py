"""What became of a set of indexes that was really built."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..plan import Plan
from ..recommendation import Alternative
from .banned import Banned, SlowRead
from .builder import Built
from .candidate_index import CandidateIndex


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """Plans of the median warm runs, or the fastest of runs in turns, before and with the indexes that stayed."""

    fingerprint: str
    calls: float
    before: Plan
    after: Plan


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """kept: those that helped, as they were built. taken_out: those that did not, with the reason. refused: those that
    PostgreSQL did not build, or none of whose queries could be run: nothing is known of them but their plan. queries: those
    that could be run; unmeasured: the rest, with the reason. plain: UNIQUE ones that the data refused, with those built in their place.
    slow: how queries read those of them that made them slower."""

    kept: Mapping[CandidateIndex, Built]
    taken_out: tuple[tuple[CandidateIndex, str], ...]
    refused: tuple[tuple[CandidateIndex, str], ...]
    queries: tuple[MeasuredQuery, ...]
    unmeasured: tuple[Alternative, ...]
    plain: Mapping[CandidateIndex, CandidateIndex]
    slow: tuple[SlowRead, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of those kept, as they were built."""
        return sum(built.size_bytes for built in self.kept.values())

    @property
    def useless(self) -> frozenset[CandidateIndex]:
        """Those that were built and did not help; of a UNIQUE one that the data refused, its plain one speaks."""
        out = {index for index, _ in self.taken_out} - self.plain.keys()
        return frozenset(out | {index for index, plain in self.plain.items() if plain in out})

    @property
    def share(self) -> float:
        """What is left of the workload's time."""
        before = sum(one.calls * (one.before.execution_ms or 0.0) for one in self.queries)
        return sum(one.calls * (one.after.execution_ms or 0.0) for one in self.queries) / before if before else 1.0

    @property
    def banned(self) -> Banned:
        """What is not to be selected again."""
        return Banned(self.useless, self.slow)
