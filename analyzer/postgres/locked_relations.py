"""Tables that another session keeps from being read, found without waiting for them."""

import time
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from .user_schemas import USER_SCHEMAS

POLL_S = 0.05

# Who asks for the lock next queues behind one that waits for it, too. A view's definition is read under locks of all that it
# names; a table is locked together with its partitions and heirs, which in turn are nothing without it.
_LOCKED = f"""
WITH RECURSIVE held AS (
  SELECT DISTINCT c.oid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND c.relkind IN ('r', 'p', 'm', 'v')),
found AS (
  SELECT oid FROM held
  UNION SELECT next.oid FROM found f CROSS JOIN LATERAL (
    SELECT r.ev_class FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = f.oid
      AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    UNION ALL SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = f.oid
    UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = f.oid
  ) AS next(oid))
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), c.oid IN (SELECT oid FROM held)
FROM found f JOIN pg_catalog.pg_class c ON c.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {USER_SCHEMAS} ORDER BY 1, 2
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class LockedRelation:
    """view: it is a view. held: it is locked itself; else it reads something that is, or hangs together with it as a partition."""

    schema: str
    name: str
    view: bool
    held: bool


def locked_relations(connection: Connection, patience_s: float) -> tuple[LockedRelation, ...]:
    """What is locked in ACCESS EXCLUSIVE mode, or waits to be, and still is after that time; what cannot be read without it; and the
    views that read any of these."""
    end = time.monotonic() + patience_s
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LOCKED)
            found = tuple(LockedRelation(*row) for row in cursor.fetchall())
        if not found or time.monotonic() > end:
            return found
        time.sleep(POLL_S)
