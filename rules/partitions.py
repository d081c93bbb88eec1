"""Partitions of one table in a plan: which scans belong together, and one finding where several say the same."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ..analyzer.plan import PlanNode
from ..analyzer.recommendation import Code
from ..analyzer.sql.identifier import quote_qualified
from .finding import Fact, Finding, LookedAt, Subject, identity
from .plan_context import PlanContext

SHARE = "share of the execution"
_NUMBERED = re.compile(r"(.+)_\d+")


@dataclass(frozen=True, slots=True)
class Parent:
    """The table that a scan's table is a partition of. append: id of the node that puts the partitions together. name: None
    where neither the catalog nor the partitions' names tell."""

    append: int
    schema: str | None
    name: str | None

    @property
    def quoted(self) -> str:
        """For SQL."""
        return quote_qualified(self.schema, self.name or "?")


def parent_of(context: PlanContext, node: PlanNode) -> Parent | None:
    """The partitioned table that the scan reads a part of; None when it reads a table of its own."""
    append = _appends(context).get(node.id)
    if append is None or node.relation is None:
        return None
    table, above = context.table(node), None
    while table is not None and table.partition_of is not None and context.around.schema is not None:
        table = above = context.around.schema.table(table.partition_of, table.schema)
    if above is not None:
        return Parent(append, above.schema, above.name)
    return _numbered(context).get(node.id)


@lru_cache(maxsize=1)
def _appends(context: PlanContext) -> dict[int, int]:
    """By a node's id, that of the nearest Append above it."""
    found: dict[int, int] = {}
    for node in context.nodes:
        above = context.parent(node)
        if above is not None and above.type in ("Append", "Merge Append"):
            found[node.id] = above.id
        elif above is not None and above.id in found:
            found[node.id] = found[above.id]
    return found


@lru_cache(maxsize=1)
def _numbered(context: PlanContext) -> dict[int, Parent]:
    """By a scan's id, what PostgreSQL's own numbering tells without a catalog: partitions of `t` are called t_1, t_2 …
    whatever their names."""
    groups: dict[tuple[int, str], list[PlanNode]] = {}
    for node in context.nodes:
        match = _NUMBERED.fullmatch(node.alias or "") if node.relation else None
        if match is not None and node.id in _appends(context):
            groups.setdefault((_appends(context)[node.id], match[1]), []).append(node)
    found: dict[int, Parent] = {}
    for (append, called), scans in groups.items():
        names = {one.relation or "" for one in scans}
        if len(names) < 2 or all(one.alias == one.relation for one in scans):
            continue
        parent = Parent(append, scans[0].schema, called if all(one.startswith(called) for one in names) else None)
        found |= {one.id: parent for one in scans}
    return found


def merged(context: PlanContext, verdicts: Iterable[Finding | LookedAt]) -> Iterator[Finding | LookedAt]:
    """The verdicts of one rule, with one finding in place of those that partitions of a table have in common. It stands at
    the partition with most time at stake, and speaks of the partitioned table."""
    given = list(verdicts)
    if len(given) < 2:
        yield from given
        return
    groups: dict[Parent, list[Finding]] = {}
    for verdict in given:
        node = context.node(verdict.plan_node) if isinstance(verdict, Finding) else None
        parent = parent_of(context, node) if node is not None else None
        if parent is None or not isinstance(verdict, Finding):
            yield verdict
        else:
            groups.setdefault(parent, []).append(verdict)
    for parent, findings in groups.items():
        yield findings[0] if len(findings) == 1 else _one(context, parent, findings)


def share_of(finding: Finding) -> float:
    """Of the execution, what the finding could save at most (0–1)."""
    return next((float(fact.value) for fact in finding.facts if fact.name == SHARE), 0.0)


def _one(context: PlanContext, parent: Parent, findings: list[Finding]) -> Finding:
    first = max(findings, key=lambda one: (-one.severity.rank, one.at_stake_ms or 0.0, share_of(one)))
    stakes = [one.at_stake_ms for one in findings if one.at_stake_ms is not None]
    facts = [one for one in first.facts if one.name != SHARE]
    facts += [
        Fact(SHARE, round(min(1.0, sum(map(share_of, findings))), 4)),
        Fact("partitions", len(findings)),
    ]
    subject = first.subject
    if parent.name is not None:
        table = f"{parent.schema}.{parent.name}" if parent.schema else parent.name
        subject = Subject(subject.fingerprint, table, subject.columns, parent.name)
    own = identity(first.rule, subject)
    others = len(findings) - 1
    remedy = first.remedy
    if remedy is not None:
        node = context.node(first.plan_node)
        title, code = remedy.title, remedy.code
        if parent.name is not None and node is not None and node.relation:
            title = title.replace(node.relation, parent.name)
            code = tuple(_of_parent(one, node, parent) for one in code)
        remedy = replace(remedy, id=own, settles=(own,), title=title, code=code)
    return replace(
        first,
        subject=subject,
        message=f"{first.message}; the same in {others} more partition{'s' if others > 1 else ''} of {parent.name or 'its table'}",
        facts=tuple(facts),
        at_stake_ms=sum(stakes) if stakes else None,
        remedy=remedy,
    )


def _of_parent(code: Code, node: PlanNode, parent: Parent) -> Code:
    """The same for the partitioned table, whose index cannot be built CONCURRENTLY in one statement."""
    own = quote_qualified(node.schema, node.relation or "?")
    text = code.text.replace(f" ON {own}", f" ON {parent.quoted}").replace(f" {own};", f" {parent.quoted};")
    return replace(code, text=text.replace("CREATE INDEX CONCURRENTLY", "CREATE INDEX"))
