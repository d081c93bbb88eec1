"""Proof of ORM edits by running the program again: on PostgreSQL and SQLite, with and without writes."""

import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.record.launcher import run
from queryproof.cli import main
from queryproof.orm_proof import OrmProof, prove_orm_edits, read_proofs

MODELS = """
import sys
from sqlalchemy import create_engine, select, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column, relationship, lazyload
class Base(DeclarativeBase): pass
class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()
class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(overlaps="books")
engine = create_engine(sys.argv[1])
"""
FILL = """
Base.metadata.drop_all(engine)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all([Author(id=n, books=[Book(id=n * 2), Book(id=n * 2 + 1)]) for n in range(1, 11)])
    session.commit()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "program.py"


def proofs_of(program: Path, text: str, url: str, arguments: Sequence[str] = ()) -> tuple[OrmProof, ...]:
    program.write_text(MODELS + text)
    command = [sys.executable, str(program), url, *arguments]
    code = run(command, program.parent / "journal")
    return prove_orm_edits(command, program.parent / "journal", code, lambda line: None, rounds=1)


READ = """
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        print(len(author.books))
"""


def test_a_program_that_only_reads_is_run_again_with_the_option(program: Path, server: Server) -> None:
    server.create_database("proof_reads")
    url = server.url("proof_reads", "app")
    program.write_text(MODELS + FILL)
    assert run([sys.executable, str(program), url], program.parent / "filled") == 0
    (proof,) = proofs_of(program, READ, url)
    assert (proof.queries_before, proof.queries_after) == (11, 2)
    assert proof.refused is None
    assert not proof.rolled_back
    assert proof.ms_after is not None
    assert proof.paths == (("Author.books",),)
    assert read_proofs(program.parent / "journal") == (proof,)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_what_a_program_commits_is_rolled_back_in_the_proof(program: Path, server: Server, driver: str) -> None:
    database = f"proof_writes_{driver}"
    server.create_database(database)
    writes = """
with Session(engine) as session:
    session.add(Author(id=1000 + int(session.query(Author).count())))
    session.commit()
"""
    url = server.url(database, "app").replace("psycopg2", driver)
    (proof,) = proofs_of(program, FILL + writes + READ, url)
    assert proof.rolled_back
    assert (proof.queries_before, proof.queries_after) == (12, 2)
    connection = psycopg2.connect(host=str(server.directory), port=5432, user="app", dbname=database)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM authors")
        assert cursor.fetchone() == (11,)
    connection.close()


def test_sqlite_too(program: Path) -> None:
    (proof,) = proofs_of(program, FILL + READ, "sqlite:///proof.db")
    assert proof.rolled_back
    assert (proof.queries_before, proof.queries_after) == (11, 2)


def test_autocommit_is_refused_with_the_reason(program: Path, server: Server) -> None:
    server.create_database("proof_autocommit")
    text = 'engine = create_engine(sys.argv[1], isolation_level="AUTOCOMMIT")\n' + FILL + READ
    (proof,) = proofs_of(program, text, server.url("proof_autocommit", "app"))
    assert proof.refused is not None
    assert "rolled back" in proof.refused
    assert proof.queries_after is None


def test_two_connections_at_once_are_refused(program: Path, server: Server) -> None:
    server.create_database("proof_two")
    (proof,) = proofs_of(
        program, FILL + "other = engine.connect()\nother.begin()\n" + READ, server.url("proof_two", "app")
    )
    assert proof.refused is not None


def test_a_program_that_sends_other_queries_each_time_cannot_be_compared(program: Path) -> None:
    text = """
import pathlib
count = pathlib.Path("runs")
count.write_text(str(int(count.read_text()) + 1) if count.exists() else "1")
for _ in range(int(count.read_text())):
"""
    (proof,) = proofs_of(program, FILL + text + READ.replace("\n", "\n    "), "sqlite:///proof.db")
    assert proof.refused is not None
    assert "cannot be compared" in proof.refused


def test_nested_scalar_and_aliased_paths_and_an_option_in_the_way(program: Path) -> None:
    nested = """
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        for book in author.books:
            session.expunge(author) if False else book.author
    session.expunge_all()
    root = aliased(Author)
    for author in session.scalars(select(root).options(lazyload(root.books))):
        author.books
"""
    proofs = proofs_of(program, FILL + nested, "sqlite:///proof.db")
    assert [(proof.queries_before, proof.queries_after, proof.refused) for proof in proofs] == [(11, 2, None)] * 2


def test_the_command_tells_and_the_report_says_measured(program: Path) -> None:
    program.write_text(MODELS + FILL + READ)
    result = CliRunner().invoke(main, ["record", "--prove", "--", sys.executable, str(program), "sqlite:///proof.db"])
    assert result.exit_code == 0
    assert "program.py:24: 11 queries → 2" in result.stderr
    result = CliRunner().invoke(main, ["analyze"])
    assert "measured" in result.stdout
    assert "11 queries → 2" in result.stdout.replace("\xa0", " ")


def test_a_damaged_proof_is_named(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text("{")
    with pytest.raises(SourceError, match="record with --prove again"):
        read_proofs(tmp_path)
