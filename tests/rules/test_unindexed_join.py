"""unindexed-join advises what PostgreSQL then uses, and leaves joins alone for which reading the whole table is right."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.server import Server
from queryproof.rules.finding import Finding
from queryproof.rules.judge_plan import judge_plan
from queryproof.rules.plan_context import Around, PlanContext

RULE = "unindexed-join"
SETUP = """
CREATE TABLE few (id int PRIMARY KEY, key int NOT NULL, part int NOT NULL, pad text);
INSERT INTO few SELECT n, n * 13, n % 3, repeat('x', 40) FROM generate_series(1, 4000) n;
CREATE TABLE big (id int PRIMARY KEY, key int NOT NULL, part int NOT NULL, kind int, pad text);
INSERT INTO big SELECT n, n % 60000, n % 3, n % 4, repeat('y', 40) FROM generate_series(1, 120000) n;
CREATE TABLE known (id int PRIMARY KEY, key int NOT NULL, pad text);
INSERT INTO known SELECT n, n % 60000, repeat('y', 40) FROM generate_series(1, 120000) n;
CREATE INDEX ON known (key);
CREATE TABLE small (id int PRIMARY KEY, key int NOT NULL);
INSERT INTO small SELECT n, n FROM generate_series(1, 700) n;
CREATE TABLE "Split Up" (id int NOT NULL, key int NOT NULL, pad text) PARTITION BY RANGE (id);
CREATE TABLE split_low PARTITION OF "Split Up" FOR VALUES FROM (0) TO (60000);
CREATE TABLE split_high PARTITION OF "Split Up" FOR VALUES FROM (60000) TO (200000);
INSERT INTO "Split Up" SELECT n, n % 60000, repeat('y', 60) FROM generate_series(1, 119999) n;
VACUUM ANALYZE;
"""
SERIAL = "SET max_parallel_workers_per_gather = 0"
ADVISED = (
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.key = f.key WHERE f.id <= 60",
    "SELECT f.id, b.pad FROM few f LEFT JOIN big b ON b.key = f.key WHERE f.id <= 60",
    "SELECT f.id FROM few f WHERE f.id <= 60 AND EXISTS (SELECT FROM big b WHERE b.key = f.key)",
    "SELECT f.id FROM few f WHERE f.id <= 60 AND NOT EXISTS (SELECT FROM big b WHERE b.key = f.key)",
    "SELECT b.id FROM big b WHERE b.key IN (SELECT key FROM few WHERE id <= 60)",
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.key = f.key AND b.part = f.part WHERE f.id <= 60",
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.key = f.key WHERE f.id <= 60 AND b.kind <> 1",
    "SELECT count(*) FROM (SELECT * FROM few LIMIT 30) f JOIN big b ON f.key = b.key",
    'SELECT f.id, s.pad FROM few f JOIN "Split Up" s ON s.key = f.key WHERE f.id <= 30',
)
LEFT_ALONE = (
    "SELECT f.id, k.pad FROM few f JOIN known k ON k.key = f.key WHERE f.id <= 60",
    "SET enable_nestloop = off; SELECT f.id, k.pad FROM few f JOIN known k ON k.key = f.key WHERE f.id <= 60",
    "SET enable_nestloop = off; SELECT f.id, b.pad FROM few f JOIN big b ON b.key = f.key WHERE f.id <= 60",
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.key = f.key",
    "SELECT f.id, s.id FROM few f JOIN small s ON s.key = f.key WHERE f.id <= 5",
    "SELECT b.id, f.pad FROM big b LEFT JOIN few f ON b.key = f.key AND f.id <= 60",
    "SELECT b.id FROM big b WHERE NOT EXISTS (SELECT FROM few f WHERE b.key = f.key AND f.id <= 60)",
    "SELECT f.id, b.id FROM few f FULL JOIN big b ON b.key = f.key WHERE f.id IS NULL OR f.id <= 60",
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.part = f.part WHERE f.id <= 20",
    "SELECT f.id, b.pad FROM few f JOIN big b ON b.key + 1 = f.key WHERE f.id <= 60",
)


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("unindexed_join")
    opened = connect(server.url("unindexed_join", "app"))
    with opened.cursor() as cursor:
        for statement in SETUP.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
    yield opened
    opened.close()


def plan(connection: Connection, sql: str, options: str = "ANALYZE, ") -> Plan:
    """Of the last statement, after the settings before it."""
    *settings, last = sql.split("; ")
    with connection.cursor() as cursor:
        cursor.execute("RESET ALL")
        for one in (SERIAL, *settings):
            cursor.execute(one)
        cursor.execute(f"EXPLAIN ({options}SETTINGS, FORMAT JSON) {last}")
        ((document,),) = cursor.fetchall()
    return read_plan(document)


def advice(plan: Plan, around: Around) -> list[Finding]:
    return [one for one in judge_plan(PlanContext(plan, around))[0] if one.rule == RULE]


@pytest.mark.parametrize("options", ["ANALYZE, ", ""], ids=["run", "planned"])
@pytest.mark.parametrize("sql", ADVISED)
def test_the_index_advised_is_used(connection: Connection, sql: str, options: str) -> None:
    before = plan(connection, sql, options)
    (alone,) = advice(before, Around())
    (finding,) = advice(before, Around(schema=read_schema(connection)))
    assert alone.plan_node == finding.plan_node
    assert finding.remedy is not None
    (code,) = finding.remedy.code
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN; {code.text.replace(' CONCURRENTLY', '')}")
        try:
            after = plan(connection, sql)
        finally:
            cursor.execute("ROLLBACK")
    read = {node.relation for node in after.root.walk() if node.type == "Seq Scan"}
    assert not read & {"big", "split_low", "split_high"}
    assert after.root.total_cost < before.root.total_cost


@pytest.mark.parametrize("sql", LEFT_ALONE)
def test_a_join_that_reads_all_rows_rightly_is_left_alone(connection: Connection, sql: str) -> None:
    before = plan(connection, sql)
    assert advice(before, Around()) == []
    assert advice(before, Around(schema=read_schema(connection))) == []


def test_an_index_that_is_there_is_named_in_the_silence(connection: Connection) -> None:
    """As where the planner was kept from using it by what the plan does not show."""
    (sql,) = (one for one in LEFT_ALONE if "enable_nestloop" in one and "known" in one)
    silent = plan(connection, sql)
    text = Plan(root=silent.root, analyzed=True, execution_ms=silent.execution_ms)
    _, looked_at = judge_plan(PlanContext(text, Around(schema=read_schema(connection))))
    assert any(one.rule == RULE and "known_key_idx" in one.reason for one in looked_at)


def test_a_scan_for_a_few_partners_is_not_called_right(connection: Connection) -> None:
    _, looked_at = judge_plan(PlanContext(plan(connection, ADVISED[0])))
    assert all(one.rule != "large-seq-scan-ok" for one in looked_at)
