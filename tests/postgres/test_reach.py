"""What a statement reaches by detours stops it, and what it does not reach neither stops it nor is named."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

from .hostile import group

# What `tells` does stays when the transaction is rolled back.
SETUP = """
CREATE FUNCTION tells(int) RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_logical_emit_message(false, 'harm', 'x'); RETURN 1; END $$;
CREATE FUNCTION agrees(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN tells($1) = 1; END $$;
CREATE FUNCTION told(int, int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN tells($1) = 1; END $$;
CREATE OPERATOR =#= (LEFTARG = int, RIGHTARG = int, FUNCTION = told);
CREATE DOMAIN telling AS int CHECK (agrees(VALUE));
CREATE TABLE plain (id int PRIMARY KEY, note text);
INSERT INTO plain SELECT n, 'x' FROM generate_series(1, 100) n;
CREATE VIEW loud AS SELECT tells(id) AS t FROM plain LIMIT 1;
CREATE FUNCTION by_operator(int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 =#= $1; END $$;
CREATE FUNCTION by_view(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT max(t) FROM loud); END $$;
CREATE FUNCTION by_domain(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE d telling := $1; BEGIN RETURN d; END $$;
CREATE FUNCTION by_atomic(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT by_domain($1)';
CREATE FUNCTION tells_quietly(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_logical_emit_message(false, 'harm', 'x'); RETURN 1; END $$;
CREATE FUNCTION by_default(a int DEFAULT tells_quietly(1)) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN a; END $$;
CREATE FUNCTION by_escape(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN U&"t\\0065lls"($1); END $$;
CREATE FUNCTION by_backslash(int) RETURNS int LANGUAGE plpgsql STABLE SET standard_conforming_strings = off AS
  $$ BEGIN RETURN length('\\'' || tells($1)::text || ''); END $$;
CREATE VIEW "with.dot" AS SELECT tells_quietly(1) AS t;
CREATE TABLE guessed (id int, n int);
INSERT INTO guessed SELECT n, n FROM generate_series(1, 100) n;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent_id int REFERENCES parent ON DELETE CASCADE);
CREATE FUNCTION tells_of_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM tells(1); RETURN OLD; END $$;
CREATE TRIGGER told_of AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION tells_of_row();
INSERT INTO parent SELECT n FROM generate_series(1, 9) n; INSERT INTO child SELECT n, n FROM generate_series(1, 9) n;
CREATE TABLE parts (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE FUNCTION tells_of_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM tells(1); RETURN NEW; END $$;
CREATE TRIGGER told_of_part AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION tells_of_new();
CREATE TABLE journal (id int);
CREATE TRIGGER told_of_journal AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION tells_of_new();
CREATE FUNCTION writes_journal() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO journal VALUES (NEW.id); RETURN NEW; END $$;
CREATE TABLE noted (id int);
CREATE TRIGGER notes AFTER INSERT ON noted FOR EACH ROW EXECUTE FUNCTION writes_journal();
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.twice(int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN tells($1); END $$;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE n int := $1; BEGIN RETURN 2 * n; END $$;
CREATE FUNCTION count_plain() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM plain); END $$;
CREATE FUNCTION stamps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'y'; RETURN NEW; END $$;
CREATE TABLE stamped (id int PRIMARY KEY, note text);
CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamps();
CREATE VIEW elsewhere.plain AS SELECT tells(1) AS id;
CREATE FUNCTION by_moving(int) RETURNS int LANGUAGE plpgsql STABLE SET search_path = elsewhere AS
  $$ BEGIN RETURN (SELECT max(id) FROM plain); END $$;
CREATE FUNCTION by_schema(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT max(id) FROM elsewhere.plain); END $$;
CREATE CAST (text AS int) WITH FUNCTION by_text(text);
ANALYZE;
"""
BEFORE_SETUP = "CREATE FUNCTION by_text(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN length($1); END $$;"
NOT_PLANNED = (
    ("SELECT by_operator(1)", "public.told"),
    ("SELECT by_view(1)", "may use view public.loud, which calls public.tells"),
    ("SELECT by_domain(1)", "may use the domain public.telling"),
    ("SELECT by_atomic(1)", "may use the domain public.telling"),
    ("SELECT by_default()", "public.tells_quietly"),
    ("SELECT by_moving(1)", "view elsewhere.plain"),
    ("SELECT by_schema(1)", "view elsewhere.plain"),
    ("SELECT by_escape(1)", "Unicode escapes"),
    ("SELECT by_backslash(1)", "two ways"),
    ('SELECT * FROM "with.dot"', "public.tells_quietly"),
    ("SELECT pg_catalog.array_in('{1}', 'telling'::regtype::oid, -1) FROM plain", "may use the domain public.telling"),
)
NOT_RUN = (
    ("DELETE FROM parent", "trigger told_of on public.child calls public.tells_of_row"),
    ("INSERT INTO part_one VALUES (1, 1)", "tells_of_new"),
    ("INSERT INTO noted VALUES (1)", "trigger told_of_journal on public.journal"),
    (
        "SELECT id FROM plain WHERE note::int = 1",
        "it may use the cast from text to integer, which calls public.by_text",
    ),
    ("SELECT elsewhere.twice(id) FROM plain", "it calls elsewhere.twice"),
    ("SELECT id FROM elsewhere.plain", "calls public.tells"),
)
RUN = (
    "SELECT twice(id) FROM plain",
    "SELECT count_plain() FROM plain WHERE id < 3",
    "SELECT twice(1), note::varchar(3), id::text FROM plain",
    "SELECT CASE id WHEN 1 THEN 'a' END FROM plain p JOIN stamped s USING (id)",
    "INSERT INTO plain VALUES (1000, 'x')",
    "INSERT INTO stamped VALUES (1, 'x')",
    "UPDATE plain SET note = 'z' WHERE id = twice(1)",
)


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("reach")
    opened = connect(server.url("reach", "app"))
    admin = connect(server.url("reach", "postgres"))
    with opened.cursor() as cursor, admin.cursor() as superuser:
        cursor.execute(BEFORE_SETUP)
        made, cast, rest = SETUP.partition("CREATE CAST")
        cursor.execute(made)
        superuser.execute(cast + rest.partition(";")[0])
        cursor.execute("ANALYZE")
        cursor.execute("CREATE STATISTICS guesses ON (tells_quietly(1) + id), n FROM guessed; ANALYZE guessed")
    admin.close()
    yield opened
    opened.close()


@pytest.mark.parametrize(("sql", "named"), NOT_PLANNED)
def test_a_detour_that_planning_takes_stops_the_statement(connection: Connection, sql: str, named: str) -> None:
    explained = Explainer(connection, analyze=True).explain(group(sql))
    assert explained.plan is None
    assert explained.note.startswith("not even planned: ")
    assert named in explained.note


@pytest.mark.parametrize(("sql", "named"), NOT_RUN)
def test_a_detour_of_a_run_leaves_it_at_the_plan(connection: Connection, sql: str, named: str) -> None:
    explained = Explainer(connection, analyze=True, analyze_writes=True).explain(group(sql))
    assert explained.plan is not None
    assert not explained.plan.analyzed
    assert named in explained.note


def test_expressions_of_extended_statistics_are_folded_by_planning(connection: Connection) -> None:
    explained = Explainer(connection, analyze=False).explain(group("SELECT id FROM guessed WHERE id = 1"))
    assert explained.plan is None
    assert "statistics object public.guesses calls public.tells_quietly" in explained.note


@pytest.mark.parametrize("sql", RUN)
def test_what_the_statement_does_not_reach_does_not_stop_it(connection: Connection, sql: str) -> None:
    explained = Explainer(connection, analyze=True, analyze_writes=True).explain(group(sql))
    assert explained.plan is not None, explained.note
    assert explained.plan.analyzed, explained.note


def test_what_is_remembered_of_a_function_ends_with_the_function(connection: Connection, server: Server) -> None:
    steps = "CREATE OR REPLACE FUNCTION step(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN {}; END $$"
    other = connect(server.url("reach", "app"))
    with other.cursor() as cursor:
        cursor.execute(steps.format("$1 + 1"))
        cursor.execute(
            "CREATE FUNCTION walk(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN step($1); END $$"
        )
        explainer, asked = Explainer(connection, analyze=True), group("SELECT walk(id) FROM plain")
        for _ in range(2):
            explained = explainer.explain(asked)
            assert explained.plan is not None, explained.note
            assert explained.plan.analyzed, explained.note
        cursor.execute(steps.format("tells($1)"))
        explained = explainer.explain(asked)
    other.close()
    assert explained.plan is None
    assert "calls public.step, which calls public.tells" in explained.note


def test_functions_that_call_each_other_are_refused_in_any_order(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION ping(int) RETURNS int LANGUAGE plpgsql STABLE AS
              $$ BEGIN IF $1 > 0 THEN RETURN pong($1 - 1); END IF; RETURN whispers(); END $$;
            CREATE FUNCTION pong(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN ping($1); END $$;
            CREATE FUNCTION whispers() RETURNS int LANGUAGE plpgsql AS
              $$ BEGIN PERFORM pg_logical_emit_message(false, 'harm', 'x'); RETURN 1; END $$""")
    explainer = Explainer(connection, analyze=True)
    for sql in ("SELECT ping(1)", "SELECT pong(1)", "SELECT ping(1)"):
        explained = explainer.explain(group(sql))
        assert explained.plan is None, f"{sql}: {explained.note}"
        assert "public.whispers" in explained.note
