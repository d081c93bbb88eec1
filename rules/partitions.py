"""Partitions of one table in a plan: which scans belong together, and one finding where several say the same."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ..analyzer.plan import PlanNode
from ..analyzer.recommendation import Code
from ..analyzer.sql.identifier import quote_qualified
from .finding import Fact, Finding, LookedAt, Subject, identity
from .plan_context import PlanContext, rows_read

SHARE = "share of the execution"
COMMON = 4
"""Letters that the names of partitions have in common."""
_NUMBERED = re.compile(r"(.+)_\d+")


@dataclass(frozen=True, slots=True)
class Parent:
    """The table that a scan's table is a partition of, or the tables that a join of partitions is of. append: id of the node
    that puts the partitions together. name: None where neither the catalog, the statement nor the partitions' names tell.
    called: what the statement calls it."""

    append: int
    schema: str | None
    name: str | None
    called: str

    @property
    def quoted(self) -> str:
        """For SQL."""
        return quote_qualified(self.schema, self.name or "?")

    @property
    def told(self) -> str:
        """For people."""
        return self.name or self.called


def parent_of(context: PlanContext, node: PlanNode) -> Parent | None:
    """The partitioned table that the scan reads a part of, or those whose parts the node joins; None when it stands below no
    Append, or reads a table of its own."""
    append = _appends(context).get(node.id)
    if append is None:
        return None
    if node.relation is None:
        return _of_join(context, node, append)
    table, above = context.table(node), None
    while table is not None and table.partition_of is not None and context.around.schema is not None:
        table = above = context.around.schema.table(table.partition_of, table.schema)
    if above is not None:
        return Parent(append, above.schema, above.name, above.name)
    return _numbered(context).get(node.id)


def _of_join(context: PlanContext, node: PlanNode, append: int) -> Parent | None:
    """Where partitions are joined one by one, each join is the same but for its partitions."""
    parents = [parent_of(context, one) for one in node.walk() if one.relation is not None]
    if not parents or any(one is None or one.append != append for one in parents):
        return None
    told = list(dict.fromkeys(one.told for one in parents if one is not None))
    return Parent(append, None, None, f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0])


@lru_cache(maxsize=1)
def _appends(context: PlanContext) -> dict[int, int]:
    """By a node's id, that of the nearest Append above it."""
    found: dict[int, int] = {}
    for node in context.nodes:
        append = node.id if node.type in ("Append", "Merge Append") else found.get(node.id)
        if append is not None:
            for child in node.children:
                found[child.id] = append
    return found


@lru_cache(maxsize=1)
def _numbered(context: PlanContext) -> dict[int, Parent]:
    """By a scan's id, what PostgreSQL's own numbering tells without a catalog: partitions of `t` are called t_1, t_2 …
    whatever their names."""
    appends = _appends(context)
    named: dict[tuple[int, str], list[PlanNode]] = {}
    for node in context.nodes:
        if node.id in appends and node.relation and node.alias:
            named.setdefault((appends[node.id], node.alias), []).append(node)
    groups: dict[tuple[int, str], list[PlanNode]] = {}
    for (append, alias), scans in named.items():
        match = _NUMBERED.fullmatch(alias)
        if match is not None:
            groups.setdefault((append, match[1]), []).extend(scans)
    found: dict[int, Parent] = {}
    for (append, called), numbered in groups.items():
        # Where partitions are joined one by one, the first has no number; so has the first of a UNION's tables.
        first = named.get((append, called), [])
        members = [*first, *numbered]
        names = {one.relation or "" for one in members}
        if len(names) < 2 or all(one.alias == one.relation for one in members):
            continue
        asked = _asked(context, called)
        if asked is None and first and not _alike(names):
            continue
        if asked is None and all(one.startswith(f"{called}_") for one in names):
            asked = (members[0].schema, called)
        schema, name = asked or (members[0].schema, None)
        found |= dict.fromkeys((one.id for one in members), Parent(append, schema, name, called))
    return found


def _alike(names: set[str]) -> bool:
    """Whether the names are those of one table's partitions by the look of them: the same but for their ends."""
    low, high = min(names), max(names)
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False)))
    return common >= COMMON and low[:common] not in names


def _asked(context: PlanContext, called: str) -> tuple[str | None, str] | None:
    """(schema, name) of the table that the statement calls so, where its text is known."""
    statement = context.around.statement
    named = {
        (one.schema, one.table) for one in (statement.scans if statement is not None else ()) if one.alias == called
    }
    return next(iter(named)) if len(named) == 1 else None


def merged(context: PlanContext, verdicts: Iterable[Finding | LookedAt]) -> Iterator[Finding | LookedAt]:
    """The verdicts of one rule, with one finding in place of those that partitions of a table have in common. It stands at
    the partition with most rows, and speaks of the partitioned table."""
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
    first = max(findings, key=lambda one: _rows(context, one))
    stakes = [one.at_stake_ms for one in findings if one.at_stake_ms is not None]
    facts = [one for one in first.facts if one.name != SHARE]
    facts += [
        Fact(SHARE, round(min(1.0, sum(map(share_of, findings))), 4)),
        Fact("partitions", len(findings)),
    ]
    subject = Subject(first.subject.fingerprint, None, first.subject.columns, f"partitions of {parent.told}")
    if parent.name is not None:
        table = f"{parent.schema}.{parent.name}" if parent.schema else parent.name
        subject = Subject(first.subject.fingerprint, table, first.subject.columns, parent.name)
    own = identity(first.rule, subject)
    others = len(findings) - 1
    remedy = first.remedy
    if remedy is not None:
        node = context.node(first.plan_node)
        title, code = remedy.title, remedy.code
        for scan in node.walk() if node is not None else ():
            above = parent_of(context, scan) if scan.relation is not None else None
            if above is not None and scan.relation is not None:
                whole = above.name or f"the partitions of {above.called}"
                title = re.sub(rf"(?<!\w){re.escape(scan.relation)}(?!\w)", whole.replace("\\", r"\\"), title)
        if node is not None and node.relation:
            code = tuple(_of_parent(one, node, parent) for one in code) if parent.name else _of_each(findings)
        remedy = replace(remedy, id=own, settles=(own,), title=title, code=code)
    return replace(
        first,
        severity=min((one.severity for one in findings), key=lambda one: one.rank),
        subject=subject,
        message=f"{first.message}; the same in {others} more partition{'s' if others > 1 else ''} of {parent.told}",
        facts=tuple(facts),
        at_stake_ms=sum(stakes) if stakes else None,
        remedy=remedy,
    )


def _rows(context: PlanContext, finding: Finding) -> float:
    node = context.node(finding.plan_node)
    return rows_read(node) if node is not None else 0.0


def _of_each(findings: list[Finding]) -> tuple[Code, ...]:
    """The code of every partition, where the table above them has no name that we know."""
    return tuple(dict.fromkeys(code for one in findings if one.remedy is not None for code in one.remedy.code))


def _of_parent(code: Code, node: PlanNode, parent: Parent) -> Code:
    """The same for the partitioned table, whose index cannot be built CONCURRENTLY in one statement."""
    own = quote_qualified(node.schema, node.relation or "?")
    text = code.text.replace(f" ON {own}", f" ON {parent.quoted}").replace(f" {own};", f" {parent.quoted};")
    return replace(code, text=text.replace("CREATE INDEX CONCURRENTLY", "CREATE INDEX"))
