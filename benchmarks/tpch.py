"""`make bench-tpch`: TPC-H SF 0.1 with primary keys only, its 22 queries through pg_stat_statements, analysed without any ORM.

Data and queries come from the duckdb 1.1.3 wheel at run time; they are not part of this repository.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2

from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sources.pg_stat_statements import snapshot
from queryproof.commands.command import show

from .packages import install

OUTPUT = Path("queryproof-report-tpch")
KEYS = {
    "region": "r_regionkey",
    "nation": "n_nationkey",
    "supplier": "s_suppkey",
    "customer": "c_custkey",
    "part": "p_partkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "orders": "o_orderkey",
    "lineitem": "l_orderkey, l_linenumber",
}
EXPORT = """
import sys, pathlib, duckdb
place = pathlib.Path(sys.argv[1])
db = duckdb.connect()
db.execute("LOAD tpch")
db.execute("CALL dbgen(sf=0.1)")
for (table,) in db.execute("SHOW TABLES").fetchall():
    db.execute(f"COPY {table} TO '{place / (table + '.csv')}' (HEADER false)")
    columns = db.execute(f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position").fetchall()
    (place / (table + ".sql")).write_text(f"CREATE TABLE {table} (" + ", ".join(f"{n} {t}" for n, t in columns) + ")")
for number, sql in db.execute("SELECT query_nr, query FROM tpch_queries()").fetchall():
    (place / f"q{number:02}.query").write_text(sql)
"""


def main() -> None:
    """Load, run, analyse, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="queryproof-tpch-") as place, Server() as server:
        folder = Path(place)
        _export(folder)
        server.create_database("tpch")
        url = server.url("tpch", "app")
        _load(url, folder)
        reader = connect(server.url("tpch", "reader"))
        before = snapshot(reader)
        reader.close()
        _run(url, folder)
        queries = folder / "queries"
        queries.mkdir()
        for file in folder.glob("*.query"):
            (queries / f"{file.stem}.sql").write_text(file.read_text())
        start = time.perf_counter()
        # The files give the values that pg_stat_statements does not keep; times and calls are the server's.
        request = AnalysisRequest(
            files=(queries,), url=server.url("tpch", "reader"), pg_stat_statements=True, since=before, build_url=url
        )
        report = analyze(request, _progress)
        print(f"Analysed in {time.perf_counter() - start:.1f} s")
        show(report, OUTPUT)


def _export(folder: Path) -> None:
    packages = folder / "packages"
    install("duckdb==1.1.3", packages)
    subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder)], check=True, env={"PYTHONPATH": str(packages), "HOME": str(folder)}
    )


def _load(url: str, folder: Path) -> None:
    connection = connect(url)
    with connection.cursor() as cursor:
        for table, key in KEYS.items():
            cursor.execute((folder / f"{table}.sql").read_text())
            with (folder / f"{table}.csv").open() as file:
                cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", file)
            cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        cursor.execute("VACUUM (ANALYZE)")
    connection.close()


def _run(url: str, folder: Path) -> None:
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '60s'")
        for file in sorted(folder.glob("*.query")):
            start = time.perf_counter()
            try:
                cursor.execute(file.read_text())
                outcome = f"{(time.perf_counter() - start) * 1000:8.0f} ms"
            except psycopg2.Error as error:
                outcome = f"failed ({error.pgcode})"
            print(f"{file.stem} {outcome}")
    connection.close()


def _progress(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    print(f"{stage}: {len(items)}")
    return iter(items)


if __name__ == "__main__":
    main()
