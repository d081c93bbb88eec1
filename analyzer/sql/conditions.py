"""Conditions of a statement's level, and the table occurrences that they filter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .predicates import branches, predicates
from .scopes import OPAQUE, Occurrence, occurrences
from .tree import Node, body, kind, walk


@dataclass(slots=True)
class Condition:
    """A bound condition. allowed: the occurrences that it filters, None for all."""

    node: Node
    allowed: frozenset[Occurrence] | None
    where: bool = True


def note(conditions: list[Condition], own: frozenset[Occurrence] | None) -> None:
    """Write each condition to the occurrences that it filters. own: those of its level, None for all."""
    for condition in conditions:
        for version in _versions(condition.node):
            if version.get("BoolExpr", {}).get("boolop") == "OR_EXPR":
                _note_branches(version, condition.allowed)
            for scan, found in predicates(version):
                if (condition.allowed is not None and scan not in condition.allowed) or (
                    own is not None and scan not in own
                ):
                    continue
                # After an outer join IS NULL finds the rows without a partner: it filters nothing in the table.
                if not (condition.where and scan.nullable and found.kind == "is-null"):
                    scan.predicates.append(found)


def _note_branches(condition: Node, allowed: frozenset[Occurrence] | None) -> None:
    arms = branches(condition)
    for scan in occurrences(condition):
        if allowed is not None and scan not in allowed:
            continue
        scan.or_predicates = True
        mine = [tuple(found for one, found in arm if one is scan and found.kind != "other") for arm in arms]
        if all(mine) and len(mine) == len(arms):
            scan.or_branches.append(tuple(mine))


def _versions(condition: Node) -> Iterator[Node]:
    """The condition once for each arm of a set operation whose outputs it names."""
    count = max((len(body(one)["of"]) for one in walk(condition) if kind(one) == "Arms"), default=0)
    if not count:
        yield condition
    for number in range(count):
        yield _arm(condition, number)


def _arm(node: Any, number: int) -> Any:
    if isinstance(node, list):
        return [_arm(one, number) for one in node]
    if not isinstance(node, dict) or "Var" in node:
        return node
    if "Arms" in node:
        of = node["Arms"]["of"]
        return _arm(of[number] if number < len(of) else OPAQUE, number)
    return {name: _arm(part, number) for name, part in node.items()}
