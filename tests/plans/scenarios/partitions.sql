CREATE TABLE events (id int NOT NULL, at timestamp NOT NULL, kind text NOT NULL, amount int NOT NULL) PARTITION BY RANGE (at);
DO $$ BEGIN FOR m IN 1..12 LOOP
  EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', m, make_date(2025, m, 1), make_date(2025, m, 1) + interval '1 month');
END LOOP; END $$;
INSERT INTO events SELECT n, timestamp '2025-01-01' + n * interval '8 minutes', 'kind ' || n % 30, n % 500 FROM generate_series(1, 65000) n;
CREATE TABLE regions (id int NOT NULL, region text NOT NULL, total int NOT NULL) PARTITION BY LIST (region);
CREATE TABLE regions_n PARTITION OF regions FOR VALUES IN ('north');
CREATE TABLE regions_s PARTITION OF regions FOR VALUES IN ('south');
CREATE TABLE regions_e PARTITION OF regions FOR VALUES IN ('east');
CREATE TABLE regions_w PARTITION OF regions FOR VALUES IN ('west');
CREATE TABLE regions_c PARTITION OF regions FOR VALUES IN ('centre');
INSERT INTO regions SELECT n, (ARRAY['north', 'south', 'east', 'west', 'centre'])[1 + n % 5], n % 900 FROM generate_series(1, 40000) n;
CREATE INDEX ON regions (id);
CREATE TABLE tiny (id int NOT NULL, v int NOT NULL) PARTITION BY RANGE (id);
DO $$ BEGIN FOR m IN 0..399 LOOP
  EXECUTE format('CREATE TABLE tiny_%s PARTITION OF tiny FOR VALUES FROM (%s) TO (%s)', m, m * 10, m * 10 + 10);
END LOOP; END $$;
INSERT INTO tiny SELECT n, n % 7 FROM generate_series(0, 3999) n;
CREATE INDEX ON tiny (v);
VACUUM (ANALYZE);

-- plan: partition key inside date_trunc
-- finds: partition-prune-miss
-- may: nonsargable-function seq-scan-high-filter row-misestimate slow-count
SELECT sum(amount) FROM events WHERE date_trunc('day', at) = '2025-03-07';

-- plan: partition key cast to a date
-- finds: partition-prune-miss
-- may: nonsargable-function seq-scan-high-filter row-misestimate slow-count
SELECT sum(amount) FROM events WHERE at::date = '2025-03-07';

-- plan: partition key inside upper
-- finds: partition-prune-miss
-- may: nonsargable-function seq-scan-high-filter row-misestimate slow-count
SELECT sum(total) FROM regions WHERE upper(region) = 'NORTH';

-- plan: partition key compared with a range
-- tempts: partition-prune-miss
-- may: seq-scan-high-filter slow-count
SELECT sum(amount) FROM events WHERE at >= '2025-03-07' AND at < '2025-03-08';

-- plan: partition key compared with a value
-- tempts: partition-prune-miss
-- may: slow-count large-seq-scan-ok
SELECT sum(total) FROM regions WHERE region = 'north';

-- plan: partitions left out at the start
-- tempts: partition-prune-miss
-- may: seq-scan-high-filter slow-count row-misestimate
SET plan_cache_mode = force_generic_plan;
PREPARE one AS SELECT sum(amount) FROM events WHERE at >= $1 AND at < $2;
EXECUTE one ('2025-03-07', '2025-03-08');

-- plan: another column inside a function on every partition
-- tempts: partition-prune-miss
-- may: nonsargable-function seq-scan-high-filter row-misestimate slow-count partition-prune-miss
SELECT sum(amount) FROM events WHERE upper(kind) = 'KIND 7';

-- plan: rare value of another column on every partition
-- tempts: partition-prune-miss
-- may: seq-scan-high-filter row-misestimate slow-count
SELECT sum(amount) FROM events WHERE kind = 'kind 7' AND id = 4327;

-- plan: key of another index on every partition
-- tempts: partition-prune-miss many-partitions-planning
SELECT total FROM regions WHERE id = 4711;

-- plan: everything of a partitioned table
-- tempts: partition-prune-miss
-- may: slow-count large-seq-scan-ok
SELECT kind, sum(amount) FROM events GROUP BY kind;

-- plan: last rows of a partitioned table
-- tempts: partition-prune-miss
-- may: large-seq-scan-ok sort-on-disk row-misestimate
SELECT id, at FROM events ORDER BY at DESC LIMIT 5;

-- plan: four hundred partitions planned for few rows
-- finds: many-partitions-planning planning-dominates
-- times
-- may: row-misestimate never-executed seq-scan-high-filter partition-prune-miss
SELECT * FROM tiny WHERE v + 1 = 900;

-- plan: four hundred partitions planned for an index
-- finds: many-partitions-planning planning-dominates
-- times
-- may: row-misestimate never-executed partition-prune-miss custom-settings
SET enable_seqscan = off;
SELECT a.id FROM tiny a WHERE a.v = 900 AND a.id % 3 = 5;

-- plan: one of four hundred partitions
-- tempts: many-partitions-planning planning-dominates
SELECT v FROM tiny WHERE id = 777;

-- plan: all of four hundred partitions
-- on: 16-17
-- tempts: row-misestimate
-- may: many-partitions-planning planning-dominates slow-count
SELECT sum(v) FROM tiny;

-- plan: merged order of four hundred partitions
-- on: 16-17
-- may: many-partitions-planning planning-dominates row-misestimate custom-settings
-- tempts: row-misestimate wrong-index-order-by
SET enable_seqscan = off;
SELECT v FROM tiny ORDER BY v LIMIT 3;

-- plan: join of partitions
-- tempts: cartesian partition-prune-miss
-- may: slow-count large-seq-scan-ok row-misestimate
SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on;
SELECT a.region, count(*) FROM regions a JOIN regions b ON b.region = a.region AND b.id = a.id GROUP BY a.region;
