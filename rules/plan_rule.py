"""Base of the rules about plans: in a workload's analysis, and for a lone plan."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from ..analyzer.plan import PlanNode
from ..analyzer.recommendation import ActionKind, Code, Evidence, Recommendation
from .finding import Fact, Finding, LookedAt, Severity, Subject, identity
from .partitions import SHARE, merged
from .plan_context import Around, PlanContext, rows_read
from .plan_context import name as node_name
from .rule import Case, Rule

MIN_SHARE = 0.05
"""Of the execution's time: below it nothing is more than `info`."""
MIN_MS = 1.0
"""A call that could save less is not worth a warning."""
GRAVE_MS = 100.0
"""A call that could save more is an error, where the rule is certain enough to speak of errors."""
MIN_COST = 1_000.0
"""Planner's units of a plan that was not run, below which nothing is more than `info`: a few milliseconds."""


MIN_ROWS, MIN_BLOCKS = 1_000.0, 500
"""Rows and blocks handled, below which a run takes well under a millisecond on a machine that has nothing else to do."""


_MEASURED = Evidence("measured", "figures of a real run")
_PLANNED = Evidence("planned", "the planner's estimates; nothing was run")
_AT_MOST = Evidence("estimated", "the time that the guilty nodes take now is the most that can be saved")


class PlanRule(Rule):
    """A rule that looks at one plan at a time. `severity` is its ceiling; what is at stake decides within it."""

    severity = Severity.WARNING

    @abstractmethod
    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        """Yield what there is to say of this plan."""

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Look at every plan of the workload. What is merely worth knowing of one plan stands among what was looked at, and
        of a scan that another rule has claimed no second story is told."""
        for context in contexts(case):
            for verdict in self.verdicts(context):
                if isinstance(verdict, LookedAt):
                    yield verdict
                elif verdict.plan_node in context.around.claimed:
                    continue
                elif verdict.severity is Severity.INFO:
                    yield LookedAt(self.name, verdict.subject, f"{verdict.message}; little is at stake")
                else:
                    yield verdict

    def verdicts(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        """What the rule has to say of a plan, with one finding for what partitions of a table have in common."""
        return merged(context, self.looked(context))

    def looked(self, context: PlanContext) -> tuple[Finding | LookedAt, ...]:
        """What there is to say of a plan, of each partition by itself; found once, as other rules may ask too."""
        if type(self) not in context.looked:
            context.looked[type(self)] = tuple(self.look(context))
        return context.looked[type(self)]

    def finding(
        self,
        context: PlanContext,
        node: PlanNode | None,
        message: str,
        facts: Sequence[Fact],
        *,
        share: float,
        ms: float | None = None,
        title: str,
        reason: str,
        kind: ActionKind = "sql-rewrite",
        code: Sequence[Code] = (),
        ceiling: Severity | None = None,
        detail: str = "",
    ) -> Finding:
        """A finding with its remedy. share: of the execution's time that could be saved at most (0–1). ms: what a call could
        save at most, where that is no part of the execution."""
        around, plan = context.around, context.plan
        elapsed = context.elapsed_ms
        calls = around.total_ms / elapsed if around.total_ms is not None and elapsed else 1.0
        at_stake = share * around.total_ms if around.total_ms is not None else share * elapsed if elapsed else None
        if ms is not None:
            at_stake = ms * calls
        place = context.relation(node) if node is not None else None
        table = None if place is None else f"{place.schema}.{place.relation}" if place.schema else place.relation
        weighed = (
            Fact(SHARE, round(share, 4)),
            Fact("node", node.type if node else "the whole plan"),
        )
        subject = Subject(around.fingerprint, table, (), detail or (node_name(node) if node is not None else ""))
        own = identity(self.name, subject)
        remedy = Recommendation(
            id=own,
            kind=kind,
            title=title,
            reason=reason,
            evidence=_AT_MOST,
            code=tuple(code),
            settles=(own,),
            saves_ms=None,
            place=around.place,
        )
        return Finding(
            rule=self.name,
            code=self.code,
            severity=self._severity(context, node, share, ms, ceiling or self.severity),
            subject=subject,
            message=message,
            facts=(*facts, *weighed),
            evidence=_MEASURED if plan.analyzed else _PLANNED,
            at_stake_ms=at_stake,
            place=around.place,
            plan_node=node.id if node is not None else None,
            remedy=remedy,
        )

    def silence(self, context: PlanContext, node: PlanNode, reason: str) -> LookedAt:
        """The node looked suspicious and is left alone."""
        return LookedAt(self.name, Subject(context.around.fingerprint, node.relation, (), node_name(node)), reason)

    def _severity(
        self, context: PlanContext, node: PlanNode | None, share: float, ms: float | None, ceiling: Severity
    ) -> Severity:
        if share < MIN_SHARE or (node is not None and ms is None and _slight(node)):
            return Severity.INFO
        if context.elapsed_ms is None:
            wanted = Severity.WARNING if context.plan.root.total_cost >= MIN_COST else Severity.INFO
        else:
            each = share * context.elapsed_ms if ms is None else ms
            total = share * (context.around.total_ms or 0.0)
            grave = each >= GRAVE_MS or total >= 10 * GRAVE_MS
            wanted = Severity.ERROR if grave else Severity.WARNING if each >= MIN_MS else Severity.INFO
        return max(wanted, ceiling, key=lambda one: one.rank)


def _slight(node: PlanNode) -> bool:
    """Whether so little was done below the node that its time tells of the machine, not of the plan."""
    if not node.actual_loops or any(one.function_call or one.subplan_name for one in node.walk()):
        return False
    handled = max(rows_read(one) + (one.removed_by_join_filter or 0.0) for one in node.walk())
    return handled < MIN_ROWS and sum(one.buffers or 0 for one in node.walk()) < MIN_BLOCKS


_last: list[tuple[Case, tuple[PlanContext, ...]]] = []
"""The case judged last: every rule asks for the same contexts."""


def contexts(case: Case) -> tuple[PlanContext, ...]:
    """Every plan of the workload in its surroundings."""
    if not _last or _last[0][0] is not case:
        _last[:] = [(case, tuple(_contexts(case)))]
    return _last[0][1]


def _contexts(case: Case) -> Iterator[PlanContext]:
    from .plan.missing_index import claimed_nodes

    claimed = claimed_nodes(case)
    for group in case.workload.groups:
        explained = case.plans.get(group.fingerprint)
        if explained is None or explained.plan is None:
            continue
        around = Around(
            statement=case.statements.get(group.fingerprint),
            schema=case.schema,
            fingerprint=group.fingerprint,
            total_ms=group.total_ms,
            place=group.call_sites[0][0] if group.call_sites else None,
            claimed=claimed.get(group.fingerprint, {}),
            in_workload=True,
        )
        yield PlanContext(explained.plan, around)
