CREATE TABLE facts (id int PRIMARY KEY, day int NOT NULL, shop int NOT NULL, amount int NOT NULL, note text);
INSERT INTO facts SELECT n, n % 365, n % 500, (n * 7919) % 10000, repeat('x', 30) FROM generate_series(1, 150000) n;
CREATE INDEX facts_shop ON facts (shop);
CREATE INDEX facts_day ON facts (day);
ALTER TABLE facts SET (parallel_workers = 2);
CREATE TABLE shops (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO shops SELECT n, 'shop ' || n FROM generate_series(0, 499) n;
CREATE TABLE more (LIKE facts INCLUDING ALL);
INSERT INTO more SELECT * FROM facts WHERE id < 50000;
ALTER TABLE more SET (parallel_workers = 2);
CREATE FUNCTION heavy(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS
  $$ DECLARE x int := 0; BEGIN FOR i IN 1..8 LOOP x := x + n; END LOOP; RETURN x; END $$;
VACUUM (ANALYZE);

-- plan: workers that were not to be had
-- finds: workers-not-launched
-- may: slow-count worker-skew seq-scan-high-filter row-misestimate
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers = 0;
SELECT sum(amount) FROM facts WHERE note <> 'y';

-- plan: one of four workers to be had
-- finds: workers-not-launched
-- times
-- may: slow-count worker-skew seq-scan-high-filter row-misestimate
ALTER TABLE facts SET (parallel_workers = 4);
SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers = 1;
SELECT shop, sum(amount) FROM facts GROUP BY shop;

-- plan: parallel aggregate
-- tempts: workers-not-launched row-misestimate large-seq-scan-ok
-- may: worker-skew slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT count(*), sum(amount) FROM facts;

-- plan: parallel filter that keeps few
-- finds: seq-scan-high-filter
-- may: worker-skew
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT id FROM facts WHERE amount = 77;

-- plan: parallel grouping by shop
-- tempts: row-misestimate workers-not-launched hashagg-spill
-- may: worker-skew large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT shop, sum(amount) FROM facts GROUP BY shop;

-- plan: parallel grouping merged in order
-- tempts: row-misestimate sort-on-disk
-- may: worker-skew custom-settings large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_hashagg = off; SET work_mem = '32MB';
SELECT shop, sum(amount) FROM facts GROUP BY shop ORDER BY shop;

-- plan: parallel sort on disk
-- finds: sort-on-disk
-- may: worker-skew missing-limit
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET work_mem = '64kB';
SELECT id FROM facts ORDER BY note, amount;

-- plan: parallel hash join
-- tempts: hash-batches
-- may: worker-skew slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET work_mem = '32MB';
SELECT count(*) FROM facts f JOIN more m ON m.id = f.id;

-- plan: parallel hash join that does not fit
-- finds: hash-batches
-- may: worker-skew slow-count large-seq-scan-ok custom-settings
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET work_mem = '64kB';
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(f.note), max(m.note) FROM facts f JOIN more m ON m.amount = f.id;

-- plan: parallel nested loop
-- tempts: nested-loop-high-loops index-loops
-- may: seq-scan-high-filter worker-skew custom-settings index-loops nested-loop-high-loops memoize-ineffective slow-count
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT sum(f.amount) FROM facts f JOIN shops s ON s.id = f.shop WHERE f.amount < 300;

-- plan: parallel bitmap scan
-- tempts: index-recheck inefficient-index
-- may: worker-skew custom-settings read-efficiency
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;
SELECT sum(amount) FROM facts WHERE day = 7;

-- plan: parallel index-only scan
-- may: worker-skew custom-settings slow-count
-- tempts: heap-fetches
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0; SET enable_seqscan = off;
SELECT count(*) FROM facts WHERE id < 100000;

-- plan: parallel append
-- tempts: row-misestimate partition-prune-miss
-- may: worker-skew slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT sum(x) FROM (SELECT amount AS x FROM facts UNION ALL SELECT amount FROM more UNION ALL SELECT id FROM shops) u;

-- plan: parallel without its leader
-- tempts: workers-not-launched worker-skew
-- may: worker-skew slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET parallel_leader_participation = off;
SELECT sum(amount) FROM facts WHERE note <> 'y';

-- plan: bitmap made by one of the processes
-- tempts: lossy-bitmap index-recheck
-- may: worker-skew custom-settings read-efficiency
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET enable_seqscan = off; SET enable_indexscan = off; SET parallel_leader_participation = off;
SELECT sum(amount) FROM facts WHERE day BETWEEN 7 AND 30;

-- plan: gather run again for each row
-- tempts: subplan-per-row
-- may: worker-skew seq-scan-high-filter seq-scan-in-loop nested-loop-high-loops row-misestimate large-seq-scan-ok workers-not-launched
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT s.id, x.top FROM (VALUES (1), (2), (3)) s(id), LATERAL (SELECT max(amount) AS top FROM facts f WHERE f.amount % 4 = s.id OFFSET 0) x;

-- plan: gather run again
-- tempts: row-misestimate workers-not-launched
-- may: worker-skew seq-scan-high-filter seq-scan-in-loop nested-loop-high-loops custom-settings workers-not-launched
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET enable_material = off;
SELECT s.id, f.id FROM (VALUES (1), (2), (3)) s(id) LEFT JOIN facts f ON f.amount + s.id < 3 AND f.amount < 5;

-- plan: parallel scan that reads a subquery's result
-- tempts: seq-scan-high-filter
-- may: worker-skew seq-scan-high-filter row-misestimate slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT count(*) FROM facts WHERE amount > (SELECT avg(id) FROM shops);

-- plan: first rows of a parallel sort
-- tempts: sort-on-disk row-misestimate
-- may: worker-skew large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT id, amount FROM facts ORDER BY amount DESC, id LIMIT 10;

-- plan: rows that the leader has read before its workers start
-- finds: worker-skew
-- times
-- may: seq-scan-high-filter missing-limit workers-not-launched large-seq-scan-ok row-misestimate
-- options: ANALYZE, VERBOSE, BUFFERS
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
ALTER TABLE more SET (parallel_workers = 4);
SELECT id FROM more WHERE id < 15000;

-- plan: rows that lie where the leader begins
-- finds: worker-skew
-- times
-- may: seq-scan-high-filter missing-limit workers-not-launched large-seq-scan-ok row-misestimate
-- options: ANALYZE, VERBOSE
SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
ALTER TABLE facts SET (parallel_workers = 3);
SELECT id, amount FROM facts WHERE id < 12000;

-- plan: work that is shared out evenly
-- may: worker-skew slow-count large-seq-scan-ok
-- times
-- tempts: worker-skew
-- options: ANALYZE, VERBOSE, BUFFERS
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT sum(length(md5(note || id))) FROM facts;

-- plan: long scan with a function that forbids workers
-- finds: parallel-absent
-- times
-- may: volatile-fn-per-row seq-scan-high-filter nonsargable-function slow-count row-misestimate
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT count(*) FROM facts WHERE heavy(amount) = 77;

-- plan: long scan without workers allowed
-- finds: parallel-absent
-- times
-- may: seq-scan-high-filter nonsargable-function slow-count row-misestimate volatile-fn-per-row
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM facts WHERE md5(md5(md5(md5(note || id)))) = 'x';

-- plan: short scan without workers
-- tempts: parallel-absent
-- may: slow-count
SET max_parallel_workers_per_gather = 0;
SELECT sum(id) FROM more;

-- plan: without timing, parallel
-- options: ANALYZE, TIMING OFF
-- may: worker-skew slow-count large-seq-scan-ok
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT shop, count(*) FROM facts GROUP BY shop;
