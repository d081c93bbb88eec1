"""Whatever driver the application uses: queryproof connects by its own, and reads the texts that each has been given."""

import pytest

from queryproof.analyzer.errors import ServerError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

from .attacks import DRIVERS, as_value
from .hostile import group

NAMES = ("", "+psycopg2", "+psycopg2cffi", "+psycopg", "+psycopg_async", "+asyncpg", "+pg8000")


def test_the_driver_in_a_url_does_not_matter(server: Server) -> None:
    plain = server.url("postgres", "app").replace("+psycopg2", "")
    reached = []
    for name in NAMES:
        connection = connect(plain.replace("postgresql:", f"postgresql{name}:"))
        reached.append((type(connection), connection.info.dsn_parameters))
        connection.close()
    assert len(reached) == len(NAMES)
    assert all(one == reached[0] for one in reached)


@pytest.mark.parametrize("driver", DRIVERS)
def test_values_are_read_in_the_style_of_each_driver(database: str, driver: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE accounts (id int, email varchar, note varchar)")
    told = "o'clock \\ %s $1 :told -- 100%"
    sql, values = as_value(told)[list(DRIVERS).index(driver)]
    explained = Explainer(connection, analyze=True).explain(group(sql, values))
    connection.close()
    assert explained.plan is not None, explained.note
    assert explained.plan.analyzed, explained.note
    assert explained.plan.root.filter is not None
    assert explained.plan.root.filter.count("o''clock \\ %s $1 :told -- 100%") == 2


def test_what_asyncpg_calls_ssl_is_sslmode_and_other_options_of_a_driver_are_named(server: Server) -> None:
    url = server.url("postgres", "app").replace("+psycopg2", "+asyncpg")
    connection = connect(f"{url}&ssl=disable")
    assert connection.info.dsn_parameters["sslmode"] == "disable"
    connection.close()
    with pytest.raises(ServerError, match="prepared_statement_cache_size"):
        connect(f"{url}&prepared_statement_cache_size=0")
