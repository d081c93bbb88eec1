CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, total int NOT NULL);
INSERT INTO orders SELECT n, n % 5000, 's' || n % 20, n % 1000 FROM generate_series(1, 80000) n;
CREATE INDEX orders_total ON orders (total, id);
CREATE TABLE big (id int PRIMARY KEY, v int NOT NULL, pad text);
INSERT INTO big SELECT n, n % 10, repeat('x', 200) FROM generate_series(1, 150000) n;
VACUUM (ANALYZE);

-- plan: page far behind
-- finds: large-offset
SELECT id, status FROM orders ORDER BY id LIMIT 10 OFFSET 60000;

-- plan: page far behind after a sort
-- finds: large-offset
-- may: sort-on-disk large-seq-scan-ok
SELECT id, status FROM orders ORDER BY status, id LIMIT 10 OFFSET 20000;

-- plan: page far behind of a join
-- finds: large-offset
-- may: sort-on-disk large-seq-scan-ok row-misestimate index-loops nested-loop-high-loops hash-batches
SELECT a.id, b.status FROM orders a JOIN orders b ON b.id = a.customer_id ORDER BY a.id LIMIT 10 OFFSET 40000;

-- plan: last page by its key
-- tempts: large-offset
SELECT id, status FROM orders WHERE id > 60000 ORDER BY id LIMIT 10;

-- plan: second page
-- tempts: large-offset
SELECT id, status FROM orders ORDER BY id LIMIT 50 OFFSET 50;

-- plan: large page far behind
-- tempts: large-offset
SELECT id FROM orders ORDER BY id LIMIT 5000 OFFSET 5000;

-- plan: few of very many rows sorted
-- tempts: large-offset sort-on-disk
-- may: large-seq-scan-ok
SELECT id FROM orders ORDER BY status DESC, id LIMIT 5;

-- plan: limit above a grouping
-- tempts: large-offset row-misestimate
-- may: large-seq-scan-ok
SELECT customer_id, sum(total) FROM orders GROUP BY customer_id ORDER BY 2 DESC LIMIT 5;

-- plan: many rows returned
-- finds: missing-limit
-- may: large-seq-scan-ok wide-rows
SELECT * FROM orders;

-- plan: many rows returned in order
-- finds: missing-limit
-- may: large-seq-scan-ok sort-on-disk
SELECT id, total FROM orders ORDER BY total, id;

-- plan: many rows returned of a join
-- finds: missing-limit
-- may: large-seq-scan-ok hash-batches
SELECT a.id, b.status FROM orders a JOIN orders b ON b.id = a.customer_id;

-- plan: groups returned
-- tempts: missing-limit
-- may: large-seq-scan-ok
SELECT status, sum(total) FROM orders GROUP BY status;

-- plan: many groups returned
-- tempts: missing-limit
-- may: large-seq-scan-ok hashagg-spill
SELECT id, sum(total) FROM orders GROUP BY id;

-- plan: many rows under a limit
-- tempts: missing-limit
SELECT id FROM orders LIMIT 15000;

-- plan: thousand rows returned
-- tempts: missing-limit
SELECT id FROM orders WHERE id <= 1000;

-- plan: everything counted
-- finds: slow-count
-- may: large-seq-scan-ok
SELECT count(*) FROM big;

-- plan: everything counted by an index
-- finds: slow-count
-- may: custom-settings
SET enable_seqscan = off;
SELECT count(*) FROM orders;

-- plan: many rows counted by a condition
-- finds: slow-count
-- may: large-seq-scan-ok row-misestimate
SELECT count(*) FROM big WHERE v < 6;

-- plan: column counted
-- finds: slow-count
-- may: large-seq-scan-ok
-- options: ANALYZE, VERBOSE, BUFFERS
SELECT count(pad) FROM big;

-- plan: few rows counted
-- tempts: slow-count
SELECT count(*) FROM orders WHERE total = 7;

-- plan: counted by group
-- tempts: slow-count
-- may: large-seq-scan-ok
SELECT v, count(*) FROM big GROUP BY v;

-- plan: everything summed up
-- tempts: slow-count
-- may: large-seq-scan-ok
-- options: ANALYZE, VERBOSE, BUFFERS
SELECT sum(v), max(pad) FROM big;

-- plan: first rows with ties
-- tempts: large-offset
SELECT id FROM orders ORDER BY total FETCH FIRST 5 ROWS WITH TIES;

-- plan: first rows of a window
-- may: large-seq-scan-ok sort-on-disk row-misestimate missing-limit
-- tempts: large-offset
SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY id) AS r FROM orders) x WHERE r = 1 LIMIT 20;
