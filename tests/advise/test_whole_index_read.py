"""An index that a query would read whole in place of its table is no sure gain; where its order or a condition is used it is."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from queryproof.analyzer.advise.whole_index_read import whole_index_read
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

SETUP = """
CREATE TABLE wide (a int, b int, filler text);
INSERT INTO wide SELECT n * 7919 % 120000, n, repeat('x', 80) FROM generate_series(1, 120000) n;
CREATE INDEX narrow ON wide (a, b);
"""


@pytest.fixture(scope="module")
def explainer(server: Server, fill: Callable[[str, str], None]) -> Iterator[Explainer]:
    fill("whole_index", SETUP)
    with closing(connect(server.url("whole_index", "app"))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
        yield Explainer(connection, analyze=False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM wide",
        "SELECT b FROM wide",
        "SELECT b % 10, sum(a) FROM wide GROUP BY 1",
        "SELECT a FROM wide ORDER BY b",
        "SELECT DISTINCT b % 10 FROM wide",
    ],
)
def test_a_query_that_reads_all_of_an_index_is_in_doubt(sql: str, explainer: Explainer) -> None:
    told = whole_index_read("narrow", {"q": explainer.plan(sql)})
    assert told.startswith("The gain of query q is in doubt")
    assert whole_index_read("another", {"q": explainer.plan(sql)}) == ""


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM wide WHERE a < 100000",
        "SELECT b FROM wide ORDER BY a LIMIT 10",
        "SELECT max(a) FROM wide",
        "SELECT a, count(*) FROM wide GROUP BY a",
        "SELECT a, row_number() OVER (ORDER BY a) FROM wide",
    ],
)
def test_a_query_that_uses_its_condition_or_its_order_is_not(sql: str, explainer: Explainer) -> None:
    plan = explainer.plan(sql)
    assert any(node.index == "narrow" for node in plan.root.walk())
    assert whole_index_read("narrow", {"q": plan}) == ""
