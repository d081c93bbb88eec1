"""Indexes of a hollow clone: hypothetical ones added, and any of all switched on and off."""

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..sql.identifier import quote_qualified
from ..sql.tokens import names_in
from .clone_ends import Ends
from .clone_index_queries import EXISTING, FIGURES, LEADING, MADE, prepare
from .clone_pages import (
    brin_metapage,
    btree_pages,
    extend,
    gin_counters,
    gin_metapage,
    relation_pages,
    write_relation,
)
from .server import Server
from .server_message import server_message

PREFIX = "queryproof_hypothetical_"


@dataclass(frozen=True, slots=True)
class HypotheticalSize:
    """What an index would be. pages: of 8 kB; tuples: entries (None: as many as rows); level: of a B-tree's root."""

    pages: int
    tuples: float | None = None
    level: int = 1


Size = Callable[[str, str], HypotheticalSize]
"""Estimates the index on one table, named by schema and name: the leaf partitions of a partitioned one, each by itself."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One index of a handle: its own oid, its table's oid, and its name (a partition's index has another one)."""

    oid: int
    table: int
    name: str


@dataclass(frozen=True, slots=True)
class _Heap:
    """What a table that lost its pages for a moment gets back: number of its file and pg_class's figures."""

    node: int
    pages: int
    tuples: float
    visible: int


_SWITCH = "EXECUTE queryproof_switch(%s::oid[], %s::oid[])"


class CloneIndexes:
    """Adds indexes to a clone and switches them. ends: lowest and highest values of columns; nodes: numbers for files of our own."""

    def __init__(self, server: Server, ends: Ends, nodes: "itertools.count[int]") -> None:
        self._server = server
        self._ends = ends
        self._nodes = nodes
        self._names = itertools.count(1)
        self._leaves: dict[str, tuple[_Leaf, ...]] = {}
        self._owners: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._leading: dict[str, frozenset[str]] = {}
        self._parts: dict[tuple[str, str], tuple[list[int], list[tuple[str, str]]]] = {}
        self._hollowed: dict[int, _Heap] = {}
        self._new: list[int] = []
        self._aside: set[int] = set()
        """Existing indexes that are switched off while others are added."""
        self._existing: dict[str, tuple[int, ...]] = {}
        self._on: frozenset[str] = frozenset()
        self._off: frozenset[int] = frozenset()
        self._certain = True

    def connect(self, root: Connection, owner: Connection) -> None:
        """Work over these connections: of the superuser, for catalogs, and of the tables' owner, for CREATE INDEX."""
        self._root, self._owner = root, owner
        prepare(root)
        ((self._database,),) = self._rows("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
        # After a crash nobody knows whether the last change came through.
        self._certain = not self._leaves and not self._existing
        self._drop_unknown()
        self._fill()

    def add(self, schema: str, table: str, method: str, definition: Callable[[str], str], size: Size) -> str:
        """Make an index known, switched off, and return its handle, the name it has in plans.

        definition: CREATE INDEX of that name. Raises StatementError when PostgreSQL refuses it.
        """
        handle = f"{PREFIX}{next(self._names)}"
        tables, heaps = self._tables(schema, table)
        sizes: dict[tuple[str, str], HypotheticalSize] = {}

        def sized(place: tuple[str, str]) -> HypotheticalSize:
            if place not in sizes:
                sizes[place] = size(*place)
            return sizes[place]

        for place in heaps:
            sized(place)  # may plan statements, for which the tables must be whole
        self._hollow(tables)
        if len(tables) > 1:
            self._set_aside(tables)
        try:
            with self._owner.cursor() as cursor:
                cursor.execute(definition(handle))
        except psycopg2.Error as error:
            if self._owner.closed:
                raise
            raise StatementError(f"PostgreSQL refuses the index ({error.pgcode}): {server_message(error)}") from None
        leaves: list[_Leaf] = []
        pages = 0
        for oid, name, heap, heap_schema, heap_name, kind, ranges in self._rows(
            "EXECUTE queryproof_leaves(%s)", quote_qualified(schema, handle)
        ):
            leaves.append(_Leaf(oid, heap, name))
            if kind == "i":
                one = sized((heap_schema, heap_name))
                self._resize(oid, heap, method, ranges, one)
                pages += max(1, one.pages)
        self._new += [leaf.oid for leaf in leaves]
        self._leaves[handle] = tuple(leaves)
        self._owners |= {leaf.name: handle for leaf in leaves}
        self._sizes[handle] = pages * 8192
        return handle

    def size_bytes(self, handle: str) -> int:
        """Estimated size of an added index."""
        return self._sizes[handle]

    def handle_of(self, name: str) -> str | None:
        """The handle that an index's name in a plan belongs to, None for an index of the source."""
        return self._owners.get(name)

    def leading_columns(self, name: str) -> frozenset[str]:
        """Columns that the first key of the index of that name in a plan is made of; none when there is no such index.

        Expressions are printed in more than one way (`name::text`, `(name)::text`): what they name is the same in all."""
        if name not in self._leading:
            rows = self._rows(LEADING, name)
            self._leading[name] = frozenset(rows[0][1]) & names_in(str(rows[0][0])) if rows else frozenset()
        return self._leading[name]

    def qualified(self, name: str) -> list[str]:
        """`schema.name` of every index of that name."""
        rows = self._rows(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = %s AND c.relkind IN ('i', 'I')",
            name,
        )
        return [str(one) for (one,) in rows]

    def switch(self, handles: Collection[str], without: Collection[str], indifferent: Collection[str] = ()) -> None:
        """Let the planner see exactly these hypothetical indexes, and all existing ones but these (schema.name).

        indifferent: hypothetical ones that may stay on, since a switch is not free.
        """
        self._fill()
        wanted, hidden = frozenset(handles), frozenset(oid for name in without for oid in self._oids(name))
        if self._certain:
            started = wanted - self._on
            ended = [one for one in self._on - wanted if one not in indifferent]
            on = {*self._oids_of(started), *(self._off - hidden)}
            off = {*self._oids_of(ended), *(hidden - self._off)}
            wanted = (self._on | wanted).difference(ended)
        else:
            existing = frozenset(oid for oids in self._existing.values() for oid in oids)
            on = {*self._oids_of(wanted), *(existing - hidden)}
            off = {*self._oids_of(self._leaves.keys() - wanted), *hidden}
        if on or off:
            self._run(_SWITCH, (list(on), list(off)))
        self._on, self._off, self._certain = wanted, hidden, True

    def _drop_unknown(self) -> None:
        """Drop indexes whose making came through as the connection was lost: every plan would use them, and nobody knows them."""
        known = {leaf.oid for leaves in self._leaves.values() for leaf in leaves}
        for oid, schema, name in self._rows(MADE, PREFIX):
            if oid not in known:
                with self._owner.cursor() as cursor:
                    cursor.execute(f"DROP INDEX {quote_qualified(schema, name)}")

    def _oids_of(self, handles: Collection[str]) -> Iterator[int]:
        return (leaf.oid for handle in handles for leaf in self._leaves[handle])

    def _tables(self, schema: str, table: str) -> tuple[list[int], list[tuple[str, str]]]:
        """Oids of the table and all its partitions; schema and name of those that hold rows."""
        if (schema, table) not in self._parts:
            oids = [oid for (oid,) in self._rows("EXECUTE queryproof_tables(%s, %s)", schema, table)]
            if not oids:
                raise StatementError(f"the clone has no table {schema}.{table}")
            heaps = [(place[0], place[1]) for place in self._rows("EXECUTE queryproof_heaps(%s::oid[])", oids)]
            self._parts[schema, table] = (oids, heaps)
        return self._parts[schema, table]

    def _hollow(self, tables: Collection[int]) -> None:
        """Point these tables to an empty file, so that CREATE INDEX reads nothing; `_fill` puts the long ones back."""
        wanted = [oid for oid in tables if oid not in self._hollowed]
        for oid, *figures in self._rows(FIGURES, wanted) if wanted else ():
            node = next(self._nodes)
            write_relation(self._path(node), 0, [], self._server.owner)
            self._hollowed[oid] = _Heap(*figures)
            self._run("UPDATE pg_class SET relfilenode = %s WHERE oid = %s", (node, oid))

    def _set_aside(self, tables: Sequence[int]) -> None:
        """Hide indexes that partitions have for themselves: CREATE INDEX on the whole would make equal ones its own."""
        alone = [oid for (oid,) in self._rows("EXECUTE queryproof_alone(%s::oid[])", tables)]
        if alone:
            self._run(_SWITCH, ([], alone))
            self._aside.update(alone)

    def _fill(self) -> None:
        """Make the clone whole after indexes were added: tables get their pages back, and the new indexes are switched off."""
        if self._new or self._aside:
            self._run(_SWITCH, (list(self._aside.difference(self._new)), self._new))
            self._new, self._aside = [], set()
        for oid, heap in self._hollowed.items():
            # Up to 17 CREATE INDEX sets the table's figures to what it found: nothing.
            self._run(
                "UPDATE pg_class SET relfilenode = %s, relpages = %s, reltuples = %s, relallvisible = %s WHERE oid = %s",
                (heap.node, heap.pages, heap.tuples, heap.visible, oid),
            )
        self._hollowed = {}

    def _resize(self, oid: int, heap: int, method: str, ranges: int, size: HypotheticalSize) -> None:
        """Give an index its length, its metapage and its number of entries."""
        pages, first = max(1, size.pages), None
        if method == "btree" and pages > 1:
            ends = self._ends.entries(self._root, self._rows("EXECUTE queryproof_first_key(%s)", oid))
            # The planner follows an entry to the table's first page, which an empty table does not have.
            entries = ends.get(oid, []) if relation_pages(self._path(self._hollowed[heap].node)) else []
            first = btree_pages(min(size.level, pages - 2), entries)
        elif method == "gin":
            first = [gin_metapage(pages, gin_counters(pages))]
        elif method == "brin":
            first = [brin_metapage(relation_pages(self._path(self._hollowed[heap].node)), ranges)]
        node = None
        if first is not None:
            node = next(self._nodes)
            write_relation(self._path(node), pages, first, self._server.owner)
        else:
            ((path,),) = self._rows("SELECT pg_relation_filepath(%s::oid)", oid)
            extend(self._server.data / path, pages)
        self._run(
            "EXECUTE queryproof_resize(%s, %s, %s, %s)",
            (pages, size.tuples if size.tuples is not None else self._hollowed[heap].tuples, node, oid),
        )

    def _oids(self, name: str) -> tuple[int, ...]:
        if name not in self._existing:
            found = tuple(oid for (oid,) in self._rows(EXISTING, name))
            if not found:
                raise StatementError(f"the clone has no index {name}")
            self._existing[name] = found
        return self._existing[name]

    def _path(self, node: int) -> Path:
        return self._server.data / "base" / str(self._database) / str(node)

    def _run(self, sql: str, values: Any) -> None:
        with self._root.cursor() as cursor:
            cursor.execute(sql, values)

    def _rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        with self._root.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()
