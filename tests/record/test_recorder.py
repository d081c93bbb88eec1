"""What is recorded, with every driver, and what never happens to the application."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

from queryproof import record
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.record.leaked_options import leaks_options
from queryproof.analyzer.sources.journal import read_journal

from ..conftest import Faults


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture
def library(database: str) -> str:
    engine = create_engine(database)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Author(id=n, name=f"a{n}", books=[Book(id=n)]) for n in range(1, 5)])
        session.commit()
    engine.dispose()
    return database


def recorded(directory: Path) -> list[RecordedQuery]:
    return read_journal(directory)[0]


def line_of(marker: str) -> int:
    return next(n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if line.endswith(f"# {marker}"))


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_statement_is_recorded_with_values_rows_time_and_place(library: str, driver: str, tmp_path: Path) -> None:
    engine = create_engine(library.replace("psycopg2", driver))
    with record(engine, tmp_path), engine.connect() as connection:
        connection.execute(select(Author.name).where(Author.id < 3)).all()  # here
    engine.dispose()
    (query,) = [one for one in recorded(tmp_path) if "authors" in one.sql]
    assert query.parameters == {"id_1": 3}
    assert query.rows == 2
    assert query.duration_ms > 0
    assert query.driver == driver
    assert query.transaction is not None
    assert query.call_site is not None
    assert (query.call_site.file, query.call_site.line) == ("tests/record/test_recorder.py", line_of("here"))


async def test_asyncpg_is_recorded_with_the_awaiting_line_and_the_task(library: str, tmp_path: Path) -> None:
    engine = create_async_engine(library.replace("psycopg2", "asyncpg"))

    async def one(number: int) -> None:
        async with AsyncSession(engine) as session:
            await session.execute(select(Author.name).where(Author.id == number))  # awaited

    with record(engine, tmp_path):
        await asyncio.gather(*(asyncio.create_task(one(n), name=f"task-{n}") for n in (1, 2, 3)))
    await engine.dispose()
    queries = [query for query in recorded(tmp_path) if "authors.id = $1" in query.sql]
    assert {query.task for query in queries} == {"task-1", "task-2", "task-3"}
    assert {query.call_site.line for query in queries if query.call_site} == {line_of("awaited")}
    assert sorted(query.parameters for query in queries if isinstance(query.parameters, tuple)) == [(1,), (2,), (3,)]


def test_a_lazy_load_knows_the_query_that_loaded_its_parent(library: str, tmp_path: Path) -> None:
    engine = create_engine(library)
    with record(engine, tmp_path), Session(engine) as session:
        for author in session.scalars(select(Author)):  # origin
            for book in author.books:  # read
                assert book.author is author
    engine.dispose()
    lazy = [query for query in recorded(tmp_path) if query.orm is not None and query.orm.kind == "lazy"]
    assert len(lazy) == 4
    assert len({query.orm.parent for query in lazy if query.orm}) == 4
    for query in lazy:
        assert query.orm is not None
        assert query.orm.path == ("Author.books",)
        assert query.orm.origin is not None
        assert query.orm.origin.line == line_of("origin")
        assert query.call_site is not None
        assert query.call_site.line == line_of("read")


def test_a_query_that_was_compiled_before_the_recording_is_an_origin_too(library: str, tmp_path: Path) -> None:
    engine = create_engine(library)
    queries = (select(Author), select(Author).options(selectinload(Author.books)))

    def read() -> None:
        with Session(engine) as session:
            for query in queries:
                for author in session.scalars(query):
                    for book in author.books:
                        session.expire(book, ["author_id"])
                        assert book.author_id
                session.expunge_all()

    read()
    with record(engine, tmp_path):
        read()
    engine.dispose()
    loads = [query.orm for query in recorded(tmp_path) if query.orm is not None and query.orm.kind != "query"]
    assert [load.kind for load in loads] == ["lazy", "column"] * 4 + ["eager"] + ["column"] * 4
    assert all(load.origin is not None and load.origin_sequence is not None for load in loads)


async def test_awaitable_attributes_are_lazy_loads_too(library: str, tmp_path: Path) -> None:
    engine = create_async_engine(library.replace("psycopg2", "asyncpg"))
    with record(engine, tmp_path):
        async with AsyncSession(engine) as session:
            for author in await session.scalars(select(Author)):
                await author.awaitable_attrs.books
    await engine.dispose()
    assert sum(1 for query in recorded(tmp_path) if query.orm is not None and query.orm.kind == "lazy") == 4


def test_eager_loads_are_told_apart_and_streaming_works(library: str, tmp_path: Path) -> None:
    engine = create_engine(library)
    with record(engine, tmp_path), Session(engine) as session:
        authors = session.scalars(
            select(Author).options(selectinload(Author.books)).execution_options(yield_per=2)
        ).all()
        assert len(authors) == 4
    engine.dispose()
    kinds = {query.orm.kind for query in recorded(tmp_path) if query.orm is not None}
    assert kinds == {"query", "eager"}


@pytest.mark.parametrize("level", [1, 2])
def test_instances_that_are_merged_without_a_query_are_no_fault(library: str, tmp_path: Path, level: int) -> None:
    engine = create_engine(library)
    with record(engine, tmp_path, level=level), Session(engine) as session, Session(engine) as other:
        for author in session.scalars(select(Author).options(joinedload(Author.books))).unique():
            assert len(other.merge(author, load=False).books) == 1
    engine.dispose()
    # That no fault was swallowed is seen by the fixture that all tests have.
    assert len(recorded(tmp_path)) == 1


def test_versions_that_a_listener_would_break_are_known() -> None:
    assert leaks_options("2.0.20")
    assert leaks_options("2.0.49")
    assert not leaks_options("2.0.50")
    assert not leaks_options("2.1.9")


def test_errors_and_executemany_are_recorded(library: str, tmp_path: Path) -> None:
    engine = create_engine(library)
    with record(engine, tmp_path):
        with pytest.raises(DBAPIError), engine.connect() as connection:
            connection.execute(text("SELECT nonsense"))
        with engine.begin() as connection:
            connection.execute(insert(Author), [{"id": n, "name": "x"} for n in range(10, 20)])
    engine.dispose()
    queries = recorded(tmp_path)
    assert [query.error for query in queries if "nonsense" in query.sql] == ["UndefinedColumn"]
    assert [query.executemany for query in queries if "INSERT" in query.sql] == [True]


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("never call me")

    __str__ = __repr__
    __eq__ = __hash__ = None  # type: ignore[assignment] # a foreign object that cannot even be compared


def test_foreign_parameter_objects_are_never_touched(tmp_path: Path) -> None:
    import sqlite3

    sqlite3.register_adapter(Hostile, lambda value: "adapted")
    engine = create_engine("sqlite://")
    with record(engine, tmp_path), engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT ?", (Hostile(),)).scalar() == "adapted"
    (query,) = recorded(tmp_path)
    assert query.parameters is None


def test_without_parameters_no_value_is_written(library: str, tmp_path: Path) -> None:
    engine = create_engine(library)
    with record(engine, tmp_path, parameters=False), engine.connect() as connection:
        connection.execute(select(Author).where(Author.name == "c4n4ry"))
    engine.dispose()
    assert b"c4n4ry" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_the_journal_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with record(engine, tmp_path / "j"), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "j").iterdir()} == {0o600}


def test_a_fault_in_the_recorder_never_reaches_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], faults: Faults
) -> None:
    def fail(*arguments: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("queryproof.analyzer.record.records.call_stack", fail)
    engine = create_engine("sqlite://")
    with record(engine, tmp_path) as recorder, engine.connect() as connection:
        assert [connection.execute(text("SELECT 7")).scalar() for _ in range(30)] == [7] * 30
    assert recorder.faults == 10
    assert capfd.readouterr().err.count("switched off") == 1
    assert faults.take() == ["ValueError"] * 10


def test_nothing_stays_installed(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    for _ in range(3):
        with record(engine, tmp_path), record(None, tmp_path / "all"):
            pass
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert not list(tmp_path.glob("*.jsonl"))
    assert isinstance(engine, Engine)


def test_threads_write_whole_records(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")

    def work() -> None:
        with engine.connect() as connection:
            for n in range(50):
                connection.execute(text(f"SELECT {n}"))

    with record(engine, tmp_path):
        # All at once, and the first statement of the process among them: only one may open the segment.
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    queries, source = read_journal(tmp_path)
    assert len(queries) == 400
    assert source.notes == ()


def test_importing_queryproof_imports_nothing_heavy() -> None:
    code = (
        "import sys, queryproof; from queryproof import record\n"
        "print([m for m in ('sqlglot','pandas','jinja2','click','rich','msgspec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_directory_or_one_without_statements_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="queryproof record"):
        read_journal(tmp_path / "absent")
    with pytest.raises(SourceError, match="queryproof record"):
        read_journal(tmp_path)
