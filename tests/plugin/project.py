"""A small project for inner pytest runs, and how they are started."""

import json
import re
import textwrap
from pathlib import Path

import pytest
import sqlalchemy.dialects.sqlite
import sqlalchemy.orm

import queryproof.analysis
import queryproof.analyzer.sources.grouping
import queryproof.rules.judge
import queryproof.rules.orm.n_plus_one
import queryproof.testing.session

# Imported above, these stay for all inner runs; a module that an inner run is the first to import goes with it.
KEPT = (sqlalchemy.dialects.sqlite, sqlalchemy.orm, queryproof)
# hypothesis is imported by its plugin at the end of every run, which takes longer than all else.
PLAIN = ("--assert=plain", "-p", "no:hypothesispytest")
SETTINGS = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
SHOP = """
from sqlalchemy import ForeignKey, create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

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

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

def send(times, sql="SELECT 'c4n4ry', :n", same=True):
    with engine.connect() as connection:
        for n in range(times):
            connection.execute(text(sql), {"n": 0 if same else n})

def fill(session, authors=10):
    session.add_all([Author(id=n, books=[Book(), Book()]) for n in range(1, authors + 1)])
    session.commit()
    session.expunge_all()

def count_books(session):
    return [len(author.books) for author in session.scalars(select(Author))]
"""
CONFTEST = """
import pytest
from sqlalchemy.orm import Session
from shop import Base, engine, fill

@pytest.fixture
def session():
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        fill(session)
        yield session
    Base.metadata.drop_all(engine)
"""


class Project:
    """Test files beside a shop on SQLite in memory, and a fixture `session` on ten authors with two books each."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        pytester.makeini(SETTINGS)
        pytester.makepyfile(shop=SHOP)
        pytester.makeconftest(CONFTEST)
        pytester.syspathinsert()

    def write(self, **files: str) -> None:
        """Test files by name; each imports pytest and all of the shop."""
        for name, body in files.items():
            (self.path / f"{name}.py").write_text("import pytest\nfrom shop import *\n" + textwrap.dedent(body))

    def run(self, *arguments: str) -> pytest.RunResult:
        """An inner run in this process."""
        return self.pytester.runpytest_inprocess(*PLAIN, *arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """An inner run in a process of its own."""
        return self.pytester.runpytest_subprocess(*PLAIN, *arguments)

    def budgets(self) -> dict[str, int]:
        """The budgets file."""
        document = json.loads((self.path / "queryproof-budgets.json").read_text())
        assert document["version"] == 1
        tests: dict[str, int] = document["tests"]
        return tests


def table(result: pytest.RunResult) -> dict[str, tuple[int, int]]:
    """Queries and duplicates by test, as the table shows them."""
    rows = (re.fullmatch(r" *(\d+) +[\d.]+ +(\d+)  (\S+)", line) for line in result.outlines)
    return {row[3].partition("::")[2]: (int(row[1]), int(row[2])) for row in rows if row is not None}
