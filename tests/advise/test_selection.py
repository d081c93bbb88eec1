"""Selection on a hollow clone of a small shop: what it chooses, what it leaves alone, and what it keeps to."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.candidates_workload import workload_candidates
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import Constraints, Selection, TableWrites, WeightedQuery
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Schema

SHOP = """
CREATE TABLE buyers (id int PRIMARY KEY, email text NOT NULL, town int NOT NULL, filler text NOT NULL);
INSERT INTO buyers SELECT n, 'b' || n, n % 500, repeat('x', 60) FROM generate_series(1, 30000) n;
CREATE TABLE sales (id int PRIMARY KEY, buyer int NOT NULL REFERENCES buyers, day date NOT NULL, cents int NOT NULL,
  state text NOT NULL, note text NOT NULL);
INSERT INTO sales SELECT n, n * 7 % 30000 + 1, date '2024-01-01' + n % 700, n * 13 % 10000,
  CASE WHEN n % 200 = 0 THEN 'open' ELSE 'done' END, repeat('y', 50) FROM generate_series(1, 60000) n;
"""
FREE = Constraints()
BY_BUYER = "SELECT note FROM sales WHERE buyer = 77"
BY_DAY = "SELECT sum(cents) FROM sales WHERE day = '2024-05-05'"
BY_EMAIL = "SELECT id FROM buyers WHERE email = 'b99'"
OPEN = "SELECT id, note FROM sales WHERE state = 'open' ORDER BY day LIMIT 50"


@dataclass(frozen=True)
class Shop:
    what_if: CloneWhatIf
    schema: Schema

    def select(self, *texts: str, constraints: Constraints = FREE, writes: tuple[TableWrites, ...] = ()) -> Selection:
        queries = [WeightedQuery(f"q{number}", ((text, 1.0),), 10.0) for number, text in enumerate(texts)]
        found = workload_candidates(queries, self.schema)
        return select_indexes(
            queries, found.indexes, self.what_if, self.schema, constraints, writes, bundles=found.bundles
        )


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Shop]:
    server.create_database("shop")
    with connect(server.url("shop", "app")) as connection, connection.cursor() as cursor:
        cursor.execute(SHOP)
        cursor.execute("ANALYZE")
    with HollowClone(read_source(server.url("shop", "reader"))) as clone:
        yield Shop(CloneWhatIf(clone), clone.schema())


def shown(selection: Selection) -> set[str]:
    return {one.index.target("", one.index.table)[3:].replace('"', "") for one in selection.chosen}


def test_each_query_gets_what_serves_it(shop: Shop) -> None:
    found = shop.select(BY_BUYER, BY_EMAIL)
    assert {one.index.keys for one in found.chosen} == {(Key("buyer"),), (Key("email"),)}
    assert found.cost_after < 0.05 * found.cost_before
    assert {gain.fingerprint: len(gain.uses) for gain in found.gains} == {"q0": 1, "q1": 1}
    assert sum(one.marginal for one in found.chosen) > 0


def test_nothing_helps_a_query_by_its_key(shop: Shop) -> None:
    assert shop.select("SELECT * FROM sales WHERE id = 5").chosen == ()


def test_a_statement_that_cannot_be_planned_is_named_and_the_rest_goes_on(shop: Shop) -> None:
    found = shop.select("SELECT missing FROM nowhere", BY_BUYER)
    assert [one.what for one in found.unplanned] == ["q0"]
    assert len(found.chosen) == 1


def test_a_budget_is_kept(shop: Shop) -> None:
    free = shop.select(BY_BUYER, BY_DAY, BY_EMAIL, OPEN)
    size = sum(one.size_bytes for one in free.chosen)
    tight = shop.select(BY_BUYER, BY_DAY, BY_EMAIL, OPEN, constraints=Constraints(budget_bytes=size // 2))
    assert 0 < sum(one.size_bytes for one in tight.chosen) <= size // 2
    assert free.cost_after < tight.cost_after < free.cost_before


@pytest.mark.parametrize(
    "constraints", [Constraints(max_indexes=1), Constraints(max_per_table=1), Constraints(max_width=1)], ids=repr
)
def test_limits_are_kept(shop: Shop, constraints: Constraints) -> None:
    found = shop.select(BY_BUYER, BY_DAY, BY_EMAIL, OPEN, constraints=constraints)
    assert found.chosen
    assert len(found.chosen) <= (constraints.max_indexes or 99)
    tables = [one.index.table for one in found.chosen]
    assert all(tables.count(table) <= (constraints.max_per_table or 99) for table in tables)
    assert all(len(one.index.keys) + len(one.index.include) <= (constraints.max_width or 99) for one in found.chosen)


def test_the_same_input_gives_the_same_set(shop: Shop) -> None:
    assert shop.select(BY_BUYER, BY_DAY, OPEN) == shop.select(BY_BUYER, BY_DAY, OPEN)


def test_writes_outweigh_a_small_gain(shop: Shop) -> None:
    quiet = shop.select(BY_DAY)
    busy = shop.select(BY_DAY, writes=(TableWrites("public", "sales", 1e9, 0, 0, 0),))
    assert quiet.chosen
    assert not busy.chosen


def test_no_time_gives_an_incomplete_answer(shop: Shop) -> None:
    found = shop.select(BY_BUYER, constraints=Constraints(max_seconds=0))
    assert not found.complete
    assert found.cost_after == found.cost_before


def test_an_index_that_stands_already_is_not_offered_again(shop: Shop) -> None:
    again = CandidateIndex("public", "sales", "btree", (Key("id"),))
    queries = [WeightedQuery("q", (("SELECT count(*) FROM sales WHERE id < 500", 1.0),), 1.0)]
    found = select_indexes(queries, [again], shop.what_if, shop.schema)
    assert found.chosen == ()
