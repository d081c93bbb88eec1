"""Binds each column reference of a parse tree to the table occurrence that it reads, through subqueries, CTEs and views.

The bound tree is the parse tree with each `ColumnRef` replaced: by `Var` (a column of an occurrence), by `Fenced` (the same,
behind a grouping or the like that conditions may cross but joins and orders may not) or by `Opaque` (a computed value).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .statement import OrderKey, Predicate
from .tree import Node, body, kind, strings, walk

SYSTEM_COLUMNS = frozenset(("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"))
OPAQUE: Node = {"Opaque": {}}


@dataclass(slots=True, eq=False)
class Occurrence:
    """A table named once in a FROM, with what has been found out about it. types: None when its columns are unknown."""

    schema: str | None
    table: str
    alias: str
    types: dict[str, str] | None
    via: str = ""
    nullable: bool = False
    sampled: bool = False
    locks: bool = False
    star: bool = False
    limited: bool = False
    or_predicates: bool = False
    columns: set[str] = field(default_factory=set)
    predicates: list[Predicate] = field(default_factory=list)
    or_branches: list[tuple[tuple[Predicate, ...], ...]] = field(default_factory=list)
    order: tuple[OrderKey, ...] = ()
    group: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()
    windows: list[tuple[OrderKey, ...]] = field(default_factory=list)
    extremes: list[str] = field(default_factory=list)
    written: tuple[str, ...] = ()

    def has(self, name: str) -> bool | None:
        """Whether it has the column; None when that is not known."""
        return None if self.types is None else name in self.types

    def column(self, name: str) -> Node:
        """The bound reference."""
        return {"Var": {"scan": self, "column": name}}


@dataclass(slots=True, eq=False)
class Derived:
    """A subquery, CTE, view, function or set operation in a FROM.

    outputs: bound expression by name. inner: the level whose columns an unexpanded star passes on. simple: PostgreSQL pulls
    it up, so that its tables stand beside the outer ones. pushable: outputs on which outer conditions reach its tables.
    """

    outputs: dict[str, Node]
    inner: "Level | None" = None
    simple: bool = False
    pushable: frozenset[str] = frozenset()
    closed: bool = True

    def has(self, name: str) -> bool | None:
        """Whether it has the column; None when that is not known."""
        return True if name in self.outputs else (False if self.closed else None)

    def column(self, name: str) -> Node:
        """The bound reference: the output's own expression where outer conditions reach through."""
        found = self.outputs.get(name)
        if found is None and self.inner is not None:
            found = self.inner.unqualified(name, outward=False)
        if found is None or found is OPAQUE:
            return OPAQUE
        if self.simple:
            return found
        return {"Fenced": {"of": found}} if name in self.pushable else OPAQUE


Source = Occurrence | Derived


@dataclass(slots=True, eq=False)
class Level:
    """The names that one query level sees. merged: columns joined by USING. outer: references that its inside makes to
    levels around it."""

    parent: "Level | None" = None
    sources: dict[str, Source] = field(default_factory=dict)
    merged: dict[str, Node] = field(default_factory=dict)
    outer: list[Node] = field(default_factory=list)

    def resolve(self, fields: list[str]) -> Node | None:
        """The reference bound, or None when its table cannot be told."""
        if len(fields) == 1:
            return self.unqualified(fields[0])
        qualifier, name = fields[-2], fields[-1]
        level: Level | None = self
        while level is not None:
            source = level.sources.get(qualifier)
            if source is not None:
                if name in SYSTEM_COLUMNS or source.has(name) is False:
                    return OPAQUE
                return self._seen_from(level, source.column(name))
            level = level.parent
        return None

    def unqualified(self, name: str, *, outward: bool = True) -> Node | None:
        """The column of that name: SQL looks in this level first, then in the levels around it."""
        level: Level | None = self
        while level is not None:
            if name in level.merged:
                return self._seen_from(level, level.merged[name])
            owners = [source for source in level.sources.values() if source.has(name)]
            unknown = [source for source in level.sources.values() if source.has(name) is None]
            if len(owners) == 1:
                return self._seen_from(level, owners[0].column(name))
            if owners:
                return None
            if name in level.sources:
                whole_row(level.sources[name])
                return OPAQUE
            if name in SYSTEM_COLUMNS and level.sources:
                return OPAQUE
            if len(unknown) == 1 and not (level.parent and level.parent.knows(name)):
                return self._seen_from(level, unknown[0].column(name))
            if unknown:
                return None
            level = level.parent if outward else None
        return None

    def knows(self, name: str) -> bool:
        """Whether this level or one around it surely has the column."""
        return any(source.has(name) for source in self.sources.values()) or bool(
            self.parent and self.parent.knows(name)
        )

    def _seen_from(self, owner: "Level", found: Node) -> Node:
        level: Level | None = self
        while level is not None and level is not owner:
            level.outer.append(found)
            level = level.parent
        return found


def reached(level: Level) -> frozenset[Occurrence]:
    """The tables that the level's own sources read."""
    found: set[Occurrence] = set()
    for source in level.sources.values():
        if isinstance(source, Occurrence):
            found.add(source)
        else:
            found.update(occurrences(list(source.outputs.values())))
            found |= reached(source.inner) if source.inner is not None else frozenset()
    return frozenset(found)


def whole_row(source: Source) -> None:
    """Note that every column of the source is asked for."""
    if isinstance(source, Occurrence):
        source.star = True
        return
    for output in source.outputs.values():
        touch(output)
    if source.inner is not None and not source.closed:
        for inner in source.inner.sources.values():
            whole_row(inner)


def touch(bound: Any) -> None:
    """Note that the columns inside are read."""
    for column in variables(bound):
        column["scan"].columns.add(column["column"])


def variables(bound: Any) -> Iterator[Node]:
    """The `Var`s inside, as `{"scan": Occurrence, "column": name}`."""
    return (body(node) for node in walk(bound) if kind(node) == "Var")


def occurrences(bound: Any) -> list[Occurrence]:
    """The table occurrences inside, each once, in text order."""
    return list(dict.fromkeys(column["scan"] for column in variables(bound)))


def reference(node: Node) -> list[str]:
    """The names of a ColumnRef."""
    return strings(node["ColumnRef"]["fields"])
