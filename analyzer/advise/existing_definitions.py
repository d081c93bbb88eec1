"""What made an existing index, in PostgreSQL's own words."""

from collections.abc import Callable, Sequence

from psycopg2.extensions import connection as Connection

from .selection_types import DroppedIndex


def existing_definitions(
    reopen: Callable[[], Connection], dropped: Sequence[DroppedIndex]
) -> dict[tuple[str, str], str]:
    """CREATE INDEX by schema and name of the index."""
    found: dict[tuple[str, str], str] = {}
    if not dropped:
        return found
    with reopen().cursor() as cursor:
        for one in dropped:
            cursor.execute(
                "SELECT pg_catalog.pg_get_indexdef(c.oid) FROM pg_catalog.pg_class c"
                " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('i', 'I')",
                (one.schema, one.name),
            )
            row = cursor.fetchone()
            if row is not None:
                found[one.schema, one.name] = str(row[0])
    return found
