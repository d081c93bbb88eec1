"""A clone's tables, with what their source counted: rows, rows written, scans."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from psycopg2.extensions import connection as Connection

from ..schema import Partition, Schema, Table
from .catalog import read_schema
from .clone_file import ForeignPart, Manifest, Relation


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
        parts = _with_foreign((table.schema, table.name), table.parts, manifest.foreign_parts)
        table = replace(table, indexes=indexes, parts=parts)
        tables.append(_counted(table, one) if one is not None else table)
    # What the clone has installed for trials is not there yet: who takes such an index must create the extension first.
    extensions = tuple(sorted(one.name for one in manifest.extensions))
    return replace(
        schema, tables=tuple(tables), server_version=manifest.server_version, extensions=extensions,
        counted_days=manifest.counted_days,
    )  # fmt: skip


def _with_foreign(
    whole: tuple[str, str], parts: tuple[Partition, ...], foreign: Sequence[ForeignPart]
) -> tuple[Partition, ...]:
    """The parts of a table as the source has them: foreign tables are not in the clone."""
    below = [replace(one, parts=_with_foreign((one.schema, one.name), one.parts, foreign)) for one in parts]
    missing = [one for one in foreign if (one.whole_schema, one.whole) == whole]
    return (*below, *(Partition(one.schema, one.name, foreign=True) for one in missing))


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
