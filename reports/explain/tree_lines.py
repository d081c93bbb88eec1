"""Guide lines of a tree in a terminal: what stands before a node's title and before the lines below it."""

from collections.abc import Callable, Iterator
from typing import TypeVar

Node = TypeVar("Node")
STEP = 3


def guides(
    root: Node, children: Callable[[Node], tuple[Node, ...]], most: int, ascii_only: bool = False
) -> Iterator[tuple[Node, str, str]]:
    """(node, text before its title, text before its further lines), in preorder. Indented by at most `most` characters:
    what is deeper keeps the part of the lines that stands nearest to it, after a mark."""
    last, further, down, mark = ("`- ", "|- ", "|  ", "~") if ascii_only else ("└─ ", "├─ ", "│  ", "…")
    waiting: list[tuple[Node, str, str]] = [(root, "", "")]
    while waiting:
        node, before, below = waiting.pop()
        inner = children(node)
        rest = below + (down[0] + " " if inner else "  ")
        yield node, _cut(before, most, mark), _cut(rest, most + 2, mark)
        placed = [
            (
                child,
                below + (last if n == len(inner) - 1 else further),
                below + ("   " if n == len(inner) - 1 else down),
            )
            for n, child in enumerate(inner)
        ]
        waiting += reversed(placed)


def _cut(text: str, most: int, mark: str) -> str:
    if len(text) <= most:
        return text
    keep = max(0, most - len(mark))
    return mark + (text[len(text) - keep :] if keep else "")
