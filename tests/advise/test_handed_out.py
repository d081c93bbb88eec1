"""What is handed out really runs: DDL, psql script, Alembic revision, and the line for the model, all of the same index."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from psycopg2.extensions import connection as Connection

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.postgres.binaries import find_tool
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.recommendation import Recommendation
from queryproof.reports.ddl_script import ddl_script
from queryproof.reports.html.html import to_html
from queryproof.reports.json_report import from_json, to_json
from queryproof.reports.report import Report

from .migrations import migrate

SETUP = """
CREATE SCHEMA "Lager Süd";
CREATE TABLE goods (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, c int, state text NOT NULL, doc jsonb NOT NULL,
    tags text[] NOT NULL, name text NOT NULL, filler text NOT NULL);
INSERT INTO goods SELECT n, n % 1000, n % 700, NULLIF(n % 50, 0), CASE WHEN n % 100 = 0 THEN 'fa:iled' ELSE 'done' END,
    jsonb_build_object('k', n), ARRAY['t' || n % 500], 'Name' || n, repeat('x', 120) FROM generate_series(1, 12000) n;
CREATE TABLE "Lager Süd"."Pos:ten" (id int PRIMARY KEY, "Kunde %" int NOT NULL, filler text NOT NULL);
INSERT INTO "Lager Süd"."Pos:ten" SELECT n, n % 1000, repeat('x', 120) FROM generate_series(1, 12000) n;
CREATE TABLE parts (id int NOT NULL, day date NOT NULL, account int NOT NULL, filler text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY LIST (account);
CREATE TABLE parts_2_low PARTITION OF parts_2 FOR VALUES IN (1, 2, 3, 7);
CREATE TABLE "parts 2 rest" PARTITION OF parts_2 DEFAULT PARTITION BY RANGE (id);
CREATE TABLE parts_2_all PARTITION OF "parts 2 rest" DEFAULT;
INSERT INTO parts SELECT n, date '2024-01-01' + n % 366, n % 1000, repeat('f', 120) FROM generate_series(1, 12000) n;
CREATE INDEX goods_unused ON goods (filler);
"""
STATEMENTS = """
SELECT * FROM goods WHERE a = 5 ORDER BY b DESC, c LIMIT 3;
SELECT * FROM goods ORDER BY c DESC NULLS LAST LIMIT 3;
SELECT * FROM goods WHERE state = 'fa:iled' ORDER BY b LIMIT 5;
SELECT * FROM goods WHERE lower(name) = 'name7';
SELECT * FROM goods WHERE doc->>'k' = '7';
SELECT * FROM goods WHERE doc @> '{"k": 7}';
SELECT * FROM goods WHERE tags @> ARRAY['t5'];
SELECT a, b FROM goods WHERE b = 7 AND a < 300;
SELECT * FROM parts WHERE account = 7;
SELECT * FROM "Lager Süd"."Pos:ten" WHERE "Kunde %" = 7;
"""


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Connection]:
    server.create_database("handed")
    connection = connect(server.url("handed", "app"))
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
        cursor.execute("VACUUM (ANALYZE)")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def report(owner: Connection, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Report:
    place = tmp_path_factory.mktemp("sql")
    file, clone = place / "q.sql", place / "old.qpclone"
    file.write_text(STATEMENTS)
    source = read_source(server.url("handed", "reader"))
    # As if the server had counted for long.
    replace(source, manifest=replace(source.manifest, counted_days=40.0)).save(clone)
    return advise(AdviceRequest(files=(file,), clone=clone))


@pytest.fixture
def additions(report: Report) -> list[Recommendation]:
    assert report.index_plan is not None
    wanted = {one.recommendation for one in report.index_plan.indexes}
    return [action for action in report.recommendations if action.id in wanted]


def indexes(connection: Connection) -> set[str]:
    """Every index as PostgreSQL itself writes it, and only valid ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'Lager Süd')"
        )
        found = cursor.fetchall()
    assert all(valid for _, valid in found)
    return {definition for definition, _ in found}


def run(connection: Connection, statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            cursor.execute(statement.rstrip(";"))


def drop_all(connection: Connection, before: set[str]) -> None:
    # A part's index goes with that of the whole, so the one of all comes first.
    for definition in sorted(indexes(connection) - before, key=lambda one: " ON ONLY public.parts " not in one):
        name = re.match(r'CREATE (?:UNIQUE )?INDEX ("(?:[^"]|"")+"|\S+) ON (?:ONLY )?(.+?)\.', definition)
        assert name is not None
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {name[2]}.{name[1]}")


def test_the_plan_has_an_index_of_every_kind_and_figures_for_each(report: Report) -> None:
    plan = report.index_plan
    assert plan is not None
    shown = " | ".join(one.definition for one in plan.indexes)
    for sign in ("desc", "lower(name)", "->>", "jsonb_path_ops", "tags", "parts (account)", "Kunde %"):
        assert sign.lower() in shown.lower(), shown
    assert plan.cost_after < plan.cost_before / 3
    for one in plan.indexes:
        assert one.size_bytes > 0
        assert one.build_ms > 0
        assert 0 < one.marginal < 1
        assert one.serves
    assert [one.unproven != "" for one in plan.indexes] == ["(lower(" in one.definition or "->>" in one.definition for one in plan.indexes]  # fmt: skip
    assert plan.curve[0].cost > plan.curve[-1].cost


EXTRAS = (
    CandidateIndex("public", "goods", "btree", (Key("b"),), predicate="\"state\" = 'fa:iled'", shape="partial"),
    CandidateIndex("public", "goods", "btree", (Key("b"), Key("a", descending=True)), include=("c", "state")),
    CandidateIndex("public", "goods", "hash", (Key("name"),)),
    CandidateIndex("public", "goods", "brin", (Key("id"),), options=(("pages_per_range", "32"),)),
    CandidateIndex("public", "goods", "btree", (Key("name", operator_class="text_pattern_ops"),), unique=True),
    CandidateIndex("public", "goods", "btree", (Key(None, "(doc ->> 'k')::int"), Key("c", nulls_first=True))),
    CandidateIndex("Lager Süd", "Pos:ten", "btree", (Key("Kunde %"), Key("id", descending=True, nulls_first=False))),
)


def test_ddl_alembic_and_model_make_the_same_index(
    owner: Connection, server: Server, additions: list[Recommendation]
) -> None:
    before = indexes(owner)
    engine = sa.create_engine(server.url("handed", "app"))
    codes = [action.code for action in additions] + [one.codes(f"extra {n}") for n, one in enumerate(EXTRAS)]
    for ddl, revision, model, *duplicates in [[code.text for code in forms] for forms in codes]:
        assert len(duplicates) == ("UNIQUE" in ddl)
        for query in duplicates:
            with owner.cursor() as cursor:
                cursor.execute(query)
                assert cursor.fetchall() == []
        run(owner, ddl)
        made = indexes(owner) - before
        assert made, ddl
        drop_all(owner, before)
        migrate(engine, revision, "upgrade")
        assert indexes(owner) - before == made, revision
        migrate(engine, revision, "downgrade")
        assert indexes(owner) == before, revision
        if "partition" not in ddl.lower():
            table = sa.Table(*re.search(r'ON ("(?:[^"]|"")+")\."((?:[^"]|"")+)"', ddl).groups()[1:], sa.MetaData(), schema=re.search(r'ON "((?:[^"]|"")+)"\.', ddl)[1], autoload_with=engine)  # type: ignore[union-attr,index]  # fmt: skip
            namespace = {"Index": sa.Index, "text": sa.text}
            index = eval(model, namespace)
            table.append_constraint(index)
            index.create(engine)
            assert indexes(owner) - before == made, model
            drop_all(owner, before)
    engine.dispose()


def test_the_script_runs_in_psql_and_runs_again(
    owner: Connection, server: Server, report: Report, tmp_path: Path
) -> None:
    before = indexes(owner)
    script = tmp_path / "indexes.sql"
    script.write_text(ddl_script(report))
    url = server.url("handed", "app").replace("+psycopg2", "")
    for _ in range(2):
        done = subprocess.run(
            [find_tool("psql", 18), "-X", "-q", "-f", script, url],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr
    plan = report.index_plan
    assert plan is not None
    assert len(indexes(owner) - before) == len(plan.indexes) + 5 * sum(
        "parts (" in one.definition for one in plan.indexes
    )
    drop_all(owner, before)


def test_the_report_is_json_and_html(report: Report) -> None:
    assert from_json(to_json(report)) == report
    html = to_html(report)
    assert html.count('class="point"') >= 3
    assert "CREATE INDEX CONCURRENTLY" in html
    assert to_html(from_json(to_json(report))) == html


def test_counters_of_hours_are_no_reason_to_drop(owner: Connection, server: Server, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT * FROM goods WHERE a = 7")
    young = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url("handed", "reader"), curve=False))
    assert young.index_plan is not None
    assert young.index_plan.dropped == ()
    assert not any(
        "DROP INDEX" in code.text and "goods_unused" in code.text for one in young.recommendations for code in one.code
    )
    (told,) = [one.reason for one in young.skipped if one.subject == "index public.goods_unused"]
    assert "too short to tell" in told
    assert told.endswith("dropping it is not proposed")


def test_an_unused_index_can_go_and_come_back(owner: Connection, server: Server, report: Report) -> None:
    plan = report.index_plan
    assert plan is not None
    (gone,) = plan.dropped
    assert (gone.table, gone.name) == ("goods", "goods_unused")
    (action,) = [one for one in report.recommendations if one.id == gone.recommendation]
    ddl, revision = (code.text for code in action.code)
    before = indexes(owner)
    engine = sa.create_engine(server.url("handed", "app"))
    migrate(engine, revision, "upgrade")
    assert before - indexes(owner) == {one for one in before if "goods_unused" in one}
    migrate(engine, revision, "downgrade")
    assert indexes(owner) == before
    engine.dispose()
    assert f"-- {ddl}" in ddl_script(report)


def test_a_quote_inside_the_other_kind_of_quotes_ends_no_statement(report: Report) -> None:
    odd = CandidateIndex("public", "Kunde;\n", "btree", (Key("q'ty;\n"),), predicate="\"q'ty;\n\" = ';\n\"'")
    assert report.index_plan is not None
    first = report.index_plan.indexes[0].recommendation
    changed = [replace(one, code=odd.codes("odd")) if one.id == first else one for one in report.recommendations]
    script = ddl_script(replace(report, recommendations=tuple(changed)))
    assert odd.codes("odd")[0].text.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS") in script
