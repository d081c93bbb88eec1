"""An index on a partitioned table whose parts have indexes of their own, or are foreign tables."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
import sqlalchemy as sa
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.partition_recipe import LONG, SHORT
from queryproof.analyzer.advise.standing_indexes import standing_indexes
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Index

from .migrations import migrate

TABLES = (
    'CREATE TABLE whole (a int, b int, "C%" text COLLATE "C") PARTITION BY LIST (b)',
    "CREATE TABLE part_1 PARTITION OF whole FOR VALUES IN (1)",
    "CREATE TABLE part_2 PARTITION OF whole FOR VALUES IN (2) PARTITION BY LIST (a)",
    "CREATE TABLE part_3 PARTITION OF part_2 DEFAULT",
    "CREATE TABLE part_4 PARTITION OF whole DEFAULT",
)
FOREIGN = (
    "CREATE FOREIGN DATA WRAPPER nowhere",
    "CREATE SERVER far FOREIGN DATA WRAPPER nowhere",
    "CREATE FOREIGN TABLE part_5 PARTITION OF whole FOR VALUES IN (5) SERVER far",
)
PLAIN = CandidateIndex("public", "whole", "btree", (Key("a"),))
COVERING = replace(PLAIN, keys=(Key("C%"), Key("a", descending=True)), include=("b",), predicate='"a" > 5')
EXPRESSION = replace(PLAIN, keys=(Key(None, '"lower"("C%")'),))
EQUAL = (
    (PLAIN, "(a)"),
    (COVERING, '("C%", a DESC) INCLUDE (b) WHERE a > 5'),
    (EXPRESSION, '(lower("C%"))'),
    (replace(PLAIN, method="hash"), "USING hash (a)"),
    (replace(PLAIN, unique=True, keys=(Key("b"), Key("a"))), "UNIQUE (b, a)"),
    (replace(PLAIN, method="brin", options=(("pages_per_range", "32"),)), "USING brin (a) WITH (pages_per_range = 32)"),
    (PLAIN, "(a) WITH (fillfactor = 70)"),
)
OTHER = (
    (PLAIN, "(a DESC)"),
    (PLAIN, "(a, b)"),
    (PLAIN, "(a) INCLUDE (b)"),
    (PLAIN, "(a) WHERE a > 5"),
    (PLAIN, "UNIQUE (a, b)"),
    (replace(PLAIN, method="brin"), "USING brin (a) WITH (pages_per_range = 32)"),
    (replace(PLAIN, keys=(Key("C%"),)), '("C%" text_pattern_ops)'),
    (replace(PLAIN, keys=(Key("C%"),)), '("C%" COLLATE "ucs_basic")'),
    (replace(PLAIN, keys=(Key("C%", operator_class="text_pattern_ops"),)), '("C%")'),
    (COVERING, '("C%", a DESC) INCLUDE (b) WHERE a > 6'),
)


@pytest.fixture
def owner(database: str, run_sql: Callable[..., None]) -> Iterator[Connection]:
    run_sql(database, *TABLES)
    with closing(connect(database)) as connection:
        yield connection


def index_on_whole(
    connection: Connection, index: CandidateIndex
) -> tuple[CandidateIndex, dict[tuple[str, str], Index]]:
    (table,) = (table for table in read_schema(connection).tables if table.name == "whole")
    index = replace(index, partitions=table.parts)
    return index, standing_indexes(index, table)


def definitions(connection: Connection) -> dict[str, str]:
    """What each index is made of, without its name, and only valid ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, x.indisvalid, pg_get_indexdef(c.oid) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid "
            "WHERE c.relnamespace = 'public'::regnamespace"
        )
        found = cursor.fetchall()
    assert [name for name, valid, _ in found if not valid] == []
    return {name: text.replace(f" {name} ", " ") for name, _, text in found}


def create(connection: Connection, name: str, table: str, made_of: str) -> None:
    unique = "UNIQUE " if made_of.startswith("UNIQUE") else ""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE {unique}INDEX {name} ON {table} {made_of.removeprefix('UNIQUE')}")


@pytest.mark.parametrize(("index", "made_of"), EQUAL, ids=[made_of for _, made_of in EQUAL])
@pytest.mark.parametrize("places", [("part_1",), ("part_1", "part_3"), ("part_2",)], ids=" ".join)
def test_an_equal_index_of_a_part_is_made_part_of_the_whole(
    owner: Connection, database: str, index: CandidateIndex, made_of: str, places: tuple[str, ...]
) -> None:
    for place in places:
        create(owner, f'"own on {place}"', place, made_of)
    before = definitions(owner)
    index, standing = index_on_whole(owner, index)
    assert {place: one.name for (_, place), one in standing.items()} == {place: f"own on {place}" for place in places}
    ddl, alembic, _, *_ = index.codes("all of it", standing)
    with owner.cursor() as cursor:
        for statement in ddl.text.split(";\n"):
            cursor.execute(statement.rstrip(";"))
    made = definitions(owner)
    assert before.items() <= made.items()
    assert len(set(made.values())) == len(made) == 5  # One for each of the five tables, and no two alike.
    with owner.cursor() as cursor:
        cursor.execute('DROP INDEX "all of it"')
    assert definitions(owner) == {}
    # A migration that failed after it had attached the parts' own indexes is run again: they are back, too.
    engine = sa.create_engine(database)
    migrate(engine, alembic.text, "upgrade")
    assert definitions(owner) == made
    migrate(engine, alembic.text, "upgrade")
    assert definitions(owner) == made
    migrate(engine, alembic.text, "downgrade")
    assert definitions(owner) == before
    engine.dispose()


@pytest.mark.parametrize(("index", "made_of"), OTHER, ids=[made_of for _, made_of in OTHER])
def test_another_index_of_a_part_stays_alone(owner: Connection, index: CandidateIndex, made_of: str) -> None:
    create(owner, "other", "part_1", made_of)
    index, standing = index_on_whole(owner, index)
    assert standing == {}


def test_what_upholds_a_constraint_or_belongs_to_another_whole_stays_alone(owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("ALTER TABLE part_1 ADD CONSTRAINT kept UNIQUE (b, a)")
        cursor.execute("CREATE INDEX attached ON whole (a)")
    assert index_on_whole(owner, PLAIN)[1] == {}
    assert index_on_whole(owner, replace(PLAIN, unique=True, keys=(Key("b"), Key("a"))))[1] == {}


def test_a_migration_whose_build_failed_runs_again(owner: Connection, database: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute("INSERT INTO whole SELECT 1, n % 5 FROM generate_series(1, 20) n")
    index, standing = index_on_whole(owner, replace(PLAIN, keys=(Key("b"), Key("a")), unique=True))
    (_, alembic, *_) = index.codes("ux", standing)
    engine = sa.create_engine(database)
    with pytest.raises(sa.exc.IntegrityError):
        migrate(engine, alembic.text, "upgrade")
    with owner.cursor() as cursor:
        cursor.execute("TRUNCATE whole")
    migrate(engine, alembic.text, "upgrade")
    assert len(definitions(owner)) == 5
    migrate(engine, alembic.text, "downgrade")
    assert definitions(owner) == {}
    engine.dispose()


def test_with_a_foreign_part_the_index_of_the_whole_becomes_valid(
    owner: Connection, server: Server, database: str, run_sql: Callable[..., None]
) -> None:
    root = server.url(sa.make_url(database).database or "", "postgres")
    run_sql(root, *FOREIGN, "ALTER FOREIGN TABLE part_5 OWNER TO app")
    create(owner, "ours", "part_1", "(a)")
    before = definitions(owner)
    index, standing = index_on_whole(owner, PLAIN)
    ddl, alembic, *_ = index.codes("all of it", standing)
    assert "part_5" not in ddl.text
    with owner.cursor() as cursor:
        for statement in ddl.text.split(";\n"):
            cursor.execute(statement.rstrip(";"))
    made = definitions(owner)
    assert len(set(made.values())) == len(made) == 5
    with owner.cursor() as cursor:
        cursor.execute('DROP INDEX "all of it"')
    engine = sa.create_engine(database)
    for direction, expected in (("upgrade", made), ("upgrade", made), ("downgrade", before)):
        migrate(engine, alembic.text, direction)
        assert set(definitions(owner).values()) == set(expected.values())
    engine.dispose()


def test_postgres_itself_would_not_attach_what_stays_alone(owner: Connection) -> None:
    """Unless the order differs alone, which it does not compare: attached, the whole would promise an order it has not."""
    for index, made_of in [one for one in OTHER[1:] if one[0].method == "btree"]:
        with owner.cursor() as cursor:
            create(owner, "other", "part_1", made_of)
            cursor.execute(f'CREATE INDEX "all of it" ON ONLY {index.target("public", "whole")}')
            with pytest.raises(psycopg2.Error, match="cannot attach index"):
                cursor.execute('ALTER INDEX "all of it" ATTACH PARTITION other')
            cursor.execute('DROP INDEX "all of it", other')


@pytest.mark.parametrize(
    ("held", "begins"),
    [
        ("SELECT FROM part_1", "ALTER INDEX"),
        ("INSERT INTO whole VALUES (1, 1)", "CREATE INDEX"),
    ],
)
def test_what_others_would_wait_behind_gives_up_and_is_run_again(
    owner: Connection, database: str, held: str, begins: str
) -> None:
    create(owner, "own", "part_1", "(a)")
    index, standing = index_on_whole(owner, PLAIN)
    statements = index.codes("ix", standing)[0].text.rstrip(";").split(";\n")
    builds, together = statements[: statements.index(SHORT)], statements[statements.index(SHORT) :]
    assert all("CONCURRENTLY" in one for one in builds)
    assert not any("CONCURRENTLY" in one for one in together)
    assert together[-1] == LONG
    # A twentieth of the time, so that the test is soon done.
    together[0] = together[0].replace("5s", "250ms")
    refused = None
    with closing(connect(database)) as other, other.cursor() as cursor, owner.cursor() as own:
        other.autocommit = False
        for statement in builds:
            own.execute(statement)
        cursor.execute(held)
        for statement in together:
            try:
                own.execute(statement)
            except psycopg2.errors.LockNotAvailable:
                refused = statement
                break
        other.rollback()
        assert refused is not None
        assert refused.startswith(begins)
        for statement in together[together.index(refused) :]:
            own.execute(statement)
    assert len(definitions(owner)) == 5
