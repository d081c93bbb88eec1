""".sql files as people keep them: psql's commands, COPY's rows, routines, and lines that are told right."""

from pathlib import Path

import pytest

from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.sources.sql_files import TOO_LONG, read_sql_files

SCRIPT = r"""\set ON_ERROR_STOP on
\echo 'it''s; a title
SELECT name FROM tags WHERE id = :id AND name = :'name' \gset
SELECT id FROM tags WHERE name = 'a' \g out.txt
SELECT 1 \; SELECT 2, date'2026-01-01';
COPY tags (id, name) FROM stdin;
1	select * from tags;
2	it's "quoted
\.
SELECT count(*) FROM tags WHERE name = E'\\x
\d is text';
CREATE OR REPLACE FUNCTION f(x int) RETURNS int BEGIN ATOMIC
  SELECT CASE WHEN x > 1 THEN 2 END; SELECT 3;
END;
DO $$ BEGIN PERFORM 1; \q
END $$;
SELECT "a\b" /* \q ; */ FROM tags;
"""


def read(directory: Path, text: str) -> dict[int, str]:
    """Statements by line, the later of a line last."""
    (directory / "q.sql").write_text(text)
    workload = read_sql_files([directory / "q.sql"])
    return {place.line: group.text for group in sorted(workload.groups, key=lambda one: one.text) for place, _ in group.call_sites}  # fmt: skip


def test_a_script_of_psql_is_read_as_psql_reads_it(tmp_path: Path) -> None:
    assert read(tmp_path, SCRIPT) == {
        3: "select name from tags where id = $1 and name = $2",
        4: "select id from tags where name = $1",
        5: "select $1, date $2",
        6: "copy tags(id, name) from stdin",
        10: "select count(*) from tags where name = $1",
        12: "create or replace function f(x int) returns int begin atomic select case when x > $1 then $2 end; select $3; end",
        15: "do $1",
        17: 'select "a\\b" from tags',
    }


def test_what_follows_a_routine_is_no_part_of_it(tmp_path: Path) -> None:
    assert read(tmp_path, "CREATE TABLE function AS\nSELECT begin;\nDROP TABLE t;\nCREATE FUNCTION g() RETURNS int\nLANGUAGE sql AS 'begin';\nSELECT 1") == {
        1: "create table function as select begin",
        3: "drop table t",
        4: "create function g() returns int language sql as $1",
        6: "select $1",
    }  # fmt: skip


def test_a_file_gets_sql_to_copy_in_the_names_that_its_statement_uses(database: str, tmp_path: Path) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute(
            'CREATE TABLE shops (id int PRIMARY KEY, name text); CREATE TABLE "Sales" (id int PRIMARY KEY, shop int REFERENCES shops);'
            'INSERT INTO shops SELECT n FROM generate_series(1, 300) n; INSERT INTO "Sales" SELECT n, 1 FROM generate_series(1, 900) n;'
            'ANALYZE shops, "Sales"'
        )
        connection.commit()
        file = tmp_path / "q.sql"
        head, tail = 'SELECT s.id, "X".id FROM shops s, "Sales" AS "X" WHERE ', '"X".id < 800'
        file.write_text(head + tail)
        report = analyze(AnalysisRequest(files=(file,), url=database, prove="no"))
        actions = {one.title: one for one in report.recommendations}
        assert {one.kind for one in actions.values()} == {"sql-rewrite"}
        (condition,) = actions["Join shops and Sales by a condition"].code
        cursor.execute(f"EXPLAIN {head}{condition.text} AND {tail}")
        assert [code.language for code in actions["Page through Sales, shops"].code] == ["sql"]
    connection.close()


@pytest.mark.parametrize("text", ["SELECT ((((", "CREATE TABLE x (a int)", "(" * 500])
def test_what_is_not_looked_at_is_told_once(text: str, database: str, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(text)
    report = analyze(AnalysisRequest(files=(tmp_path,), url=database))
    assert len(report.skipped) == 1


def test_a_statement_of_megabytes_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queryproof.analyzer.sources.sql_files.MAX_STATEMENT", 2_000)
    file = tmp_path / "load.sql"
    long = f"SELECT * FROM a WHERE id IN ({'1,' * 1_000}2)"
    file.write_text(f"SELECT 1;\n{long};\nSELECT b FROM c;\n")
    workload = read_sql_files([file])
    assert {group.text for group in workload.groups} == {"select $1", "select b from c"}
    assert [(one.subject, one.reason) for one in workload.skipped] == [(f"{file}:2", TOO_LONG)]
    file.write_text(long)
    with pytest.raises(SourceError, match="longer than 2 MB"):
        read_sql_files([file])
