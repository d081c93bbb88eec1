"""Whether two plans can be of one statement, as far as the plans themselves tell."""

import re

from ..plan import Plan, PlanNode
from ..sql.fingerprint import fingerprint
from .literals import without_literals

_NUMBERED = re.compile(r"_\d+\Z")
_QUALIFIED = re.compile(r"""\b[\w$]+\.(?=[\w$"])|"(?:[^"]|"")*"\.|[()]""")
MOST_NAMES = 3


def different_statements(before: Plan, after: Plan) -> str:
    """Why the plans are taken to be of two statements; empty where nothing tells so."""
    if before.query_text is not None and after.query_text is not None:
        same = fingerprint(before.query_text) == fingerprint(after.query_text)
        return "" if same else "the plans are of two statements: their texts differ in more than literals"
    first, second = _changes(before), _changes(after)
    if first != second:
        return f"the plans are of two statements: {first or 'SELECT'} and {second or 'SELECT'}"
    names, other = _tables(before), _tables(after)
    gone, new = sorted(names.keys() - other.keys()), sorted(other.keys() - names.keys())
    if gone and new:
        return (
            f"the plans seem to be of two statements: the first reads {_listed([names[one] for one in gone])}, "
            f"the second {_listed([other[one] for one in new])}"
        )
    if (
        before.root.type == after.root.type
        and _outputs(before)
        and _outputs(after)
        and _outputs(before) != _outputs(after)
    ):
        return "the plans seem to be of two statements: they give other columns"
    return ""


def _changes(plan: Plan) -> str:
    kinds = {node.modification.operation.upper() for node in plan.root.walk() if node.modification is not None}
    return ", ".join(sorted(kinds))


def _tables(plan: Plan) -> dict[str, str]:
    """By the name that the statement has for it, what is read. Partitions of one table share a name but for its number."""
    found: dict[str, str] = {}
    for node in plan.root.walk():
        if node.relation is not None:
            found.setdefault(_called(node), node.relation)
    return found


def _called(node: PlanNode) -> str:
    alias = node.alias or node.relation or ""
    return _NUMBERED.sub("", alias) if alias != node.relation else alias


def _outputs(plan: Plan) -> list[str]:
    return sorted(_QUALIFIED.sub("", without_literals(one)) for one in plan.root.output)


def _listed(names: list[str]) -> str:
    shown = sorted(set(names))
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return ", ".join(shown[:MOST_NAMES]) + more
