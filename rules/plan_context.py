"""One plan with all that is known around it: what plan rules look at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..analyzer.plan import Plan, PlanNode
from ..analyzer.query import CallSite
from ..analyzer.schema import Schema, Table
from ..analyzer.sql.identifier import quote_identifier
from ..analyzer.sql.statement import Statement
from .condition import columns, qualifier
from .finding import Finding, LookedAt

BLOCKING = frozenset(("Sort", "Hash", "Aggregate", "HashAggregate", "GroupAggregate", "MixedAggregate", "SetOp"))
"""Nodes that read their input to its end before a Limit above them can stop it. GroupAggregate does so for no input but its
current group; it is listed because its rows are not its input's."""


EXPECTED = 10.0
"""A row estimate that is off by less than this factor is taken as right."""


MIN_PLANNING_MS = 10.0
"""Planning that takes less is not worth a word, however little the execution takes."""


SELECTIVE = 0.1
"""Of the rows read: where more are kept, reading the table as it lies is hardly slower than any index."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the plan itself does not tell. total_ms: recorded for all calls; claimed: ids of nodes that another rule speaks of
    already, with the table as its finding's subject names it; earlier: plans that the same statement had before."""

    statement: Statement | None = None
    schema: Schema | None = None
    fingerprint: str | None = None
    total_ms: float | None = None
    place: CallSite | None = None
    claimed: Mapping[int, str] = field(default_factory=dict)
    in_workload: bool = False
    earlier: tuple[Plan, ...] = ()


class PlanContext:
    """The plan, its nodes in order, and what share of its time each takes."""

    def __init__(self, plan: Plan, around: Around | None = None) -> None:
        self.plan = plan
        self.around = around or Around()
        self.nodes = tuple(plan.root.walk())
        self._parents = {child.id: node for node in self.nodes for child in node.children}
        self.executed = tuple(node for node in self.nodes if node.actual_loops != 0)
        self._by_type: dict[str, list[PlanNode]] = {}
        for node in self.executed:
            self._by_type.setdefault(node.type, []).append(node)
        self.looked: dict[type, tuple[Finding | LookedAt, ...]] = {}
        """By the rule, what it has said of this plan."""
        self.timed = plan.root.total_ms is not None
        self.elapsed_ms = plan.elapsed_ms if plan.analyzed else None
        self._whole = self.elapsed_ms if self.timed else plan.root.total_cost

    @property
    def longer_planned(self) -> tuple[float, float] | None:
        """(planning, execution) in ms where planning took longer than running, and long enough to matter; else None."""
        planning, execution = self.plan.planning_ms, self.plan.execution_ms
        if planning is None or execution is None or planning <= max(execution, MIN_PLANNING_MS):
            return None
        return planning, execution

    def node(self, identity: int | None) -> PlanNode | None:
        """The node of that number, None when there is none: they are numbered in order, from 1."""
        return self.nodes[identity - 1] if identity is not None and 0 < identity <= len(self.nodes) else None

    def executed_as(self, *types: str) -> list[PlanNode]:
        """The executed nodes of these types, in order."""
        if len(types) == 1:
            return self._by_type.get(types[0], [])
        return sorted((node for one in types for node in self._by_type.get(one, ())), key=lambda node: node.id)

    def parent(self, node: PlanNode) -> PlanNode | None:
        """The node above, None above the root."""
        return self._parents.get(node.id)

    def ancestors(self, node: PlanNode) -> Iterator[PlanNode]:
        """The nodes above, the nearest first."""
        above = self._parents.get(node.id)
        while above is not None:
            yield above
            above = self._parents.get(above.id)

    def path(self, node: PlanNode) -> Iterator[tuple[PlanNode, PlanNode]]:
        """(node above, its child on the way down), the nearest first."""
        below = node
        for above in self.ancestors(node):
            yield above, below
            below = above

    def share(self, *nodes: PlanNode) -> float:
        """Share of the execution's time that the nodes take by themselves (0–1); of the cost where no times are known."""
        if self.timed:
            return self.share_of_ms(sum(node.self_ms or 0.0 for node in nodes))
        return min(1.0, sum(self.own_costs[node.id] for node in nodes) / self._whole) if self._whole else 0.0

    def subtree_share(self, node: PlanNode) -> float:
        """Share of the execution's time that the node and everything below it take."""
        if self.timed:
            return self.share(*node.walk())
        return min(1.0, node.total_cost / self._whole) if self._whole else 0.0

    @cached_property
    def own_costs(self) -> dict[int, float]:
        """What each node costs by itself, by its id, in the planner's units. PostgreSQL counts a subquery's cost once, and all
        its other runs with the node that has them run: here they are the subquery's."""
        costs = {node.id: node.self_cost for node in self.nodes}
        for node in self.nodes:
            owner = self.parent(node)
            if owner is None or node.parent_relationship != "SubPlan":
                continue
            below = [one.id for one in node.walk()]
            once, again = sum(costs[one] for one in below), min(self.again(node), costs[owner.id])
            if once > 0.0 and again > 0.0:
                costs[owner.id] -= again
                costs |= {one: costs[one] * (once + again) / once for one in below}
        return costs

    def again(self, node: PlanNode) -> float:
        """The cost of a subquery's runs after the first."""
        return max(0.0, self.expected_runs(node) - 1.0) * node.total_cost

    def expected_runs(self, node: PlanNode) -> float:
        """Runs of a correlated subquery that the planner has put into its owner's cost; 0 where it may be run once."""
        owner = self.parent(node)
        if node.parent_relationship != "SubPlan" or owner is None or node.total_cost <= 0.0:
            return 0.0
        below = list(node.walk())
        own = {one.alias for one in below if one.alias}
        texts = (
            text
            for one in below
            for text in (one.filter, one.index_cond, one.recheck_cond, one.join_filter, one.one_time_filter)
        )
        outer = any(qualifier(name) not in (None, *own) for text in texts if text for name in columns(text))
        # The owner's own cost lacks one run, as that of every child.
        return 1 + round(owner.self_cost / node.total_cost) if outer else 0.0

    def share_of_ms(self, ms: float) -> float:
        """Share of the execution's time; 0 where no times are known."""
        return min(1.0, ms / self.elapsed_ms) if self.elapsed_ms else 0.0

    def table(self, node: PlanNode) -> Table | None:
        """The node's table in the catalog, None without one."""
        if self.around.schema is None or node.relation is None:
            return None
        return self.around.schema.table(node.relation, node.schema)

    def leading_index(self, node: PlanNode, columns: Iterable[str]) -> str | None:
        """Name of an index over all rows of the node's table that begins with one of the columns; None without one, or without
        a catalog."""
        table = self.table(node)
        wanted = {form for one in columns for form in (one, quote_identifier(one))}
        usable = (one for one in (table.indexes if table is not None else ()) if one.predicate is None and one.valid)
        return next((one.name for one in usable if one.columns[0] in wanted), None)

    def relation(self, node: PlanNode) -> PlanNode | None:
        """The node itself if it names a table, else the one above that a Bitmap Index Scan works for."""
        if node.relation is not None:
            return node
        return next((above for above in self.ancestors(node) if above.relation is not None), None)

    def complete(self, node: PlanNode, *, shared: bool = False) -> bool:
        """Whether the node gave all rows that were estimated: nothing stopped it early, read it twice or, unless that may be
        (`shared`), shared it out among processes."""
        if self.stops_early(node) or (not shared and (node.processes > 1 or node.partial_mode == "Partial")):
            return False
        for above, below in self.path(node):
            if above.type == "Recursive Union":
                return False
            if below.parent_relationship in ("InitPlan", "SubPlan"):
                # EXISTS and the like take no more than the first row.
                return (below.subplan_name or "").startswith("CTE ") or (below.actual_rows or 0.0) > 1
            if below.parent_relationship in ("Outer", "Inner") and above.type == "Merge Join":
                return False
            if below.parent_relationship == "Inner" and above.join_type in ("Semi", "Anti", "Right Semi", "Right Anti"):
                return False
            if above.type == "Nested Loop" and below.parent_relationship == "Inner" and above.join_filter and (node.actual_rows or 0.0) < node.plan_rows:  # fmt: skip
                # Where one partner is enough, the inner side is left as soon as it is found.
                return False
            if above.type == "Hash Join" and below.parent_relationship == "Outer" and _empty_hash(above):
                return False
            if above.type in BLOCKING:
                return True
        return True

    def expected_loops(self, node: PlanNode) -> bool:
        """Whether the planner expected about as many runs of this inner side of a nested loop."""
        for above, below in self.path(node):
            if above.type == "Nested Loop" and below.parent_relationship == "Inner":
                outer = next((one for one in above.children if one.parent_relationship == "Outer"), None)
                return outer is not None and misestimate(outer) < EXPECTED
        return False

    def stops_early(self, node: PlanNode) -> PlanNode | None:
        """The Limit that may stop this node before its end; None where something reads it to the end."""
        for above, below in self.path(node):
            if above.type in BLOCKING or below.parent_relationship in ("InitPlan", "SubPlan"):
                return None
            if above.type in ("Hash Join", "Nested Loop") and below.parent_relationship == "Inner" and above.type != "Nested Loop":  # fmt: skip
                return None
            if above.type == "Limit":
                return above
        return None


def rows(node: PlanNode) -> float:
    """Rows of all loops: actual ones, else the planner's."""
    return node.rows if node.rows is not None else node.plan_rows


def rows_read(node: PlanNode) -> float:
    """Rows the scan has looked at: kept and thrown away."""
    return rows(node) + (node.removed or 0.0) + (node.removed_by_recheck or 0.0)


def _empty_hash(join: PlanNode) -> bool:
    """A hash join whose hash table is empty reads one row of its outer side at most."""
    return any(one.type == "Hash" and one.actual_loops and not one.rows for one in join.children)


def selective(node: PlanNode) -> bool:
    """Whether a scan keeps so few of the rows it reads that an index would be the better way."""
    return rows(node) <= SELECTIVE * rows_read(node)


def misestimate(node: PlanNode) -> float:
    """The factor, at least 1, by which the row estimate per loop is off; 1 where nothing was run."""
    actual, planned = node.actual_rows, node.plan_rows
    if actual is None or actual == planned or not node.actual_loops:
        return 1.0
    high, low = (actual, planned) if actual > planned else (planned, actual)
    return high / max(1.0, low) if high > 1.0 else 1.0


def name(node: PlanNode) -> str:
    """What people call the node: its table, index, CTE or function, else its type."""
    own = node.relation or node.cte_name or node.function or (node.alias if "Scan" in node.type else None) or node.index
    return own or node.type
