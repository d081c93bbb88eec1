"""Casts and domains that call something harmful stop the statements that can reach them, and no others."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

from .hostile import group

SETUP = """
CREATE FUNCTION harm(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM plain; RETURN true; END $$;
CREATE FUNCTION harm_with(int, int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM plain; RETURN true; END $$;
CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = harm_with);
CREATE DOMAIN guarded AS int CHECK (harm(VALUE));
CREATE DOMAIN "By Operator" AS int CHECK (VALUE ==== 1);
CREATE DOMAIN narrower AS guarded CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b narrower);
CREATE TYPE spread AS RANGE (subtype = guarded);
CREATE TYPE coin AS (worth int);
CREATE FUNCTION coin_of(int) RETURNS coin LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM plain; RETURN ROW(1)::coin; END $$;
CREATE CAST (int AS coin) WITH FUNCTION coin_of(int);
CREATE FUNCTION tells(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_logical_emit_message(false, 'harm', 'x'); RETURN true; END $$;
CREATE DOMAIN telling AS int CHECK (tells(VALUE));
CREATE TYPE telling_pair AS (a int, b telling);
CREATE FUNCTION takes(telling[]) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;
CREATE TABLE plain (id int PRIMARY KEY, note text);
INSERT INTO plain SELECT n, 'x' FROM generate_series(1, 100) n;
CREATE TABLE holds (id int, g guarded);
CREATE TABLE lists (id int, p pair[]);
CREATE VIEW over AS SELECT id, 5::guarded AS g FROM plain;
CREATE TABLE parent (id int) PARTITION BY RANGE (id);
CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (1000);
CREATE FUNCTION through(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE g guarded := $1; BEGIN RETURN g; END $$;
ANALYZE;
"""
REACHING = (
    "SELECT id::guarded FROM plain",
    'SELECT id::public."By Operator" FROM plain',
    "SELECT CAST(id AS narrower) FROM plain",
    "SELECT guarded(id) FROM plain",
    "SELECT ARRAY[id]::guarded[] FROM plain",
    "SELECT ROW(id, id)::pair FROM plain",
    "SELECT ('[' || id || ',)')::spread FROM plain",
    "SELECT ROW(id, id)::holds FROM plain",
    "SELECT id::coin FROM plain",
    "SELECT id FROM holds",
    "SELECT id FROM lists",
    "SELECT id FROM over",
    "SELECT x.a FROM jsonb_to_recordset('[{\"a\": 1}]') AS x(a guarded)",
    "SELECT (jsonb_populate_record(NULL::holds, '{\"g\": 1}')).id",
    "SELECT array_in('{1}', 'guarded'::regtype::oid, -1) FROM plain",
    "SELECT through(id) FROM plain",
)
APART = (
    "SELECT id, note FROM plain WHERE id = 5",
    "SELECT p.id::text, count(*) FROM plain p JOIN parent q ON q.id = p.id WHERE note LIKE 'x%' GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
    "SELECT id::numeric, note::varchar(10) FROM plain WHERE id = ANY ('{1,2}'::int[])",
    "SELECT plain FROM plain WHERE id < 5",
)


READ_AT_ONCE = (
    "SELECT takes('{1}')",
    "SELECT '{1}'::telling[] FROM plain",
    "SELECT '(1,2)'::telling_pair",
    "SELECT '{\"(1,2)\"}'::telling_pair[]",
)
"""Their literals are checked when they are parsed, long before anything is run."""


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("hidden_functions")
    opened = connect(server.url("hidden_functions", "app"))
    with opened.cursor() as cursor:
        cursor.execute(SETUP)
    yield opened
    opened.close()


@pytest.mark.parametrize("sql", REACHING)
def test_what_can_reach_them_is_not_run(connection: Connection, sql: str) -> None:
    explained = Explainer(connection, analyze=True).explain(group(sql))
    assert explained.plan is None or not explained.plan.analyzed
    assert " calls public." in explained.note, explained.note
    assert _rows(connection) == 100


@pytest.mark.parametrize("sql", READ_AT_ONCE)
def test_literals_that_would_be_checked_at_once_are_not_even_planned(connection: Connection, sql: str) -> None:
    explained = Explainer(connection, analyze=False).explain(group(sql))
    assert explained.plan is None
    assert "not even planned" in explained.note, explained.note


@pytest.mark.parametrize("sql", APART)
def test_what_cannot_reach_them_is_run(connection: Connection, sql: str) -> None:
    explained = Explainer(connection, analyze=True).explain(group(sql))
    assert explained.plan is not None, explained.note
    assert explained.plan.analyzed, explained.note


def test_a_write_is_run_unless_a_domain_that_it_reaches_does_harm(connection: Connection) -> None:
    explainer = Explainer(connection, analyze=True, analyze_writes=True)
    # Rolled back, a function that writes may run; one that PostgreSQL cannot take back may not.
    assert explainer.explain(group("UPDATE plain SET note = 'y' WHERE id = 1")).plan is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION far(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS "
            "$$ BEGIN EXECUTE 'SELECT 1'; RETURN true; END $$; CREATE DOMAIN afar AS int CHECK (far(VALUE))"
        )
        cursor.execute("CREATE TABLE far_off (id int DEFAULT 1::afar, note text)")
    unrelated = explainer.explain(group("UPDATE plain SET note = 'y' WHERE id = 1"))
    assert unrelated.plan is not None
    assert unrelated.plan.analyzed
    for sql in ("INSERT INTO far_off (note) VALUES ('x')", "UPDATE far_off SET note = 'y'"):
        explained = explainer.explain(group(sql))
        assert explained.plan is None or not explained.plan.analyzed
        assert "the domain public.afar, which calls public.far, which holds EXECUTE" in explained.note


def _rows(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM plain")
        ((count,),) = cursor.fetchall()
    return int(count)
