CREATE TABLE bloated (id int PRIMARY KEY, v int NOT NULL, pad text);
INSERT INTO bloated SELECT n, n, repeat('x', 900) FROM generate_series(1, 30000) n;
DELETE FROM bloated WHERE id % 40 <> 0;
CREATE TABLE scattered (id int PRIMARY KEY, owner int NOT NULL, pad text);
INSERT INTO scattered SELECT n, n % 20, repeat('x', 600) FROM generate_series(1, 40000) n;
CREATE INDEX scattered_owner ON scattered (owner);
CREATE TABLE gathered (id int PRIMARY KEY, owner int NOT NULL, pad text);
INSERT INTO gathered SELECT n, n / 2000, repeat('x', 60) FROM generate_series(1, 40000) n;
CREATE INDEX gathered_owner ON gathered (owner);
CREATE TABLE wide (id int PRIMARY KEY, v int NOT NULL, pad text);
ALTER TABLE wide ALTER pad SET STORAGE PLAIN;
INSERT INTO wide SELECT n, n, repeat('x', 7000) FROM generate_series(1, 6000) n;
VACUUM (ANALYZE);

-- plan: table that is mostly dead space
-- finds: read-efficiency
-- may: low-cache-hit io-time-dominates
SELECT sum(v) FROM bloated;

-- plan: table that is mostly dead space, grouped
-- finds: read-efficiency
-- may: low-cache-hit io-time-dominates
SELECT v % 3, count(*) FROM bloated GROUP BY 1;

-- plan: rows of one owner all over the table
-- finds: read-efficiency
-- may: low-cache-hit io-time-dominates custom-settings
SET enable_seqscan = off;
SELECT id FROM scattered WHERE owner = 7;

-- plan: rows of one owner side by side
-- tempts: read-efficiency
SELECT id FROM gathered WHERE owner = 7;

-- plan: whole table read for all its columns
-- tempts: read-efficiency
-- may: missing-limit wide-rows large-seq-scan-ok
SELECT * FROM scattered;

-- plan: narrow column of a wide table
-- tempts: read-efficiency
-- may: large-seq-scan-ok read-efficiency io-time-dominates low-cache-hit
SELECT sum(v) FROM wide;

-- plan: read with an empty cache
-- cold
-- times
-- finds: low-cache-hit
-- may: large-seq-scan-ok read-efficiency io-time-dominates
SELECT sum(v) FROM wide;

-- plan: read by an index with an empty cache
-- cold
-- times
-- finds: low-cache-hit
-- may: read-efficiency io-time-dominates custom-settings
SET enable_seqscan = off;
SELECT sum(length(pad)) FROM scattered WHERE owner IN (7, 8, 9);

-- plan: read again with a full cache
-- tempts: low-cache-hit io-time-dominates
-- may: read-efficiency large-seq-scan-ok slow-count
SELECT sum(length(pad)) FROM gathered;

-- plan: one row with an empty cache
-- cold
-- tempts: low-cache-hit io-time-dominates
SELECT pad FROM scattered WHERE id = 777;

-- plan: few rows with an empty cache
-- cold
-- tempts: low-cache-hit io-time-dominates
-- may: io-time-dominates
SELECT pad FROM gathered WHERE owner = 3;

-- plan: wide rows read with an empty cache
-- cold
-- times
-- finds: io-time-dominates
-- may: large-seq-scan-ok read-efficiency low-cache-hit
-- options: ANALYZE, BUFFERS, TIMING ON
SELECT count(v) FROM wide;

-- plan: wide rows read by an index with an empty cache
-- cold
-- times
-- finds: io-time-dominates
-- may: large-seq-scan-ok read-efficiency low-cache-hit custom-settings
-- options: ANALYZE, BUFFERS, TIMING ON
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(v) FROM wide WHERE id > 0;
