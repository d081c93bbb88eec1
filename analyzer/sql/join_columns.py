"""Columns by which USING and NATURAL join two sides."""

from .scopes import OPAQUE, Level, Occurrence
from .tree import Node


def common_columns(level: Level, left: set[str], right: set[str], fields: Node) -> list[str]:
    """The columns of a NATURAL JOIN; none when a side's columns are not known."""
    if not fields.get("isNatural"):
        return []
    one = {name for alias in left for name in _names(level, alias)}
    return sorted(name for alias in right for name in _names(level, alias) if name in one)


def _names(level: Level, alias: str) -> list[str]:
    source = level.sources[alias]
    return list(source.types or ()) if isinstance(source, Occurrence) else list(source.outputs)


def owner(level: Level, aliases: set[str], column: str) -> Node:
    """The column of the one side that has it; opaque when none or several may."""
    if column in level.merged and len(aliases) > 1:
        return level.merged[column]
    sources = [level.sources[alias] for alias in sorted(aliases)]
    owners = [source for source in sources if source.has(column)] or [
        source for source in sources if source.has(column) is None
    ]
    return owners[0].column(column) if len(owners) == 1 else OPAQUE
