"""Proof of ORM edits by running the program again: on PostgreSQL and SQLite, with and without writes.

A program is a process; so each proves as many things as it can.
"""

import os
import sys
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from queryproof import orm_proof
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.record.launcher import run
from queryproof.cli import main
from queryproof.orm_proof import OrmProof, prove_orm_edits, read_proofs
from queryproof.reports.json_report import from_json

MODELS = """
import sys
from sqlalchemy import create_engine, select, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column, relationship, lazyload, with_polymorphic
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
class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}
class Teacher(Person):
    __tablename__ = "teachers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    lessons: Mapped[list["Lesson"]] = relationship()
    __mapper_args__ = {"polymorphic_identity": "teacher"}
class Lesson(Base):
    __tablename__ = "lessons"
    id: Mapped[int] = mapped_column(primary_key=True)
    teacher_id: Mapped[int] = mapped_column(ForeignKey("teachers.id"))
engine = create_engine(sys.argv[1])
def fill(engine):
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Author(id=n, books=[Book(id=n * 2), Book(id=n * 2 + 1)]) for n in range(1, 11)])
        session.add_all([Teacher(id=n, lessons=[Lesson(id=n)]) for n in range(1, 6)])
        session.commit()
"""
READ = """
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        print(len(author.books))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "program.py"


def proofs_of(program: Path, text: str, *urls: str) -> tuple[OrmProof, ...]:
    program.write_text(MODELS + text)
    command = [sys.executable, str(program), *urls]
    code = run(command, program.parent / "journal")
    return prove_orm_edits(command, program.parent / "journal", code, lambda line: None, rounds=1)


def filled(server: Server, name: str) -> str:
    """URL of a database that a program of the models would have filled."""
    server.create_database(name)
    url = server.url(name, "app")
    engine = create_engine(url)
    with engine.begin() as connection:
        for sql in (
            "CREATE TABLE authors (id int PRIMARY KEY)",
            "CREATE TABLE books (id int PRIMARY KEY, author_id int NOT NULL REFERENCES authors)",
            "INSERT INTO authors SELECT generate_series(1, 10)",
            "INSERT INTO books SELECT n, n / 2 FROM generate_series(2, 21) n",
        ):
            connection.execute(text(sql))
    engine.dispose()
    return url


def test_a_program_that_only_reads_is_run_again_and_the_report_says_measured(
    program: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A long program is run once each way.
    monkeypatch.setattr(orm_proof, "SHORT_S", 0.0)
    program.write_text(MODELS + READ)
    command = ["record", "--prove", "--", sys.executable, str(program), filled(server, "proof_reads")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0
    line = next(n for n, one in enumerate(program.read_text().splitlines(), 1) if "session.scalars" in one)
    assert f"program.py:{line}: 11 queries → 2" in result.stderr
    (proof,) = read_proofs(program.parent / "queryproof-journal") or ()
    assert (proof.queries_before, proof.queries_after) == (11, 2)
    assert (proof.refused, proof.rolled_back, proof.paths) == (None, False, (("Author.books",),))
    result = CliRunner().invoke(main, ["analyze"])
    assert "measured" in result.stdout
    assert "11 queries → 2" in result.stdout.replace("\xa0", " ")
    report = from_json((program.parent / "queryproof-report" / "report.json").read_bytes())
    (action,) = report.recommendations
    (evidence,) = action.evidence.queries
    assert evidence.before.ms is not None
    assert evidence.after.ms is not None
    # The headline, the action and the figures before and after say the same.
    assert action.saves_ms is not None
    assert report.saved_ms == pytest.approx(action.saves_ms)
    # On a busy machine the run with the option may take as long; then nothing is said to be saved.
    assert action.saves_ms == pytest.approx(max(0.0, min(proof.ms_recorded, evidence.before.ms - evidence.after.ms)))


def test_what_a_program_commits_is_rolled_back_in_the_proof(program: Path, server: Server) -> None:
    urls = []
    for driver in ("psycopg2", "psycopg"):
        server.create_database(f"proof_writes_{driver}")
        urls.append(server.url(f"proof_writes_{driver}", "app").replace("psycopg2", driver, 1))
    writes = f"""
for url in sys.argv[1:]:
    engine = create_engine(url)
    fill(engine)
    with Session(engine) as session:
        session.add(Author(id=1000 + int(session.query(Author).count())))
        session.commit()
    {READ.strip().replace(chr(10), chr(10) + "    ")}
"""
    (proof,) = proofs_of(program, writes, *urls)
    assert proof.rolled_back
    assert (proof.queries_before, proof.queries_after) == (24, 4)
    for driver in ("psycopg2", "psycopg"):
        database = f"proof_writes_{driver}"
        connection = psycopg2.connect(host=str(server.directory), port=5432, user="app", dbname=database)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM authors")
            assert cursor.fetchone() == (11,)
        connection.close()


def test_nested_and_aliased_paths_options_in_the_way_and_what_cannot_be_compared_on_sqlite(program: Path) -> None:
    several = """
import pathlib
fill(engine)
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        for book in author.books:
            session.expunge(author) if False else book.author
    session.expunge_all()
    root = aliased(Author)
    for author in session.scalars(select(root).options(lazyload(root.books))):
        author.books
    session.expunge_all()
    for person in session.scalars(select(Person)):
        person.lessons
    session.expunge_all()
    for person in session.scalars(select(with_polymorphic(Person, [Teacher]))):
        person.lessons
for number in range(1, 5):
    with Session(engine) as other:  # one each: nothing to prove
        other.get(Author, number).books
count = pathlib.Path("runs")
count.write_text(str(int(count.read_text()) + 1) if count.exists() else "1")
for _ in range(int(count.read_text())):
"""
    *proofs, last = proofs_of(program, several + READ.replace("\n", "\n    "), "sqlite:///proof.db")
    assert [(proof.queries_before, proof.queries_after, proof.refused) for proof in proofs] == [
        (11, 2, None), (11, 2, None), (6, 3, None), (6, 2, None)
    ]  # fmt: skip
    assert all(proof.rolled_back for proof in proofs)
    assert last.refused is not None
    assert "cannot be compared" in last.refused


GENERIC = """
from sqlalchemy.exc import ArgumentError
fill(engine)
class Repository:
    def __init__(self, session, model):
        self.session, self.model = session, model
    def all(self):
        return self.session.scalars(select(self.model)).all()
with Session(engine) as session:
    for book in Repository(session, Book).all():
        book.author
    session.expunge_all()
    for author in Repository(session, Author).all():
        author.books
    for person in Repository(session, Person).all():
        person.id
"""


def test_each_class_that_one_line_asks_for_has_a_proof_of_its_own(program: Path) -> None:
    proofs = proofs_of(program, GENERIC, "sqlite:///generic.db")
    assert len({proof.origin for proof in proofs}) == 1
    assert {proof.root: (proof.queries_before, proof.queries_after) for proof in proofs} == {
        "Author": (11, 2), "Book": (11, 1)
    }  # fmt: skip
    result = CliRunner().invoke(main, ["analyze", "journal"])
    assert result.exit_code == 0
    report = from_json((program.parent / "queryproof-report" / "report.json").read_bytes())
    told = {one.edit.root: one for one in report.recommendations if one.edit is not None}
    before = {root: one.evidence.queries[0].before.queries for root, one in told.items()}
    assert before == {"Author": 11, "Book": 11}
    for root, one in told.items():
        # What `self.model` is, the run alone knows: pasted there, the option would break the other classes.
        codes = "\n".join(code.text for code in one.code)
        assert ".options(selectinload" not in codes
        assert ".options(joinedload" not in codes
        assert "select(self.model).options(*options)" in codes
        assert f"where {root} is asked for" in codes
        assert "program.py:" in codes.partition("hand in from ")[2]
        assert any("which need not be " + root in other.reason for other in one.alternatives)
    result = CliRunner().invoke(main, ["fix"])
    assert result.exit_code == 2
    assert result.stderr.count("asks for `self.model`") == 2


REWRITTEN = """
fill(engine)
with Session(engine) as session:
    for number in range(1, 11):
        session.get(Author, number)
"""
SUBCLASS = """
class Writer(Person):
    __tablename__ = "writers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    style: Mapped[str] = mapped_column(default="plain")
    __mapper_args__ = {"polymorphic_identity": "writer"}
Base.metadata.drop_all(engine, [Writer.__table__])
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all([Writer(), Writer(), Writer()])
    session.commit()
    session.expunge_all()
    for person in session.scalars(select(Person).where(Person.kind == "writer")):
        person.style
"""


def test_a_report_says_why_other_remedies_were_not_measured_where_a_proof_was_asked_for(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm_proof, "SHORT_S", 0.0)
    journal = program.parent / "queryproof-journal"

    def prove(code: str) -> str:
        program.write_text(MODELS + code)
        command = ["record", "--prove", "--", sys.executable, str(program), "sqlite:///other.db"]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0
        return result.stderr

    def origins() -> dict[str, tuple[str, str]]:
        assert CliRunner().invoke(main, ["analyze"]).exit_code == 0
        report = from_json((program.parent / "queryproof-report" / "report.json").read_bytes())
        rules = {finding.id: finding.rule for finding in report.findings}
        return {rules[one.settles[0]]: (one.evidence.kind, one.evidence.origin) for one in report.recommendations}

    assert "and no other remedy is measured" in prove(REWRITTEN)
    assert read_proofs(journal) == ()
    assert "no other remedy" not in prove(REWRITTEN + SUBCLASS + READ)
    told = origins()
    assert {rule: kind for rule, (kind, _) in told.items()} == {
        "n-plus-one": "measured", "repeated-query": "estimated", "column-load-in-loop": "estimated"
    }  # fmt: skip
    assert "not measured, because a proof adds loader options at queries" in told["repeated-query"][1]
    assert "not measured, because a proof tries eager loading and undefer()" in told["column-load-in-loop"][1]
    # Nobody has asked for a proof.
    (journal / "proof.json").unlink()
    assert read_proofs(journal) is None
    assert [origin for _, origin in origins().values() if "not measured" in origin] == []


def test_autocommit_is_refused_with_the_reason(program: Path, server: Server) -> None:
    server.create_database("proof_autocommit")
    opened = 'engine = create_engine(sys.argv[1], isolation_level="AUTOCOMMIT")\nfill(engine)\n'
    (proof,) = proofs_of(program, opened + READ, server.url("proof_autocommit", "app"))
    assert proof.refused == "the program uses AUTOCOMMIT: what it writes could not be rolled back"
    assert proof.queries_after is None


def test_input_that_can_be_read_only_once_is_spoken_of(program: Path) -> None:
    asked = "fill(engine)\nif not sys.stdin.read(): sys.exit(4)\n"
    keyboard = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, b"yes")
    os.close(writer)
    try:
        os.dup2(reader, 0)
        (proof,) = proofs_of(program, asked + READ, "sqlite:///read.db")
    finally:
        os.dup2(keyboard, 0)
        for one in (reader, keyboard):
            os.close(one)
    assert proof.refused is not None
    assert "exit code 4 instead of 0" in proof.refused
    assert proof.refused.endswith("; its standard input can be read only once, and was empty when it ran again")


def test_a_damaged_proof_is_named(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text("{")
    with pytest.raises(SourceError, match="record with --prove again"):
        read_proofs(tmp_path)
