"""What the source of a hollow clone is asked: one statement each, over its catalogs alone."""

from .user_schemas import USER_SCHEMAS

SERVER = """
SELECT current_database(), session_user, pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('block_size')::int
"""
LOCALE = """
SELECT pg_catalog.pg_encoding_to_char(encoding), {provider}, datcollate, datctype, {locale}
FROM pg_catalog.pg_database WHERE datname = current_database()
"""
ROLE_SETTINGS = """
SELECT r.rolname, s.setdatabase <> 0, s.setconfig FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
ORDER BY s.setdatabase, s.setrole
"""
EXTENSIONS = """
SELECT e.extname, e.extversion, n.nspname FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY e.oid
"""
EXTENSION_FUNCTIONS = """
SELECT e.extname, n.nspname, p.proname, pg_catalog.pg_get_function_arguments(p.oid),
       pg_catalog.pg_get_function_result(p.oid), p.provolatile::text, p.proisstrict
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f' AND e.extname <> 'plpgsql' ORDER BY p.oid
"""
COLLATIONS = f"""
SELECT DISTINCT o.nspname, l.collname, l.collprovider::text, {{deterministic}}
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
JOIN pg_catalog.pg_namespace o ON o.oid = l.collnamespace
WHERE {USER_SCHEMAS} AND l.collname NOT IN ('default', 'C', 'POSIX') AND a.attnum > 0 ORDER BY 1, 2
"""  # noqa: S608 - a constant
RELATIONS = f"""
SELECT n.nspname, c.relname, c.relkind::text, m.amname, t.relname, c.relpages, c.reltuples, c.relallvisible,
       CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_catalog.pg_relation_size(c.oid) / 8192 ELSE 0 END,
       c.oid::bigint,
       COALESCE(s.n_tup_ins, 0), COALESCE(s.n_tup_upd, 0), COALESCE(s.n_tup_hot_upd, 0), COALESCE(s.n_tup_del, 0),
       COALESCE(s.seq_scan, i.idx_scan, 0)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_catalog.pg_stat_all_indexes i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND {USER_SCHEMAS}
  AND (n.nspname::text, COALESCE(t.relname, c.relname)::text) NOT IN (SELECT * FROM ROWS FROM
    (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS hidden)
ORDER BY 1, 2
"""  # noqa: S608 - a constant
UNREADABLE = f"""
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND {USER_SCHEMAS}
  AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2
"""  # noqa: S608 - a constant
# pg_dump leaves them out.
INVALID_INDEXES = f"""
SELECT n.nspname, c.relname, t.relname FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
WHERE NOT x.indisvalid AND c.relkind = 'i' AND {USER_SCHEMAS} ORDER BY 1, 2
"""  # noqa: S608 - a constant
FOREIGN_PARTS = f"""
SELECT n.nspname, c.relname, w.nspname, p.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace w ON w.oid = p.relnamespace
WHERE c.relkind = 'f' AND c.relispartition AND {USER_SCHEMAS} ORDER BY 1, 2
"""  # noqa: S608 - a constant
# A crash throws all counters away, and only the moment of the background writer's tells it.
COUNTED = """
SELECT extract(epoch FROM pg_catalog.now() - greatest(d.stats_reset, b.stats_reset)) / 86400.0
FROM pg_catalog.pg_stat_database d, pg_catalog.pg_stat_bgwriter b WHERE d.datname = pg_catalog.current_database()
"""
TABLESPACES = f"""
SELECT DISTINCT p.spcname, p.spcoptions::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_tablespace p ON p.oid = c.reltablespace WHERE p.spcoptions IS NOT NULL AND {USER_SCHEMAS}
"""  # noqa: S608 - a constant
ROW_SECURITY = f"""
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND {USER_SCHEMAS} ORDER BY 1, 2
"""  # noqa: S608 - a constant
