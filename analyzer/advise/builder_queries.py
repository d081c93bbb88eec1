"""What the server is asked about trial indexes."""

BACKEND = """
SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()
"""
END = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE pid = %s AND backend_start::text = %s AND usename = session_user
"""
LEFT_BEHIND = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
WHERE c.relname ~ %s AND NOT c.relispartition AND pg_catalog.pg_has_role(t.relowner, 'USAGE')
ORDER BY 1, 2
"""
UNATTACHED = """
SELECT FROM pg_catalog.pg_partition_tree(%s::regclass) p
JOIN pg_catalog.pg_index x ON x.indrelid = p.relid AND p.level > 0
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
WHERE NOT c.relispartition LIMIT 1
"""
# What the planner asks of an index that was built while rows of older updates could still be seen.
HELD_BACK = """
SELECT FROM pg_catalog.pg_index x, pg_catalog.txid_current_snapshot() s
WHERE (x.indexrelid = %s::regclass OR x.indexrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s::regclass)))
  AND x.indcheckxmin AND pg_catalog.age(x.xmin) <= pg_catalog.txid_snapshot_xmax(s) - pg_catalog.txid_snapshot_xmin(s)
LIMIT 1
"""
EXTENSIONS_LEFT_BEHIND = """
SELECT extname FROM pg_catalog.pg_extension
WHERE pg_catalog.obj_description(oid, 'pg_extension') = %s AND pg_catalog.pg_has_role(extowner, 'USAGE') ORDER BY 1
"""
TREE = """
SELECT c.relname::text, pg_catalog.pg_relation_size(c.oid) FROM pg_catalog.pg_class c
WHERE c.oid = %s::regclass OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s::regclass))
"""
