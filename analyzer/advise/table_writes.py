"""How often each table is written to: recorded INSERT, UPDATE and DELETE, else the server's counters at the workload's scale."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..postgres.clone_file import Relation
from ..schema import Schema, Table
from ..sql.placeholders import number_placeholders
from ..sql.statement import Statement
from ..sql.tree import TreeError, body, kind, parse_tree
from ..workload import QueryGroup, Workload
from .selection_types import TableWrites

MIN_SCANS = 1_000
"""Of a table, before its writes per scan mean anything: below it the counters mostly tell how it was filled."""
_Key = tuple[str, str]
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")


@dataclass(frozen=True, slots=True)
class _Counters:
    """Since the server's statistics were reset."""

    inserts: float
    updates: float
    deletes: float
    hot: float
    scans: float


def table_writes(
    schema: Schema, workload: Workload, statements: Mapping[str, Statement], counters: Sequence[Relation] = ()
) -> tuple[TableWrites, ...]:
    """One entry for each table that is written to. counters: of the source of a clone, which has none of its own.

    Recorded writes count where there are any: reads were recorded in the same interval. Elsewhere the server's writes per
    scan of the table are taken at the number of the workload's own calls. How many updates are HOT the server alone knows.
    """
    rows: defaultdict[_Key, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    columns: defaultdict[_Key, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    reads: defaultdict[_Key, float] = defaultdict(float)
    for group in workload.groups:
        statement = statements.get(group.fingerprint)
        if statement is None or statement.problem is not None:
            continue
        if statement.kind in _WRITES and (target := _target(group, schema)) is not None:
            count = float(group.rows if group.rows is not None else max(group.calls, 1))
            rows[target][statement.kind] += count
            for name in {name for scan in statement.scans for name in scan.written}:
                columns[target][name] += count
        for scan in statement.scans:
            if (table := schema.table(scan.table, scan.schema)) is not None:
                reads[table.schema, table.name] += max(group.calls, 1)
    known = _counters(schema, counters)
    found = []
    for table in schema.tables:
        key = (table.schema, table.name)
        entry = _recorded(table, rows[key], columns[key], known.get(key)) if key in rows else None
        entry = entry or _scaled(table, known.get(key), reads[key])
        if entry is not None:
            found.append(entry)
    return tuple(found)


def _target(group: QueryGroup, schema: Schema) -> _Key | None:
    """The table that the statement writes to."""
    try:
        tree = parse_tree(number_placeholders(group.text.replace("\0", " ")))
        relation = body(tree)["relation"]
    except (TreeError, KeyError):
        return None
    if not kind(tree).endswith("Stmt"):
        return None
    table = schema.table(relation["relname"], relation.get("schemaname"))
    return (table.schema, table.name) if table is not None else None


def _recorded(
    table: Table, rows: Mapping[str, float], columns: Mapping[str, float], counters: _Counters | None
) -> TableWrites:
    updates = rows.get("UPDATE", 0.0) + rows.get("MERGE", 0.0)
    hot = counters.hot / counters.updates if counters is not None and counters.updates else 0.0
    return TableWrites(
        table.schema, table.name, rows.get("INSERT", 0.0), updates, rows.get("DELETE", 0.0), hot * updates,
        tuple(sorted(columns.items())),
    )  # fmt: skip


def _scaled(table: Table, counters: _Counters | None, reads: float) -> TableWrites | None:
    if counters is None or not reads or counters.scans < MIN_SCANS:
        return None
    # Never more than was counted: a workload is a part of what the server has seen.
    scale = min(1.0, reads / counters.scans)
    if not counters.inserts + counters.updates + counters.deletes:
        return None
    return TableWrites(
        table.schema, table.name, counters.inserts * scale, counters.updates * scale, counters.deletes * scale,
        counters.hot * scale,
    )  # fmt: skip


def _counters(schema: Schema, relations: Sequence[Relation]) -> dict[_Key, _Counters]:
    if not relations:
        return {
            (one.schema, one.name): _Counters(
                float(max(0, one.writes - one.updates)), float(one.updates), 0.0, float(one.hot_updates), float(one.scans)
            )
            for one in schema.tables
        }  # fmt: skip
    scans: defaultdict[_Key, float] = defaultdict(float)
    for one in relations:
        scans[one.schema, one.table or one.name] += one.scans
    return {
        (one.schema, one.name): _Counters(
            float(one.inserted), float(one.updated), float(one.deleted), float(one.hot_updated),
            scans[one.schema, one.name],
        )
        for one in relations
        if one.table is None
    }  # fmt: skip
