CREATE TABLE counters (id int PRIMARY KEY, a int, b int, c int);
INSERT INTO counters SELECT n, n, n, n FROM generate_series(1, 20000) n;
CREATE INDEX ON counters (a);
CREATE INDEX ON counters (b);
CREATE INDEX ON counters (c);
CREATE TABLE parents (id int PRIMARY KEY, name text);
INSERT INTO parents SELECT n, 'p' || n FROM generate_series(1, 5000) n;
CREATE TABLE children (id int PRIMARY KEY, parent_id int CONSTRAINT children_parent REFERENCES parents);
INSERT INTO children SELECT n, 1 + n % 2500 FROM generate_series(1, 20000) n;
CREATE TABLE indexed_children (id int PRIMARY KEY, parent_id int CONSTRAINT indexed_children_parent REFERENCES counters ON DELETE CASCADE);
INSERT INTO indexed_children SELECT n, 1 + n % 2500 FROM generate_series(1, 20000) n;
CREATE INDEX ON indexed_children (parent_id);
CREATE TABLE audited (id int PRIMARY KEY, v int);
CREATE TABLE audit (id int, v int);
CREATE FUNCTION slow_audit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM count(*) FROM parents; INSERT INTO audit VALUES (NEW.id, NEW.v); RETURN NEW; END $$;
CREATE TRIGGER audit_each AFTER INSERT ON audited FOR EACH ROW EXECUTE FUNCTION slow_audit();
CREATE TABLE checked (id int PRIMARY KEY, v int);
CREATE FUNCTION slow_check() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM count(*) FROM parents; NEW.v := NEW.v + 1; RETURN NEW; END $$;
CREATE TRIGGER check_each BEFORE INSERT ON checked FOR EACH ROW EXECUTE FUNCTION slow_check();
CREATE TABLE quiet (id int PRIMARY KEY, v int);
CREATE FUNCTION quick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER quick_once AFTER INSERT ON quiet FOR EACH STATEMENT EXECUTE FUNCTION quick();
CREATE TABLE stock (sku int PRIMARY KEY, n int NOT NULL);
INSERT INTO stock SELECT n, 10 FROM generate_series(1, 3000) n;
VACUUM (ANALYZE);

-- plan: all rows updated with many indexes
-- finds: write-cost
-- may: row-misestimate trigger-time
UPDATE counters SET a = a + 1;

-- plan: many rows inserted with many indexes
-- finds: write-cost
-- may: row-misestimate
INSERT INTO counters SELECT n, n, n, n FROM generate_series(30001, 50000) n;

-- plan: many rows locked
-- finds: write-cost
-- may: missing-limit
SELECT id FROM counters FOR UPDATE;

-- plan: one row updated
-- tempts: write-cost trigger-time
UPDATE counters SET a = a + 1 WHERE id = 7;

-- plan: one row locked
-- tempts: write-cost
SELECT id FROM counters WHERE id = 7 FOR UPDATE;

-- plan: one row inserted
-- tempts: write-cost
INSERT INTO counters VALUES (99999, 1, 2, 3);

-- plan: one row deleted
-- tempts: write-cost trigger-time
-- may: trigger-time
DELETE FROM counters WHERE id = 19999;

-- plan: few rows locked and skipped
-- tempts: write-cost
SELECT id FROM counters WHERE a < 50 ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED;

-- plan: parents deleted whose children have no index
-- finds: trigger-time
DELETE FROM parents WHERE id > 4980;

-- plan: parents renumbered whose children have no index
-- finds: trigger-time
UPDATE parents SET id = id + 100000 WHERE id > 4980;

-- plan: parents deleted whose children have an index
-- tempts: trigger-time
-- may: write-cost trigger-time
DELETE FROM counters WHERE id BETWEEN 10000 AND 10200;

-- plan: children inserted that are checked for their parents
-- tempts: trigger-time
-- may: write-cost
INSERT INTO children SELECT n, 1 + n % 2500 FROM generate_series(20001, 22000) n;

-- plan: children moved to other parents
-- tempts: trigger-time
-- may: write-cost
UPDATE children SET parent_id = parent_id + 1 WHERE id < 2000;

-- plan: slow trigger after each row
-- finds: trigger-time
-- may: write-cost
INSERT INTO audited SELECT n, n FROM generate_series(1, 60) n;

-- plan: slow trigger before each row
-- finds: trigger-time
-- may: write-cost
INSERT INTO checked SELECT n, n FROM generate_series(1, 60) n;

-- plan: quick trigger once a statement
-- tempts: trigger-time
-- may: write-cost
INSERT INTO quiet SELECT n, n FROM generate_series(1, 3000) n;

-- plan: rows inserted or updated
-- may: write-cost row-misestimate
-- tempts: row-misestimate
INSERT INTO stock SELECT n, 1 FROM generate_series(2000, 5000) n ON CONFLICT (sku) DO UPDATE SET n = stock.n + 1;

-- plan: one row inserted or left
-- tempts: write-cost
INSERT INTO stock VALUES (7, 1) ON CONFLICT DO NOTHING;

-- plan: merge
-- on: 15-18
-- may: write-cost row-misestimate
-- tempts: cartesian row-misestimate
MERGE INTO stock s USING (SELECT n FROM generate_series(2900, 3100) n) x ON s.sku = x.n WHEN MATCHED THEN UPDATE SET n = s.n + 1
  WHEN NOT MATCHED THEN INSERT VALUES (x.n, 1);

-- plan: merge that deletes
-- on: 15-18
-- may: write-cost row-misestimate
MERGE INTO stock s USING (VALUES (1), (2)) x(n) ON s.sku = x.n WHEN MATCHED THEN DELETE;

-- plan: update that joins
-- may: write-cost trigger-time
-- tempts: cartesian
UPDATE stock s SET n = p.id FROM parents p WHERE p.id = s.sku AND p.id < 100;

-- plan: delete that joins
-- may: write-cost trigger-time
DELETE FROM stock s USING counters p WHERE p.id = s.sku AND p.a < 40;

-- plan: rows written come back
-- may: write-cost
-- tempts: write-cost
INSERT INTO audit SELECT n, n FROM generate_series(1, 100) n RETURNING id;

-- plan: new table of a query
-- may: missing-limit wide-rows write-cost
-- tempts: missing-limit
CREATE TABLE copied AS SELECT * FROM parents;
