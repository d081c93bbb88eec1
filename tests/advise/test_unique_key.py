"""UNIQUE is advised where the data and the code both say that a value comes once, and nowhere else."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from queryproof.advising import AdviceRequest, advise
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.advise.candidate_code import DUPLICATES
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.reports.ddl_script import ddl_script
from queryproof.reports.report import Report

SETUP = """
CREATE TABLE members (id int PRIMARY KEY, email text, "Nick" text NOT NULL, badge int NOT NULL, city int NOT NULL, code int NOT NULL,
  filler text NOT NULL);
INSERT INTO members SELECT n, CASE WHEN n % 4 > 0 THEN 'someone.' || n || '@example.org' END, 'nick ' || n, n, n % 9999, n,
  repeat('x', 100) FROM generate_series(1, 40000) n;
-- All different when the table was analysed, and not any more.
CREATE TABLE late (id int PRIMARY KEY, word text NOT NULL, filler text NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO late SELECT n, 'word ' || n, repeat('x', 100) FROM generate_series(1, 30000) n;
"""
PROGRAM = """
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.orm import Session

meta = MetaData()
members = Table("members", meta, Column("id", Integer, primary_key=True), *[Column(n, String) for n in ("email", "Nick", "filler")],
                *[Column(n, Integer) for n in ("badge", "city", "code")])
late = Table("late", meta, Column("id", Integer, primary_key=True), Column("word", String), Column("filler", String))


def run(engine):
    with Session(engine) as session:
        for n in range(1, 6):
            session.execute(select(members).where(members.c.email == f"someone.{n}@example.org")).one_or_none()
            session.execute(select(members).where(members.c.Nick == f"nick {n}")).first()
            found = session.execute(select(members.c.filler).where(members.c.badge == n))
            found.scalar_one()
            session.execute(select(members.c.id).where(members.c.city == 9998 - n, members.c.id < 9999 - n + 1)).one()
            session.execute(select(members.c.filler).where(members.c.code == n, members.c.city == n)).one()
            session.execute(select(late).where(late.c.word == f"word {n}")).one()
"""


@pytest.fixture(scope="module")
def name(server: Server, fill: Callable[[str, str], None], run_sql: Callable[..., None]) -> str:
    fill("unique_keys", SETUP)
    run_sql(
        server.url("unique_keys", "postgres"),
        "INSERT INTO late SELECT n + 100000, 'word ' || n, 'again' FROM generate_series(20000, 20010) n",
    )
    return "unique_keys"


@pytest.fixture
def journal(server: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("membership.py").write_text(PROGRAM)
    from queryproof import record

    engine = create_engine(server.url(name, "app").replace("postgresql:", "postgresql+psycopg2:"))
    with record(engine, tmp_path / "journal"):
        runpy.run_path("membership.py")["run"](engine)
    engine.dispose()
    return tmp_path / "journal"


def unique(report: Report) -> dict[str, bool]:
    """What follows ON in each index's DDL, and whether it is UNIQUE."""
    return {
        action.code[0].text.partition(" ON ")[2]: "CREATE UNIQUE INDEX" in action.code[0].text
        for action in report.recommendations
        if action.kind == "index"
    }


def is_unique(report: Report, target: str) -> bool:
    ((_, found),) = [(on, found) for on, found in unique(report).items() if target in on]
    return found


def test_a_planned_index_is_unique_where_both_say_so(server: Server, name: str, journal: Path) -> None:
    report = advise(AdviceRequest(journal=journal, url=server.url(name, "reader")))
    assert is_unique(report, '"members" ("email")')
    assert is_unique(report, '"members" ("badge")')
    assert not is_unique(report, '"members" ("Nick")')
    assert not any(found for on, found in unique(report).items() if '"city"' in on or '"code"' in on)
    email = next(one for one in report.recommendations if '("email")' in one.code[0].text)
    assert email.title.startswith("Add a unique B-tree index on members (email)")
    assert "unique=True" in email.code[1].text
    assert "unique=True" in email.code[2].text
    look = next(one for one in email.code if one.label == DUPLICATES)
    with connect(server.url(name, "reader")).cursor() as cursor:
        cursor.execute(look.text)
        assert cursor.fetchall() == []
    assert 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "ix_members_email"' in ddl_script(report)


def test_a_built_index_is_unique_unless_a_value_comes_twice_after_all(server: Server, name: str, journal: Path) -> None:
    report = analyze(AnalysisRequest(journal=journal, url=server.url(name, "app"), prove="measure"))
    assert is_unique(report, '"members" ("email")')
    assert not is_unique(report, '"members" ("Nick")')
    assert not is_unique(report, '"late" ("word")')
    late = next(one for one in report.recommendations if '"late"' in one.code[0].text)
    assert late.evidence.kind == "measured"
    (refused,) = [one for one in late.alternatives if "refused" in one.reason]
    assert refused.what.startswith("unique B-tree on late (word)")
    assert "word 20000" not in refused.reason


def test_a_set_that_is_built_has_a_plain_index_in_the_place_of_a_refused_one(
    server: Server, name: str, journal: Path
) -> None:
    report = advise(AdviceRequest(journal=journal, url=server.url(name, "app"), prove="measure"))
    assert is_unique(report, '"members" ("email")')
    assert not is_unique(report, '"late" ("word")')
    late = next(one for one in report.recommendations if '"late"' in one.code[0].text)
    assert late.evidence.kind == "measured"
    assert report.index_plan is not None
    assert any("a plain one was built" in one.reason for one in report.index_plan.taken_out)
