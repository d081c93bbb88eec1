"""What a rule says: a finding, or that it looked and recommends nothing."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from ..analyzer.query import CallSite
from ..analyzer.recommendation import Evidence, Recommendation


class Severity(StrEnum):
    """`error`: seconds or correctness at stake; `warning`: clearly wasteful; `info`: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most severe."""
        return ("error", "warning", "info").index(self)


@dataclass(frozen=True, slots=True)
class Fact:
    """One typed figure or name that the finding rests on; unit is `ms`, `rows`, `bytes`, `queries`, `blocks` or empty."""

    name: str
    value: str | int | float | bool
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. Its text form is the stable part of the finding's identity: no line number, no message."""

    fingerprint: str | None = None
    table: str | None = None
    columns: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. message: the thing, the cause, the consequence, in that order. at_stake_ms: of the recorded total
    time, what could be saved at most; None when no time is known. plan_node: id of the guilty node, if any.
    remedy: the rule's own recommendation, when it needs no database to be known."""

    rule: str
    code: str
    severity: Severity
    subject: Subject
    message: str
    facts: tuple[Fact, ...]
    evidence: Evidence
    at_stake_ms: float | None = None
    place: CallSite | None = None
    plan_node: int | None = None
    remedy: Recommendation | None = None

    @property
    def identity(self) -> str:
        """Stable identity for baselines and links."""
        return identity(self.rule, self.subject)


def identity(rule: str, subject: Subject) -> str:
    """Of what a rule says of a subject: no line number, no message, no figure."""
    parts = (rule, subject.fingerprint or "", subject.table or "", *subject.columns, subject.detail)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A rule examined something that looked suspicious and recommends nothing, because of `reason`."""

    rule: str
    subject: Subject
    reason: str
