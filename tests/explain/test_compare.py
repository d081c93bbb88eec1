"""`queryproof explain --compare`: nodes find their partners, and what moved is named with its cause."""

import json
from collections.abc import Iterator
from dataclasses import replace

import jsonschema
import pytest
from click.testing import CliRunner, Result
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.plan_comparison import PlanComparison, compare_plans
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.server import Server
from queryproof.cli import main
from queryproof.reports.explain.comparison_json import comparison_schema

SETUP = """
CREATE TABLE people (id int PRIMARY KEY, town int, name text);
INSERT INTO people SELECT n, n % 300, 'p' || n FROM generate_series(1, 30000) n;
CREATE TABLE towns (id int PRIMARY KEY, name text);
INSERT INTO towns SELECT n, 't' || n FROM generate_series(0, 299) n;
ANALYZE;
"""
JOIN = "SELECT t.name, count(*) FROM people p JOIN towns t ON t.id = p.town WHERE p.town = 7 GROUP BY 1"


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("compared")
    opened = connect(server.url("compared", "app"))
    with opened.cursor() as cursor:
        cursor.execute(SETUP)
    yield opened
    opened.close()


def document(connection: Connection, sql: str = JOIN, *before: str, options: str = "ANALYZE, BUFFERS, SETTINGS") -> str:
    """The plan after some statements that are taken back."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        for statement in before:
            cursor.execute(statement)
        cursor.execute(f"EXPLAIN ({options}, FORMAT JSON) {sql}")
        ((found,),) = cursor.fetchall()
        cursor.execute("ROLLBACK")
    return json.dumps(found)


def plan(connection: Connection, sql: str = JOIN, *before: str, options: str = "ANALYZE, BUFFERS, SETTINGS") -> Plan:
    return read_plan(document(connection, sql, *before, options=options))


def kinds(comparison: PlanComparison) -> set[str]:
    return {cause.kind for cause in comparison.causes}


def changes(comparison: PlanComparison, relation: str) -> dict[str, tuple[object, object]]:
    return {
        change.what: (change.before, change.after)
        for pair in comparison.pairs
        if pair.after is not None and pair.after.relation == relation
        for change in pair.changes
    }


def test_a_plan_compared_with_itself_has_not_moved(connection: Connection) -> None:
    one = plan(connection)
    comparison = compare_plans(one, one)
    assert comparison.same_shape
    assert comparison.causes == ()
    assert all(pair.before is pair.after and not pair.changes for pair in comparison.pairs)


def test_another_literal_keeps_the_shape(connection: Connection) -> None:
    comparison = compare_plans(plan(connection), plan(connection, JOIN.replace("7", "8")))
    assert comparison.same_shape
    assert not kinds(comparison) & {"index", "estimate", "condition", "setting"}


def test_a_new_index_is_named_with_the_scan_it_replaces(connection: Connection) -> None:
    after = plan(connection, JOIN, "CREATE INDEX people_town ON people (town)")
    comparison = compare_plans(plan(connection), after)
    assert not comparison.same_shape
    (cause,) = [one for one in comparison.causes if one.kind == "index"]
    assert "people_town" in cause.message
    assert "instead of Seq Scan" in cause.message
    assert changes(comparison, "people")["type"][0] == "Seq Scan"
    back = compare_plans(after, plan(connection))
    assert ["not used any more" in one.message for one in back.causes if one.kind == "index"] == [True]


def test_every_node_belongs_to_one_pair(connection: Connection) -> None:
    first = plan(connection, f"SELECT * FROM ({JOIN}) a, ({JOIN}) b ORDER BY 1")
    second = plan(connection, f"SELECT * FROM ({JOIN}) a, ({JOIN}) b ORDER BY 1", "SET LOCAL enable_nestloop = off")
    comparison = compare_plans(first, second)
    for side, whole in (("before", first), ("after", second)):
        ids = [getattr(pair, side).id for pair in comparison.pairs if getattr(pair, side) is not None]
        assert sorted(ids) == [node.id for node in whole.root.walk()]


def test_settings_and_join_methods(connection: Connection) -> None:
    comparison = compare_plans(
        plan(connection, "SELECT * FROM people p JOIN towns t ON t.id = p.town"),
        plan(connection, "SELECT * FROM people p JOIN towns t ON t.id = p.town", "SET LOCAL enable_hashjoin = off"),
    )
    (cause,) = [one for one in comparison.causes if one.kind == "setting"]
    assert cause.message == "the setting enable_hashjoin was its default and is off"
    (after,) = [pair.after for pair in comparison.pairs if pair.before is not None and pair.before.type == "Hash Join"]
    assert after is not None
    assert after.type in ("Nested Loop", "Merge Join")


def test_estimates_and_rows(connection: Connection) -> None:
    sql = "SELECT * FROM people WHERE town % 2 = 0"
    statistics = "CREATE STATISTICS s ON (town % 2) FROM people"
    comparison = compare_plans(plan(connection, sql), plan(connection, sql, statistics, "ANALYZE people"))
    (cause,) = [one for one in comparison.causes if one.kind == "estimate"]
    assert "new estimate is nearer" in cause.message
    comparison = compare_plans(
        plan(connection, sql), plan(connection, sql, "DELETE FROM people WHERE town % 4 = 0", "ANALYZE people")
    )
    assert "rows" in kinds(comparison)


def test_memory_and_runs(connection: Connection) -> None:
    sql = "SELECT * FROM people ORDER BY name"
    small = plan(connection, sql, "SET LOCAL work_mem = '64kB'")
    comparison = compare_plans(small, plan(connection, sql, "SET LOCAL work_mem = '64MB'"))
    assert {"memory", "setting"} <= kinds(comparison)
    planned = plan(connection, sql, options="SETTINGS")
    assert "not run" in kinds(compare_plans(planned, small))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (JOIN, "SELECT * FROM towns WHERE id = 7", True),
        ("SELECT name FROM people WHERE id = 7", "SELECT name FROM towns WHERE id = 7", True),
        ("SELECT name FROM people WHERE id = 7", "SELECT town FROM people WHERE id = 7", True),
        ("SELECT name FROM people WHERE id = 7", "DELETE FROM people WHERE id = 7", True),
        ("SELECT name FROM people WHERE id = 7", "SELECT name FROM people WHERE id = 8", False),
        ("SELECT max(p.id) FROM people p WHERE town = 7", "SELECT max(p.id) FROM people p WHERE town < 290", False),
    ],
)
def test_plans_of_two_statements_are_told_apart(connection: Connection, first: str, second: str, told: bool) -> None:
    """As far as tables, columns and commands tell; plans that differ by what the planner chose are of one statement."""
    one, other = (plan(connection, sql, options="VERBOSE") for sql in (first, second))
    assert ("statement" in kinds(compare_plans(one, other))) is told
    settings = ("SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off", "SET LOCAL enable_hashagg = off")
    for sql in (first, second):
        assert "statement" not in kinds(compare_plans(plan(connection, sql, options="VERBOSE"), plan(connection, sql, *settings, options="VERBOSE")))  # fmt: skip


def test_texts_tell_statements_apart(connection: Connection) -> None:
    one, other, third = (
        replace(plan(connection), query_text=text)
        for text in ("SELECT 1 FROM a WHERE b = 2", "SELECT 1 FROM a WHERE b = 3", "SELECT 1 FROM a WHERE c = 2")
    )
    assert "statement" not in kinds(compare_plans(one, other))
    (cause,) = compare_plans(one, third).causes
    assert cause.kind == "statement"


def compare(*arguments: str, data: str | None = None, columns: int = 140) -> Result:
    return CliRunner().invoke(main, ["explain", "--compare", *arguments], input=data, env={"COLUMNS": str(columns)})


def test_the_command_shows_both_sides(connection: Connection, server: Server, tmp_path: object) -> None:
    before, after = f"{tmp_path}/a.json", f"{tmp_path}/b.json"
    for name, text in (
        (before, document(connection)),
        (after, document(connection, JOIN, "CREATE INDEX people_town ON people (town)")),
    ):
        with open(name, "w") as file:
            file.write(text)
    done = compare(before, after)
    assert done.exit_code == 0, done.output
    assert "Why" in done.output
    assert "index people_town is used now" in done.output
    for columns in (50, 140):
        lines = compare(before, after, columns=columns).output.splitlines()
        assert max(map(len, lines)) <= columns
    document_ = json.loads(compare(before, after, "--format", "json").output)
    jsonschema.validate(document_, comparison_schema())
    assert document_["same_shape"] is False
    assert {pair["after"] for pair in document_["pairs"]} >= {node["id"] for node in document_["after"]["nodes"]}
    assert "people_town" in json.dumps(document_["causes"])
    with open(before) as file:
        assert compare("-", after, data=file.read()).exit_code == 0
    both = f"[{document(connection)[1:-1]}, {document(connection)[1:-1]}]"
    done = compare("-", after, data=both)
    assert done.exit_code == 2
    assert "holds 2 plans" in done.output
    url = server.url("compared", "app")
    done = CliRunner().invoke(main, ["explain", JOIN, "--compare", url, url])
    assert done.exit_code == 0, done.output
    assert "the same shape" in done.output
