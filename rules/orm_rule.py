"""Base of the rules about what an application does through SQLAlchemy: each statement is claimed by one of them at most."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..analyzer.query import CallSite
from ..analyzer.recommendation import (
    Alternative,
    Code,
    Evidence,
    LoaderEdit,
    Measurement,
    QueryEvidence,
    Recommendation,
)
from ..analyzer.workload import Execution
from .finding import Fact, Finding, LookedAt, Severity, Subject
from .recorded import Recorded
from .rule import Case, Rule, all_rules

MANY = 50
"""Needless queries in one unit of work that make a finding an error."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A verdict, and the executions that no later rule speaks of."""

    verdict: Finding | LookedAt
    executions: Sequence[Execution] = ()


class OrmRule(Rule):
    """A rule that looks at executions in their order. Rules are asked in the order of their codes."""

    severity = Severity.WARNING

    @abstractmethod
    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Yield what there is to say of the executions that are still free."""

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """This rule's verdicts, when the rules before it have had their say."""
        if not case.orm_verdicts:
            recorded = Recorded(case)
            for rule in all_rules():
                if isinstance(rule, OrmRule):
                    verdicts = []
                    for claim in rule.look(recorded):
                        recorded.claim(claim.executions)
                        verdicts.append(claim.verdict)
                    case.orm_verdicts[rule.name] = list(_told_apart(verdicts))
        yield from case.orm_verdicts[self.name]

    def finding(
        self, executions: Sequence[Execution], place: CallSite | None, detail: str, message: str, facts: Sequence[Fact],
        *, worst: int, fingerprint: str | None = None, at_stake_ms: float | None = None,
        evidence: Evidence | None = None,
    ) -> Finding:  # fmt: skip
        """A finding about these executions. detail: tells it from others of the rule on the same statement. worst: needless
        queries in one unit of work."""
        where = f"{place.file}:{place.function}" if place is not None else ""
        return Finding(
            rule=self.name,
            code=self.code,
            severity=Severity.ERROR if worst >= MANY else self.severity,
            subject=Subject(fingerprint or _most_frequent(executions), None, (), f"{detail}@{where}"),
            message=message,
            facts=tuple(facts),
            evidence=evidence or Evidence("measured", "counted in the recording"),
            at_stake_ms=sum(one.duration_ms for one in executions) if at_stake_ms is None else at_stake_ms,
            place=place,
        )


def _told_apart(verdicts: Sequence[Finding | LookedAt]) -> Iterator[Finding | LookedAt]:
    """The same verdicts, those numbered that an identity without a line cannot tell apart: one function may hold a fault twice."""
    lines: dict[str, list[int]] = {}
    for one in verdicts:
        if isinstance(one, Finding) and one.place is not None:
            lines.setdefault(one.identity, []).append(one.place.line)
    for one in verdicts:
        number = sorted(lines[one.identity]).index(one.place.line) if isinstance(one, Finding) and one.place else 0
        yield _numbered(one, number + 1) if isinstance(one, Finding) and number else one


def _numbered(finding: Finding, number: int) -> Finding:
    subject = replace(finding.subject, detail=f"{finding.subject.detail}#{number}")
    numbered = replace(finding, subject=subject)
    remedy = finding.remedy
    if remedy is not None:
        remedy = replace(remedy, id=numbered.identity, settles=(numbered.identity,))
    return replace(numbered, remedy=remedy)


def with_remedy(
    finding: Finding, title: str, reason: str, code: Sequence[Code], *, before: int | None, after: int | None,
    saves_ms: float | None, kind: str = "orm-edit", edit: LoaderEdit | None = None,
    alternatives: Sequence[Alternative] = (), how: str = "queries counted in the recording against the number sent after the edit",
    rows: tuple[float, float] | None = None,
) -> Finding:  # fmt: skip
    """The finding with one recommendation. before, after: queries; rows: rows read before and after."""
    queries: tuple[QueryEvidence, ...] = ()
    if finding.subject.fingerprint is not None and (before is not None or rows is not None):
        queries = (
            QueryEvidence(
                finding.subject.fingerprint,
                Measurement(queries=before, rows_read=rows[0] if rows else None),
                Measurement(queries=after, rows_read=rows[1] if rows else None),
            ),
        )
    remedy = Recommendation(
        id=finding.identity,
        kind="sql-rewrite" if kind == "sql-rewrite" else "orm-edit",
        title=title,
        reason=reason,
        evidence=Evidence("estimated", how, queries),
        code=tuple(code),
        settles=(finding.identity,),
        saves_ms=max(0.0, saves_ms) if saves_ms is not None else None,
        place=finding.place,
        alternatives=tuple(alternatives),
        edit=edit,
    )
    return replace(finding, remedy=remedy)


def sites(executions: Sequence[Execution], most: int = 3) -> str:
    """Where they are sent from, most frequent first: `views.py:41, views.py:44`."""
    return _ranked((one.call_site for one in executions), most)


def callers(executions: Sequence[Execution]) -> Iterator[Fact]:
    """Who calls the function that sends them, which tells one use of a shared function from another."""
    if any(len(one.stack) > 1 for one in executions):
        yield Fact("called from", _ranked((one.stack[1] for one in executions if len(one.stack) > 1), 3))


def _ranked(places: Iterable[CallSite | None], most: int) -> str:
    counts = Counter(f"{place.file}:{place.line}" for place in places if place is not None)
    ranked = sorted(counts, key=lambda place: (-counts[place], place))
    return ", ".join(ranked[:most]) + (f" and {len(ranked) - most} more" if len(ranked) > most else "") or "?"


def _most_frequent(executions: Sequence[Execution]) -> str | None:
    counts = Counter(one.fingerprint for one in executions)
    return min(counts, key=lambda text: (-counts[text], text)) if counts else None
