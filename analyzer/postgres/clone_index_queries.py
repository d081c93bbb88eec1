"""What a hollow clone's catalogs are asked about its indexes: prepared, since planning these takes longer than running them."""

from psycopg2.extensions import connection as Connection

from .clone_ends import FIRST_KEYS

TABLES = """
WITH RECURSIVE found AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'm')
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
  WHERE c.relispartition)
SELECT oid::bigint FROM found
"""
LEAVES = """
WITH RECURSIVE found AS (
  SELECT $1::regclass::oid AS oid
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent)
SELECT c.oid::bigint, c.relname, x.indrelid::bigint, n.nspname, t.relname, c.relkind::text,
       COALESCE((SELECT o.option_value::int FROM pg_options_to_table(c.reloptions) o
                 WHERE o.option_name = 'pages_per_range'), 128)
FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_index x ON x.indexrelid = c.oid
JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
"""
EXISTING = """
WITH RECURSIVE found AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname || '.' || c.relname = %s AND c.relkind IN ('i', 'I')
  UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN found f ON f.oid = i.inhparent)
SELECT oid::bigint FROM found
"""
LEADING = """
SELECT pg_get_indexdef(c.oid, 1, true),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum > 0)
FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid WHERE c.relname = %s
"""
# Of a partitioned table's index the parts' own have other names, and go with it.
MADE = """
SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(c.relname, %s) AND c.relkind IN ('i', 'I')
"""
HEAPS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY($1::oid[]) AND c.relkind IN ('r', 'm')
"""
# Of partitions' indexes those that belong to no index of the whole.
ALONE = """
SELECT x.indexrelid::bigint FROM pg_index x
JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE x.indrelid = ANY($1::oid[]) AND t.relispartition AND NOT c.relispartition AND x.indislive AND x.indisvalid
"""
FIGURES = """
SELECT oid::bigint, relfilenode::bigint, relpages, reltuples, relallvisible FROM pg_class
WHERE oid = ANY(%s::oid[]) AND relkind IN ('r', 'm')
"""
# The planner opens invalid indexes to see that they are; dead ones it does not even open. Their table's own row is touched
# so that every session forgets its list of indexes.
SWITCH = """
WITH changed AS (
  UPDATE pg_index SET indislive = indexrelid = ANY($1), indisvalid = indexrelid = ANY($1)
  WHERE indexrelid = ANY($1 || $2) RETURNING indrelid)
UPDATE pg_class SET relnatts = relnatts WHERE oid IN (SELECT indrelid FROM changed)
"""
RESIZE = """
UPDATE pg_class SET relpages = $1, reltuples = $2, relfilenode = COALESCE($3::oid, relfilenode) WHERE oid = $4
"""

_PREPARED = {
    "tables(text, text)": TABLES,
    "heaps(oid[])": HEAPS,
    "alone(oid[])": ALONE,
    "leaves(regclass)": LEAVES,
    "first_key(oid)": f"{FIRST_KEYS} AND x.indexrelid = $1",
    "resize(int, real, bigint, oid)": RESIZE,
    "switch(oid[], oid[])": SWITCH,
}


def prepare(root: Connection) -> None:
    """Make `EXECUTE queryproof_…` of each known to the session."""
    with root.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        # Generic plans are made while the catalogs are small: they would read them in order when they have grown.
        cursor.execute("SET enable_seqscan = off")
        for name, query in _PREPARED.items():
            cursor.execute(f"PREPARE queryproof_{name} AS {query}")
