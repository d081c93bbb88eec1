"""Which node of one plan does the work of which node of another."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..plan import Plan, PlanNode

_FAMILIES = (
    ("join", ("Nested Loop", "Hash Join", "Merge Join")),
    ("aggregate", ("Aggregate", "HashAggregate", "GroupAggregate", "MixedAggregate", "Group", "Unique")),
    ("sort", ("Sort", "Incremental Sort")),
    ("gather", ("Gather", "Gather Merge")),
    ("append", ("Append", "Merge Append")),
    ("keep", ("Materialize", "Memoize", "Hash")),
)
Pair = tuple[PlanNode | None, PlanNode | None]


def match_nodes(before: Plan, after: Plan) -> tuple[Pair, ...]:
    """Pairs in the order of the plan after; nodes that only the plan before has follow the one above them.

    A scan is known by what it reads, whatever its method; every other node by what stands below it and by its kind: nodes
    of one type first, then of one family (joins, aggregates, sorts …). Each node belongs to one pair.
    """
    first, second = list(before.root.walk()), list(after.root.walk())
    below_first, below_second = _leaves(first), _leaves(second)
    partner: dict[int, PlanNode] = {}
    taken: set[int] = set()
    for exact in (True, False):
        waiting: defaultdict[tuple[object, ...], list[PlanNode]] = defaultdict(list)
        for node in first:
            if node.id not in taken:
                waiting[_key(node, below_first[node.id], exact)].append(node)
        for node in second:
            candidates = waiting.get(_key(node, below_second[node.id], exact)) if node.id not in partner else None
            if candidates:
                partner[node.id] = candidates.pop(0)
                taken.add(partner[node.id].id)
    return tuple(_in_order(before, second, partner, taken))


def _leaves(nodes: Sequence[PlanNode]) -> dict[int, frozenset[str]]:
    """By node, the names of all that is read at or below it; subplans have their own."""
    found: dict[int, frozenset[str]] = {}
    for node in reversed(nodes):
        own = _reads(node)
        names = {own} if own else set()
        for child in node.children:
            if child.parent_relationship not in ("InitPlan", "SubPlan"):
                names |= found[child.id]
        found[node.id] = frozenset(names)
    return found


def _reads(node: PlanNode) -> str:
    if node.type in ("Bitmap Index Scan", "ModifyTable"):
        return ""
    name = node.relation or node.cte_name or node.function
    return f"{name or ''} {node.alias or ''}".strip()


def _key(node: PlanNode, leaves: frozenset[str], exact: bool) -> tuple[object, ...]:
    place = node.parent_relationship if node.parent_relationship in ("InitPlan", "SubPlan") else ""
    if own := _reads(node):
        # CTEs and subqueries are no other kind of scan of a table.
        return ("scan", own, place if exact else "", node.type if exact else "")
    family = next((name for name, types in _FAMILIES if node.type in types), node.type)
    index = node.index if node.type == "Bitmap Index Scan" else None
    return (node.type if exact else family, leaves, place if exact else "", index if exact else None)


def _in_order(
    before: Plan, second: Sequence[PlanNode], partner: dict[int, PlanNode], taken: set[int]
) -> Iterator[Pair]:
    gone: defaultdict[int, list[PlanNode]] = defaultdict(list)
    waiting: list[tuple[PlanNode, int]] = [(before.root, 0)]
    while waiting:
        node, kept = waiting.pop()
        if node.id in taken:
            kept = node.id
        else:
            gone[kept].append(node)
        waiting += [(child, kept) for child in reversed(node.children)]
    yield from ((node, None) for node in gone[0])
    for node in second:
        same = partner.get(node.id)
        yield same, node
        if same is not None:
            yield from ((one, None) for one in gone[same.id])
