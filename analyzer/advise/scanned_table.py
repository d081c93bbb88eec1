"""From a node of a plan to the table that an index would stand on, and what the statement asks of it."""

import re

from ..plan import PlanNode
from ..schema import Schema, Table
from ..sql.statement import Statement, TableScan

_NUMBERED = re.compile(r"_\d+$")


def scanned_table(node: PlanNode, statement: Statement, schema: Schema) -> tuple[Table, tuple[TableScan, ...]] | None:
    """The table and the statement's scans of it; None where the node reads no table of the schema.

    A plan names tables without their schema, and reads partitions and inheriting tables under numbered aliases: the
    statement says which table was meant. Of a partition read through its partitioned table it is the latter, since one index
    there serves all; an inheriting table needs an index of its own.
    """
    if node.relation is None:
        return None
    named = [scan for scan in statement.scans if node.alias in (scan.alias, scan.table)]
    numbered = [scan for scan in statement.scans if scan.alias == _NUMBERED.sub("", node.alias or "")]
    same_table = [scan for scan in statement.scans if scan.table == node.relation]
    for scan in (*named, *numbered, *same_table):
        table = schema.table(scan.table, scan.schema)
        if table is None:
            continue
        if table.name == node.relation:
            return table, _scans_of(table, statement, schema)
        if any(name == node.relation for name, _ in _parts(table, schema)):
            return table, _scans_of(table, statement, schema)
    for scan in (*named, *numbered):
        heir = _only(node, schema)
        if heir is not None and heir.name != scan.table:
            return heir, (scan,)
    found = _only(node, schema)
    return (found, _scans_of(found, statement, schema)) if found is not None else None


def table_rows(table: Table, schema: Schema) -> float | None:
    """Rows of the table, of a partitioned one those of its parts together; None where nothing is known."""
    if not table.partitions:
        return table.rows
    known = [schema.table(name, place) for place, name in table.partitions]
    counts = [table_rows(one, schema) for one in known if one is not None]
    return sum(count for count in counts if count is not None) if any(count is not None for count in counts) else None


def read_table(node: PlanNode, table: Table, schema: Schema) -> Table:
    """What the node itself reads: the table, or the part of it that the node names."""
    if node.relation == table.name:
        return table
    places = {(place, name) for name, place in _parts(table, schema) if name == node.relation}
    return next((one for one in schema.tables if (one.schema, one.name) in places), table)


def _scans_of(table: Table, statement: Statement, schema: Schema) -> tuple[TableScan, ...]:
    return tuple(scan for scan in statement.scans if schema.table(scan.table, scan.schema) is table)


def _only(node: PlanNode, schema: Schema) -> Table | None:
    """By schema and name, along the search path, or the only one of that name."""
    found = schema.table(node.relation or "", node.schema)
    if found is not None:
        return found
    matches = [table for table in schema.tables if table.name == node.relation]
    return matches[0] if len(matches) == 1 else None


def _parts(table: Table, schema: Schema) -> frozenset[tuple[str, str]]:
    """(name, schema) of every part below a partitioned table."""
    found = {(name, place) for place, name in table.partitions}
    for place, name in table.partitions:
        part = schema.table(name, place)
        if part is not None:
            found |= _parts(part, schema)
    return frozenset(found)
