"""Statements that are made in one function and sent by another: the edit belongs to the first."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from queryproof import record, scope
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.query import CallSite
from queryproof.analyzer.sources.journal import read_journal
from queryproof.cli import main
from queryproof.reports.report import Report
from queryproof.reports.write import write_reports

PROGRAM = """from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(overlaps="books")


def fetch_all(session, statement):
    return session.scalars(statement).all()


class Repository:
    def __init__(self, session):
        self.session = session

    def all(self, statement):
        return self.session.scalars(statement.order_by(None)).all()

    def page(self, statement, *, size):
        return self.all(statement.limit(size))


class Several:
    def __init__(self, session):
        self.session = session

    def all(self, statement):
        return self.session.scalars(statement).all()


def handed_on_twice(session):
    return [len(author.books) for author in Repository(session).page(select(Author), size=5)]


def by_a_function(session):
    statement = select(Book).where(Book.id < 7)
    return [book.author.id for book in fetch_all(session, statement)]


def one_of_two(session):
    return [len(author.books) for author in Several(session).all(select(Author))]


def other_of_two(session):
    return [len(author.books) for author in Several(session).all(select(Author).limit(5))]
"""
SHAPES = ("handed_on_twice", "by_a_function", "one_of_two", "other_of_two")


def run(program: Path, journal: str) -> dict[str, int]:
    """Queries of each function."""
    space: dict[str, Any] = {"__name__": "shop"}
    exec(compile(program.read_text(), str(program), "exec"), space)
    engine = create_engine("sqlite://")
    space["Base"].metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([space["Author"](id=n, books=[space["Book"](id=n)]) for n in range(1, 9)])
        session.commit()
    with record(directory=journal):
        for name in SHAPES:
            with scope(name), Session(engine) as session:
                space[name](session)
    engine.dispose()
    return dict(Counter(one.scope.name for one in read_journal(program.parent / journal)[0] if one.scope is not None))


def alternatives(report: Report, place: CallSite | None) -> list[str]:
    return [other.reason for one in report.recommendations if one.place == place for other in one.alternatives]


def test_the_edit_is_made_where_the_statement_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "shop.py"
    program.write_text(PROGRAM)
    assert run(program, "before") == {"handed_on_twice": 6, "by_a_function": 7, "one_of_two": 9, "other_of_two": 6}
    report = analyze(AnalysisRequest(journal=Path("before")))
    write_reports(report, Path("queryproof-report"))
    shared = next(one for one in report.recommendations if one.place and one.place.function == "Several.all")
    # Two callers have each a statement of their own: one diff cannot be right for both.
    assert any("comes in as the parameter `statement`" in one for one in alternatives(report, shared.place))
    assert shared.place is not None
    assert f"a diff of shop.py, line {shared.place.line}" in {other.what for other in shared.alternatives}
    shown = CliRunner().invoke(main, ["fix"])
    assert shown.exit_code == 0
    subprocess.run(["git", "apply", "-"], input=shown.stdout, text=True, check=True, cwd=tmp_path)
    edited = "".join(program.read_text().split())
    assert "page(select(Author).options(selectinload(Author.books),),size=5)" in edited
    assert "statement=select(Book).where(Book.id<7).options(joinedload(Book.author))" in edited
    assert run(program, "after") == {"handed_on_twice": 2, "by_a_function": 1, "one_of_two": 9, "other_of_two": 6}
