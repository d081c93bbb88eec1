"""What a recorded text becomes on its way to EXPLAIN: percent signs, and statements that the journal has cut."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from queryproof import record
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.sources.grouping import build_workload
from queryproof.analyzer.sources.journal import read_journal, read_recording
from queryproof.analyzer.sql.runnable_text import runnable_text

DOUBLED = "SELECT current_query() AS q, 10 %% 4 AS r, 'a%%b' AS s"
PLAIN = DOUBLED.replace("%%", "%")


def sample_of(directory: Path) -> str:
    queries, source = read_journal(directory)
    (group,) = [one for one in build_workload(queries, (source,)).groups if "current_query" in one.text]
    return runnable_text(group.samples[0].sql).sql


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("how", ["text", "driver text", "driver text with values"])
def test_percent_signs_are_undoubled_where_the_driver_does_it(
    driver: str, how: str, database: str, tmp_path: Path
) -> None:
    engine = create_engine(database.replace("psycopg2", driver))
    with record(engine, tmp_path), engine.connect() as connection:
        if how == "text":
            sent = connection.execute(text(PLAIN)).scalar()
        elif how == "driver text":
            sent = connection.exec_driver_sql(DOUBLED).scalar()
        else:
            sent = connection.exec_driver_sql(DOUBLED + ", %(x)s::int", {"x": 1}).scalar()
    engine.dispose()
    assert sent is not None
    # psycopg2 writes the value into the text, psycopg sends it apart.
    assert sample_of(tmp_path).replace("$1", "1") == str(sent).replace("$1", "1")


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_quoted_name_with_a_percent_sign_is_one_statement_with_and_without_values(
    driver: str, database: str, tmp_path: Path
) -> None:
    engine = create_engine(database.replace("psycopg2", driver))
    with record(engine, tmp_path), engine.connect() as connection:
        connection.execute(text('SELECT 1 AS "a%b" WHERE 1 = :x'), {"x": 1})
        connection.exec_driver_sql('SELECT 1 AS "a%%b" WHERE 1 = 1')
    engine.dispose()
    queries, source = read_journal(tmp_path)
    assert [(group.text, group.calls) for group in build_workload(queries, (source,)).groups] == [
        ('select $1 as "a%b" where $2 = $3', 2)
    ]


async def test_percent_signs_stay_where_the_driver_leaves_them(database: str, tmp_path: Path) -> None:
    engine = create_async_engine(database.replace("psycopg2", "asyncpg"))
    with record(engine, tmp_path):
        async with engine.connect() as connection:
            sent = (await connection.exec_driver_sql("SELECT current_query(), 'a%%b'")).scalar()
    await engine.dispose()
    assert sample_of(tmp_path) == sent


def test_cut_statements_are_grouped_by_how_they_begin_and_neither_read_nor_explained(
    database: str, tmp_path: Path
) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int PRIMARY KEY, n int)")
    with record(engine, tmp_path), engine.connect() as connection:
        for width in (3, 6, 9):
            values = ",".join(str(number).zfill(width) for number in range(100_000))
            connection.exec_driver_sql(f"SELECT n FROM t WHERE id IN ({values}) ORDER BY n LIMIT 5")
        connection.exec_driver_sql(f"SELECT id FROM t WHERE n::text = '{'y' * 1_000_000}'")
        connection.exec_driver_sql("SELECT n FROM t WHERE id IN (1, 2)")
    engine.dispose()
    recording = read_recording(tmp_path)
    assert [query.truncated for query in recording.queries] == [True] * 4 + [False]
    groups = {group.text: group for group in build_workload(recording.queries, (recording.source,)).groups}
    assert {text: (group.calls, group.cut) for text, group in groups.items()} == {
        "select n from t where id in …": (3, True),
        "select id from t where n::text = …": (1, True),
        "select n from t where id in ($1)": (1, False),
    }
    report = analyze(AnalysisRequest(journal=tmp_path, url=database))
    reasons = {skipped.reason for skipped in report.skipped}
    assert any("longer than the source keeps" in reason for reason in reasons)
    assert not [reason for reason in reasons if "syntax" in reason or "broken" in reason or "understood" in reason]
    cut = {group.fingerprint for group in groups.values() if group.cut}
    assert not [finding for finding in report.findings if finding.subject.fingerprint in cut]
