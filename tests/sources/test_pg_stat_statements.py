"""The interval between two snapshots, and what is said when it cannot be had."""

from pathlib import Path

import psycopg
import pytest
from psycopg.types import TypeInfo
from sqlalchemy import create_engine, text

from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sources.pg_stat_statements import read_snapshot, snapshot, workload_between, write_snapshot
from queryproof.analyzer.workload import ParameterSample, QueryGroup


def test_only_the_interval_counts_and_our_own_statements_do_not(database: str, tmp_path: Path) -> None:
    connection = connect(database)
    reader = connect(database.replace("//app@", "//reader@"))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int)")
        cursor.execute("SELECT a FROM t WHERE a = 1")
        before = snapshot(reader)
        write_snapshot(before, tmp_path / "before.json")
        for n in range(3):
            cursor.execute("SELECT a FROM t WHERE a = %s", (n,))
        cursor.execute("SELECT a FROM t WHERE a IN (1, 2)")
        cursor.execute("VACUUM t")
    workload = workload_between(read_snapshot(tmp_path / "before.json"), snapshot(reader))
    assert {group.text: group.calls for group in workload.groups} == {
        "select a from t where a = $1": 3,
        "select a from t where a in ($1)": 1,
    }
    assert workload.skipped
    connection.close()
    reader.close()


def test_a_snapshot_of_a_role_with_fewer_rights_is_said_to_be_incomplete(database: str) -> None:
    with connect(database.replace("//app@", "//postgres@")) as root, root.cursor() as cursor:
        cursor.execute("CREATE ROLE narrow LOGIN")
        cursor.execute("SELECT 77")
    narrow, reader = (connect(database.replace("//app@", f"//{role}@")) for role in ("narrow", "reader"))
    before, after = snapshot(narrow), snapshot(reader)
    assert before.hidden > after.hidden == 0
    (source,) = workload_between(before, after).sources
    assert any(f"could not read {before.hidden} entries" in note for note in source.notes)
    assert not workload_between(after, after).sources[0].notes
    narrow.close()
    reader.close()


def test_statements_of_ours_of_drivers_and_of_tools_are_no_workload(database: str) -> None:
    reader = connect(database.replace("//app@", "//reader@"))
    before = snapshot(reader)
    engine = create_engine(database, pool_pre_ping=True)
    with engine.connect() as sqlalchemy:
        sqlalchemy.execute(text("CREATE TABLE t (a int PRIMARY KEY, b text)"))
        sqlalchemy.execute(text("SELECT 1"))
        sqlalchemy.commit()
    engine.dispose()
    with psycopg.connect(database.replace("+psycopg2", "")) as other:
        TypeInfo.fetch(other, "int4")
        other.execute("SELECT a FROM t WHERE b = %s", ("x",))
    connection = connect(database)
    explainer = Explainer(connection, analyze=True, analyze_writes=True)
    for sql in ("SELECT count(*) FROM t", "SELECT a FROM t WHERE a = $1", "DELETE FROM t"):
        sample = ParameterSample(sql, None if "$" in sql else (), None, "")
        explainer.explain(QueryGroup("f", sql, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, (), (sample,), ()))
    workload = workload_between(before, snapshot(reader))
    assert [group.text for group in workload.groups] == ["select a from t where b = $1"]
    connection.close()
    reader.close()


def test_a_missing_extension_and_hidden_texts_are_explained(server: Server, database: str) -> None:
    owner = connect(database.replace("//app@", "//postgres@"))
    plain = connect(database)
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1 AS secret")
    assert any("pg_read_all_stats" in note for note in workload_between(None, snapshot(plain)).sources[0].notes)
    with owner.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_stat_statements")
    with pytest.raises(SourceError, match="CREATE EXTENSION"):
        snapshot(plain)
    owner.close()
    plain.close()


def test_a_file_that_is_no_snapshot_is_explained(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}")
    with pytest.raises(SourceError, match="queryproof snapshot"):
        read_snapshot(tmp_path / "x")
