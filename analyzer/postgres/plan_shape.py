"""The shape of a plan: what stays when figures and literals change."""

import hashlib
import re
from collections.abc import Iterator

from ..plan import PlanNode
from .literals import without_literals

_NUMBER = re.compile(r"(?<=(?:Sub|nit)Plan )\d+")


def plan_shape(root: PlanNode) -> str:
    """Digest of what EXPLAIN (COSTS OFF) shows, literals left out: equal for equal plans on any version and in any format."""
    # Versions number subplans each in their own way.
    text = _NUMBER.sub("?", "".join(f"{part}\x1f" for part in _parts(root)))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _parts(root: PlanNode) -> Iterator[str]:
    waiting: list[tuple[PlanNode, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        names = (node.join_type, node.partial_mode, node.relation, node.alias, node.index, node.cte_name, node.function)
        yield f"{depth} {node.type} {'parallel' if node.parallel_aware else ''} {node.scan_direction or ''}"
        yield " ".join(name or "" for name in names)
        for text in (
            node.index_cond,
            node.recheck_cond,
            node.hash_cond,
            node.merge_cond,
            node.join_filter,
            node.filter,
        ):
            yield without_literals(text) if text else ""
        yield " ".join(map(without_literals, (*node.sort_key, *node.presorted_key, *node.group_key)))
        yield node.modification.operation if node.modification is not None else ""
        waiting += [(child, depth + 1) for child in reversed(node.children)]
