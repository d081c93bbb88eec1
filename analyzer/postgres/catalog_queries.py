"""What the system catalogs are asked for a `Schema`."""

from .user_schemas import USER_SCHEMAS

TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples, c.relpages,
       CASE WHEN c.relkind = 'p' THEN 0 ELSE pg_catalog.pg_table_size(c.oid) END,
       COALESCE(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0), p.relname,
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
       ARRAY(SELECT ARRAY[cn.nspname::text, cc.relname::text, cc.relkind::text] FROM pg_catalog.pg_inherits ci
             JOIN pg_catalog.pg_class cc ON cc.oid = ci.inhrelid
             JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
             WHERE ci.inhparent = c.oid AND cc.relispartition ORDER BY cn.nspname, cc.relname),
       COALESCE(s.seq_scan, 0) + COALESCE(s.idx_scan, 0), COALESCE(s.n_tup_upd, 0), COALESCE(s.n_tup_hot_upd, 0),
       s.n_mod_since_analyze,
       ARRAY(SELECT ARRAY[cn.nspname::text, cc.relname::text] FROM pg_catalog.pg_inherits ci
             JOIN pg_catalog.pg_class cc ON cc.oid = ci.inhrelid
             JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
             WHERE ci.inhparent = c.oid AND NOT cc.relispartition ORDER BY cn.nspname, cc.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE c.relkind IN ('r', 'p', 'm') AND {USER_SCHEMAS} AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname
"""  # noqa: S608 - a constant
# A domain is compared and indexed as what it is made of, which can be a domain again.
_BENEATH = """(
         WITH RECURSIVE up AS (SELECT y.typbasetype AS oid, y.typtypmod AS modifier
                UNION ALL SELECT t.typbasetype, t.typtypmod FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid
                WHERE t.typtype = 'd')
         SELECT pg_catalog.format_type(up.oid, up.modifier) FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid
         WHERE t.typtype <> 'd')"""
COLUMNS = f"""
SELECT a.attrelid, a.attname,
       CASE WHEN y.typtype = 'd' THEN {_BENEATH} ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END, NOT a.attnotnull,
       s.n_distinct, s.null_frac, s.avg_width, s.correlation,
       s.most_common_vals::text::text[], s.most_common_freqs, l.collname,
       COALESCE(CASE WHEN l.collname = 'default' THEN d.is_c
                     ELSE l.collprovider = 'b' OR l.collprovider = 'c' AND l.collcollate IN ('C', 'POSIX') END, true),
       a.attgenerated <> '', a.attlen, a.attalign::text,
       s.elem_count_histogram[pg_catalog.cardinality(s.elem_count_histogram)], s.most_common_elem_freqs,
       CASE WHEN 'pg_catalog.jsonb'::pg_catalog.regtype IN (y.oid, y.typbasetype) AND NOT c.relispartition
            THEN s.histogram_bounds::text::text[] END
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
     AND s.inherited = (c.relkind = 'p')
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
CROSS JOIN (SELECT COALESCE(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'b'
                   OR COALESCE(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'c' AND datcollate IN ('C', 'POSIX')
                   AS is_c FROM pg_catalog.pg_database b WHERE datname = pg_catalog.current_database()) d
WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND {USER_SCHEMAS}
ORDER BY a.attrelid, a.attnum
"""  # noqa: S608 - a constant
INDEXES = f"""
SELECT x.indrelid, c.relname, m.amname, x.indisunique, x.indisprimary, x.indisvalid,
       pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_get_expr(x.indpred, x.indrelid, true), x.indnkeyatts,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(c.oid, k, true) FROM pg_catalog.generate_series(1, x.indnatts) k),
       ARRAY(SELECT o.opcname::text FROM pg_catalog.unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, k)
             JOIN pg_catalog.pg_opclass o ON o.oid = u.oid ORDER BY u.k),
       ARRAY(SELECT (u.flag & 1) = 1 FROM pg_catalog.unnest(x.indoption::int2[]) WITH ORDINALITY u(flag, k) ORDER BY u.k),
       ARRAY(SELECT (u.flag & 2) = 2 FROM pg_catalog.unnest(x.indoption::int2[]) WITH ORDINALITY u(flag, k) ORDER BY u.k),
       (SELECT k.conname FROM pg_catalog.pg_constraint k
        WHERE k.conindid = c.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1),
       COALESCE((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false),
       x.indisreplident, s.idx_scan,
       ARRAY(SELECT COALESCE(l.collname::text, '') FROM pg_catalog.unnest(x.indcollation::oid[]) WITH ORDINALITY u(oid, k)
             LEFT JOIN pg_catalog.pg_collation l ON l.oid = u.oid ORDER BY u.k), x.indisclustered, c.relispartition,
       ARRAY(SELECT o.opcdefault FROM pg_catalog.unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, k)
             JOIN pg_catalog.pg_opclass o ON o.oid = u.oid ORDER BY u.k),
       ARRAY(SELECT o.one FROM pg_catalog.unnest(c.reloptions) o(one)
             UNION ALL SELECT pg_catalog.concat(a.attnum, ' ', o.one)
             FROM pg_catalog.pg_attribute a, pg_catalog.unnest(a.attoptions) o(one) WHERE a.attrelid = c.oid ORDER BY 1)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = c.oid
WHERE {USER_SCHEMAS}
ORDER BY x.indrelid, c.relname
"""  # noqa: S608 - a constant
FOREIGN_KEYS = f"""
SELECT f.conrelid, f.conname, r.relname, f.confdeltype::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY u(num, k)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.num ORDER BY u.k),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY u(num, k)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.num ORDER BY u.k)
FROM pg_catalog.pg_constraint f
JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE f.contype = 'f' AND {USER_SCHEMAS}
ORDER BY f.conrelid, f.conname
"""  # noqa: S608 - a constant
VIEWS = f"""
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       pg_catalog.pg_get_viewdef(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND {USER_SCHEMAS}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname
"""  # noqa: S608 - a constant
FUNCTIONS = """
SELECT p.proname,
       ARRAY(SELECT pg_catalog.format_type(u.oid, NULL) FROM pg_catalog.unnest(p.proargtypes::oid[])
             WITH ORDINALITY u(oid, k) ORDER BY u.k),
       CASE p.provolatile WHEN 's' THEN 'stable' ELSE 'volatile' END
FROM pg_catalog.pg_proc p
WHERE p.provolatile <> 'i' AND p.prokind = 'f' AND p.pronargs > 0
  AND p.proname !~ '^(pg_|binary_upgrade|.*(_send|_recv|_in|_out|sel)$)'
ORDER BY p.proname, 2
"""
GROUPS = """
SELECT c.oid, s.statistics_name, s.n_distinct::text
FROM pg_catalog.pg_stats_ext s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
WHERE s.n_distinct IS NOT NULL
ORDER BY c.oid, s.statistics_schemaname, s.statistics_name
"""
NUMBERS = """
SELECT attrelid, attname, attnum FROM pg_catalog.pg_attribute WHERE attrelid = ANY(%s) AND attnum > 0
"""
