CREATE TABLE things (id int PRIMARY KEY, kind int NOT NULL, at timestamp NOT NULL, name text NOT NULL, tags text[] NOT NULL, body jsonb NOT NULL);
INSERT INTO things SELECT n, n % 25, timestamp '2025-01-01' + n * interval '1 hour', 'thing ' || n, ARRAY['t' || n % 9, 't' || n % 11],
  jsonb_build_object('a', n, 'list', jsonb_build_array(n, n + 1)) FROM generate_series(1, 20000) n;
CREATE INDEX things_kind_at ON things (kind, at);
CREATE INDEX things_name ON things (name);
CREATE INDEX things_recent ON things (at) WHERE kind = 3;
CREATE TABLE parts (thing int NOT NULL REFERENCES things, n int NOT NULL, v numeric NOT NULL, PRIMARY KEY (thing, n));
INSERT INTO parts SELECT 1 + n % 20000, n / 20000, n FROM generate_series(0, 39999) n;
CREATE VIEW busy AS SELECT kind, count(*) AS n FROM things GROUP BY kind;
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE heir (extra int) INHERITS (parent);
INSERT INTO parent SELECT n, n FROM generate_series(1, 500) n;
INSERT INTO heir SELECT n, n, n FROM generate_series(501, 1000) n;
CREATE INDEX ON heir (id);
CREATE TABLE far_source (id int PRIMARY KEY, v int NOT NULL, name text);
INSERT INTO far_source SELECT n, n % 100, 'far ' || n FROM generate_series(1, 5000) n;
VACUUM (ANALYZE);
-- superuser
CREATE EXTENSION postgres_fdw;
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'SOCKET', port '5432', dbname 'plans_odd');
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'app', password_required 'false');
CREATE FUNCTION local_only(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN n; END $$;
CREATE FOREIGN TABLE far_things (id int, v int, name text) SERVER loop OPTIONS (table_name 'far_source');
GRANT ALL ON far_things TO app;

-- plan: foreign rows filtered here
-- superuser
-- finds: foreign-scan-remote-filter
-- may: row-misestimate volatile-fn-per-row slow-count
SELECT id FROM far_things WHERE local_only(v) = 7;

-- plan: foreign rows filtered here by two conditions
-- superuser
-- finds: foreign-scan-remote-filter
-- may: row-misestimate volatile-fn-per-row
SELECT id FROM far_things WHERE v < 50 AND local_only(id) = 7;

-- plan: foreign rows filtered there
-- superuser
-- tempts: foreign-scan-remote-filter
-- may: row-misestimate
SELECT id FROM far_things WHERE v = 7;

-- plan: foreign row looked up
-- superuser
-- tempts: foreign-scan-remote-filter
-- may: row-misestimate
SELECT name FROM far_things WHERE id = 7;

-- plan: foreign aggregate
-- superuser
-- tempts: slow-count foreign-scan-remote-filter
-- may: row-misestimate
SELECT count(*) FROM far_things;

-- plan: foreign join
-- superuser
-- tempts: cartesian
-- may: row-misestimate
SELECT a.id FROM far_things a JOIN far_things b ON b.id = a.v WHERE a.id < 50;

-- plan: sample of a table
SELECT count(*) FROM things TABLESAMPLE SYSTEM (10) REPEATABLE (7);

-- plan: sample of rows
-- tempts: row-misestimate
-- may: slow-count
SELECT avg(kind) FROM things TABLESAMPLE BERNOULLI (5) REPEATABLE (7) WHERE kind < 20;

-- plan: function with numbered rows
SELECT * FROM unnest(ARRAY[3, 1, 2]) WITH ORDINALITY;

-- plan: rows from two functions
-- may: row-misestimate
SELECT * FROM ROWS FROM (generate_series(1, 5), unnest(ARRAY['a', 'b']));

-- plan: elements of arrays
-- may: missing-limit large-seq-scan-ok row-misestimate
SELECT id, unnest(tags) FROM things;

-- plan: elements of jsonb for each row
-- tempts: cartesian
-- may: row-misestimate
SELECT t.id, e FROM things t, jsonb_array_elements(t.body -> 'list') e WHERE t.id < 100;

-- plan: grouping sets
-- may: large-seq-scan-ok row-misestimate
SELECT kind, at::date, count(*) FROM things WHERE id < 2000 GROUP BY ROLLUP (kind, at::date);

-- plan: cube
-- may: large-seq-scan-ok row-misestimate
SELECT kind, id % 3, count(*) FROM things GROUP BY CUBE (kind, id % 3);

-- plan: union without doubles
-- may: missing-limit large-seq-scan-ok row-misestimate
SELECT kind FROM things UNION SELECT n FROM parts;

-- plan: except
-- may: missing-limit large-seq-scan-ok row-misestimate
SELECT id FROM things EXCEPT SELECT thing FROM parts;

-- plan: intersect
-- may: missing-limit large-seq-scan-ok row-misestimate
SELECT id FROM things WHERE id < 100 INTERSECT SELECT thing FROM parts WHERE thing < 50;

-- plan: window over an index
-- may: missing-limit large-seq-scan-ok sort-on-disk
SELECT id, lag(name) OVER (ORDER BY id) FROM things;

-- plan: running number up to ten
-- tempts: missing-limit
-- may: large-seq-scan-ok row-misestimate
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS r FROM things) x WHERE r <= 10;

-- plan: merge of ordered parts
-- tempts: row-misestimate
(SELECT id FROM things ORDER BY id) UNION ALL (SELECT id FROM far_source ORDER BY id) ORDER BY id LIMIT 10;

-- plan: inherited tables
SELECT v FROM parent WHERE id = 700;

-- plan: distinct on
-- may: missing-limit large-seq-scan-ok sort-on-disk
SELECT DISTINCT ON (kind) kind, at FROM things ORDER BY kind, at DESC;

-- plan: partial index
SELECT id FROM things WHERE kind = 3 AND at > '2027-04-01';

-- plan: composite index in order
SELECT id FROM things WHERE kind = 4 ORDER BY at DESC LIMIT 5;

-- plan: place of a row
SELECT id FROM things WHERE ctid = '(0,1)';

-- plan: range of places
-- on: 14-18
SELECT id FROM things WHERE ctid < '(2,1)';

-- plan: no table
SELECT 1;

-- plan: series of numbers
-- tempts: row-misestimate
SELECT sum(n) FROM generate_series(1, 1000) n;

-- plan: values
SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) v(n, t) WHERE n > 1;

-- plan: view of groups
-- may: large-seq-scan-ok
SELECT * FROM busy WHERE kind = 7;

-- plan: record set of jsonb
SELECT x.* FROM (SELECT '{"a": [1, 2]}'::jsonb AS j) s, LATERAL jsonb_to_recordset('[{"a": 1}, {"a": 2}]') AS x(a int);

-- plan: rows locked in order
-- tempts: write-cost
SELECT id FROM things WHERE kind = 5 ORDER BY at LIMIT 3 FOR NO KEY UPDATE;

-- plan: nothing there
-- tempts: row-misestimate
SELECT * FROM things WHERE id = -1;

-- plan: join of few by composite key
SELECT t.name, p.v FROM things t JOIN parts p ON p.thing = t.id WHERE t.id IN (5, 6, 7);

-- plan: filter in an aggregate
-- may: large-seq-scan-ok
SELECT count(*) FILTER (WHERE kind < 5), string_agg(name, ',') FILTER (WHERE id < 5) FROM things;

-- plan: percentile
-- may: large-seq-scan-ok
SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM things GROUP BY kind;

-- plan: case and coalesce
SELECT CASE WHEN kind < 5 THEN 'low' ELSE 'high' END, coalesce(name, '-') FROM things WHERE id BETWEEN 50 AND 60;

-- plan: left join of few
-- may: never-executed
SELECT t.id, p.v FROM things t LEFT JOIN parts p ON p.thing = t.id AND p.n = 0 WHERE t.kind = 3 AND t.at < '2025-01-10';

-- plan: upper bound of an index
SELECT max(name) FROM things;

-- plan: cursor
-- options: ANALYZE
DECLARE c CURSOR FOR SELECT id FROM things WHERE id < 10;

-- plan: prepared statement with a generic plan
SET plan_cache_mode = force_generic_plan;
PREPARE q AS SELECT id FROM things WHERE kind = $1 AND at > $2 ORDER BY at LIMIT 10;
EXECUTE q (7, '2025-02-01');

-- plan: not run, prepared
-- options: VERBOSE
-- may: row-misestimate
SET plan_cache_mode = force_generic_plan;
PREPARE q AS SELECT id FROM things WHERE kind = $1 AND at > $2;
EXECUTE q (7, '2025-02-01');

-- plan: not run, join of all
-- options: COSTS
-- may: large-seq-scan-ok
SELECT t.kind, sum(p.v) FROM things t JOIN parts p ON p.thing = t.id GROUP BY t.kind;
