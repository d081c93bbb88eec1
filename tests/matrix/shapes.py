"""Texts as pg_stat_statements of 13–18 writes them, one per shape and wording."""

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, a int, b text, ts timestamp, d date, j jsonb, flag boolean);
INSERT INTO t SELECT g, g % 100, 'name ' || g % 50, timestamp '2026-01-01' + g * interval '1 hour', date '2026-01-01' + g % 90,
  jsonb_build_object('k', g % 10), g % 2 = 0 FROM generate_series(1, 2000) g;
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t);
INSERT INTO u SELECT g, g FROM generate_series(1, 100) g;
ANALYZE;
"""
SHAPES = {
    "equality": "select * from t where a = $1",
    "like": "select * from t where b like $1",
    "in": "select * from t where a in ($1,$2,$3,$4)",
    "in squashed": "select * from t where a in ($1 /*, ... */)",
    "any": "select * from t where a = any($1::int[])",
    "limit and offset": "select * from t order by id limit $1 offset $2",
    "interval literal": "select * from t where ts > now() - interval $1",
    "interval cast": "select * from t where ts > now() - $1::interval",
    "date literal": "select * from t where d = date $1",
    "timestamp literal": "select * from t where ts > timestamp $1",
    "cast with typmod": "select $1::numeric(10,2) from t where id=$2",
    "date_trunc grouped": "select date_trunc($1, ts), count(*) from t group by date_trunc('day', ts)",
    "grouped by position": "select date_trunc($1, ts), count(*) from t group by 1 order by 1",
    "extract": "select extract($1 from ts) from t where id=$2",
    "unknown in the select list": "select $1, id from t where id=$2",
    "concatenation": "select b || $1 from t where id=$2",
    "jsonb contains": "select * from t where j @> $1",
    "jsonb arrow": "select * from t where j->>$1 = $2",
    "coalesce": "select coalesce(a, $1) from t where id=$2",
    "case": "select case when a > $1 then $2 else $3 end from t",
    "foreign key check": 'SELECT $2 FROM ONLY "public"."t" x WHERE "id" OPERATOR(pg_catalog.=) $1 FOR KEY SHARE OF x',
    "update": "update t set a = a + $1 where id = $2",
    "delete": "delete from u where id = $1",
    "variadic function": "select concat($1, $2, b) from t where id=$3",
    "generate_series": "select * from generate_series($1, $2) g where g > $3",
    "row comparison": "select * from t where (a,id) > ($1, $2) order by a,id limit $3",
    "between": "select * from t where a between $1 and $2",
    "boolean": "select * from t where flag is true and flag = $1",
    "null": "select * from t where b = $1",
    "substring": "select substring(b from $1 for $2) from t where id=$3",
    "time zone": "select ts at time zone $1 from t where id=$2",
    "array": "select array[$1,$2,$3] from t where id=$4",
    "array squashed": "select array[$1 /*, ... */] from t where id=$2",
    "interval multiplied": "select * from t where ts > now() - $1 * interval $2",
    "create table as, literal": "create temp table zz as select * from t where a = 5",
    "create table as": "create temp table zz as select * from t where a = $1",
    "explain, literal": "explain select * from t where a = 5",
    "explain": "explain select * from t where a = $1",
    "cursor, literal": "declare c1 cursor with hold for select * from t where a = 5",
    "cursor": "declare c1 cursor with hold for select * from t where a = $1",
    "escape": "select * from t where b like $1 escape $2",
    "comments": "/* app:web */ select id from t where a = $1 -- trailing",
    "trailing comment": "select id from t where a = $1 -- trailing",
    "limit": "select * from t limit $1",
    "full text": "select * from t where to_tsvector($1, b) @@ to_tsquery($2,$3)",
    "regular expression": "select * from t where b ~ $1",
    "having": "select a, count(*) from t group by a having count(*) > $1",
}
WITHOUT_PLAN = ("set work_mem = '4MB'", "set work_mem = $1", "VACUUM t", "BEGIN", "/* x */ SHOW work_mem")
