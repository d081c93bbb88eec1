"""What became of the instances of each query line, over the whole recording and all its processes (recorded by --deep)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
    for use in _with_subclasses(found.values(), queries):
        root = use.path[0].rpartition(".")[0] if use.path else use.entity
        at = queries.get(use.origin, [])
        # A line of a generic repository asks for many classes; a path may begin at a subclass or a base of the root.
        at = [one for one in at if one.orm is not None and one.orm.root == root] or at
        if at and at[0].orm is not None:
            result.append(UseAtQuery(use, tuple(at), tuple(eager.get((use.origin, use.path), ())), at[0].orm))
    return sorted(result, key=lambda one: (one.use.origin, one.use.path, one.use.entity))


def _with_subclasses(uses: Iterable[EntityUse], queries: Mapping[CallSite, Sequence[Execution]]) -> Iterator[EntityUse]:
    """Uses with those of the subclasses added: what is loaded for a Person and read of a Teacher is not loaded in vain.

    The class that a query asks for stands for its subclasses too. Further down the path no class is known to be the base of the
    others: none of their columns count as loaded.
    """
    together: defaultdict[tuple[CallSite, tuple[str, ...]], list[EntityUse]] = defaultdict(list)
    for use in uses:
        together[use.origin, use.path].append(use)
    for (origin, path), alike in together.items():
        asked = queries.get(origin, ()) if not path else ()
        roots = {one.orm.root for one in asked if one.orm is not None and one.orm.root is not None}
        # A line of a generic repository asks for many classes: each of these is its own.
        own = [use for use in alike if use.entity in roots]
        others = [use for use in alike if use.entity not in roots]
        if len(own) > 1:
            yield from own if not others else (_read_too(use, others) for use in own)
        elif len(alike) == 1:
            yield alike[0]
        else:
            first = own[0] if own else min(alike, key=lambda use: use.entity)
            rest = [use for use in alike if use is not first]
            if not own:
                common = set(first.loaded).intersection(*(use.loaded for use in rest)) if len(roots) == 1 else ()
                first = replace(
                    first, entity=min(roots) if len(roots) == 1 else first.entity, loaded=tuple(sorted(common))
                )
            yield _all_of(first, rest)


def _all_of(first: EntityUse, others: Sequence[EntityUse]) -> EntityUse:
    total = first
    for one in others:
        total = replace(_added(total, one), executions=max(total.executions, one.executions), loaded=first.loaded)
    return total


def _read_too(use: EntityUse, others: Sequence[EntityUse]) -> EntityUse:
    """What the others have read counts as read; their numbers do not."""
    total = _all_of(use, others)
    read = {name: reads for name, _, reads in total.relationships}
    relationships = tuple((name, loaded, read[name]) for name, loaded, _ in use.relationships)
    return replace(use, read=total.read, relationships=relationships)


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
