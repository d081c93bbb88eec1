CREATE TABLE people (id int PRIMARY KEY, city text NOT NULL, zip text NOT NULL, country text NOT NULL, age int NOT NULL);
INSERT INTO people SELECT n, 'city ' || n % 200, 'zip ' || n % 200, 'country ' || n % 10, n % 90 FROM generate_series(1, 40000) n;
CREATE TABLE letters (id int PRIMARY KEY, person int NOT NULL, text text);
INSERT INTO letters SELECT n, 1 + (n * 7919) % 40000, 'text ' || n FROM generate_series(1, 60000) n;
CREATE INDEX letters_person ON letters (person);
CREATE TABLE known_people (LIKE people);
INSERT INTO known_people SELECT * FROM people;
CREATE STATISTICS known (dependencies, mcv) ON city, zip, country FROM known_people;
ALTER STATISTICS known SET STATISTICS 1000;
CREATE FUNCTION ids(n int) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT g FROM generate_series(1, n) g; END $$;
CREATE FUNCTION few_ids(n int) RETURNS SETOF int LANGUAGE plpgsql ROWS 500 AS $$ BEGIN RETURN QUERY SELECT g FROM generate_series(1, n) g; END $$;
CREATE TABLE loaded (id int PRIMARY KEY, state text NOT NULL, v int NOT NULL);
INSERT INTO loaded SELECT n, 'old', n FROM generate_series(1, 500) n;
CREATE INDEX loaded_state ON loaded (state);
CREATE TABLE emptied (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO emptied SELECT n, n FROM generate_series(1, 30000) n;
CREATE TABLE shifted (id int PRIMARY KEY, at int NOT NULL);
INSERT INTO shifted SELECT n, n FROM generate_series(1, 20000) n;
CREATE INDEX shifted_at ON shifted (at);
CREATE TABLE touched (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO touched SELECT n, n % 100 FROM generate_series(1, 20000) n;
CREATE TABLE docs (id int PRIMARY KEY, body jsonb NOT NULL, words tsvector NOT NULL);
INSERT INTO docs SELECT n, jsonb_build_object('a', n % 3), to_tsvector('simple', 'common w' || n) FROM generate_series(1, 20000) n;
VACUUM (ANALYZE);
ANALYZE known_people;
INSERT INTO loaded SELECT n, 'new', n FROM generate_series(501, 30000) n;
DELETE FROM emptied WHERE id > 50;
VACUUM emptied;
UPDATE shifted SET at = at + 1000000 WHERE id > 5000;
UPDATE touched SET v = v + 1 WHERE id % 2 = 0;

-- plan: columns that depend on each other, joined
-- finds: row-misestimate
-- may: seq-scan-high-filter nested-loop-high-loops slow-count
SELECT count(l.text) FROM people p JOIN letters l ON l.person = p.id WHERE p.city = 'city 7' AND p.zip = 'zip 7' AND p.country = 'country 7';

-- plan: function that gives more rows than told, joined
-- finds: row-misestimate
-- may: nested-loop-high-loops slow-count large-seq-scan-ok hash-batches index-loops
SELECT count(l.text) FROM ids(30000) i JOIN letters l ON l.person = i;

-- plan: function that gives fewer rows than told, joined
-- finds: row-misestimate
-- may: slow-count nested-loop-high-loops
SELECT count(l.text) FROM few_ids(4) i JOIN letters l ON l.person = i;

-- plan: expression that nobody knows of, joined
-- finds: row-misestimate
-- may: seq-scan-high-filter nonsargable-function slow-count nested-loop-high-loops large-seq-scan-ok index-loops
SELECT count(l.text) FROM people p JOIN letters l ON l.person = p.id WHERE p.age * 2 + 1 > 0 AND abs(p.age) = p.age;

-- plan: columns that depend on each other, known
-- tempts: row-misestimate
-- may: seq-scan-high-filter
SELECT count(l.text) FROM known_people p JOIN letters l ON l.person = p.id WHERE p.city = 'city 7' AND p.zip = 'zip 7' AND p.country = 'country 7';

-- plan: estimate that fits
-- tempts: row-misestimate stale-stats
-- may: seq-scan-high-filter
SELECT id FROM people WHERE city = 'city 7';

-- plan: estimate under a limit
-- tempts: row-misestimate stale-stats
SELECT id FROM people WHERE age < 80 LIMIT 5;

-- plan: estimate off among few rows
-- tempts: row-misestimate
SELECT id FROM people WHERE id < 40 AND age % 2 = 1;

-- plan: wrong estimate with no join above
-- finds: row-misestimate
-- may: seq-scan-high-filter nonsargable-function
-- tempts: stale-stats
SELECT id FROM people WHERE city || zip = 'city 7zip 7' AND age % 1 = 0 AND country IN ('country 7', 'country 8') AND age + 0 >= 0;

-- plan: inner side of a semi join
-- tempts: row-misestimate
-- may: seq-scan-high-filter slow-count custom-settings
SELECT count(*) FROM people p WHERE p.age = 7 AND EXISTS (SELECT FROM letters l WHERE l.person = p.id);

-- plan: table loaded since its statistics
-- finds: stale-stats
-- may: row-misestimate seq-scan-high-filter missing-limit large-seq-scan-ok
SELECT id FROM loaded WHERE state = 'new';

-- plan: table loaded since its statistics, read as a whole
-- tempts: stale-stats
-- may: row-misestimate large-seq-scan-ok slow-count
SELECT sum(v) FROM loaded WHERE v > 0;

-- plan: values moved since the statistics
-- finds: stale-stats
-- may: row-misestimate missing-limit
SELECT id FROM shifted WHERE at > 900000;

-- plan: many rows changed but the estimate still holds
-- tempts: stale-stats
-- may: seq-scan-high-filter
SELECT id FROM touched WHERE v < 20;

-- plan: containment that the planner guesses
-- tempts: stale-stats
-- may: row-misestimate large-seq-scan-ok contains-without-gin seq-scan-high-filter
SELECT count(*) FROM docs WHERE body @> '{"a": 1}';

-- plan: full text that the planner guesses
-- tempts: stale-stats
-- may: row-misestimate large-seq-scan-ok contains-without-gin seq-scan-high-filter
SELECT count(*) FROM docs WHERE words @@ to_tsquery('simple', 'common & !w7');

-- plan: emptied table
-- tempts: stale-stats row-misestimate
SELECT sum(v) FROM emptied;

-- plan: grouping by an expression
-- tempts: row-misestimate
-- may: row-misestimate large-seq-scan-ok hashagg-spill
SELECT age % 7, count(*) FROM people GROUP BY age % 7;

-- plan: join that fans out as expected
-- tempts: row-misestimate
-- may: missing-limit large-seq-scan-ok
SELECT p.id, l.id FROM people p JOIN letters l ON l.person = p.id;

-- plan: temporary table never analysed
-- may: stale-stats row-misestimate large-seq-scan-ok slow-count seq-scan-high-filter
CREATE TEMP TABLE fresh AS SELECT n AS id, n % 5 AS v FROM generate_series(1, 20000) n;
SELECT count(*) FROM fresh WHERE v = 3;
