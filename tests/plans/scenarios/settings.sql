CREATE TABLE lone (id int NOT NULL, v int NOT NULL, note text);
INSERT INTO lone SELECT n, n % 50, 'note ' || n FROM generate_series(1, 20000) n;
CREATE TABLE keyed (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO keyed SELECT n, n % 50 FROM generate_series(1, 20000) n;
CREATE FUNCTION slow_of(n int) RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$ DECLARE x int := 0; BEGIN FOR i IN 1..20 LOOP x := x + n * i; END LOOP; RETURN x; END $$;
CREATE FUNCTION slow_text(t text) RETURNS text LANGUAGE plpgsql STABLE AS
  $$ DECLARE x text := t; BEGIN FOR i IN 1..20 LOOP x := md5(x); END LOOP; RETURN x; END $$;
CREATE FUNCTION quick_of(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
DO $$ BEGIN FOR m IN 1..14 LOOP EXECUTE format('CREATE TABLE dim_%s (id int PRIMARY KEY, v int); INSERT INTO dim_%s SELECT g, g FROM generate_series(1, 5) g', m, m); END LOOP; END $$;
VACUUM (ANALYZE);

-- plan: scan that is turned off
-- finds: disabled-node custom-settings
-- options: ANALYZE, SETTINGS
-- may: missing-limit large-seq-scan-ok
SET enable_seqscan = off;
SELECT id FROM lone;

-- plan: nested loop that is turned off
-- finds: disabled-node custom-settings
-- options: ANALYZE, SETTINGS
-- may: missing-limit join-filter-waste cartesian row-misestimate seq-scan-in-loop nested-loop-high-loops
SET enable_nestloop = off;
SELECT a.id FROM keyed a JOIN keyed b ON b.id < a.id AND a.id < 50 AND b.id < 60;

-- plan: join that is turned off but not missed
-- finds: custom-settings
-- options: ANALYZE, SETTINGS
-- tempts: disabled-node
-- may: missing-limit large-seq-scan-ok
SET enable_hashjoin = off;
SELECT id FROM lone WHERE v > 25;

-- plan: nothing turned off
-- options: ANALYZE, SETTINGS
-- tempts: disabled-node custom-settings
SET work_mem = '8MB'; SET random_page_cost = 1.1;
SELECT id FROM keyed WHERE id = 7;

-- plan: partitionwise join turned on
-- options: ANALYZE, SETTINGS
-- tempts: custom-settings
SET enable_partitionwise_join = on;
SELECT v FROM keyed WHERE id = 8;

-- plan: function of our own for every row
-- finds: volatile-fn-per-row
-- times
-- options: ANALYZE, VERBOSE, BUFFERS
-- may: missing-limit large-seq-scan-ok
SELECT slow_of(v) FROM lone;

-- plan: function of our own in the condition
-- finds: volatile-fn-per-row
-- times
-- may: seq-scan-high-filter nonsargable-function row-misestimate
SELECT id FROM lone WHERE slow_text(note) = 'x';

-- plan: function of our own for few rows
-- tempts: volatile-fn-per-row
SELECT slow_of(v) FROM keyed WHERE id < 50;

-- plan: function that is written in SQL
-- tempts: volatile-fn-per-row
-- may: missing-limit large-seq-scan-ok
SELECT quick_of(v) FROM lone;

-- plan: functions of PostgreSQL's own
-- tempts: volatile-fn-per-row
-- may: large-seq-scan-ok missing-limit nonsargable-function seq-scan-high-filter
SELECT sum(length(encode(sha512(convert_to(note, 'UTF8')), 'hex'))) FROM lone;

-- plan: headlines of texts
-- tempts: volatile-fn-per-row
-- may: seq-scan-high-filter large-seq-scan-ok missing-limit
SELECT ts_headline('simple', note, to_tsquery('simple', 'note')) FROM lone WHERE id <= 5000;

-- plan: compiling that takes longer than running
-- on: jit
-- finds: jit-overhead
-- may: large-seq-scan-ok slow-count
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
SELECT sum(v + 1), max(id), min(note) FROM lone WHERE v > 3;

-- plan: compiling in workers
-- on: jit
-- finds: jit-overhead
-- may: large-seq-scan-ok slow-count worker-skew workers-not-launched
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0; SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT v, count(*), max(note) FROM lone GROUP BY v;

-- plan: compiling that costs little
-- on: jit
-- tempts: jit-overhead
-- may: volatile-fn-per-row large-seq-scan-ok
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = -1; SET jit_optimize_above_cost = -1;
SELECT count(*), max(slow_text(note)) FROM lone;

-- plan: nothing compiled
-- on: jit
-- tempts: jit-overhead
-- may: large-seq-scan-ok
SET jit = off;
SELECT sum(v + 1), max(id), min(note) FROM lone WHERE v > 3;

-- plan: many joins planned for few rows
-- finds: planning-dominates
-- times
SET join_collapse_limit = 14; SET from_collapse_limit = 14; SET geqo = off;
SELECT a.v FROM dim_1 a JOIN dim_2 b USING (id) JOIN dim_3 c USING (id) JOIN dim_4 d USING (id) JOIN dim_5 e USING (id) JOIN dim_6 f USING (id)
  JOIN dim_7 g USING (id) JOIN dim_8 h USING (id) JOIN dim_9 i USING (id) JOIN dim_10 j USING (id) WHERE a.id = b.v;

-- plan: few joins planned
-- tempts: planning-dominates
SELECT a.v FROM dim_1 a JOIN dim_2 b USING (id) JOIN dim_3 c USING (id);

-- plan: the quick plan of before
-- options: ANALYZE, VERBOSE, BUFFERS
SELECT v FROM keyed WHERE id = 7777;

-- plan: a slower plan of the same statement
-- before: the quick plan of before
-- options: ANALYZE, VERBOSE, BUFFERS
-- finds: plan-regression
-- may: seq-scan-high-filter
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
SELECT v FROM keyed WHERE id = 7777;

-- plan: the same plan of the same statement
-- before: the quick plan of before
-- options: ANALYZE, VERBOSE, BUFFERS
-- tempts: plan-regression
SELECT v FROM keyed WHERE id = 42;

-- plan: a quicker plan of the same statement
-- before: a slower plan of the same statement
-- options: ANALYZE, VERBOSE, BUFFERS
-- tempts: plan-regression
SELECT v FROM keyed WHERE id = 43;

-- plan: the hashed plan of before
-- options: ANALYZE
-- may: seq-scan-high-filter slow-count
SELECT count(*) FROM lone a JOIN keyed b ON b.id = a.id + 19000 WHERE a.id <= 200;

-- plan: a nested loop where a hash was before
-- before: the hashed plan of before
-- options: ANALYZE
-- finds: plan-regression
-- times
-- may: seq-scan-high-filter seq-scan-in-loop join-filter-waste row-misestimate custom-settings slow-count index-loops nested-loop-high-loops
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_indexscan = off; SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SELECT count(*) FROM lone a JOIN keyed b ON b.id = a.id + 19000 WHERE a.id <= 200;
