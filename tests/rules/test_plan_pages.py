"""The pages of the rules about plans are their tests: Bad is reported, Good is silent, on plans of a real server.

All pages share one database, each in a schema of its own. Statements before the last set the session up. A page whose plan
the embedded server cannot make (JIT, other versions, a cold cache, workers) quotes one as `text`.
"""

import json
import re
from collections.abc import Iterator

import psycopg2
import pytest

from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.plan_reader import read_plan, read_plans
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Schema
from queryproof.analyzer.sql.tokens import split_statements
from queryproof.rules.finding import Finding, LookedAt, Severity
from queryproof.rules.judge_plan import judge_plan, plan_rules
from queryproof.rules.plan_context import Around, PlanContext
from queryproof.rules.plan_rule import PlanRule
from queryproof.rules.remedy import index_for_order

from ..plans.verdicts import BY_THE_CLOCK

Connection = psycopg2.extensions.connection


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("plan_pages")
    opened = psycopg2.connect(server.url("plan_pages", "app").replace("+psycopg2", ""))
    opened.autocommit = True
    yield opened
    opened.close()


def block(rule: PlanRule, heading: str) -> tuple[str, str] | None:
    match = re.search(rf"^## {heading}\n```(\w+)\n(.*?)```", rule.page, re.MULTILINE | re.DOTALL)
    return (match[1], match[2]) if match else None


def explain(connection: Connection, text: str) -> Plan:
    *before, last = split_statements(text)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        for statement in before:
            cursor.execute(statement)
        cursor.execute(f"EXPLAIN (ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS, FORMAT JSON) {last}")
        ((document,),) = cursor.fetchall()
        cursor.execute("ROLLBACK")
    return read_plan(json.dumps(document))


def verdicts(rule: PlanRule, heading: str, connection: Connection) -> tuple[list[Finding], list[LookedAt]]:
    page = block(rule, heading)
    assert page is not None
    language, text = page
    if language == "text":
        *earlier, last = read_plans(text)
        return judge_plan(PlanContext(last, Around(earlier=tuple(earlier))))
    schema = read_schema(connection)
    return judge_plan(PlanContext(explain(connection, text), Around(schema=schema)))


@pytest.fixture
def prepared(request: pytest.FixtureRequest, connection: Connection) -> Iterator[PlanRule]:
    rule: PlanRule = request.param
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA page; SET search_path = page, public")
        setup = block(rule, "Setup")
        if setup is not None:
            cursor.execute(setup[1])
    yield rule
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK; SET client_min_messages = error; DROP SCHEMA page CASCADE; RESET ALL")


@pytest.mark.parametrize("prepared", plan_rules(), ids=lambda rule: rule.name, indirect=True)
def test_bad_is_reported_and_good_is_silent(prepared: PlanRule, connection: Connection) -> None:
    rule = prepared
    findings, looked_at = verdicts(rule, "Bad", connection)
    assert rule.name in [one.rule for one in findings] + [one.rule for one in looked_at]
    for finding in findings:
        assert finding.remedy is not None
        assert finding.remedy.settles == (finding.identity,)
        assert all(fact.value != "" or fact.name in ("settings", "functions", "condition") for fact in finding.facts)
    findings, looked_at = verdicts(rule, "Good", connection)
    assert rule.name not in [one.rule for one in findings] + [one.rule for one in looked_at]
    told = {one.rule for one in findings if one.severity is not Severity.INFO}
    assert told - BY_THE_CLOCK == set()


def test_every_finding_of_the_catalogue_has_its_rule() -> None:
    assert [rule.code for rule in plan_rules()] == [f"PLN{number:03}" for number in range(1, 54)]


def test_a_schema_is_optional(connection: Connection) -> None:
    assert isinstance(read_schema(connection), Schema)


def test_a_plan_that_was_not_run_tells_of_a_correlated_subquery_and_of_no_other(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "BEGIN; CREATE TEMP TABLE users (id int PRIMARY KEY); CREATE TEMP TABLE logins (user_id int, at int);"
            "INSERT INTO users SELECT n FROM generate_series(1, 2000) n;"
            "INSERT INTO logins SELECT n % 2000, n FROM generate_series(1, 20000) n; ANALYZE users, logins"
        )
        told = {}
        for sql in (
            "SELECT u.id, (SELECT max(l.at) FROM logins l WHERE l.user_id = u.id) FROM users u",
            "SELECT u.id FROM users u WHERE u.id IN (SELECT l.user_id FROM logins l WHERE l.at < 9) OR u.id = 7",
            "SELECT u.id, (SELECT max(l.at) FROM logins l WHERE l.user_id = u.id) FROM users u WHERE u.id < 5",
        ):
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            ((document,),) = cursor.fetchall()
            findings, _ = judge_plan(PlanContext(read_plan(json.dumps(document))))
            told[sql] = [(one.severity, one.message) for one in findings if one.rule == "subplan-per-row"]
        cursor.execute("ROLLBACK")
    first, *others = told.values()
    assert [severity for severity, _ in first] == [Severity.WARNING]
    assert "would be run 2\u202f000 times" in first[0][1]
    assert others == [[], []]


@pytest.mark.parametrize(
    ("key", "index"),
    [
        (("o.at DESC", '"when" NULLS FIRST'), ""),
        (("o.at DESC NULLS LAST", 'o."when"'), 'at DESC NULLS LAST, "when"'),
        (("(date_trunc('day'::text, at))",), ""),
        (("a.at", "b.at"), ""),
    ],
)
def test_an_index_is_proposed_for_an_order_that_one_can_give(key: tuple[str, ...], index: str) -> None:
    assert index_for_order(key) == index


def test_a_recursion_that_hashes_is_told_to_index_its_join_key_unless_that_is_indexed(connection: Connection) -> None:
    sql = (
        "WITH RECURSIVE t AS (SELECT id FROM page.parts WHERE id = 3 UNION ALL "
        "SELECT p.id FROM page.parts p JOIN t ON p.parent = t.id) SELECT count(*) FROM t"
    )
    told = []
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA page; CREATE TABLE page.parts (id int PRIMARY KEY, parent int);"
            "INSERT INTO page.parts SELECT n, CASE WHEN n > 100 THEN n % 100 + 1 END FROM generate_series(1, 5000) n;"
            "ANALYZE page.parts"
        )
        for index in ("", "CREATE INDEX ON page.parts (parent)"):
            cursor.execute(index or "SELECT 1")
            schema = read_schema(connection)
            plan = explain(connection, f"SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; {sql}")
            told.append(judge_plan(PlanContext(plan, Around(schema=schema))))
        cursor.execute("DROP SCHEMA page CASCADE")
    (bare, _), (indexed, left) = told
    (finding,) = [one for one in bare if one.rule == "seq-scan-in-loop"]
    assert finding.remedy is not None
    assert [one.text for one in finding.remedy.code] == ['CREATE INDEX CONCURRENTLY ON "page"."parts" ("parent");']
    assert "seq-scan-in-loop" not in [one.rule for one in indexed]
    assert "the index parts_parent_idx is there" in next(one.reason for one in left if one.rule == "seq-scan-in-loop")
