"""A statement is measured with and without indexes in turns, and nothing of that stays."""

from collections.abc import Callable, Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer

SETUP = """
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema".stock (id int, shelf int, note text);
INSERT INTO "Odd Schema".stock SELECT n, n % 3000, repeat('x', 50) FROM generate_series(1, 20000) n;
CREATE INDEX "Shelf;--" ON "Odd Schema".stock (shelf);
CREATE INDEX by_id ON "Odd Schema".stock (id);
CREATE TABLE parts (id int, place int) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (20000);
INSERT INTO parts SELECT n, n % 3000 FROM generate_series(1, 19999) n;
CREATE INDEX by_place ON parts (place);
ANALYZE;
"""
STOCK = 'SELECT * FROM "Odd Schema".stock WHERE shelf = 7'
SHELF = '"Odd Schema"."Shelf;--"'


@pytest.fixture
def shop(database: str, run_sql: Callable[..., None]) -> Iterator[Connection]:
    run_sql(database, SETUP)
    connection = connect(database)
    yield connection
    connection.close()


def as_root(url: str) -> str:
    return url.replace("//app@", "//postgres@")


def indexes(plan: Plan) -> set[str]:
    return {node.index for node in plan.root.walk() if node.index is not None}


@pytest.mark.parametrize("superuser", [False, True])
def test_hidden_indexes_are_used_again_afterwards(shop: Connection, database: str, superuser: bool) -> None:
    explainer = Explainer(connect(as_root(database)) if superuser else shop, analyze=True, allow_superuser=superuser)
    without, other, with_all = explainer.measure_in_turns(STOCK, [[SHELF], ['"Odd Schema".by_id'], []], 2)
    assert indexes(without) == set()
    assert indexes(other) == indexes(with_all) == {"Shelf;--"}
    assert (without.root.rows, with_all.root.rows) == (7, 7)
    assert indexes(explainer.plan(STOCK)) == {"Shelf;--"}


def test_a_partitioned_tables_index_is_hidden_with_those_of_its_parts(shop: Connection) -> None:
    explainer = Explainer(shop, analyze=True)
    without, with_it = explainer.measure_in_turns("SELECT * FROM parts WHERE place = 7", [["by_place"], []], 1)
    assert indexes(without) == set()
    assert indexes(with_it) == {"parts_low_place_idx"}


def test_a_locked_table_is_not_waited_for(shop: Connection, database: str) -> None:
    reader = connect(database)
    reader.autocommit = False
    with reader.cursor() as cursor:
        cursor.execute(STOCK)
    with pytest.raises(StatementError, match="locked by another session"):
        Explainer(shop, analyze=True).measure_in_turns(STOCK, [[SHELF], []], 1)
    reader.close()
    assert indexes(Explainer(shop, analyze=True).plan(STOCK)) == {"Shelf;--"}


def test_an_index_of_others_is_not_hidden(shop: Connection, database: str) -> None:
    with connect(as_root(database)) as root, root.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA theirs; CREATE TABLE theirs.goods (id int); CREATE INDEX by_id ON theirs.goods (id)"
        )
        cursor.execute("GRANT USAGE ON SCHEMA theirs TO PUBLIC; GRANT SELECT ON theirs.goods TO PUBLIC")
    with pytest.raises(StatementError, match="42501"):
        Explainer(shop, analyze=True).measure_in_turns("SELECT * FROM theirs.goods", [["theirs.by_id"]], 1)


def test_what_runs_without_an_index_still_may_not_write(shop: Connection) -> None:
    with shop.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE numbers")
    explainer = Explainer(shop, analyze=True)
    for attack in (
        "SELECT nextval('numbers')",
        "DELETE FROM parts",
        "SELECT 1; DROP TABLE parts",
        f"{STOCK} FOR UPDATE",
    ):
        with pytest.raises(StatementError):
            explainer.measure_in_turns(attack, [["by_place"], []], 1)
    with shop.cursor() as cursor:
        cursor.execute("SELECT count(*), (SELECT is_called FROM numbers) FROM parts")
        assert cursor.fetchone() == (19999, False)
