"""The rules on texts: clean twins that look like the sin, and disguises of the sin that must not escape."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, column, create_engine, select, table
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship

from queryproof import record
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sql.fingerprint import fingerprint

QUERY_RULES = {"cartesian-join", "select-star", "missing-pagination"}
SETUP = """
CREATE TABLE shops (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL);
CREATE TABLE sales (id int PRIMARY KEY, shop_id int REFERENCES shops, total int, placed date);
CREATE TABLE settings (key text PRIMARY KEY, value text);
INSERT INTO shops SELECT n, 's' || n, 'c' || n % 7 FROM generate_series(1, 300) n;
INSERT INTO sales SELECT n, n % 300 + 1, n, date '2026-01-01' + n % 300 FROM generate_series(1, 12000) n;
INSERT INTO settings VALUES ('vat', '19'), ('currency', 'EUR');
CREATE VIEW totals AS SELECT shop_id, sum(total) AS total FROM sales GROUP BY shop_id;
CREATE FUNCTION newest(n int) RETURNS SETOF sales LANGUAGE sql STABLE AS 'SELECT * FROM sales ORDER BY id DESC LIMIT n';
ANALYZE shops, sales, settings;
"""
CLEAN = {
    "one-row CTE": "WITH t AS (SELECT sum(total) AS s FROM sales) SELECT x.id, x.total * 100 / t.s FROM sales x, t WHERE x.shop_id = 3",
    "one-row CTE by LIMIT": "WITH t AS (SELECT id FROM shops ORDER BY id LIMIT 1) SELECT x.id FROM sales x, t WHERE x.shop_id = 3",
    "one-row subquery": "SELECT x.id FROM sales x, (SELECT max(total) AS m FROM sales) t WHERE x.total = t.m",
    "keys on both sides": "SELECT a.name, b.name FROM shops a, shops b WHERE a.id = 1 AND b.id = 2",
    "key on one side": "SELECT s.value, x.id FROM settings s, sales x WHERE s.key = 'vat' AND x.id < 20",
    "the same constant on both": "SELECT a.name, x.total FROM shops a, sales x WHERE a.id = 5 AND x.shop_id = 5",
    "VALUES": "SELECT x.id, v.n FROM sales x, (VALUES (1), (2)) v(n) WHERE x.id < 10",
    "function": "SELECT x.id, g FROM sales x, generate_series(1, 3) g WHERE x.id < 10",
    "lateral": "SELECT a.id, l.total FROM shops a, LATERAL (SELECT total FROM sales x WHERE x.shop_id = a.id ORDER BY total LIMIT 1) l WHERE a.id < 9",
    "joined by a third": "SELECT a.id FROM shops a, sales x, shops b WHERE x.shop_id = a.id AND b.id = x.shop_id AND x.id < 9",
    "joined by an expression": "SELECT a.id FROM shops a, sales x WHERE a.name = 's' || x.shop_id AND x.id < 9",
    "joined by a subquery": "SELECT a.id FROM shops a, sales x WHERE x.id < 9 AND EXISTS (SELECT 1 FROM shops c WHERE c.id = a.id AND c.id = x.shop_id)",
    "CROSS JOIN": "SELECT a.id, s.value FROM shops a CROSS JOIN settings s WHERE a.id < 9",
    "ON true": "SELECT a.id, s.value FROM shops a JOIN settings s ON true WHERE a.id < 9",
    "USING": "SELECT x.total, t.total FROM (SELECT id AS shop_id FROM shops) a JOIN totals t USING (shop_id) JOIN sales x USING (shop_id) WHERE x.id < 9",
    "UPDATE FROM": "UPDATE sales SET total = 1 FROM shops a WHERE a.id = sales.shop_id AND a.id = 1",
    "star of a function": "SELECT * FROM generate_series(1, 10) g",
    "star of a function that returns rows": "SELECT * FROM newest(5)",
    "star of VALUES": "SELECT * FROM (VALUES (1, 2, 3), (4, 5, 6)) v",
    "star of a subquery that names its columns": "SELECT * FROM (SELECT id, name FROM shops WHERE id < 5) t",
    "star of a CTE that names its columns": "WITH t AS (SELECT id, name FROM shops WHERE id < 5) SELECT * FROM t",
    "star of a CTE in a page": "WITH t AS (SELECT id, name FROM shops ORDER BY id LIMIT 5) SELECT t.* FROM t",
    "count of star": "SELECT count(*) FROM sales",
    "EXISTS of star": "SELECT 1 WHERE EXISTS (SELECT * FROM shops)",
    "star of catalogs": "SELECT * FROM pg_catalog.pg_tables",
    "a queue's lock": "SELECT id FROM sales WHERE total > 0 FOR UPDATE",
    "a CTE that writes": "WITH gone AS (DELETE FROM sales WHERE total < 0 RETURNING id) SELECT id FROM gone",
    "one value": "SELECT (SELECT max(total) FROM sales)",
    "aggregated": "SELECT sum(total) FROM sales",
    "FETCH FIRST": "SELECT id FROM sales ORDER BY id FETCH FIRST 10 ROWS ONLY",
    "chunk of keys": "SELECT id, total FROM sales WHERE id IN (1, 2, 3, 4)",
    "keys in an array": "SELECT id, total FROM sales WHERE id = ANY (ARRAY[1, 2, 3])",
    "INSERT of a SELECT": "INSERT INTO settings (key, value) SELECT 'k' || id, name FROM shops",
    "distinct few": "SELECT DISTINCT city FROM shops",
    "page inside": "SELECT id FROM (SELECT id FROM sales ORDER BY id LIMIT 50) t",
    "LIMIT by a parameter": "SELECT id FROM sales ORDER BY id LIMIT $1",
    "paged union": "(SELECT id FROM sales) UNION ALL (SELECT id FROM shops) ORDER BY 1 LIMIT 10",
    "recursive CTE": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT n FROM t",
}
FAULTY = {
    "no condition": ("cartesian-join", "SELECT a.name, x.total FROM shops a, sales x WHERE x.total > 11998"),
    "a condition that names one side twice": (
        "cartesian-join",
        "SELECT a.name FROM shops a, sales x WHERE x.total = x.id AND x.placed > x.placed - 1 AND x.total < 20 AND a.id < 9",
    ),
    "ON of another pair": (
        "cartesian-join",
        "SELECT count(*) FROM shops a JOIN sales x ON x.shop_id = a.id, shops b WHERE a.id < 3",
    ),
    "star of a join": (
        "select-star",
        "SELECT a.*, x.total FROM shops a JOIN sales x ON x.shop_id = a.id WHERE a.id = 4",
    ),
    "star through a subquery": ("select-star", "SELECT * FROM (SELECT * FROM sales WHERE id < 9) t"),
    "star through a CTE": ("select-star", "WITH t AS (SELECT * FROM sales WHERE id < 9) SELECT * FROM t"),
    "all rows": ("missing-pagination", "SELECT id, total FROM sales"),
    "all rows in order": ("missing-pagination", "SELECT id, total FROM sales ORDER BY placed, id"),
    "union of all": ("missing-pagination", "SELECT id FROM sales UNION ALL SELECT shop_id FROM sales"),
}


@pytest.fixture(scope="module")
def shop(server: Server) -> str:
    server.create_database("query_rules")
    url = server.url("query_rules", "app")
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
    connection.commit()
    connection.close()
    return url


def found(url: str | None, folder: Path) -> dict[str, set[str]]:
    """Rules that speak up, by fingerprint, from one analysis of all cases."""
    file = folder / "cases.sql"
    texts = [*CLEAN.values(), *(sql for _, sql in FAULTY.values())]
    file.write_text(";\n".join(texts) + ";\n")
    report = analyze(AnalysisRequest(files=(file,), url=url, analyze=url is not None))
    rules: dict[str, set[str]] = {fingerprint(text): set() for text in texts}
    for finding in report.findings:
        if finding.rule in QUERY_RULES:
            rules[finding.subject.fingerprint or ""].add(finding.rule)
    assert len(rules) == len(texts)
    return rules


@pytest.fixture(scope="module")
def planned(shop: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    return found(shop, tmp_path_factory.mktemp("planned"))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    return found(None, tmp_path_factory.mktemp("read"))


@pytest.mark.parametrize("case", CLEAN)
def test_a_clean_twin_is_silent_on_the_database(case: str, planned: dict[str, set[str]]) -> None:
    assert planned[fingerprint(CLEAN[case])] == set()


@pytest.mark.parametrize("case", CLEAN)
def test_a_clean_twin_is_silent_without_a_database(case: str, read: dict[str, set[str]]) -> None:
    assert read[fingerprint(CLEAN[case])] == set()


@pytest.mark.parametrize("case", FAULTY)
def test_the_sin_is_found_in_disguise(case: str, planned: dict[str, set[str]]) -> None:
    rule, sql = FAULTY[case]
    assert planned[fingerprint(sql)] == {rule}


def test_an_export_that_is_streamed_is_left_alone_unless_it_is_also_read_whole(shop: str, tmp_path: Path) -> None:
    engine = create_engine(shop)
    sales = table("sales", column("id"), column("total"), column("placed"))

    async def stream() -> None:
        asynchronous = create_async_engine(shop.replace("psycopg2", "asyncpg"))
        async with asynchronous.connect() as connection:
            assert len([row async for row in await connection.stream(select(sales.c.total))]) == 12000
        await asynchronous.dispose()

    with record(None, tmp_path), engine.connect() as connection, Session(engine) as session:
        for options in ({"stream_results": True}, {"yield_per": 100}):
            assert len(connection.execution_options(**options).execute(select(sales.c.id)).all()) == 12000
        assert len(session.execute(select(sales.c.placed), execution_options={"yield_per": 100}).all()) == 12000
        asyncio.run(stream())
        for options in ({}, {"yield_per": 100}):
            assert len(session.execute(select(sales.c.id, sales.c.total), execution_options=options).all()) == 12000
    engine.dispose()
    report = analyze(AnalysisRequest(journal=tmp_path, url=shop, prove="no"))
    (finding,) = [one for one in report.findings if one.rule == "missing-pagination"]
    assert finding.subject.fingerprint == fingerprint("SELECT sales.id, sales.total FROM sales")
    streamed = [one.reason for one in report.looked_at if one.rule == "missing-pagination"]
    assert len(streamed) == 3
    assert all("streamed: an export" in reason for reason in streamed)


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(primary_key=True)
    sales: Mapped[list["Sale"]] = relationship()


class Sale(Base):
    __tablename__ = "sales"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))


def test_a_page_counts_what_is_asked_for_and_not_the_rows_of_joined_collections(shop: str, tmp_path: Path) -> None:
    engine = create_engine(shop)
    with record(None, tmp_path), Session(engine) as session:
        query = select(Shop).options(joinedload(Shop.sales))
        assert len(session.scalars(query.where(Shop.id > 30)).unique().all()) == 270
        assert len(session.scalars(select(Sale).where(Sale.id > 9000)).all()) == 3000
    engine.dispose()
    report = analyze(AnalysisRequest(journal=tmp_path))
    (finding,) = [one for one in report.findings if one.rule == "missing-pagination"]
    assert "3\u202f000 rows of sales" in finding.message
