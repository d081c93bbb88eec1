"""Proof of undefer() by running the program again: where a query left out columns that were then read row by row.

A program is a process; so each proves as many things as it can.
"""

import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from queryproof import orm_proof
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.record.launcher import run
from queryproof.analyzer.record.trial import TrialEdit, read_trial, write_trial
from queryproof.analyzer.sources.journal import read_recording
from queryproof.cli import main
from queryproof.orm_edits import edits_by_kind
from queryproof.orm_proof import OrmProof, read_proofs
from queryproof.reports.json_report import from_json
from queryproof.reports.report import Report

MODELS = """
import asyncio, pathlib, sys
from sqlalchemy import create_engine, select, ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase, Mapped, Session, aliased, defer, deferred, joinedload, load_only, mapped_column, relationship, undefer
)
class Base(DeclarativeBase): pass
class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    biography: Mapped[str] = mapped_column(deferred=True)
    books: Mapped[list["Book"]] = relationship()
class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    text: Mapped[str] = mapped_column(deferred=True)
class Part(Base):
    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(primary_key=True)
    part_of: Mapped[int | None] = mapped_column(ForeignKey("parts.id"))
    note: Mapped[str] = mapped_column(deferred=True)
    parts: Mapped[list["Part"]] = relationship()
class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    photo: Mapped[str] = mapped_column(deferred=True, default="p")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}
class Teacher(Person):
    __tablename__ = "teachers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "teacher"}
engine = create_engine(sys.argv[1])
"""
TABLES = (
    "CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL, biography text NOT NULL)",
    "CREATE TABLE books (id int PRIMARY KEY, author_id int NOT NULL REFERENCES authors, text text NOT NULL)",
    "CREATE TABLE parts (id int PRIMARY KEY, part_of int REFERENCES parts, note text NOT NULL)",
    "INSERT INTO authors SELECT n, 'a' || n, 'b' || n FROM generate_series(1, 20) n",
    "INSERT INTO books SELECT n, (n + 1) / 2, 't' || n FROM generate_series(1, 40) n",
    "INSERT INTO parts SELECT n, nullif(n / 2, 0), 'n' || n FROM generate_series(1, 7) n",
)
READS = """
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        author.biography
with Session(engine) as session:
    for author in session.scalars(select(Author).options(undefer(Author.biography))):
        author.biography  # a clean twin
with Session(engine) as session:
    for author in session.scalars(select(Author).limit(1)):
        author.biography  # one only
with Session(engine) as session:
    for author in session.scalars(select(Author).options(undefer(Author.biography), defer(Author.name))):
        author.name
with Session(engine) as session:
    for author in session.scalars(select(Author).options(load_only(Author.id))):
        author.name
with Session(engine) as session:
    root, other = aliased(Author), aliased(Author)
    pairs = select(root, other).join(other, root.id == other.id).options(defer(root.name), defer(other.name))
    for author, _ in session.execute(pairs).all():
        author.name, author.biography
with Session(engine) as session:
    for author in session.scalars(select(Author)):
        for book in author.books:
            book.text
with Session(engine) as session:
    for author in session.scalars(select(Author).options(joinedload(Author.books).defer(Book.author_id))).unique():
        [book.author_id for book in author.books]
with Session(engine) as session:
    for part in session.scalars(select(Part).where(Part.part_of.is_(None))).all():
        for child in part.parts:
            child.note, [one.note for one in child.parts]
async def stream():
    async with AsyncSession(create_async_engine(sys.argv[1].replace("psycopg2", "psycopg"))) as session:
        for author in await session.scalars(select(Author)):
            await session.run_sync(lambda _: author.biography)
        await session.bind.dispose()
asyncio.run(stream())
"""
WRITES = """
Base.metadata.create_all(engine)
with Session(engine) as session:
    if not session.scalar(select(Teacher.id).limit(1)):
        session.add_all([Teacher(id=n) for n in range(1, 6)])
        session.add_all([Author(id=n, name="a", biography="b") for n in range(1, 6)])
        session.commit()
count = pathlib.Path("runs")
count.write_text("x" + (count.read_text() if count.exists() else ""))
name = "about" if count.read_text() == "xxx" else "biography"
class Writer(Base):
    __table__ = Author.__table__
    __mapper_args__ = {"include_properties": ["id", "biography"], "properties": {name: deferred(Author.__table__.c.biography)}}
with Session(engine) as session:
    for writer in session.scalars(select(Writer)):
        getattr(writer, name)
with Session(engine) as session:
    for person in session.scalars(select(Person)):
        person.photo
with Session(engine) as session:
    for author in session.scalars(select(Author)): author.biography
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "program.py"


def filled(server: Server, name: str) -> str:
    server.create_database(name)
    url = server.url(name, "app")
    engine = create_engine(url)
    with engine.begin() as connection:
        for sql in TABLES:
            connection.execute(text(sql))
    engine.dispose()
    return url


def prove(program: Path, code: str, url: str) -> tuple[str, list[OrmProof], Report]:
    """What `record --prove` says, its proofs by line and kind, and the report on them."""
    program.write_text(MODELS + code)
    result = CliRunner().invoke(main, ["record", "--prove", "--", sys.executable, str(program), url])
    assert result.exit_code == 0, result.output
    proofs = read_proofs(program.parent / "queryproof-journal") or ()
    assert CliRunner().invoke(main, ["analyze"]).exit_code == 0
    report = from_json((program.parent / "queryproof-report" / "report.json").read_bytes())
    return result.stderr, sorted(proofs, key=lambda one: (one.origin.line, one.columns)), report


def test_undefer_is_measured_through_paths_aliases_and_options_in_the_way_apart_from_eager_loading(
    program: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Run once each way.
    monkeypatch.setattr(orm_proof, "SHORT_S", 0.0)
    url = filled(server, "undefer_reads")
    said, proofs, report = prove(program, READS, url)
    told = [(one.paths or one.columns, one.queries_before, one.queries_after) for one in proofs]
    deep = (("Part.parts", "Part.note"), ("Part.parts", "Part.parts", "Part.note"))
    assert told == [
        ((("Author.biography",),), 21, 1),
        ((("Author.name",),), 21, 1),
        ((("Author.name",),), 21, 1),
        ((("Author.biography",), ("Author.name",)), 41, 1),
        # One line, two remedies: 1 query, 20 authors' books, 40 books' texts; each is measured alone.
        ((("Author.books",),), 61, 42),
        ((("Author.books", "Book.text"),), 61, 21),
        ((("Author.books", "Book.author_id"),), 41, 1),
        ((("Part.parts", "Part.parts"),), 10, None),
        (deep, 10, 4),
        ((("Author.biography",),), 21, 1),
    ]
    assert {one.refused for one in proofs} == {None, "with the option there were 10 queries instead of 10"}
    assert not any(one.rolled_back for one in proofs)
    first = proofs[0].origin.line
    assert f"program.py:{first}: 21 queries → 1" in said
    assert "measured with Author.biography loaded with the query" in said
    level = "defaultload(Part.parts)"
    measured = {
        (one.edit.option, one.evidence.queries[0].before.queries, one.evidence.queries[0].after.queries)
        for one in report.recommendations
        if one.edit is not None and one.evidence.kind == "measured"
    }
    assert measured == {
        ("undefer(Author.biography)", 21, 1),
        ("undefer(Author.name)", 21, 1),
        ("undefer({root}.biography), undefer({root}.name)", 41, 1),
        ("selectinload(Author.books)", 61, 42),
        ("defaultload(Author.books).undefer(Book.text)", 61, 21),
        ("defaultload(Author.books).undefer(Book.author_id)", 41, 1),
        (f"{level}.undefer(Part.note), {level}.{level}.undefer(Part.note)", 10, 4),
    }  # fmt: skip
    by_place = {(one.place.line, one.edit.loaders): one for one in report.recommendations if one.place and one.edit}
    for proof in proofs:
        if proof.columns and proof.ms_after is not None:
            loaders = ("defaultload",) if len(proof.columns[0]) > 1 else ("undefer",)
            saved = by_place[proof.origin.line, loaders].saves_ms
            assert saved == pytest.approx(min(proof.ms_recorded, max(0.0, proof.ms_before - proof.ms_after)))
    # What was measured is what the diff of the source does: only what it leaves to the reader is still loaded one by one.
    fixed = CliRunner().invoke(main, ["fix", "--apply"])
    assert "program.py holds no statement of an aliased Author" in fixed.stderr
    assert "options(joinedload(Author.books), defaultload(Author.books).undefer(Book.author_id))" in "".join(
        line.strip() for line in program.read_text().splitlines()
    )
    assert run([sys.executable, str(program), url], program.parent / "fixed") == 0
    (left,) = edits_by_kind(read_recording(program.parent / "fixed").queries)
    assert [edit.columns for edit in left] == [(("Author.biography",), ("Author.name",))]


def test_what_cannot_be_undeferred_is_refused_with_the_reason_and_writes_are_rolled_back(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Run once each way.
    monkeypatch.setattr(orm_proof, "SHORT_S", 0.0)
    said, proofs, report = prove(program, WRITES, "sqlite:///writes.db")
    renamed = "the option could not be added: AttributeError: type object 'Writer' has no attribute 'biography'"
    assert [(one.columns, one.queries_before, one.queries_after, one.refused) for one in proofs] == [
        ((("Writer.biography",),), 6, None, renamed),
        ((("Person.photo",),), 6, 1, None),
        ((("Author.biography",),), 6, 1, None),
    ]  # fmt: skip
    assert all(one.rolled_back for one in proofs)
    assert f"no proof with Writer.biography loaded with the query: {renamed}" in said
    evidence = {one.edit.option: one.evidence for one in report.recommendations if one.edit is not None}
    assert {option: one.kind for option, one in evidence.items()} == {
        "undefer(Writer.biography)": "estimated",
        "undefer(Person.photo)": "measured",
        "undefer(Author.biography)": "measured",
    }
    assert f"the proof was tried and does not stand: {renamed}" in evidence["undefer(Writer.biography)"].origin


def test_proofs_of_the_version_before_are_read_and_other_versions_named(tmp_path: Path) -> None:
    origin = {"file": "app.py", "line": 7, "function": "f"}
    old = {"origin": origin, "root": "Author", "paths": [["Author.books"]], "ms_recorded": 1.0, "queries_before": 11, "ms_before": 1.0}  # fmt: skip
    for version in (1, 2, 3):
        (tmp_path / "proof.json").write_bytes(msgspec.json.encode({"version": version, "proofs": [old]}))
        if version == 3:
            with pytest.raises(SourceError, match="written by another queryproof"):
                read_proofs(tmp_path)
        else:
            (proof,) = read_proofs(tmp_path) or ()
            assert (proof.paths, proof.columns) == ((("Author.books",),), ())
    edits = (TrialEdit("app.py", 7, "f", "Author", columns=(("Author.books", "Book.text"),)),)
    write_trial(edits, tmp_path / "trial.json")
    assert read_trial(tmp_path / "trial.json") == edits
    (tmp_path / "trial.json").write_text('{"version": 1, "edits": []}')
    with pytest.raises(ValueError, match="not a trial of version 2"):
        read_trial(tmp_path / "trial.json")


SUBCLASS = """
from sqlalchemy.orm import with_polymorphic
class Singer(Person):
    biography: Mapped[str] = mapped_column(deferred=True, nullable=True)
    __mapper_args__ = {"polymorphic_identity": "singer"}
class Band(Base):
    __tablename__ = "bands"
    id: Mapped[int] = mapped_column(primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    lead: Mapped[Person] = relationship()
class Dancer(Person):
    __tablename__ = "dancers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    style: Mapped[str] = mapped_column(deferred=True)
    __mapper_args__ = {"polymorphic_identity": "dancer"}
Base.metadata.create_all(engine)
with Session(engine) as session:
    if not session.scalar(select(Singer.id).limit(1)):
        session.add_all([Singer(id=n, biography="b") for n in range(1, 6)] + [Dancer(id=n, style="s") for n in range(6, 11)])
        session.flush()
        session.add_all([Band(id=n, lead_id=n) for n in range(1, 6)])
        session.commit()
with Session(engine) as session:
    for person in session.scalars(select(Person).where(Person.kind == "singer")):
        person.biography
with Session(engine) as session:
    for person in session.scalars(select(Person).where(Person.kind == "singer").order_by(Person.id)):
        person.biography, person.photo  # of the subclass, and of the class that is queried
with Session(engine) as session:
    for person in session.scalars(select(Person).where(Person.kind == "dancer")):
        person.style
with Session(engine) as session:
    Anyone = with_polymorphic(Person, [Singer])
    for person in session.scalars(select(Anyone).where(Anyone.kind == "singer")):
        person.biography
with Session(engine) as session:
    for band in session.scalars(select(Band).options(joinedload(Band.lead))):
        band.lead.biography
"""


def test_columns_that_only_a_subclass_has_are_loaded_with_it_and_nothing_is_advised_that_does_nothing(
    program: Path,
) -> None:
    program.write_text(MODELS + SUBCLASS)
    command = [sys.executable, str(program), "sqlite:///subclass.db"]
    assert CliRunner().invoke(main, ["record", "--", *command]).exit_code == 0
    assert CliRunner().invoke(main, ["analyze"]).exit_code == 0
    report = from_json((program.parent / "queryproof-report" / "report.json").read_bytes())
    assert sorted(one.edit.option for one in report.recommendations if one.edit is not None) == [
        "selectin_polymorphic(Person, [Dancer]), undefer(Dancer.style)",
        "selectin_polymorphic(Person, [Singer]), undefer(Singer.biography)",
        "selectin_polymorphic(Person, [Singer]), undefer(Singer.biography)",
        "undefer(Person.photo)",
        "undefer({root}.Singer.biography)",
    ]
    # Through a relationship the loads are told, and no option for them.
    found = [one for one in report.findings if one.rule == "column-load-in-loop"]
    assert len(found) == 6
    fixed = CliRunner().invoke(main, ["fix", "--apply"])
    assert fixed.exit_code == 0, fixed.output
    assert run(command, program.parent / "fixed") == 0
    left = [one.orm for one in read_recording(program.parent / "fixed").queries if one.orm and one.orm.kind == "column"]
    assert {(load.path, load.root) for load in left} == {(("Band.lead",), "Band")}
