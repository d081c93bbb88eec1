CREATE TABLE carts (id int PRIMARY KEY, owner int NOT NULL, state text NOT NULL);
INSERT INTO carts SELECT n, n % 700, 's' || n % 5 FROM generate_series(1, 6000) n;
CREATE TABLE cart_lines (id int PRIMARY KEY, cart int NOT NULL, article int NOT NULL, state text NOT NULL, pad text);
INSERT INTO cart_lines SELECT n, n % 60000, n % 900, 's' || n % 4, repeat('x', 40) FROM generate_series(1, 120000) n;
CREATE TABLE cart_notes (id int PRIMARY KEY, cart int NOT NULL, note text);
INSERT INTO cart_notes SELECT n, n % 60000, repeat('y', 40) FROM generate_series(1, 120000) n;
CREATE INDEX cart_notes_cart ON cart_notes (cart);
CREATE TABLE states (name text PRIMARY KEY, label text);
INSERT INTO states SELECT 's' || n, 'state ' || n FROM generate_series(0, 400) n;
CREATE TABLE visits (cart int NOT NULL, day date NOT NULL, pad text) PARTITION BY RANGE (day);
CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO visits SELECT n % 60000, date '2024-01-01' + n % 700, repeat('z', 50) FROM generate_series(1, 120000) n;
VACUUM ANALYZE;

-- plan: few carts, all lines read
-- finds: unindexed-join
-- tempts: large-seq-scan-ok
SET max_parallel_workers_per_gather = 0;
SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 60;

-- plan: few carts with or without lines
-- finds: unindexed-join
SET max_parallel_workers_per_gather = 0;
SELECT c.id, l.article FROM carts c LEFT JOIN cart_lines l ON l.cart = c.id WHERE c.id < 60;

-- plan: few carts that have a line
-- on: 15-18
-- finds: unindexed-join
-- may: hash-batches
SET max_parallel_workers_per_gather = 0;
SELECT c.id FROM carts c WHERE c.id < 60 AND EXISTS (SELECT FROM cart_lines l WHERE l.cart = c.id);

-- plan: few carts without a line
-- finds: unindexed-join
-- may: hash-batches
SET max_parallel_workers_per_gather = 0;
SELECT c.id FROM carts c WHERE c.id < 60 AND NOT EXISTS (SELECT FROM cart_lines l WHERE l.cart = c.id);

-- plan: lines of few carts, most states
-- finds: unindexed-join
SET max_parallel_workers_per_gather = 0;
SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 40 AND l.state <> 's1';

-- plan: few carts, all visits in partitions
-- finds: unindexed-join
SET max_parallel_workers_per_gather = 0;
SELECT c.id, v.pad FROM carts c JOIN visits v ON v.cart = c.id WHERE c.id < 30;

-- plan: few carts, all lines read by several
-- finds: unindexed-join
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 20;

-- plan: few carts, merged with all lines
-- finds: unindexed-join
-- may: sort-on-disk external-merge-join-sorts
SET max_parallel_workers_per_gather = 0; SET enable_hashjoin = off;
SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 60;

-- plan: few carts, notes looked up
-- tempts: unindexed-join
SELECT c.id, n.note FROM carts c JOIN cart_notes n ON n.cart = c.id WHERE c.id < 60;

-- plan: all carts, all lines
-- tempts: unindexed-join
-- may: missing-limit hash-batches
SET max_parallel_workers_per_gather = 0;
SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id;

-- plan: few carts, many lines each
-- tempts: unindexed-join
-- may: missing-limit row-misestimate
SET max_parallel_workers_per_gather = 0;
SELECT c.id, l.id FROM carts c JOIN cart_lines l ON l.article = c.owner WHERE c.id < 60;

-- plan: lines of few states, a small table joined
-- tempts: unindexed-join
SELECT l.id, s.label FROM cart_lines l JOIN states s ON s.name = l.state WHERE l.id < 20;

-- plan: every line with its cart
-- tempts: unindexed-join
-- may: missing-limit
SET max_parallel_workers_per_gather = 0;
SELECT l.id, c.owner FROM cart_lines l LEFT JOIN carts c ON c.id = l.cart AND c.id < 60;

-- plan: lines of no cart
-- tempts: unindexed-join
-- may: missing-limit
SET max_parallel_workers_per_gather = 0;
SELECT l.id FROM cart_lines l WHERE NOT EXISTS (SELECT FROM carts c WHERE c.id = l.cart AND c.id < 60);
