"""A small shop with indexes of every worth, and the question asked of it in one line."""

from dataclasses import dataclass

from queryproof.analyzer.advise.candidate_pool import CandidatePool, candidate_pool
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import Constraints, Selection, TableWrites, WeightedQuery
from queryproof.analyzer.schema import Schema
from queryproof.analyzer.sql.parse import analyse

SHOP = """
CREATE TABLE buyers (id int PRIMARY KEY, email text NOT NULL, town int NOT NULL, filler text NOT NULL);
INSERT INTO buyers SELECT n, 'b' || n, n % 500, repeat('x', 60) FROM generate_series(1, 30000) n;
CREATE TABLE sales (id int PRIMARY KEY, buyer int NOT NULL REFERENCES buyers, day date NOT NULL, cents int NOT NULL,
  state text NOT NULL, note text NOT NULL);
INSERT INTO sales SELECT n, n * 7 % 30000 + 1, date '2024-01-01' + n % 700, n * 13 % 10000,
  CASE WHEN n % 200 = 0 THEN 'open' ELSE 'done' END, repeat('y', 50) FROM generate_series(1, 60000) n;
CREATE TABLE visits (id int PRIMARY KEY, buyer int NOT NULL REFERENCES buyers, page int NOT NULL, word text NOT NULL,
  code int NOT NULL, at date NOT NULL, filler text NOT NULL);
INSERT INTO visits SELECT n, n % 30000 + 1, n % 900, 'w' || n % 700, n, date '2024-01-01' + n % 300, repeat('z', 60)
  FROM generate_series(1, 40000) n;
CREATE INDEX visits_page ON visits (page);
CREATE INDEX visits_page_again ON visits (page);
CREATE INDEX visits_at ON visits (at);
CREATE INDEX visits_at_page ON visits (at, page);
CREATE INDEX visits_buyer ON visits (buyer);
CREATE UNIQUE INDEX visits_code ON visits (code);
CREATE INDEX visits_word ON visits (word);
CREATE INDEX visits_word_c ON visits (word COLLATE "POSIX");
CREATE INDEX visits_filler ON visits (filler);
CREATE INDEX visits_filler_again ON visits (filler);
CREATE INDEX visits_filler_id ON visits (filler, id);
CREATE INDEX visits_needed ON visits (id) WHERE page = 5;
CREATE TABLE notes (id int PRIMARY KEY, buyer int REFERENCES buyers, other int REFERENCES buyers, page int NOT NULL, word text);
INSERT INTO notes SELECT n, n, n, n % 10, 'w' || n FROM generate_series(1, 20000) n;
CREATE INDEX notes_buyer ON notes USING hash (buyer);
CREATE INDEX notes_other ON notes (other) WHERE other IS NOT NULL;
CREATE INDEX notes_page ON notes (page);
ALTER TABLE notes CLUSTER ON notes_page;
CREATE INDEX notes_word ON notes (word);
CREATE INDEX notes_id_brin ON notes USING brin (id);
CREATE INDEX notes_id_brin_again ON notes USING brin (id) WITH (autosummarize = on);
CREATE INDEX notes_id_brin_fine ON notes USING brin (id) WITH (pages_per_range = 16);
CREATE TABLE "Old Sales" (id int PRIMARY KEY, "the ""buyer"" id" int NOT NULL, "first name" text NOT NULL);
INSERT INTO "Old Sales" SELECT n, n % 3000, repeat('x', 60) FROM generate_series(1, 30000) n;
CREATE INDEX old_down ON "Old Sales" ("first name" DESC, id);
CREATE INDEX old_up ON "Old Sales" ("first name" NULLS LAST, id DESC);
CREATE INDEX old_up_first ON "Old Sales" ("first name" NULLS FIRST, id DESC);
"""
FREE = Constraints()


def pool(queries: list[WeightedQuery], schema: Schema) -> CandidatePool:
    return candidate_pool({one.fingerprint: analyse(one.texts[0][0], schema) for one in queries}, {}, schema)


@dataclass(frozen=True)
class Shop:
    what_if: CloneWhatIf
    schema: Schema

    def select(self, *texts: str, constraints: Constraints = FREE, writes: tuple[TableWrites, ...] = ()) -> Selection:
        queries = [WeightedQuery(f"q{number}", ((text, 1.0),), 10.0) for number, text in enumerate(texts)]
        found = pool(queries, self.schema)
        return select_indexes(
            queries, found.indexes, self.what_if, self.schema, constraints, writes, bundles=found.bundles
        )
