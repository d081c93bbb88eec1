CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, total numeric(10,2) NOT NULL,
  placed timestamp NOT NULL, kind varchar(20) NOT NULL, code char(8) NOT NULL, note text);
INSERT INTO orders SELECT n, (n * 7919) % 5000, CASE WHEN n % 100 < 90 THEN 'done' WHEN n % 100 < 99 THEN 'open' ELSE 'held' END,
  (n * 31 % 99900) / 100.0, timestamp '2025-01-01' + n * interval '1 minute', 'kind ' || n % 40, lpad((n % 9000)::text, 8, '0'),
  repeat('x', 60) || n FROM generate_series(1, 60000) n;
CREATE TABLE colours (id int PRIMARY KEY, name text);
INSERT INTO colours SELECT n, 'colour ' || n FROM generate_series(1, 60) n;
CREATE TABLE goods (id int PRIMARY KEY, title text NOT NULL, vendor int NOT NULL, maker text);
INSERT INTO goods SELECT n, md5(n::text) || ' thing ' || n, n % 4000, 'Maker ' || n % 300 FROM generate_series(1, 40000) n;
CREATE INDEX ON goods (title text_pattern_ops);
CREATE INDEX ON goods (vendor);
CREATE TABLE indexed_goods (id int PRIMARY KEY, title text NOT NULL, maker text);
INSERT INTO indexed_goods SELECT id, title, maker FROM goods;
CREATE INDEX ON indexed_goods USING gin (title gin_trgm_ops);
CREATE INDEX ON indexed_goods (lower(maker));
CREATE TABLE docs (id int PRIMARY KEY, body jsonb, tags int[], words tsvector, spans int4range, owner int);
INSERT INTO docs SELECT n, jsonb_build_object('k', n, 'group', n % 3), ARRAY[n, n + 1], to_tsvector('simple', 'word' || n || ' common'),
  int4range(n, n + 5), n % 2000 FROM generate_series(1, 20000) n;
CREATE INDEX ON docs (owner);
CREATE TABLE indexed_docs (id int PRIMARY KEY, body jsonb, tags int[], words tsvector, spans int4range);
INSERT INTO indexed_docs SELECT id, body, tags, words, spans FROM docs;
CREATE INDEX ON indexed_docs USING gin (body jsonb_path_ops);
CREATE INDEX ON indexed_docs USING gin (tags);
CREATE INDEX ON indexed_docs USING gin (words);
CREATE INDEX ON indexed_docs USING gist (spans);
CREATE INDEX orders_a ON orders (total);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE moods (id int PRIMARY KEY, mood mood NOT NULL, ticket bigint NOT NULL, label varchar(30) NOT NULL, day date NOT NULL);
INSERT INTO moods SELECT n, CASE WHEN n % 500 = 0 THEN 'happy' ELSE 'ok' END::mood, n, 'label ' || n, date '2025-01-01' + n % 300
  FROM generate_series(1, 40000) n;
CREATE INDEX ON moods (ticket);
CREATE INDEX ON moods (label);
CREATE INDEX ON moods (mood);
CREATE INDEX ON moods (day);
VACUUM (ANALYZE);

-- plan: equality without an index
-- finds: seq-scan-high-filter
SELECT id, note FROM orders WHERE customer_id = 42;

-- plan: two equalities without an index
-- finds: seq-scan-high-filter
SELECT id, note FROM orders WHERE customer_id = 42 AND status = 'done';

-- plan: a range that keeps few
-- finds: seq-scan-high-filter
SELECT id, note FROM orders WHERE placed >= '2025-02-11 12:00';

-- plan: not distinct from without an index
-- finds: seq-scan-high-filter
SELECT id, note FROM orders WHERE customer_id IS NOT DISTINCT FROM 42;

-- plan: most rows kept
-- finds: large-seq-scan-ok
-- may: missing-limit
-- tempts: seq-scan-high-filter
SELECT id, note FROM orders WHERE status = 'done';

-- plan: all rows grouped
-- finds: large-seq-scan-ok
-- tempts: seq-scan-high-filter missing-limit
SELECT status, count(*), sum(total) FROM orders GROUP BY status;

-- plan: half of the rows summed up
-- finds: large-seq-scan-ok
-- tempts: seq-scan-high-filter
SELECT sum(total) FROM orders WHERE placed < '2025-01-25';

-- plan: a fifth of the rows kept
-- tempts: seq-scan-high-filter
-- may: row-misestimate
SELECT sum(total) FROM orders WHERE customer_id <= 1000 AND status <> 'held';

-- plan: a third of the rows kept
-- tempts: seq-scan-high-filter
-- may: row-misestimate
SELECT sum(total) FROM orders WHERE placed < '2025-01-16';

-- plan: a small table filtered
-- tempts: seq-scan-high-filter leading-wildcard
SELECT id FROM colours WHERE name LIKE '%7';

-- plan: look-up by primary key
-- tempts: large-seq-scan-ok
SELECT note FROM orders WHERE id = 4711;

-- plan: exists stops at the first row
-- tempts: seq-scan-high-filter
SELECT EXISTS (SELECT FROM orders WHERE status = 'held');

-- plan: first rows of a filter that many match
-- tempts: seq-scan-high-filter row-misestimate
SELECT id, note FROM orders WHERE status = 'open' LIMIT 5;

-- plan: pattern open at its beginning
-- finds: leading-wildcard
-- may: seq-scan-high-filter
SELECT id FROM goods WHERE title LIKE '%thing 777';

-- plan: pattern that ignores case
-- finds: leading-wildcard
-- may: seq-scan-high-filter
SELECT id FROM goods WHERE title ILIKE 'ABC%';

-- plan: regular expression without an anchor
-- finds: leading-wildcard
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM goods WHERE title ~ 'thing 77[78]$';

-- plan: varchar with a pattern open at its beginning
-- finds: leading-wildcard
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE kind LIKE '%d 39';

-- plan: pattern with a known beginning and an index
-- tempts: leading-wildcard seq-scan-high-filter
SELECT id FROM goods WHERE title LIKE 'abcd%';

-- plan: pattern with a known beginning without an index
-- finds: seq-scan-high-filter
-- tempts: leading-wildcard
-- may: row-misestimate
SELECT id FROM orders WHERE note LIKE 'y%';

-- plan: pattern that most rows match
-- finds: large-seq-scan-ok
-- may: missing-limit
-- tempts: leading-wildcard
SELECT id FROM goods WHERE title LIKE '%thing%';

-- plan: pattern with trigrams
-- tempts: leading-wildcard
-- may: row-misestimate
SELECT id FROM indexed_goods WHERE title LIKE '%thing 777%';

-- plan: pattern on the few rows of a look-up
-- tempts: leading-wildcard
SELECT id FROM goods WHERE vendor = 77 AND title LIKE '%5';

-- plan: jsonb contains without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE body @> '{"k": 77}';

-- plan: key in jsonb without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE body ? 'nothing';

-- plan: arrays overlap without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE tags && ARRAY[77, 78];

-- plan: array contained without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE tags @> ARRAY[77];

-- plan: full text without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE words @@ to_tsquery('simple', 'word77');

-- plan: ranges overlap without an index
-- finds: contains-without-gin
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE spans && int4range(7, 9);

-- plan: jsonb contains with GIN
-- tempts: contains-without-gin
-- may: row-misestimate
SELECT id FROM indexed_docs WHERE body @> '{"k": 77}';

-- plan: full text with GIN
-- tempts: contains-without-gin stale-stats
-- may: row-misestimate
SELECT id FROM indexed_docs WHERE words @@ to_tsquery('simple', 'word77');

-- plan: array contained with GIN
-- tempts: contains-without-gin
-- may: row-misestimate
SELECT id FROM indexed_docs WHERE tags @> ARRAY[77];

-- plan: ranges overlap with GiST
-- tempts: contains-without-gin
SELECT id FROM indexed_docs WHERE spans && int4range(7, 9);

-- plan: jsonb contains what most rows have
-- may: row-misestimate large-seq-scan-ok
-- tempts: contains-without-gin seq-scan-high-filter
SELECT count(*) FROM docs WHERE body @> '{}';

-- plan: jsonb contains on the few rows of a look-up
-- tempts: contains-without-gin
SELECT id FROM docs WHERE owner = 7 AND body @> '{"group": 1}';

-- plan: or over two columns
-- finds: or-same-table
-- may: seq-scan-high-filter
SELECT id FROM orders WHERE customer_id = 4 OR total = 5.55;

-- plan: or over two columns in parentheses with another condition
-- finds: or-same-table
-- may: seq-scan-high-filter
SELECT id FROM orders WHERE (customer_id = 4 OR code = '00000007') AND status = 'done';

-- plan: or over one column
-- finds: seq-scan-high-filter
-- tempts: or-same-table
SELECT id FROM orders WHERE customer_id = 4 OR customer_id = 5;

-- plan: or over indexed columns
-- tempts: or-same-table
SELECT id FROM goods WHERE vendor = 4 OR id = 5;

-- plan: or that most rows fulfil
-- may: large-seq-scan-ok missing-limit
-- tempts: or-same-table
SELECT id FROM orders WHERE status = 'done' OR total < 900;

-- plan: lower around the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM goods WHERE lower(maker) = 'maker 7';

-- plan: date_trunc around the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE date_trunc('day', placed) = '2025-01-20';

-- plan: cast to date around the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE placed::date = '2025-01-20';

-- plan: calculation on the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE customer_id + 1 = 43;

-- plan: extract from the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE extract(month FROM placed) = 2;

-- plan: to_char around the column
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM orders WHERE to_char(placed, 'YYYY-MM-DD') = '2025-01-20';

-- plan: field of jsonb compared
-- finds: nonsargable-function
-- may: seq-scan-high-filter row-misestimate
SELECT id FROM docs WHERE body ->> 'k' = '77';

-- plan: lower with an index on the expression
-- tempts: nonsargable-function
SELECT id FROM indexed_goods WHERE lower(maker) = 'maker 7';

-- plan: function on the other side
-- finds: seq-scan-high-filter
-- tempts: nonsargable-function
-- may: row-misestimate
SELECT id FROM orders WHERE placed >= date_trunc('day', timestamp '2025-02-11 17:00');

-- plan: function on the column that keeps most rows
-- may: row-misestimate large-seq-scan-ok missing-limit
-- tempts: nonsargable-function
SELECT id FROM orders WHERE date_trunc('year', placed) = '2025-01-01';

-- plan: function on the few rows of a look-up
-- tempts: nonsargable-function
SELECT id FROM goods WHERE vendor = 77 AND lower(maker) = 'maker 77';

-- plan: integer compared with a decimal number
-- finds: implicit-cast
-- may: seq-scan-high-filter row-misestimate nonsargable-function
SELECT note FROM orders WHERE customer_id = 42.0;

-- plan: bigint compared with a decimal number
-- finds: implicit-cast
-- may: seq-scan-high-filter row-misestimate nonsargable-function
SELECT label FROM moods WHERE ticket = 4200.0;

-- plan: enum compared as text
-- finds: implicit-cast
-- may: seq-scan-high-filter row-misestimate nonsargable-function
SELECT id FROM moods WHERE mood::text = 'happy';

-- plan: integer compared with a double
-- finds: implicit-cast
-- may: seq-scan-high-filter row-misestimate nonsargable-function
SELECT label FROM moods WHERE ticket = 4200::float8;

-- plan: varchar compared with text without an index
-- finds: seq-scan-high-filter
-- tempts: implicit-cast nonsargable-function
SELECT id FROM orders WHERE kind = 'kind 7';

-- plan: varchar compared with text with an index
-- tempts: implicit-cast nonsargable-function
SELECT id FROM moods WHERE label = 'label 77';

-- plan: date compared with a timestamp
-- may: seq-scan-high-filter
-- tempts: implicit-cast
SELECT id FROM moods WHERE day = timestamp '2025-02-01';

-- plan: bigint compared with an integer
-- tempts: implicit-cast
SELECT label FROM moods WHERE ticket = 4200;

-- plan: enum compared as enum
-- tempts: implicit-cast
-- may: row-misestimate
SELECT id FROM moods WHERE mood = 'happy';

-- plan: cast on few rows
-- tempts: implicit-cast
SELECT label FROM moods WHERE id < 50 AND ticket = 7.0;

-- plan: scan of everything wanted into a sum by month
-- finds: large-seq-scan-ok
-- tempts: nonsargable-function missing-limit
-- may: row-misestimate sort-on-disk
SELECT date_trunc('month', placed), sum(total) FROM orders GROUP BY 1 ORDER BY 1;

-- plan: null test that few rows pass
-- finds: seq-scan-high-filter
SELECT id FROM goods WHERE maker IS NULL;

-- plan: inequality that nearly all rows pass
-- may: large-seq-scan-ok missing-limit
-- tempts: seq-scan-high-filter
SELECT id FROM orders WHERE status <> 'held';

-- plan: list of values without an index
-- finds: seq-scan-high-filter
SELECT id FROM orders WHERE customer_id IN (1, 7, 99, 1234);

-- plan: not run, filter on a large table
-- may: seq-scan-high-filter
-- options: VERBOSE
-- tempts: missing-limit row-misestimate
SELECT id FROM orders WHERE customer_id = 42;

-- plan: not run, everything
-- may: large-seq-scan-ok missing-limit
-- options: COSTS
SELECT * FROM orders;

-- plan: without timing, filter on a large table
-- finds: seq-scan-high-filter
-- options: ANALYZE, TIMING OFF
SELECT id FROM orders WHERE customer_id = 43;

-- plan: without timing, look-up
-- options: ANALYZE, TIMING OFF
SELECT note FROM orders WHERE id = 43;
