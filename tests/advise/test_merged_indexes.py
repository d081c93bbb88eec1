"""Two existing indexes in whose place one would do."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.selection_types import Constraints
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.reports.advice_words import plan_headline
from queryproof.reports.report import Report

TABLE = """
CREATE TABLE orders (id int PRIMARY KEY, shop int NOT NULL, amount int NOT NULL, qty int NOT NULL, note text NOT NULL);
INSERT INTO orders SELECT n, n % 2000, n % 77, n % 13, md5(n::text) || md5((-n)::text) FROM generate_series(1, 60000) n;
"""
STATEMENTS = "SELECT sum(amount) FROM orders WHERE shop = 77;\nSELECT sum(qty) FROM orders WHERE shop = 78;\n"
ALIKE = (
    "CREATE INDEX by_amount ON orders (shop) INCLUDE (amount)",
    "CREATE INDEX by_qty ON orders (shop) INCLUDE (qty)",
)


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Connection]:
    server.create_database("merged")
    with closing(connect(server.url("merged", "app"))) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        yield connection


@pytest.fixture
def advised(owner: Connection, server: Server, tmp_path: Path) -> Iterator[Callable[..., Report]]:
    """(*indexes, constraints): the report of the statements with these indexes there."""

    def look(*indexes: str, constraints: Constraints = Constraints()) -> Report:  # noqa: B008 - frozen
        with owner.cursor() as cursor:
            for statement in indexes:
                cursor.execute(statement)
            cursor.execute("VACUUM ANALYZE orders")
        (tmp_path / "q.sql").write_text(STATEMENTS)
        url = server.url("merged", "app")
        return advise(AdviceRequest(files=(tmp_path / "q.sql",), url=url, constraints=constraints))

    yield look
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'orders'::regclass AND NOT indisprimary"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")


def proposed(report: Report) -> tuple[list[str], list[str]]:
    plan = report.index_plan
    assert plan is not None
    return [one.definition for one in plan.indexes], [one.name for one in plan.dropped]


def test_one_takes_the_place_of_two_that_carry_different_columns(
    owner: Connection, advised: Callable[..., Report]
) -> None:
    report = advised(*ALIKE)
    assert proposed(report) == (["B-tree on orders (shop) including qty, amount"], ["by_amount", "by_qty"])
    assert report.index_plan is not None
    (one,) = report.index_plan.indexes
    assert one.marginal == 0
    assert len(one.serves) == 2
    assert all(gone.replaced_by == (one.name,) for gone in report.index_plan.dropped)
    (action,) = (action for action in report.recommendations if action.id == one.recommendation)
    assert action.reason.startswith("It does the work of by_amount and by_qty")
    assert [action.title.split()[0] for action in report.recommendations] == ["Add", "Drop", "Drop"]
    assert report.recommendations[-1].title.endswith(f"on orders once {one.name} is built and used")
    assert "in the place of others: none of the 2 queries becomes cheaper" in plan_headline(report.index_plan)
    # And so it is.
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_relation_size(name::regclass))::bigint FROM unnest(ARRAY['by_amount', 'by_qty']) name"
        )
        ((before,),) = cursor.fetchall()
        cursor.execute(action.code[0].text)
        cursor.execute("DROP INDEX by_amount, by_qty")
        cursor.execute("SELECT pg_relation_size(%s::regclass)", (one.name,))
        ((after,),) = cursor.fetchall()
        assert after < 0.9 * before
        for statement in STATEMENTS.split(";\n")[:2]:
            cursor.execute(f"EXPLAIN {statement}")
            assert f"Index Only Scan using {one.name}" in str(cursor.fetchall())


def test_a_shorter_one_goes_into_the_longer_one(advised: Callable[..., Report]) -> None:
    report = advised(
        "CREATE INDEX by_amount ON orders (shop) INCLUDE (amount)", "CREATE INDEX long ON orders (shop, qty DESC)"
    )
    assert proposed(report) == (["B-tree on orders (shop, qty DESC) including amount"], ["by_amount", "long"])


@pytest.mark.parametrize(
    "other",
    [
        "CREATE INDEX by_qty ON orders (shop) INCLUDE (qty) WHERE qty < 9",
        "CREATE INDEX by_qty ON orders (shop DESC) INCLUDE (qty)",
        "CREATE UNIQUE INDEX by_qty ON orders (shop, id) INCLUDE (qty)",
        "CREATE INDEX by_qty ON orders (qty, shop)",
        "CREATE INDEX by_qty ON orders USING hash (shop)",
    ],
)
def test_two_that_one_cannot_or_need_not_replace_stay(advised: Callable[..., Report], other: str) -> None:
    added, dropped = proposed(advised(ALIKE[0], other))
    assert not [one for one in added if "amount" in one]
    assert "by_amount" not in dropped


def test_two_that_take_little_more_than_the_one_stay(advised: Callable[..., Report]) -> None:
    added, dropped = proposed(advised(ALIKE[1], "CREATE INDEX wide ON orders (shop, (note || note || note))"))
    assert not [one for one in added if "note" in one]
    assert "wide" not in dropped


@pytest.mark.parametrize(
    "constraints", [Constraints(budget_bytes=100_000), Constraints(max_indexes=0), Constraints(max_width=2)]
)
def test_the_one_keeps_to_the_limits(advised: Callable[..., Report], constraints: Constraints) -> None:
    assert proposed(advised(*ALIKE, constraints=constraints)) == ([], [])
