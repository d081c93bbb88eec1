"""How a repeated query could ask for all of its values at once."""

from unittest.mock import Mock

import pytest

from queryproof.analyzer.query import OrmLoad
from queryproof.analyzer.sql.parse import analyse
from queryproof.rules.asked_for import at_once


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM t WHERE owner = $1", "WHERE owner = ANY(:values)"),
        ("SELECT id FROM t WHERE owner = $1 LIMIT 1", "WHERE owner = ANY(:values)"),
        ("SELECT count(*) FROM t WHERE owner = $1", "GROUP BY owner"),
        ("SELECT id FROM t WHERE owner = $1 ORDER BY made DESC LIMIT 1", "CROSS JOIN LATERAL (SELECT … WHERE owner = wanted.value"),
    ],
)  # fmt: skip
def test_first_rows_are_asked_for_value_by_value(sql: str, expected: str) -> None:
    (code,) = at_once(analyse(sql), [Mock(driver="psycopg", orm=None)], [])
    assert expected in code.text


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT book.id, book.title, book.author_id FROM book WHERE book.author_id = $1", "select(Book).where(Book.author_id.in_(values))"),
        ("SELECT id, title FROM book WHERE name = $1 LIMIT 3", "select(Book).where(Book.name.in_(values))  # but no limit: of each value keep as many as before"),
        ("SELECT id, title FROM book WHERE name = $1 ORDER BY title", "select(Book).where(Book.name.in_(values))  # all else that it asks for stays"),
        ("SELECT id, title FROM book WHERE name = $1", "select(Book).where(Book.name.in_(values))"),
        ("SELECT book.id, book.title FROM book JOIN author ON author.id = book.author_id WHERE author.name = $1", "WHERE author.name = ANY(:values)"),
        ("SELECT book.id, book.title FROM author JOIN book ON author.id = book.author_id WHERE book.title = $1", "select(Book).where(Book.title.in_(values))  # all else that it asks for stays"),
        ('SELECT b.id, b.title FROM book AS b JOIN author AS "A x" ON "A x".id = b.author_id WHERE "A x".name = $1', 'WHERE "A x".name = ANY(:values)'),
        ("SELECT orders.shop, orders.number, orders.note FROM orders WHERE orders.shop = $1 AND orders.number = $2", "select(Book).where(tuple_(Book.shop, Book.number).in_(values))"),
        ("SELECT book.id FROM book JOIN author ON author.id = book.author_id WHERE author.name = $1 AND book.title = $2 AND (book.a = 1 OR book.b = 2)", "WHERE (book.title, author.name) IN (VALUES …) AND …"),
        ("SELECT id FROM book WHERE a = $1 AND b = $2 ORDER BY made LIMIT 3", "SELECT …\nFROM unnest(:value_1s, :value_2s) AS wanted (value_1, value_2)\nCROSS JOIN LATERAL (SELECT … WHERE a = wanted.value_1 AND b = wanted.value_2 ORDER BY … LIMIT …) AS found"),
        ("SELECT book.id FROM book WHERE lower(book.title) = $1", "WHERE lower(title) = ANY(:values)"),
        ('SELECT book.id FROM book WHERE book."class" = $1', "WHERE class = ANY(:values)"),
    ],
)  # fmt: skip
def test_instances_are_asked_for_of_the_entity_that_has_the_column(sql: str, expected: str) -> None:
    (code,) = at_once(analyse(sql), [Mock(driver="psycopg", orm=OrmLoad("query", "Book"))], [])
    assert code.text == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT book.title FROM book WHERE book.author_id = $1", "select(Book.author_id, Book.title).where(Book.author_id.in_(values))"),
        ("SELECT book.author_id, book.title FROM book WHERE book.author_id = $1", "select(Book.author_id, Book.title).where(Book.author_id.in_(values))"),
        ("SELECT book.made FROM book WHERE book.year = $1", "select(Book.published, Book.created).where(Book.published.in_(values))"),
        ('SELECT book."the year" FROM book WHERE book."the year" = $1', "select(Book.printed).where(Book.printed.in_(values))"),
        ("SELECT DISTINCT book.title FROM book WHERE book.author_id = $1", "select(Book.author_id, Book.title).where(Book.author_id.in_(values))  # all else that it asks for stays"),
        ("SELECT book.id, author.name FROM book JOIN author ON author.id = book.author_id WHERE book.id = $1", "select(Book.id, …).where(Book.id.in_(values))  # all else that it asks for stays"),
        ("SELECT max(book.title) FROM book WHERE book.author_id = $1 GROUP BY book.author_id", "select(Book.author_id, …).where(Book.author_id.in_(values))  # all else that it asks for stays"),
        ("SELECT DISTINCT ON (book.kind) book.id, book.kind FROM book WHERE book.author_id = $1", "SELECT …\nFROM unnest(:values) AS wanted (value)\nCROSS JOIN LATERAL (SELECT … WHERE author_id = wanted.value) AS found"),
        ("SELECT DISTINCT book.title FROM book WHERE book.author_id = $1 LIMIT 3", "select(Book.author_id, Book.title).where(Book.author_id.in_(values))  # all else that it asks for stays, but no limit: of each value keep as many as before"),
        ("SELECT book.id, row_number() OVER (ORDER BY book.id) FROM book WHERE book.author_id = $1", "SELECT …\nFROM unnest(:values) AS wanted (value)\nCROSS JOIN LATERAL (SELECT … WHERE author_id = wanted.value) AS found"),
        ("SELECT book.title FROM book WHERE book.author_id = $1 AND book.year > 2000", "select(Book.author_id, Book.title).where(Book.author_id.in_(values))  # its other conditions stay"),
        ("SELECT lower(book.title) AS x FROM book WHERE book.author_id = $1", "select(Book.author_id, …).where(Book.author_id.in_(values))"),
        ("SELECT count(*) FROM book JOIN author ON author.id = book.author_id WHERE author.name = $1", "SELECT author.name, …\nWHERE author.name = ANY(:values)\nGROUP BY author.name"),
    ],
)  # fmt: skip
def test_columns_are_asked_for_by_their_attributes(sql: str, expected: str) -> None:
    load = OrmLoad(
        "query", "Book", renamed=(("made", "created"), ("the year", "printed"), ("year", "published")), columns=True
    )
    (code,) = at_once(analyse(sql), [Mock(driver="psycopg", orm=load)], [])
    assert code.text == expected


def test_options_of_the_query_are_kept_in_mind_and_get_has_no_more() -> None:
    statement = analyse("SELECT book.id FROM book WHERE book.id = $1 AND book.kind IN (1)")
    options = ("joined Book.author",)
    loads = [OrmLoad("query", "Book", options=options), OrmLoad("get", "Book", options=options), OrmLoad("get", "Book")]
    codes = [code.text for load in loads for code in at_once(statement, [Mock(driver="psycopg", orm=load)], [])]
    bare = "select(Book).where(Book.id.in_(values))"
    assert codes == [f"{bare}  # all else that it asks for stays"] * 2 + [bare]


def test_an_alias_whose_name_is_unknown_stands_alone_or_not_at_all() -> None:
    load = OrmLoad("query", "Book", root="Book", aliased=True)
    (alone,) = at_once(
        analyse("SELECT b.id FROM book AS b WHERE b.id = $1"), [Mock(driver="psycopg", orm=load, call_site=None)], []
    )
    assert alone.text == "select(Book).where(Book.id.in_(values))"
    with_more = analyse("SELECT b.id FROM book AS b WHERE b.id = $1 AND b.year > 2000")
    (code,) = at_once(with_more, [Mock(driver="psycopg", orm=load, call_site=None)], [])
    assert code.text == "WHERE id = ANY(:values) AND …"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.id FROM a WHERE a.x = $1 UNION SELECT b.id FROM b WHERE b.y = $2",
        "SELECT many.n FROM (SELECT a.x, count(*) AS n FROM a GROUP BY a.x) AS many WHERE many.x = $1",
        "SELECT a.id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id AND b.y = $1)",
        "WITH most AS (SELECT max(a.y) AS y FROM a WHERE a.x = $1) SELECT a.id FROM a JOIN most ON a.y = most.y",
        "SELECT a.id, b.y FROM a LEFT JOIN b ON b.a_id = a.id AND b.y = $1",
    ],
)
def test_a_value_of_one_part_is_not_asked_for_in_all(sql: str) -> None:
    assert not list(at_once(analyse(sql), [Mock(driver="psycopg", orm=None)], []))


@pytest.mark.parametrize("sql", ["SELECT book.id FROM book WHERE CAST(book.id AS VARCHAR) = $1", "SELECT book.id FROM book WHERE book.id::text::varchar(9) = $1"])  # fmt: skip
def test_a_column_that_is_cast_is_compared_as_it_was(sql: str) -> None:
    run = [Mock(driver="psycopg", orm=OrmLoad("query", "Book"))]
    (code,) = at_once(analyse(sql), run, [])
    assert code.text in ("WHERE id::varchar = ANY(:values)", "WHERE id::text::varchar(9) = ANY(:values)")
    (beside,) = at_once(analyse(f"{sql} AND book.kind = $2"), run, [])
    assert beside.text.startswith("WHERE (kind, id::") or beside.text.startswith("WHERE (id::")


def test_drivers_of_other_databases_are_told_what_these_understand() -> None:
    def told(sql: str) -> list[str]:
        return [code.text for code in at_once(analyse(sql), [Mock(driver="pysqlite", orm=None)], [])]

    assert told("SELECT id FROM t WHERE owner = $1") == ["WHERE owner IN (…)"]
    assert told("SELECT id FROM t WHERE owner = $1 AND kind = $2") == ["WHERE (owner, kind) IN (VALUES …)"]
    assert told("SELECT id FROM t WHERE owner = $1 ORDER BY made LIMIT 1") == []
    assert told("SELECT id FROM t WHERE CAST(owner AS VARCHAR) = $1") == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT kind, count(*) FROM t WHERE owner = $1 GROUP BY kind", "SELECT owner, …\nWHERE owner = ANY(:values)\nGROUP BY owner, …"),
        ("SELECT count(*) FROM t WHERE owner = $1 GROUP BY owner", "SELECT owner, …\nWHERE owner = ANY(:values)\nGROUP BY owner"),
        ("SELECT DISTINCT kind FROM t WHERE owner = $1", "SELECT DISTINCT owner, …\nWHERE owner = ANY(:values)"),
        ("SELECT id FROM t WHERE owner = $1 LIMIT 3", "WHERE owner = ANY(:values)\n-- but no limit: of each value keep as many as before"),
        ("SELECT id FROM t WHERE coalesce(owner, 'a secret') = $1", "WHERE coalesce(owner, …) = ANY(:values)"),
        ("SELECT id FROM t WHERE t.data ->> 'a secret' = $1 AND kind = $2", "WHERE (data ->> …, kind) IN (VALUES …)"),
    ],
)  # fmt: skip
def test_rows_of_each_value_stay_apart_and_literals_stay_out(sql: str, expected: str) -> None:
    (code,) = at_once(analyse(sql), [Mock(orm=None, driver="psycopg")], [])
    assert code.text == expected


def test_instances_in_groups_are_grouped_by_the_value_as_well() -> None:
    statement = analyse("SELECT book.kind, count(*) FROM book WHERE book.author_id = $1 GROUP BY book.kind")
    (code,) = at_once(statement, [Mock(orm=OrmLoad("query", "Book", columns=True), driver="psycopg")], [])
    assert code.text.startswith(
        "select(Book.author_id, …).where(Book.author_id.in_(values)).group_by(Book.author_id, …)"
    )
