CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, note text);
INSERT INTO orders SELECT n, (n * 7919) % 5000, 's' || n % 20, repeat('x', 60) || n FROM generate_series(1, 50000) n;
CREATE TABLE points (id int, v int, pad text);
INSERT INTO points SELECT n, (n * 7919) % 1000, repeat('x', 300) FROM generate_series(1, 60000) n;
CREATE INDEX ON points (v);
CREATE TABLE pages (id int PRIMARY KEY, title text, body text);
INSERT INTO pages SELECT n, 't' || n, repeat('lorem ', 200) || n FROM generate_series(1, 12000) n;
VACUUM (ANALYZE);

-- plan: sort that does not fit
-- finds: sort-on-disk
-- may: missing-limit
SET work_mem = '64kB';
SELECT id FROM orders ORDER BY note;

-- plan: sort for a window that does not fit
-- finds: sort-on-disk
-- may: missing-limit materialize-spill
SET work_mem = '64kB';
SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY note) FROM orders;

-- plan: incremental sort that does not fit
-- finds: sort-on-disk
-- may: missing-limit custom-settings row-misestimate disabled-node lossy-bitmap wide-rows
SET work_mem = '64kB'; SET enable_seqscan = off; SET enable_sort = off;
SELECT v, pad, id FROM points WHERE v < 900 ORDER BY v / 500, id;

-- plan: sort for distinct that does not fit
-- finds: sort-on-disk
-- may: missing-limit custom-settings
SET work_mem = '64kB'; SET enable_hashagg = off;
SELECT DISTINCT note FROM orders;

-- plan: sort in memory
-- may: missing-limit
-- tempts: sort-on-disk
SET work_mem = '64MB';
SELECT id FROM orders ORDER BY note;

-- plan: first rows of a sort
-- tempts: sort-on-disk
SET work_mem = '64kB';
SELECT id FROM orders ORDER BY note LIMIT 10;

-- plan: order given by the primary key
-- may: missing-limit
-- tempts: sort-on-disk
SET work_mem = '64kB';
SELECT id, status FROM orders ORDER BY id;

-- plan: hash join that does not fit
-- finds: hash-batches
-- may: custom-settings
SET work_mem = '64kB'; SET enable_mergejoin = off;
SELECT count(*) FROM orders a JOIN orders b ON a.note = b.note;

-- plan: hash left join that does not fit
-- finds: hash-batches
-- may: custom-settings missing-limit slow-count wide-rows
SET work_mem = '128kB'; SET enable_mergejoin = off;
SELECT count(b.note) FROM orders a LEFT JOIN orders b ON a.id = b.customer_id;

-- plan: hash join that fits
-- tempts: hash-batches
SET work_mem = '64MB';
SELECT count(*) FROM orders a JOIN orders b ON a.note = b.note;

-- plan: hash join with a small table
-- finds: unindexed-join
-- tempts: hash-batches
-- may: seq-scan-high-filter slow-count
SELECT count(*) FROM orders o JOIN pages p ON p.id = o.customer_id AND p.title = 't7';

-- plan: grouping that does not fit
-- finds: hashagg-spill
-- may: missing-limit custom-settings
SET work_mem = '64kB'; SET enable_sort = off;
SELECT note, count(*) FROM orders GROUP BY note;

-- plan: distinct that does not fit
-- finds: hashagg-spill
-- may: missing-limit custom-settings
SET work_mem = '64kB'; SET enable_sort = off;
SELECT DISTINCT note, customer_id FROM orders;

-- plan: grouping by two keys that does not fit
-- finds: hashagg-spill
-- may: missing-limit custom-settings row-misestimate
SET work_mem = '64kB'; SET enable_sort = off;
SELECT customer_id, status, max(note) FROM orders GROUP BY customer_id, status;

-- plan: grouping that fits
-- tempts: hashagg-spill
SELECT status, count(*) FROM orders GROUP BY status;

-- plan: grouping of many that fits
-- tempts: hashagg-spill
-- may: missing-limit row-misestimate
SET work_mem = '64MB';
SELECT customer_id, count(*) FROM orders GROUP BY customer_id;

-- plan: grouping in order
-- may: missing-limit
-- tempts: hashagg-spill
SELECT id, count(*) FROM orders GROUP BY id;

-- plan: materialized CTE that does not fit
-- finds: materialize-spill
-- may: cte-materialized hash-batches row-misestimate nested-loop-high-loops slow-count custom-settings
SET work_mem = '64kB';
WITH o AS MATERIALIZED (SELECT * FROM orders) SELECT count(*), max(note) FROM o;

-- plan: inner side kept on disk
-- finds: materialize-spill
-- may: custom-settings nested-loop-high-loops join-filter-waste row-misestimate cartesian slow-count
SET work_mem = '64kB';
SELECT count(b.id) FROM (SELECT id FROM orders WHERE id <= 15) a LEFT JOIN orders b ON b.note < a.id::text;

-- plan: result of a function that does not fit
-- finds: materialize-spill
-- may: row-misestimate hashagg-spill slow-count
SET work_mem = '64kB';
SELECT sum(n) FROM generate_series(1, 100000) n;

-- plan: window with large frames
-- may: sort-on-disk missing-limit materialize-spill
SET work_mem = '64kB';
SELECT sum(id) OVER () FROM orders;

-- plan: materialized CTE that fits
-- tempts: materialize-spill cte-materialized
WITH o AS MATERIALIZED (SELECT * FROM orders WHERE id < 100) SELECT count(*), max(note) FROM o;

-- plan: inner side kept in memory
-- tempts: materialize-spill join-filter-waste cartesian
-- may: custom-settings
SELECT count(*) FROM (SELECT id FROM pages WHERE id <= 30) a JOIN (SELECT id FROM pages WHERE id < 50) b ON b.id < a.id;

-- plan: bitmap that does not fit
-- finds: lossy-bitmap
-- may: custom-settings index-recheck read-efficiency
SET work_mem = '64kB'; SET enable_seqscan = off; SET enable_indexscan = off;
SELECT count(pad) FROM points WHERE v < 300;

-- plan: bitmap of an or that does not fit
-- finds: lossy-bitmap
-- may: custom-settings index-recheck read-efficiency
SET work_mem = '64kB'; SET enable_seqscan = off; SET enable_indexscan = off;
SELECT count(pad) FROM points WHERE v < 150 OR v > 850;

-- plan: bitmap that fits
-- tempts: lossy-bitmap
SELECT count(pad) FROM points WHERE v < 3;

-- plan: pages given by a BRIN index
-- tempts: lossy-bitmap
-- may: index-recheck custom-settings read-efficiency inefficient-index
CREATE INDEX points_brin ON points USING brin (id) WITH (pages_per_range = 8);
SET enable_seqscan = off;
SELECT count(pad) FROM points WHERE id BETWEEN 20000 AND 21000;

-- plan: large bitmap that fits
-- tempts: lossy-bitmap index-recheck
-- may: custom-settings read-efficiency
SET enable_seqscan = off; SET enable_indexscan = off; SET work_mem = '16MB';
SELECT count(pad) FROM points WHERE v < 100;

-- plan: merge join of sorts on disk
-- finds: external-merge-join-sorts sort-on-disk
-- may: custom-settings
SET work_mem = '64kB'; SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM orders a JOIN orders b ON a.note = b.status;

-- plan: merge join of two sorts on disk
-- finds: external-merge-join-sorts sort-on-disk
-- may: custom-settings materialize-spill
SET work_mem = '64kB'; SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM orders a JOIN orders b ON a.note = b.note;

-- plan: merge join by primary keys
-- tempts: external-merge-join-sorts
-- may: custom-settings
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM orders a JOIN pages b ON a.id = b.id;

-- plan: merge join of sorts in memory
-- tempts: external-merge-join-sorts sort-on-disk
-- may: custom-settings
SET work_mem = '64MB'; SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM orders a JOIN orders b ON a.note = b.note;

-- plan: wide rows returned
-- finds: wide-rows
-- may: missing-limit
SELECT * FROM pages;

-- plan: wide rows sorted
-- finds: wide-rows
-- may: missing-limit sort-on-disk
SET work_mem = '64MB';
SELECT * FROM pages ORDER BY body;

-- plan: wide rows hashed
-- finds: wide-rows
-- may: hash-batches custom-settings
SET work_mem = '64MB'; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT max(p.body) FROM orders o JOIN pages p ON p.id = o.customer_id + o.id;

-- plan: narrow rows returned
-- may: missing-limit
-- tempts: wide-rows
SELECT id, title FROM pages;

-- plan: one wide row returned
-- tempts: wide-rows
SELECT * FROM pages WHERE id = 7;

-- plan: first wide rows returned
-- tempts: wide-rows
SELECT * FROM pages ORDER BY id LIMIT 50;

-- plan: wide rows serialized
-- on: 17-18
-- options: ANALYZE, SERIALIZE TEXT, BUFFERS, MEMORY
-- finds: wide-rows
-- may: missing-limit
SELECT * FROM pages;

-- plan: narrow rows serialized
-- on: 17-18
-- options: ANALYZE, SERIALIZE BINARY
-- may: missing-limit
-- tempts: wide-rows
SELECT id FROM pages;

-- plan: incremental sort in memory
-- tempts: sort-on-disk
-- may: missing-limit
SET work_mem = '16MB';
SELECT v, id FROM points WHERE v < 20 ORDER BY v, id;
