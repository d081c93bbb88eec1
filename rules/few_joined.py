"""A table read from end to end for a join that wants few of its rows: where an index on the join's key would be asked instead."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..analyzer.plan import PlanNode
from .condition import column, columns, conjuncts, qualifier
from .plan_context import PlanContext, rows, rows_read

MIN_ROWS = 1_000.0
"""A table of a page or two is read as quickly as any index."""
REMOVED_PER_ROW = 2.0
"""Of rows that a filter throws away: where more are, the filter's own index is the better one, and seq-scan-high-filter speaks."""
CHEAPER = 2.0
"""The look-ups must cost the planner this much less than the scan alone: then it takes them whatever we cannot see, and that it
does not take them now tells that there is no index."""
RANDOM_PAGE = 4.0
DESCENT = 0.6
"""Planner's units of CPU for one descent of a B-tree and the row found: about what a table of a million rows is charged."""
MOST_COMPARED = 10_000.0
"""Rows thrown away by a nested loop's own condition: from here on join-filter-waste speaks of it."""
ROW = 0.0125
"""The same for a row that is read and compared."""
MOST_COLUMNS = 3

_JOINS = ("Hash Join", "Merge Join", "Nested Loop")
_PASSED = ("Append", "Hash", "Sort", "Gather", "Gather Merge", "Materialize")
"""Nodes between the scan and the join that hand all its rows on."""
_GATHERING = ("HashAggregate", "Unique")
"""What makes the keys of a semi-join unique looks like a GROUP BY, into which no join's key can be handed down."""
_FORBIDDING = ("enable_nestloop", "enable_indexscan", "enable_seqscan")
"""With one of them off costs are not the planner's own."""
_NUMBERED = re.compile(r"_\d+\Z")


@dataclass(frozen=True, slots=True)
class FewJoined:
    """columns: of the scanned table, those that the join compares for equality. keys: rows of the other side, each of which asks
    for its partners. wanted: rows of the table that find one. path: the scan and what handles its rows, and no others', up to
    the join."""

    join: PlanNode
    columns: tuple[str, ...]
    keys: float
    wanted: float
    path: tuple[PlanNode, ...]


@lru_cache(maxsize=1)
def few_joined_scans(context: PlanContext) -> dict[int, FewJoined]:
    """By their ids, the executed scans that `few_joined` is sure of."""
    settings = context.plan.settings
    found = ((node.id, few_joined(node, context.ancestors(node), settings)) for node in context.executed_as("Seq Scan"))
    return {identity: one for identity, one in found if one is not None}


def few_joined(
    node: PlanNode, above: Iterable[PlanNode], settings: Sequence[tuple[str, str]] = (), *, sure: bool = True
) -> FewJoined | None:
    """What the scan is read for, if look-ups would surely be cheaper by the planner's own figures; None where they would not be,
    or where it cannot be told. above: the nodes above, the nearest first. settings: the plan's. sure: otherwise it is enough that
    they may be cheaper, if the rows wanted lie side by side; the planner itself has to be asked then.
    """
    if (
        node.type != "Seq Scan"
        or rows_read(node) < MIN_ROWS
        or (node.actual_loops or 0.0) > node.processes
        or node.actual_loops == 0
    ):
        return None
    if (node.removed or 0.0) > REMOVED_PER_ROW * rows(node):
        return None
    path, join = [node], None
    for one in above:
        if one.type not in _PASSED and (sure or one.type not in _GATHERING):
            join = one
            break
        path.append(one)
    if join is None or join.type not in _JOINS:
        return None
    if join.type == "Nested Loop" and (join.removed_by_join_filter or 0.0) >= MOST_COMPARED:
        return None
    told = dict(settings)
    if any(told.get(one) == "off" for one in _FORBIDDING):
        return None
    other = _asking(join, path[-1])
    if other is None:
        return None
    keys = max(rows(other), other.plan_rows)
    wanted = keys
    if not _one_partner(join, path[-1]):
        wanted = max(rows(join) + (join.removed_by_join_filter or 0.0), join.plan_rows)
    # A filter takes its part of what the look-ups fetch.
    fetched = wanted * rows_read(node) / max(1.0, rows(node))
    cost = _look_ups(node, keys, fetched, told, sure=sure)
    if keys < 1 or (CHEAPER if sure else 1.0) * cost > node.total_cost - node.startup_cost:
        return None
    # Last, because conditions are long: most scans are left before.
    names = _keys(join, node)
    if not names:
        return None
    alone = itertools.takewhile(lambda one: one.type != "Append", path)
    return FewJoined(join, names, rows(other), min(wanted, rows(join)), tuple(alone))


def _asking(join: PlanNode, below: PlanNode) -> PlanNode | None:
    """The other side, if its rows can be gone through one by one to ask for theirs on the scan's side."""
    kind, side = join.join_type or "Inner", below.parent_relationship
    if join.type == "Nested Loop" and side != "Inner":
        return None
    if kind == "Full" or (kind in ("Left", "Anti") and side != "Inner") or (kind in ("Right", "Right Anti") and side != "Outer"):  # fmt: skip
        return None
    return next(
        (one for one in join.children if one is not below and one.parent_relationship in ("Outer", "Inner")), None
    )


def _keys(join: PlanNode, node: PlanNode) -> tuple[str, ...]:
    """The scan's own columns that stand alone on one side of an equality, with the other side's on the other."""
    own = _NUMBERED.sub("", node.alias or node.relation or "")
    found: list[str] = []
    for one in conjuncts(join.hash_cond or join.merge_cond or join.join_filter or ""):
        for side, partner in ((one.left, one.right), (one.right, one.left)):
            name, place = column(side), qualifier(side) if column(side) else None
            if one.operator != "=" or name is None or place is None or _NUMBERED.sub("", place) != own:
                continue
            if any(_NUMBERED.sub("", qualifier(other) or own) == own for other in columns(partner)) or not columns(
                partner
            ):
                continue
            found.append(name)
    return tuple(dict.fromkeys(found))[:MOST_COLUMNS]


def _one_partner(join: PlanNode, below: PlanNode) -> bool:
    """Whether the other side is content with the first partner that it finds on this one."""
    wants = "Outer" if (join.join_type or "").startswith("Right ") else "Inner"
    return (join.join_type or "").endswith(("Semi", "Anti")) and below.parent_relationship == wants


def _look_ups(node: PlanNode, keys: float, fetched: float, settings: dict[str, str], *, sure: bool) -> float:
    """What the planner would charge for them at most, in its units: a page of the index for each key, and for each row a page
    of the table, which by Mackert and Lohman's formula are fewer where a table has few. At least, if not `sure`: with rows
    that lie side by side."""
    told = settings.get("random_page_cost", "")
    page = float(told) if re.fullmatch(r"\d+(?:\.\d+)?", told) else RANDOM_PAGE
    pages = max(1.0, node.total_cost - node.startup_cost - ROW * rows_read(node))
    if not sure:
        return keys * DESCENT + fetched * pages / rows_read(node) + ROW * fetched
    return keys * (page + DESCENT) + page * min(fetched, 2 * pages * fetched / (2 * pages + fetched)) + ROW * fetched
