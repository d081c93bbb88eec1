CREATE TABLE jobs (id int PRIMARY KEY, owner int NOT NULL, state text NOT NULL, created int NOT NULL, pad text);
INSERT INTO jobs SELECT n, CASE WHEN n > 49900 THEN 7 ELSE n % 5 END, CASE WHEN n > 44000 THEN 'new' ELSE 'done' END, n, repeat('x', 80)
  FROM generate_series(1, 50000) n;
CREATE INDEX jobs_created ON jobs (created);
CREATE INDEX jobs_owner_created ON jobs (owner, created);
CREATE TABLE meters (id int PRIMARY KEY, region int NOT NULL, serial int NOT NULL, reading int NOT NULL, status text NOT NULL, pad text);
INSERT INTO meters SELECT n, n % 10, (n * 7919) % 20000, n, CASE WHEN n % 2 = 0 THEN 'on' ELSE 'off' END, repeat('y', 80)
  FROM generate_series(1, 60000) n;
CREATE INDEX meters_region ON meters (region);
CREATE INDEX meters_serial ON meters (serial);
CREATE INDEX meters_reading ON meters (reading);
CREATE TABLE texts (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO texts SELECT n, CASE WHEN n % 2000 = 0 THEN 'alpha beta gamma ' ELSE 'beta gamma alpha ' END || n FROM generate_series(1, 20000) n;
CREATE INDEX ON texts USING gin (body gin_trgm_ops);
CREATE TABLE shops (id int PRIMARY KEY, region int NOT NULL, code int NOT NULL, name text);
INSERT INTO shops SELECT n, n % 300, n % 9973, 'shop ' || n FROM generate_series(1, 60000) n;
CREATE INDEX shops_region_code ON shops (region, code);
CREATE TABLE visits (id int PRIMARY KEY, day int NOT NULL, shop int NOT NULL);
INSERT INTO visits SELECT n, n % 100, n % 1000 FROM generate_series(1, 60000) n;
CREATE INDEX visits_day_shop ON visits (day, shop);
CREATE TABLE fresh_visits (id int PRIMARY KEY, day int NOT NULL, shop int NOT NULL);
INSERT INTO fresh_visits SELECT * FROM visits;
CREATE INDEX fresh_visits_day_shop ON fresh_visits (day, shop);
CREATE TABLE places (id int PRIMARY KEY, spot point NOT NULL, name text);
INSERT INTO places SELECT n, point(n % 200, n / 200), 'place ' || n FROM generate_series(1, 20000) n;
CREATE INDEX ON places USING gist (spot);
VACUUM (ANALYZE);
UPDATE visits SET shop = shop WHERE id % 2 = 0;
ANALYZE visits;
UPDATE fresh_visits SET shop = shop WHERE id % 2000 = 0;

-- plan: order walked to rows at its far end
-- finds: wrong-index-order-by
-- may: row-misestimate inefficient-index
SELECT pad FROM jobs WHERE state = 'new' ORDER BY created LIMIT 5;

-- plan: order walked backwards to rows at its far end
-- finds: wrong-index-order-by
-- may: row-misestimate inefficient-index
SELECT pad FROM jobs WHERE state = 'done' AND id < 20000 ORDER BY created DESC LIMIT 3;

-- plan: order walked past rows of other owners
-- finds: wrong-index-order-by
-- may: row-misestimate custom-settings inefficient-index nonsargable-function
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
SELECT pad FROM jobs WHERE state = 'new' AND id % 7 = 1 ORDER BY id LIMIT 3;

-- plan: first rows by an index that fits
-- tempts: wrong-index-order-by
SELECT pad FROM jobs WHERE owner = 3 ORDER BY created LIMIT 5;

-- plan: first rows in order
-- tempts: wrong-index-order-by
SELECT pad FROM jobs ORDER BY created LIMIT 5;

-- plan: order walked to rows that are everywhere
-- tempts: wrong-index-order-by inefficient-index
SELECT pad FROM meters WHERE status = 'on' ORDER BY reading LIMIT 20;

-- plan: order walked past some rows
-- tempts: wrong-index-order-by
-- may: row-misestimate
SELECT pad FROM meters WHERE region = 9 ORDER BY reading LIMIT 20;

-- plan: lowest value of a column
-- tempts: wrong-index-order-by
SELECT min(created), max(created) FROM jobs;

-- plan: index on the less selective column
-- finds: inefficient-index
-- may: row-misestimate nonsargable-function
SELECT pad FROM meters WHERE region = 3 AND reading % 5000 = 3;

-- plan: index scan with a selective filter
-- finds: inefficient-index
-- may: row-misestimate custom-settings
SET enable_bitmapscan = off; SET enable_seqscan = off;
SELECT pad FROM meters WHERE region = 3 AND pad = 'nothing';

-- plan: range of an index with a selective filter
-- finds: inefficient-index
-- may: row-misestimate
SELECT pad FROM meters WHERE reading BETWEEN 10000 AND 20000 AND pad = 'nothing';

-- plan: index with a filter that half the rows pass
-- tempts: inefficient-index
SELECT pad FROM meters WHERE region = 3 AND status = 'off' AND reading < 30000;

-- plan: index with a filter on few rows
-- tempts: inefficient-index
SELECT pad FROM meters WHERE serial = 77 AND status = 'on';

-- plan: range of an index whose rows are kept
-- tempts: inefficient-index read-efficiency
SELECT pad FROM meters WHERE reading BETWEEN 10000 AND 12000;

-- plan: trigrams of words in another order
-- finds: index-recheck
-- may: row-misestimate custom-settings
SET enable_seqscan = off;
SELECT id FROM texts WHERE body LIKE '%alpha beta%';

-- plan: trigrams of a case that is not there
-- finds: index-recheck
-- may: row-misestimate custom-settings
SET enable_seqscan = off;
SELECT id FROM texts WHERE body ~ 'gamma.*beta.*alpha';

-- plan: trigrams that fit
-- tempts: index-recheck leading-wildcard
-- may: row-misestimate
SELECT id FROM texts WHERE body LIKE '%alpha 1999%';

-- plan: nearest places
-- tempts: index-recheck wrong-index-order-by
SELECT name FROM places ORDER BY spot <-> point(50, 50) LIMIT 5;

-- plan: places in a box
-- tempts: index-recheck
SELECT count(*) FROM places WHERE spot <@ box(point(10, 10), point(30, 30));

-- plan: index-only scan over pages just changed
-- finds: heap-fetches
-- may: custom-settings
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT shop FROM visits WHERE day < 50;

-- plan: index-only scan of one day over pages just changed
-- finds: heap-fetches
-- may: custom-settings
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(*) FROM visits WHERE day = 7;

-- plan: index-only scan over clean pages
-- may: missing-limit
-- tempts: heap-fetches
SELECT shop FROM fresh_visits WHERE day < 20;

-- plan: index-only scan of one row just changed
-- tempts: heap-fetches
SELECT shop FROM visits WHERE day = 7 AND shop = 507;

-- plan: many values looked up
-- on: 18
-- tempts: many-index-descents
SELECT name FROM shops WHERE id IN (SELECT n * 600 FROM generate_series(1, 100) n);

-- plan: long list of values far apart
-- tempts: many-index-descents
SELECT name FROM shops WHERE id = ANY (ARRAY[100, 1100, 2100, 3100, 4100, 5100, 6100, 7100, 8100, 9100, 10100, 11100, 12100, 13100, 14100,
  15100, 16100, 17100, 18100, 19100, 20100, 21100, 22100, 23100, 24100, 25100, 26100, 27100, 28100, 29100, 30100, 31100, 32100, 33100,
  34100, 35100, 36100, 37100, 38100, 39100, 40100, 41100, 42100, 43100, 44100, 45100, 46100, 47100, 48100, 49100, 50100, 51100, 52100,
  53100, 54100, 55100, 56100, 57100, 58100, 59100]);

-- plan: leading column skipped
-- on: 18
-- finds: many-index-descents
-- may: custom-settings
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT id FROM shops WHERE code = 4242;

-- plan: leading column skipped by a range of it
-- on: 18
-- finds: many-index-descents
-- may: custom-settings inefficient-index
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT id FROM shops WHERE region BETWEEN 10 AND 290 AND code = 4242;

-- plan: leading column given
-- tempts: many-index-descents
SELECT id FROM shops WHERE region = 42 AND code = 4242;

-- plan: bitmap of two indexes
-- tempts: inefficient-index row-misestimate
-- may: row-misestimate
SELECT pad FROM meters WHERE serial = 77 OR reading = 5;

-- plan: whole index read in order
-- may: missing-limit
-- tempts: read-efficiency index-loops
SELECT day, shop FROM fresh_visits ORDER BY day, shop;

-- plan: backward scan of the last rows
-- tempts: wrong-index-order-by
SELECT id, reading FROM meters ORDER BY reading DESC LIMIT 10;
