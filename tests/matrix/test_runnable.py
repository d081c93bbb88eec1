"""Every statement shape that PostgreSQL can plan gets a plan on every major, from its normalised text alone."""

from collections.abc import Callable

import pytest

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.workload import ParameterSample, QueryGroup

from . import shapes


@pytest.fixture(scope="module")
def shaped(major_server: Server, run_sql: Callable[..., None]) -> str:
    major_server.create_database("shapes")
    url = major_server.url("shapes", "app")
    run_sql(url, shapes.SETUP)
    return url


def group(sql: str) -> QueryGroup:
    sample = ParameterSample(sql, None, None, "pg_stat_statements keeps no values")
    return QueryGroup("f", sql, 10, 1.0, 1.0, None, None, 1.0, 50, 0, (), (sample,), ("pg_stat_statements",))


def test_every_shape_gets_a_plan(shaped: str) -> None:
    connection = connect(shaped)
    explainer = Explainer(connection, analyze=False)
    without = {
        name: one.note for name, sql in shapes.SHAPES.items() if (one := explainer.explain(group(sql))).plan is None
    }
    assert without == {}
    connection.close()


def test_reading_shapes_are_run_with_values_from_statistics(shaped: str) -> None:
    connection = connect(shaped)
    explainer = Explainer(connection, analyze=True)
    run, made_up = {}, set()
    for name, sql in shapes.SHAPES.items():
        explained = explainer.explain(group(sql))
        assert explained.plan is not None, (name, explained.note)
        run[name] = explained.plan.analyzed
        assert explained.parameters_origin, name
        if (
            explained.plan.analyzed
            and "$" in sql
            and name != "date_trunc grouped"
            and "pg_stats" not in explained.parameters_origin
        ):
            assert explained.parameters_origin.startswith("made-up values"), name
            made_up.add(name)
    # Its parameter is a unit, and has no column.
    assert made_up == {"grouped by position"}
    for name in ("equality", "like", "in", "in squashed", "any", "row comparison", "between", "date literal", "cursor",
                 "limit and offset", "comments"):  # fmt: skip
        assert run[name], name
    for name in ("update", "delete", "foreign key check"):
        assert not run[name], name
    connection.close()


def test_commands_without_a_plan_are_named(shaped: str) -> None:
    connection = connect(shaped)
    explainer = Explainer(connection, analyze=True)
    for sql in shapes.WITHOUT_PLAN:
        explained = explainer.explain(group(sql))
        assert explained.plan is None
        assert "is not a statement that has a plan" in explained.note
    connection.close()


def test_plans_that_depend_on_the_value_stand_side_by_side(shaped: str) -> None:
    connection = connect(shaped)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE skewed (id int, kind text); INSERT INTO skewed SELECT g, CASE WHEN g % 1000 = 0 THEN 'rare' ELSE"
            " 'common' END FROM generate_series(1, 50000) g; CREATE INDEX ON skewed (kind); ANALYZE skewed"
        )
    for analyze in (False, True):
        explained = Explainer(connection, analyze=analyze).explain(group("select * from skewed where kind = $1"))
        assert explained.plan is not None
        plans = [explained.plan, *(one.plan for one in explained.variants)]
        kinds = {plan.root.type for plan in plans}
        assert "Seq Scan" in kinds
        assert len(kinds) > 1
        origins = {explained.parameters_origin, *(one.origin for one in explained.variants)}
        assert "the most common values in pg_stats" in origins
        assert "rare values in pg_stats" in origins or not analyze
        assert "'rare'" not in explained.note + explained.parameters_origin
    connection.close()
