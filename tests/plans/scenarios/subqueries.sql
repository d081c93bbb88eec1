CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, region int NOT NULL);
INSERT INTO customers SELECT n, 'c' || n, n % 50 FROM generate_series(1, 20000) n;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL, note text);
INSERT INTO orders SELECT n, 1 + (n * 7919) % 20000, n % 1000, repeat('x', 60) FROM generate_series(1, 40000) n;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE TABLE banned (customer_id int);
INSERT INTO banned SELECT n * 3 FROM generate_series(1, 6000) n;
CREATE TABLE tree (id int PRIMARY KEY, parent int);
INSERT INTO tree SELECT n, NULLIF(n / 2, 0) FROM generate_series(1, 4000) n;
CREATE INDEX ON tree (parent);
CREATE FUNCTION nap(s double precision) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_sleep(s); RETURN 7; END $$;
VACUUM (ANALYZE);

-- plan: subquery in the select list for each row
-- finds: subplan-per-row
-- may: missing-limit
SELECT c.name, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) FROM customers c;

-- plan: two subqueries in the select list for each row
-- finds: subplan-per-row
-- may: missing-limit
SELECT c.name, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id), (SELECT count(*) FROM orders o WHERE o.customer_id = c.id)
  FROM customers c WHERE c.region < 20;

-- plan: subquery in the condition for each row
-- finds: subplan-per-row
-- may: row-misestimate seq-scan-high-filter slow-count
SELECT count(*) FROM customers c WHERE (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id) > 1500;

-- plan: subquery for the few rows of a page
-- tempts: subplan-per-row
SELECT c.name, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY c.id LIMIT 20;

-- plan: aggregate joined instead of a subquery
-- tempts: subplan-per-row
-- may: missing-limit seq-scan-high-filter
SELECT c.name, o.most FROM customers c LEFT JOIN (SELECT customer_id, max(total) AS most FROM orders GROUP BY 1) o ON o.customer_id = c.id
  WHERE c.region = 3;

-- plan: subquery that no row needs
-- tempts: subplan-per-row
-- may: large-seq-scan-ok
SELECT c.name, CASE WHEN c.region > 100 THEN (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) END FROM customers c WHERE c.region < 25;

-- plan: not in a subquery that is not hashed
-- finds: not-in-subquery
-- may: subplan-per-row seq-scan-high-filter materialize-spill row-misestimate seq-scan-in-loop missing-limit slow-count
SET work_mem = '64kB';
SELECT count(*) FROM customers c WHERE c.region = 7 AND c.id NOT IN (SELECT customer_id FROM banned);

-- plan: not in a subquery of two columns that is not hashed
-- finds: not-in-subquery
-- may: subplan-per-row seq-scan-high-filter materialize-spill row-misestimate seq-scan-in-loop missing-limit slow-count
SET work_mem = '64kB';
SELECT count(*) FROM customers c WHERE c.region = 7 AND (c.id, c.region) NOT IN (SELECT customer_id, total FROM orders);

-- plan: not in a subquery that is hashed
-- may: slow-count seq-scan-high-filter row-misestimate missing-limit large-seq-scan-ok
-- tempts: not-in-subquery subplan-per-row
SET work_mem = '64MB';
SELECT count(*) FROM customers c WHERE c.id NOT IN (SELECT customer_id FROM banned);

-- plan: in a subquery that is not hashed
-- tempts: not-in-subquery
-- may: slow-count row-misestimate
SELECT count(*) FROM customers c WHERE c.id IN (SELECT customer_id FROM banned);

-- plan: not exists
-- tempts: not-in-subquery subplan-per-row
-- may: slow-count row-misestimate
SELECT count(*) FROM customers c WHERE NOT EXISTS (SELECT FROM banned b WHERE b.customer_id = c.id);

-- plan: not exists inside an or
-- tempts: not-in-subquery
-- may: subplan-per-row slow-count seq-scan-high-filter row-misestimate
SELECT count(*) FROM customers c WHERE c.region = 3 AND (c.name = 'c3' OR NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.total < 5));

-- plan: not in a list
-- tempts: not-in-subquery
-- may: slow-count large-seq-scan-ok
SELECT count(*) FROM customers c WHERE c.region NOT IN (1, 2, 3);

-- plan: compared with the result of a subquery
-- may: seq-scan-high-filter slow-count
-- tempts: subplan-per-row
SELECT count(*) FROM orders WHERE total = (SELECT max(region) FROM customers);

-- plan: a subquery that is slow and read by a scan
-- tempts: subplan-per-row volatile-fn-per-row seq-scan-high-filter
-- may: row-misestimate
SELECT id FROM customers WHERE id = (SELECT nap(0.02));

-- plan: a subquery shown under an aggregate and read below it
-- tempts: slow-count
-- may: seq-scan-high-filter row-misestimate
SELECT count(*) FROM generate_series(1, (SELECT nap(0.02))) g;

-- plan: a subquery that two scans read
-- may: seq-scan-high-filter row-misestimate slow-count
SELECT count(*) FROM customers a JOIN orders b ON b.customer_id = a.id WHERE a.region = (SELECT nap(0.02));

-- plan: CTE of which its reader keeps little
-- finds: cte-materialized
-- may: materialize-spill row-misestimate
WITH o AS MATERIALIZED (SELECT * FROM orders) SELECT note FROM o WHERE id = 42;

-- plan: CTE joined by its reader to few
-- finds: cte-materialized
-- may: materialize-spill row-misestimate
WITH o AS MATERIALIZED (SELECT customer_id, total FROM orders WHERE total < 900) SELECT sum(total) FROM o WHERE customer_id = 77;

-- plan: CTE put into its reader
-- tempts: cte-materialized
WITH o AS (SELECT * FROM orders) SELECT note FROM o WHERE id = 42;

-- plan: CTE that two readers share
-- tempts: cte-materialized
-- may: row-misestimate materialize-spill nested-loop-high-loops hash-batches
WITH o AS (SELECT customer_id, sum(total) AS s FROM orders GROUP BY 1)
  SELECT count(*) FROM o a JOIN o b ON b.customer_id = a.customer_id WHERE a.s > 1990;

-- plan: CTE whose rows are all used
-- tempts: cte-materialized materialize-spill
-- may: row-misestimate large-seq-scan-ok
WITH o AS MATERIALIZED (SELECT region, count(*) AS n FROM customers GROUP BY 1) SELECT * FROM o ORDER BY n DESC;

-- plan: two CTEs of which one reads the other
-- tempts: cte-materialized
-- may: row-misestimate materialize-spill
WITH a AS MATERIALIZED (SELECT id, region, nap(0.0) FROM customers WHERE id < 200), b AS MATERIALIZED (SELECT region, count(*) AS n FROM a GROUP BY 1)
  SELECT count(*) FROM a JOIN b ON b.region = a.region;

-- plan: slow CTE read twice
-- tempts: cte-materialized
-- may: row-misestimate cartesian
WITH o AS MATERIALIZED (SELECT nap(0.05) AS x) SELECT a.x, b.x FROM o a, o b;

-- plan: recursive CTE down a tree
-- tempts: cte-materialized row-misestimate cartesian nested-loop-high-loops
-- may: missing-limit
WITH RECURSIVE below AS (SELECT id, parent, 1 AS depth FROM tree WHERE id = 1
  UNION ALL SELECT t.id, t.parent, b.depth + 1 FROM tree t JOIN below b ON t.parent = b.id) SELECT max(depth), count(*) FROM below;

-- plan: recursive CTE of numbers
-- tempts: cte-materialized row-misestimate
WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 1000) SELECT sum(x) FROM n;

-- plan: recursive CTE of which few are kept
-- tempts: cte-materialized
WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 3000) SELECT x FROM n WHERE x % 1000 = 7;

-- plan: lateral top rows of each
-- tempts: subplan-per-row nested-loop-high-loops
-- may: inefficient-index
SELECT c.id, o.total FROM customers c CROSS JOIN LATERAL (SELECT total FROM orders o WHERE o.customer_id = c.id ORDER BY total DESC LIMIT 1) o
  WHERE c.region = 7 AND c.id < 3000;

-- plan: part that is never executed
-- finds: never-executed
-- tempts: row-misestimate
SELECT o.id FROM banned b JOIN orders o ON o.customer_id = b.customer_id WHERE b.customer_id = -5;

-- plan: union part that is never executed
-- finds: never-executed
-- tempts: row-misestimate seq-scan-high-filter
(SELECT id FROM orders WHERE id = 7) UNION ALL (SELECT id FROM customers) LIMIT 1;

-- plan: condition that is never true
-- tempts: never-executed
SELECT id FROM orders WHERE false;

-- plan: everything executed
-- tempts: never-executed
SELECT o.id FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = 7;

-- plan: exists in the select list
-- tempts: subplan-per-row
-- may: seq-scan-high-filter subplan-per-row missing-limit large-seq-scan-ok
SELECT c.id, EXISTS (SELECT FROM banned b WHERE b.customer_id = c.id) FROM customers c WHERE c.region = 9;

-- plan: array of a subquery
-- tempts: subplan-per-row cte-materialized
SELECT ARRAY(SELECT id FROM customers WHERE region = 7 AND id < 1000);

-- plan: any of an array
-- tempts: subplan-per-row
SELECT name FROM customers WHERE id = ANY (ARRAY(SELECT customer_id FROM banned WHERE customer_id < 100));

-- plan: CTE that changes rows and is read
-- tempts: cte-materialized write-cost
-- may: row-misestimate seq-scan-high-filter
WITH gone AS (DELETE FROM banned WHERE customer_id < 600 RETURNING customer_id) SELECT count(*) FROM gone;

-- plan: CTE that changes rows and is not read
-- tempts: cte-materialized
-- may: write-cost
WITH changed AS (UPDATE orders SET total = total + 1 WHERE id < 20000) SELECT 1;

-- plan: CTE that changes rows and is not read to its end
-- tempts: cte-materialized
-- may: write-cost
WITH changed AS (UPDATE orders SET total = total + 1 WHERE id < 20000 RETURNING id) SELECT id FROM changed LIMIT 1;

-- plan: ten subqueries of which two are slow
-- options: ANALYZE, VERBOSE, BUFFERS
-- tempts: subplan-per-row
-- may: row-misestimate cartesian never-executed seq-scan-high-filter
SELECT (SELECT nap(0.001)), (SELECT nap(0.002)), (SELECT 3), (SELECT 4), (SELECT nap(0.005)), (SELECT 6), (SELECT 7), (SELECT 8), count(*)
  FROM generate_series(1, (SELECT nap(0.03))) a, generate_series(1, (SELECT nap(0.06))) b;
