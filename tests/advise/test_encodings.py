"""Databases that are not in UTF-8: read, planned, and built on by the script, whatever the client's own encoding is."""

import subprocess
from pathlib import Path

import pytest

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.postgres.binaries import find_tool
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.reports.ddl_script import ddl_script

STREETS = """
CREATE TABLE "Straße" (id int PRIMARY KEY, "größe" text NOT NULL, ort text NOT NULL, filler text NOT NULL);
INSERT INTO "Straße" SELECT n, 'Müller' || n, CASE WHEN n % 300 = 0 THEN 'Köln' ELSE 'Ort' || n % 3 END, repeat('x', 90)
  FROM generate_series(1, 9000) n;
ANALYZE "Straße";
GRANT SELECT ON "Straße" TO reader;
"""


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_names_and_values_arrive_as_they_are(
    encoding: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"in_{encoding.lower()}"
    with connect(server.url("postgres", "postgres")).cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    root = server.url(name, "postgres")
    with connect(root).cursor() as cursor:
        cursor.execute(STREETS)
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    (tmp_path / "q.sql").write_text(
        'SELECT * FROM "Straße" WHERE "größe" = \'Müller77\';\nSELECT * FROM "Straße" WHERE ort = \'Köln\';\n'
    )
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(name, "reader"), curve=False))
    assert report.index_plan is not None
    assert {one.definition for one in report.index_plan.indexes} == {
        "B-tree on Straße (größe)", "B-tree on Straße (id) where ort = 'Köln'",
    }  # fmt: skip
    (tmp_path / "indexes.sql").write_text(ddl_script(report))
    command = [
        str(find_tool("psql", 18)),
        "-X",
        "-q",
        "-f",
        str(tmp_path / "indexes.sql"),
        root.replace("+psycopg2", ""),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with connect(root).cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'i' AND relname LIKE 'ix%' ORDER BY 1")
        assert cursor.fetchall() == [("ix_Straße_größe",), ("ix_Straße_id",)]
