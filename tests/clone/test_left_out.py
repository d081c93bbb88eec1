"""What of a source its clone cannot have is named, each thing once, with the reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import psycopg2
import pytest
import sqlalchemy as sa

from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_file import CloneFile, load_clone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Partition

SOURCE = (
    "CREATE FOREIGN DATA WRAPPER nowhere",
    "CREATE SERVER far FOREIGN DATA WRAPPER nowhere",
    'CREATE TABLE events (id int, "on\nday" date) PARTITION BY RANGE ("on\nday")',
    "CREATE TABLE late PARTITION OF events DEFAULT PARTITION BY LIST (id)",
    "CREATE TABLE late_1 PARTITION OF late DEFAULT",
    "CREATE FOREIGN TABLE old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') SERVER far",
    'CREATE FOREIGN TABLE "fi rst" PARTITION OF late FOR VALUES IN (1) SERVER far',
    "CREATE VIEW of_old AS SELECT id FROM old",
    "CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4pl'",
    "CREATE TABLE sums (a int PRIMARY KEY, b int)",
    "CREATE INDEX by_sum ON sums (plus(a, b))",
    "CREATE INDEX by_b ON sums (b)",
)


def test_an_index_whose_build_was_ended_is_told(database: str, run_sql: Callable[..., None]) -> None:
    run_sql(database, "CREATE TABLE twice (a int)", "INSERT INTO twice VALUES (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(database, "CREATE UNIQUE INDEX CONCURRENTLY half ON twice (a)")
    (told,) = read_source(database).manifest.left_out
    assert told.what == "index public.half on twice"
    assert told.reason.startswith("it is invalid")


def source(server: Server, database: str, run_sql: Callable[..., None]) -> CloneFile:
    root = server.url(sa.make_url(database).database or "", "postgres")
    run_sql(root, *SOURCE)
    return read_source(root)


def test_what_cannot_be_restored_is_told_and_the_rest_is_there(
    server: Server, database: str, run_sql: Callable[..., None]
) -> None:
    with HollowClone(source(server, database, run_sql)) as clone:
        told = {one.what: one.reason for one in clone.left_out}
        assert [one.what.split()[0] for one in clone.left_out][-3:] == ["view", "index", "function"]
        schema = clone.schema()
    foreign = "foreign data is not reached from a clone"
    assert told == {
        "foreign data wrapper nowhere": foreign,
        "server far": foreign,
        "foreign table public.old": foreign,
        "foreign table public.fi rst": foreign,
        "view public.of_old": 'relation "public.old" does not exist',
        "function public.plus(integer, integer)": "permission denied for language internal",
        "index public.by_sum": "function public.plus(integer, integer) does not exist",
    }
    tables = {table.name: table for table in schema.tables}
    assert [index.name for index in tables["sums"].indexes] == ["by_b", "sums_pkey"]
    assert tables["events"].parts == (
        Partition(
            "public",
            "late",
            partitioned=True,
            parts=(Partition("public", "late_1"), Partition("public", "fi rst", foreign=True)),
        ),
        Partition("public", "old", foreign=True),
    )
    assert tables["late"].parts == tables["events"].parts[0].parts


def test_a_file_of_the_first_format_is_read(
    server: Server, database: str, run_sql: Callable[..., None], tmp_path: Path
) -> None:
    file = source(server, database, run_sql)
    file.save(tmp_path / "new.qpclone")
    assert load_clone(tmp_path / "new.qpclone") == file
    with ZipFile(tmp_path / "new.qpclone") as new, ZipFile(tmp_path / "old.qpclone", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                assert len(manifest.pop("foreign_parts")) == 2
                content = json.dumps(manifest | {"format": 1}).encode()
            old.writestr(name, content)
    assert load_clone(tmp_path / "old.qpclone").manifest == replace(file.manifest, format=1, foreign_parts=())
