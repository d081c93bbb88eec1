"""A hollow clone: a database with the schema, the statistics and the sizes of another one, and none of its rows.

The planner decides by statistics and file sizes alone, so it plans here as it would there, whatever the size, and an index
that exists in the catalog only costs milliseconds. Statements are planned, never run.
"""

import itertools
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import Plan, PlanNode
from ..schema import Schema
from ..sql.guard import single_statement_kind
from ..sql.identifier import quote_qualified
from .binaries import find_binaries, find_major
from .catalog import read_schema
from .clone_columns import fill_columns
from .clone_extended import fill_extended
from .clone_file import CloneFile, LeftOut
from .clone_pages import brin_metapage, btree_pages, extend, gin_counters, gin_metapage, write_relation
from .clone_restore import SCHEMA, create_clone_database, restore_schema, superuser
from .clone_settings import fill_settings
from .clone_sizes import FIRST_NODE, fill_sizes
from .connect import connect
from .plan_reader import read_plan
from .server import Server

DATABASE = "clone"
PREFIX = "queryproof_hypothetical_"
STATEMENT_TIMEOUT_MS = 20_000


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


class HollowClone:
    """Context manager: starts a server, builds the clone, and removes both at the end.

    binaries: of the source's own major where they can be found (in `programs`, $QUERYPROOF_PG_BIN, or installed), else those
    that would be used anyway. role: of the source, whose settings statements are planned with.
    Raises ServerError when the source is newer than the programs, or the clone cannot be built at all.
    """

    def __init__(self, clone: CloneFile, *, programs: Path | None = None, role: str | None = None) -> None:
        self.file = clone
        self.left_out: tuple[LeftOut, ...] = ()
        major = clone.manifest.major
        binaries = find_major(major, programs) or find_binaries()
        if binaries.major < major:
            raise ServerError(
                f"the clone is of PostgreSQL {major}, and the programs here are of {binaries.version}: "
                f"install PostgreSQL {major}, or name its bin directory"
            )
        self._server = Server(binaries, hollow=True)
        self._role = role
        self._nodes = itertools.count(FIRST_NODE)
        self._names = itertools.count(1)
        self._leaves: dict[str, tuple[_Leaf, ...]] = {}
        self._owners: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._on: frozenset[int] = frozenset()
        self._off: frozenset[int] = frozenset()
        self._hollowed: dict[int, tuple[int, int, float, int]] = {}

    def __enter__(self) -> Self:
        try:
            self._server.start()
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def same_major(self) -> bool:
        """Whether the clone's planner is of the source's own major version."""
        return self._server.binaries.major == self.file.manifest.major

    @property
    def kind(self) -> str:
        """`hollow clone of PostgreSQL 15.18 on 18.6`."""
        return f"hollow clone of PostgreSQL {self.file.manifest.version} on {self._server.version}"

    @property
    def url(self) -> str:
        """URL of the clone for its owner, a role without rights beyond it. Statements may be planned there and never run."""
        return self._server.url(DATABASE, "app")

    def close(self) -> None:
        """Stop the server and delete it; harmless when repeated."""
        for name in ("_root", "_owner", "_planner"):
            connection = getattr(self, name, None)
            if connection is not None and not connection.closed:
                connection.close()
        self._server.stop()

    def schema(self) -> Schema:
        """The clone's tables, with the write counters of the source."""
        schema = read_schema(self._owner)
        written = {
            (one.schema, one.name): one.inserted + one.updated + one.deleted for one in self.file.manifest.relations
        }
        tables = (replace(table, writes=written.get((table.schema, table.name), 0)) for table in schema.tables)
        return replace(schema, tables=tuple(tables), server_version=self.file.manifest.server_version)

    def add(self, schema: str, table: str, method: str, definition: Callable[[str], str], size: Size) -> str:
        """Make an index known, switched off, and return its handle, the name it has in plans.

        definition: CREATE INDEX of that name. Raises StatementError when PostgreSQL refuses it.
        """
        handle = f"{PREFIX}{next(self._names)}"
        tables = self._tables_of(schema, table)
        if not tables:
            raise StatementError(f"the clone has no table {schema}.{table}")
        self._hollow(tables)
        try:
            with self._owner.cursor() as cursor:
                cursor.execute(definition(handle))
        except psycopg2.Error as error:
            raise StatementError(
                f"PostgreSQL refuses the index ({error.pgcode}): {(error.diag.message_primary or '').strip()}"
            ) from None
        with self._root.cursor() as cursor:
            cursor.execute(_LEAVES, (quote_qualified(schema, handle),))
            rows = cursor.fetchall()
            leaves = []
            total = 0
            for oid, name, heap, heap_schema, heap_name, kind, ranges in rows:
                leaves.append(_Leaf(oid, heap, name))
                if kind == "i":
                    total += self._give_size(oid, heap, method, ranges, size(heap_schema, heap_name))
            cursor.execute(
                "UPDATE pg_index SET indislive = false, indisvalid = false WHERE indexrelid = ANY(%s::oid[])",
                ([leaf.oid for leaf in leaves],),
            )
        self._leaves[handle] = tuple(leaves)
        self._owners |= {leaf.name: handle for leaf in leaves}
        self._sizes[handle] = total * 8192
        return handle

    def size_bytes(self, handle: str) -> int:
        """Estimated size of an added index."""
        return self._sizes[handle]

    def handle_of(self, name: str) -> str | None:
        """The handle that an index's name in a plan belongs to, None for an index of the source."""
        return self._owners.get(name)

    def plan(self, sql: str, handles: Collection[str] = (), without: Collection[str] = ()) -> Plan:
        """The plan with just these indexes switched on, and the named existing ones (schema.name) switched off.

        Raises StatementError when the statement cannot be planned.
        """
        plan = read_plan(self.explain(sql, handles, without, json=True))
        partitions = {
            leaf.name: handle for handle in handles for leaf in self._leaves[handle] if len(self._leaves[handle]) > 1
        }
        return replace(plan, root=_renamed(plan.root, partitions)) if partitions else plan

    def explain(
        self, sql: str, handles: Collection[str] = (), without: Collection[str] = (), *, json: bool = False
    ) -> str:
        """EXPLAIN's own text, or JSON, with those indexes."""
        reason = _why_not(sql)
        if reason:
            raise StatementError(reason)
        self._fill()
        self._switch(handles, without)
        try:
            with self._planner.cursor() as cursor:
                cursor.execute(f"SELECT {SCHEMA}.explain_{'json' if json else 'text'}(%s)", (sql,))
                return str((cursor.fetchone() or ("",))[0])
        except psycopg2.Error as error:
            raise StatementError(
                f"PostgreSQL says {error.pgcode}: {(error.diag.message_primary or 'the connection was lost').strip()}"
            ) from None

    def _build(self) -> None:
        notes = [*self.file.manifest.left_out]
        notes += create_clone_database(self._server, self.file, DATABASE)
        notes += restore_schema(self._server, self.file, DATABASE)
        with _closing(superuser(self._server, DATABASE)) as root:
            notes += fill_settings(root, DATABASE, self.file.manifest, self._role)
        self._root = superuser(self._server, DATABASE)
        self._owner = connect(self.url)
        notes += fill_columns(self._owner, self._root, self.file.statistics.columns)
        notes += fill_extended(self._owner, self._root, self.file.statistics.extended)
        fill_sizes(self._server, self._root, self.file, self._nodes)
        self._owner.close()
        self._connect()
        self.left_out = tuple(notes)
        with self._root.cursor() as cursor:
            cursor.execute("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
            ((self._database,),) = cursor.fetchall()

    def _connect(self) -> None:
        self._owner, self._planner = connect(self.url), connect(self.url)
        with self._owner.cursor() as cursor:
            # Operator classes of extensions that the source lacks are found last.
            cursor.execute(
                "SELECT set_config('search_path', current_setting('search_path') || ', ' || %s, false)", (SCHEMA,)
            )
        with self._planner.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(STATEMENT_TIMEOUT_MS),))

    def _tables_of(self, schema: str, table: str) -> list[int]:
        with self._root.cursor() as cursor:
            cursor.execute(_TABLES, (schema, table))
            return [oid for (oid,) in cursor.fetchall()]

    def _hollow(self, tables: Collection[int]) -> None:
        """Point these tables to an empty file, so that CREATE INDEX reads nothing; `_fill` puts the long ones back."""
        wanted = [oid for oid in tables if oid not in self._hollowed]
        if not wanted:
            return
        with self._root.cursor() as cursor:
            cursor.execute(
                "SELECT oid::bigint, relfilenode::bigint, relpages, reltuples, relallvisible FROM pg_class"
                " WHERE oid = ANY(%s::oid[]) AND relkind IN ('r', 'm')",
                (wanted,),
            )
            rows = cursor.fetchall()
            for oid, *figures in rows:
                node = next(self._nodes)
                write_relation(self._path(node), 0, [], self._server.owner)
                cursor.execute("UPDATE pg_class SET relfilenode = %s WHERE oid = %s", (node, oid))
                self._hollowed[oid] = tuple(figures)

    def _fill(self) -> None:
        if not self._hollowed:
            return
        with self._root.cursor() as cursor:
            for oid, (node, pages, tuples, visible) in self._hollowed.items():
                # Up to 17 CREATE INDEX sets the table's figures to what it found: nothing.
                cursor.execute(
                    "UPDATE pg_class SET relfilenode = %s, relpages = %s, reltuples = %s, relallvisible = %s WHERE oid = %s",
                    (node, pages, tuples, visible, oid),
                )
        self._hollowed = {}

    def _give_size(self, oid: int, heap: int, method: str, ranges: int, size: HypotheticalSize) -> int:
        pages = max(1, size.pages)
        first: list[bytes] | None = None
        if method == "btree":
            first = btree_pages(min(size.level, pages - 2)) if pages > 1 else None
        elif method == "gin":
            first = [gin_metapage(pages, gin_counters(pages))]
        elif method == "brin":
            first = [brin_metapage(self._heap_pages(heap), ranges)]
        node = None
        if first is not None:
            node = next(self._nodes)
            write_relation(self._path(node), pages, first, self._server.owner)
        with self._root.cursor() as cursor:
            if node is None:
                cursor.execute("SELECT pg_relation_filepath(%s::oid)", (oid,))
                ((path,),) = cursor.fetchall()
                extend(self._server.data / path, pages)
            cursor.execute(
                "UPDATE pg_class SET relpages = %s, reltuples = COALESCE(%s, %s),"
                " relfilenode = COALESCE(%s, relfilenode) WHERE oid = %s",
                (pages, size.tuples, self._hollowed[heap][2], node, oid),
            )
        return pages

    def _heap_pages(self, heap: int) -> int:
        node = self._hollowed[heap][0]
        pages = 0
        while self._path(node).with_name(f"{node}.{pages // 131_072}" if pages else str(node)).exists():
            part = self._path(node).with_name(f"{node}.{pages // 131_072}" if pages else str(node))
            length = part.stat().st_size // 8192
            pages += length
            if length < 131_072:
                break
        return pages

    def _switch(self, handles: Collection[str], without: Collection[str]) -> None:
        """Make exactly these hypothetical indexes visible to the planner, and these existing ones invisible."""
        wanted = frozenset(leaf.oid for handle in handles for leaf in self._leaves[handle])
        hidden = frozenset(oid for name in without for oid in self._existing(name))
        on = (wanted - self._on) | (self._off - hidden)
        off = (self._on - wanted) | (hidden - self._off)
        if not on and not off:
            return
        with self._root.cursor() as cursor:
            # The planner opens invalid indexes to see that they are; dead ones it does not even open. Their table's own
            # row is touched so that every session forgets its list of indexes.
            cursor.execute(
                "WITH changed AS (UPDATE pg_index SET indislive = indexrelid = ANY(%(on)s::oid[]),"
                " indisvalid = indexrelid = ANY(%(on)s::oid[])"
                " WHERE indexrelid = ANY(%(on)s::oid[] || %(off)s::oid[]) RETURNING indrelid)"
                " UPDATE pg_class SET relnatts = relnatts WHERE oid IN (SELECT indrelid FROM changed)",
                {"on": list(on), "off": list(off)},
            )
        self._on, self._off = wanted, hidden

    def _existing(self, name: str) -> list[int]:
        with self._root.cursor() as cursor:
            cursor.execute(_EXISTING, (name,))
            rows = [oid for (oid,) in cursor.fetchall()]
        if not rows:
            raise StatementError(f"the clone has no index {name}")
        return rows

    def _path(self, node: int) -> Path:
        return self._server.data / "base" / str(self._database) / str(node)


_TABLES = """
WITH RECURSIVE found AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'm')
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
  WHERE c.relispartition)
SELECT oid::bigint FROM found
"""
_LEAVES = """
WITH RECURSIVE found AS (
  SELECT %s::regclass::oid AS oid
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent)
SELECT c.oid::bigint, c.relname, x.indrelid::bigint, n.nspname, t.relname, c.relkind::text,
       COALESCE((SELECT o.option_value::int FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'pages_per_range'), 128)
FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_index x ON x.indexrelid = c.oid
JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
"""
_EXISTING = """
WITH RECURSIVE found AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname || '.' || c.relname = %s AND c.relkind IN ('i', 'I')
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent)
SELECT oid::bigint FROM found
"""


@lru_cache(maxsize=4096)
def _why_not(sql: str) -> str:
    verdict = single_statement_kind(sql)
    return "" if verdict.explainable else verdict.reason


def _renamed(node: PlanNode, names: dict[str, str]) -> PlanNode:
    return replace(
        node,
        index=names.get(node.index, node.index) if node.index is not None else None,
        children=tuple(_renamed(child, names) for child in node.children),
    )


@contextmanager
def _closing(connection: Connection) -> Iterator[Connection]:
    try:
        yield connection
    finally:
        connection.close()
