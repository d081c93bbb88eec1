"""Which nodes of a plan show the value of an InitPlan."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .told_node import RawNode

if TYPE_CHECKING:
    from .self_time import Timed

_CONDITION_KEYS = (
    "Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond", "One-Time Filter", "TID Cond",
    "Function Call", "Table Function Call", "Order By", "Run Condition", "Conflict Filter",
)  # fmt: skip
_LIST_KEYS = ("Output", "Sort Key", "Group Key")
_WORD = re.compile(r"(?=(\$\d+|\([^()]*\)))")
_RETURNS = re.compile(r"\(returns (.*)\)")


class Mentions:
    """Which nodes that ran show an InitPlan's value, by what they show: read once, since a plan may hold thousands."""

    def __init__(self, nodes: Sequence["Timed"]) -> None:
        # Before workers start, their leader evaluates what they will need: so the first kind pays first.
        kinds = (("Params Evaluated",), _CONDITION_KEYS, _LIST_KEYS)
        self._nodes: tuple[dict[str, list[Timed]], ...] = tuple({} for _ in kinds)
        for node in nodes:
            if not node.loops:
                continue
            for found, keys in zip(self._nodes, kinds, strict=True):
                for word in dict.fromkeys(_WORD.findall(_texts(node.raw, keys))):
                    found.setdefault(word, []).append(node)

    def of(self, name: str) -> list[list["Timed"]]:
        """By kind, the nodes that show `InitPlan 1`, or one of the parameters in `InitPlan 1 (returns $0,$1)`."""
        returned = _RETURNS.search(name)
        words = [word.strip() for word in returned[1].split(",")] if returned else [f"({name})"]
        return [_merged([found.get(word, []) for word in words]) for found in self._nodes]


def _merged(several: Sequence[list["Timed"]]) -> list["Timed"]:
    return list({id(node): node for nodes in several for node in nodes}.values())


def _texts(raw: RawNode, keys: Sequence[str]) -> str:
    parts: list[str] = []
    for key in keys:
        value = raw.get(key)
        if value is not None:
            parts += map(str, value) if isinstance(value, list) else (str(value),)
    return " ".join(parts)
