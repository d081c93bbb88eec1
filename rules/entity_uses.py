"""What became of the instances of each query line, over the whole recording and all its processes (recorded by --deep)."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..analyzer.query import CallSite, EntityUse, OrmLoad
from ..analyzer.schema import Column, Table
from ..analyzer.workload import Execution
from .recorded import Recorded


@dataclass(frozen=True, slots=True)
class UseAtQuery:
    """`use` is added up over processes. queries: executions of the query line; loads: those of the loaders that have filled
    this path. load: what the ORM said of the query."""

    use: EntityUse
    queries: tuple[Execution, ...]
    loads: tuple[Execution, ...]
    load: OrmLoad


def entity_uses(recorded: Recorded) -> list[UseAtQuery]:
    """Uses whose query is recorded too, by place and path."""
    queries: defaultdict[CallSite, list[Execution]] = defaultdict(list)
    eager: defaultdict[tuple[CallSite, tuple[str, ...]], list[Execution]] = defaultdict(list)
    for one in recorded.executions:
        if one.orm is None:
            continue
        if one.orm.kind in ("query", "get") and one.call_site is not None:
            queries[one.call_site].append(one)
        elif one.orm.kind == "eager" and one.orm.origin is not None:
            eager[one.orm.origin, one.orm.path].append(one)
    found: dict[tuple[object, ...], EntityUse] = {}
    for use in recorded.case.workload.uses:
        key = (use.origin, use.entity, use.path)
        found[key] = _added(found[key], use) if key in found else use
    result = []
    for use in found.values():
        root = use.path[0].rpartition(".")[0] if use.path else use.entity
        at = queries.get(use.origin, [])
        # A line of a generic repository asks for many classes; a path may begin at a subclass or a base of the root.
        at = [one for one in at if one.orm is not None and one.orm.root == root] or at
        if at and at[0].orm is not None:
            result.append(UseAtQuery(use, tuple(at), tuple(eager.get((use.origin, use.path), ())), at[0].orm))
    return sorted(result, key=lambda one: (one.use.origin, one.use.path, one.use.entity))


def table_of(one: UseAtQuery, recorded: Recorded) -> Table | None:
    """The table that the entity's columns come from, where a database is at hand and its columns have the attributes' names."""
    schema = recorded.case.schema
    if schema is None:
        return None
    for execution in (*(one.loads[:1] or one.queries[:1]),):
        statement = recorded.statement(execution)
        for scan in statement.scans if statement is not None else ():
            table = schema.table(scan.table, scan.schema)
            if table is not None and {column.name for column in table.columns} >= set(one.use.loaded):
                return table
    return None


def width(columns: Sequence[Column]) -> int | None:
    """Bytes of these columns in an average row; None before the table's first ANALYZE."""
    widths = [column.average_width for column in columns]
    return None if None in widths else sum(one or 0 for one in widths)


def _added(one: EntityUse, other: EntityUse) -> EntityUse:
    loaded: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for name, times, reads in (*one.relationships, *other.relationships):
        loaded[name] += times
        read[name] += reads
    return EntityUse(
        "", one.origin, one.entity, one.path, one.executions + other.executions, one.instances + other.instances,
        one.touched + other.touched, tuple(sorted({*one.loaded, *other.loaded})), tuple(sorted({*one.read, *other.read})),
        tuple((name, loaded[name], read[name]) for name in sorted(loaded)),
    )  # fmt: skip
