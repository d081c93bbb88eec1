CREATE TABLE reds (id int PRIMARY KEY, shade int NOT NULL, name text);
INSERT INTO reds SELECT n, n % 20, 'red ' || n FROM generate_series(1, 400) n;
CREATE TABLE blues (id int PRIMARY KEY, shade int NOT NULL, name text);
INSERT INTO blues SELECT n, n % 20, 'blue ' || n FROM generate_series(1, 400) n;
CREATE TABLE settings (id int PRIMARY KEY, rate numeric NOT NULL);
INSERT INTO settings VALUES (1, 1.19);
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL, zip text NOT NULL);
INSERT INTO customers SELECT n, 'p' || n, 'city ' || n % 100, 'zip ' || n % 100 FROM generate_series(1, 20000) n;
CREATE INDEX customers_name ON customers (name);
CREATE TABLE pets (id int PRIMARY KEY, owner int NOT NULL, name text NOT NULL);
INSERT INTO pets SELECT n, n, 'q' || n FROM generate_series(1, 20000) n;
CREATE INDEX pets_name ON pets (name);
CREATE INDEX pets_owner ON pets (owner);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL, pad text);
INSERT INTO orders SELECT n, 1 + (n * 7919) % 20000, n % 1000, repeat('x', 40) FROM generate_series(1, 60000) n;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE TABLE bare_orders (id int PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL);
INSERT INTO bare_orders SELECT id, customer_id, total FROM orders WHERE id <= 10000;
CREATE TABLE spans (id int PRIMARY KEY, low int NOT NULL, high int NOT NULL);
INSERT INTO spans SELECT n, n * 20, n * 20 + 19 FROM generate_series(1, 2000) n;
VACUUM (ANALYZE);

-- plan: no condition between two tables
-- finds: cartesian
-- may: missing-limit
SELECT r.id, b.id FROM reds r, blues b;

-- plan: a condition on each table but none between
-- finds: cartesian
-- may: slow-count
SELECT count(*) FROM customers c, pets p WHERE c.city = 'city 7' AND p.id < 300;

-- plan: third table without a condition
-- finds: cartesian
-- may: missing-limit slow-count row-misestimate
SELECT count(*) FROM reds r JOIN blues b ON b.id = r.id, settings s, pets p WHERE p.id < 100;

-- plan: one row of settings joined
-- tempts: cartesian
SELECT r.id, r.shade * s.rate FROM reds r CROSS JOIN settings s;

-- plan: join by an equality
-- tempts: cartesian
SELECT r.id, b.id FROM reds r JOIN blues b ON b.id = r.id;

-- plan: join of rows that the same constant picks
-- tempts: cartesian
SELECT r.id, b.id FROM reds r JOIN blues b ON b.shade = r.shade WHERE r.shade = 7;

-- plan: join of rows that the same parameter picks
-- tempts: cartesian
-- options: ANALYZE
SELECT r.id, b.id FROM reds r JOIN blues b ON b.shade = r.shade WHERE r.shade = (SELECT max(id) / 100 FROM settings) + 7;

-- plan: rows made for each row
-- tempts: cartesian
-- may: row-misestimate
SELECT r.id, g FROM reds r, generate_series(1, r.shade) g;

-- plan: lateral look-up of each row
-- tempts: cartesian
SELECT r.id, o.id FROM reds r, LATERAL (SELECT id FROM orders o WHERE o.customer_id = r.id ORDER BY id LIMIT 2) o;

-- plan: values joined to every row
-- tempts: cartesian
SELECT r.id, v.x FROM (VALUES (1), (2), (3)) v(x) CROSS JOIN reds r;

-- plan: page of settings read for each row
-- tempts: seq-scan-in-loop cartesian
-- may: row-misestimate custom-settings join-filter-waste slow-count nested-loop-high-loops seq-scan-in-loop
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_indexscan = off; SET enable_bitmapscan = off;
SELECT count(*) FROM customers c JOIN settings s ON s.id = c.id % 3;

-- plan: values joined
-- tempts: cartesian
SELECT v.x, r.id FROM (VALUES (1), (2)) v(x) JOIN reds r ON r.id = v.x;

-- plan: ranges matched one with one
-- finds: join-filter-waste
-- may: row-misestimate slow-count
SELECT count(*) FROM spans s JOIN reds r ON r.id * 7 BETWEEN s.low AND s.high;

-- plan: inequality that hardly any pair fulfils
-- finds: join-filter-waste
-- may: row-misestimate slow-count
SELECT count(*) FROM reds r JOIN spans s ON s.high < r.id / 10;

-- plan: join by a function of both sides
-- finds: join-filter-waste
-- may: row-misestimate slow-count
SELECT count(*) FROM reds r JOIN spans s ON abs(s.low - r.id * 20) < 1;

-- plan: hash join with a filter that most pairs fail
-- finds: join-filter-waste
-- may: row-misestimate slow-count
SELECT count(*) FROM orders a JOIN customers b ON b.id = a.customer_id AND b.id + 19990 < a.total;

-- plan: inequality that half of the pairs fulfil
-- tempts: join-filter-waste
-- may: slow-count missing-limit nested-loop-high-loops
SELECT count(*) FROM reds r JOIN blues b ON b.id < r.id;

-- plan: small tables compared with each other
-- tempts: join-filter-waste
SELECT r.id FROM reds r JOIN settings s ON s.id > r.id;

-- plan: or over two tables after the join
-- finds: late-or-across-tables
-- may: join-filter-waste row-misestimate
SELECT o.id, p.id FROM customers o JOIN pets p ON p.owner = o.id WHERE o.name = 'p7' OR p.name = 'q9';

-- plan: or over two tables with more after the join
-- finds: late-or-across-tables
-- may: join-filter-waste row-misestimate
SELECT o.id, p.id FROM customers o JOIN pets p ON p.owner = o.id WHERE (o.name LIKE 'p77%' OR p.name = 'q9') AND o.id + p.id > 5;

-- plan: or over two tables of an outer join
-- finds: late-or-across-tables
-- may: join-filter-waste row-misestimate
SELECT o.id, p.id FROM customers o JOIN pets p ON p.owner = o.id AND (o.zip = 'zip 7' OR p.name = 'q9');

-- plan: and over two tables
-- tempts: late-or-across-tables
SELECT o.id, p.id FROM customers o JOIN pets p ON p.owner = o.id WHERE o.name = 'p7' AND p.name = 'q7';

-- plan: or over one of two joined tables
-- tempts: late-or-across-tables
SELECT o.id, p.id FROM customers o JOIN pets p ON p.owner = o.id WHERE o.name = 'p7' OR o.name = 'p9';

-- plan: join that many rows pass by an or
-- tempts: late-or-across-tables
-- may: missing-limit late-or-across-tables row-misestimate
SELECT o.id FROM customers o JOIN pets p ON p.owner = o.id WHERE o.id > 100 OR p.id > 100;

-- plan: nested loop after a bad estimate
-- finds: nested-loop-high-loops row-misestimate
-- may: index-loops slow-count seq-scan-high-filter
SELECT sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id WHERE abs(c.id) = c.id AND c.id % 1 = 0;

-- plan: nested loop over most customers
-- finds: nested-loop-high-loops
-- may: custom-settings index-loops slow-count row-misestimate
SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id < 9000;

-- plan: index looked up for every order
-- finds: index-loops
-- may: custom-settings nested-loop-high-loops slow-count memoize-ineffective row-misestimate
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
SELECT count(c.name) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.total < 500;

-- plan: index looked up for every customer
-- finds: index-loops
-- may: custom-settings nested-loop-high-loops slow-count memoize-ineffective row-misestimate
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
SELECT sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id;

-- plan: few rows looked up
-- tempts: nested-loop-high-loops index-loops
-- may: inefficient-index
SELECT o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.city = 'city 7' AND c.id < 3000;

-- plan: hash join of two large tables
-- tempts: nested-loop-high-loops index-loops
-- may: slow-count
SELECT sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id;

-- plan: table scanned again for each row
-- finds: seq-scan-in-loop
-- may: custom-settings nested-loop-high-loops join-filter-waste seq-scan-high-filter row-misestimate slow-count
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM reds r JOIN bare_orders o ON o.customer_id = r.id WHERE r.shade < 5;

-- plan: table scanned again for each lateral row
-- finds: seq-scan-in-loop
-- may: nested-loop-high-loops seq-scan-high-filter row-misestimate
SELECT r.id, o.total FROM reds r, LATERAL (SELECT total FROM bare_orders o WHERE o.customer_id = r.id ORDER BY total LIMIT 1) o WHERE r.id < 200;

-- plan: small table scanned for each row
-- tempts: seq-scan-in-loop
-- may: row-misestimate
SELECT r.id, (SELECT s.rate FROM settings s WHERE s.id = r.shade) FROM reds r WHERE r.id < 50;

-- plan: hash join without an index on the key
-- tempts: seq-scan-in-loop
SELECT count(*) FROM reds r JOIN bare_orders o ON o.customer_id = r.id;

-- plan: inner rows remembered
-- on: 14-18
-- tempts: memoize-ineffective index-loops
-- may: custom-settings slow-count nested-loop-high-loops
SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT count(c.name) FROM reds r JOIN customers c ON c.id = r.shade;

-- plan: inner rows remembered in vain
-- on: 14-18
-- finds: memoize-ineffective
-- may: custom-settings slow-count nested-loop-high-loops index-loops row-misestimate
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
ALTER TABLE bare_orders ALTER customer_id SET (n_distinct = 5); ANALYZE bare_orders;
SELECT count(c.name) FROM bare_orders o JOIN customers c ON c.id = o.customer_id;

-- plan: too little memory to remember inner rows
-- on: 14-18
-- finds: memoize-ineffective
-- may: custom-settings slow-count nested-loop-high-loops index-loops row-misestimate hash-batches
SET work_mem = '64kB'; SET enable_hashjoin = off; SET enable_mergejoin = off;
ALTER TABLE orders ALTER customer_id SET (n_distinct = 50); ANALYZE orders;
SELECT count(c.name) FROM orders o JOIN customers c ON c.id = o.customer_id;

-- plan: anti join
-- tempts: row-misestimate not-in-subquery
-- may: missing-limit slow-count seq-scan-high-filter
SELECT count(*) FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.total = 7);

-- plan: semi join
-- tempts: row-misestimate
-- may: slow-count seq-scan-high-filter
SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id);

-- plan: full join
-- tempts: cartesian
-- may: slow-count
SELECT count(*) FROM reds r FULL JOIN blues b ON b.id = r.id + 100;

-- plan: merge join in order of the keys
-- tempts: row-misestimate
-- may: custom-settings slow-count
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM customers c JOIN pets p ON p.id = c.id;

-- plan: merge join that stops early
-- tempts: row-misestimate
-- may: custom-settings slow-count
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM orders c JOIN reds p ON p.id = c.id;

-- plan: self join by the key
-- tempts: cartesian
SELECT a.name, b.name FROM reds a JOIN reds b ON b.id = a.id + 1 WHERE a.shade = 3;

-- plan: star of four tables
-- tempts: nested-loop-high-loops cartesian
-- may: row-misestimate seq-scan-high-filter
SELECT c.name, p.name, sum(o.total) FROM customers c JOIN pets p ON p.owner = c.id JOIN orders o ON o.customer_id = c.id
  WHERE c.city = 'city 11' GROUP BY c.name, p.name ORDER BY 3 DESC LIMIT 10;
