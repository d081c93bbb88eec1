"""A clone's tables, with what their source counted: rows, rows written, scans."""

from collections.abc import Callable
from dataclasses import replace

from psycopg2.extensions import connection as Connection

from ..schema import Schema, Table
from .catalog import read_schema
from .clone_file import Manifest, Relation


def clone_schema(connection: Connection, manifest: Manifest, tried: Callable[[str], bool]) -> Schema:
    """As the source has them. tried: whether an index of that name is one of ours, which the source does not have."""
    schema = read_schema(connection)
    counted = {(one.schema, one.name): one for one in manifest.relations}
    tables = []
    for table in schema.tables:
        indexes = tuple(
            replace(index, scans=own.scans if (own := counted.get((table.schema, index.name))) else None)
            for index in table.indexes
            if not tried(index.name)
        )
        one = counted.get((table.schema, table.name))
        table = replace(table, indexes=indexes)
        tables.append(_counted(table, one) if one is not None else table)
    # What the clone has installed for trials is not there yet: who takes such an index must create the extension first.
    extensions = tuple(sorted(one.name for one in manifest.extensions))
    return replace(
        schema, tables=tuple(tables), server_version=manifest.server_version, extensions=extensions,
        counted_days=manifest.counted_days,
    )  # fmt: skip


def _counted(table: Table, relation: Relation) -> Table:
    written = relation.inserted + relation.updated + relation.deleted
    return _grown(replace(table, writes=written, updates=relation.updated, hot_updates=relation.hot_updated), relation)


def _grown(table: Table, relation: Relation) -> Table:
    """The table at its present length, its rows as dense as when they were last counted, as the planner takes it too."""
    if relation.kind == "p":
        return table
    rows = table.rows
    if rows is not None and relation.pages != relation.blocks:
        # Counted when it was empty: how dense its rows are is not known.
        rows = rows * relation.blocks / relation.pages if relation.pages else None
    columns = tuple(
        replace(one, distinct=-one.ndistinct_ratio * rows)
        if rows is not None and one.ndistinct_ratio is not None and one.ndistinct_ratio < 0
        else one
        for one in table.columns
    )
    return replace(table, rows=rows, pages=relation.blocks, size_bytes=relation.blocks * 8192, columns=columns)
