"""A proof's outer transaction: what it holds is rolled back, what it cannot hold stops the program."""

import asyncio
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.record.rollback import CannotRollBack, Rollback, forbid_writing


def two_connections(url: str) -> None:
    engine = create_engine(url)
    with engine.begin(), engine.begin():
        pass


def commit_as_text(url: str) -> None:
    with create_engine(url).connect() as connection:
        connection.execute(text("INSERT INTO authors VALUES (77)"))
        connection.execute(text("/* done */ COMMIT"))


def commit_behind_a_statement(url: str) -> None:
    with create_engine(url).connect() as connection:
        connection.exec_driver_sql("INSERT INTO authors VALUES (77); COMMIT")


def raw_connection(url: str) -> None:
    create_engine(url).raw_connection().cursor().execute("INSERT INTO authors VALUES (77)")


def two_phases(url: str) -> None:
    with create_engine(url).connect() as connection:
        connection.begin_twophase()


def two_engines(url: str) -> None:
    """Each keeps a transaction of its own open: the second waits for the key that the first has not committed."""
    for _ in range(2):
        with create_engine(url).begin() as connection:
            connection.execute(text("INSERT INTO authors VALUES (77)"))


def two_async_engines(url: str) -> None:
    async def act() -> None:
        for _ in range(2):
            async with create_async_engine(url.replace("psycopg2", "asyncpg")).begin() as connection:
                await connection.execute(text("INSERT INTO authors VALUES (77)"))

    asyncio.run(act())


def savepoints(url: str) -> None:
    """Not refused: it is a savepoint in a savepoint."""
    with create_engine(url).connect() as connection:
        connection.execute(text("INSERT INTO authors VALUES (77)"))
        nested = connection.begin_nested()
        nested.rollback()
        connection.commit()
        assert connection.scalar(text("SELECT count(*) FROM authors")) == 11
    raise CannotRollBack("nothing")


def asynchronous(url: str) -> None:
    """Not refused: an async engine has one connection like any other."""

    async def act() -> int:
        engine = create_async_engine(url.replace("psycopg2", "asyncpg"))
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO authors VALUES (77)"))
        async with engine.connect() as connection:
            count: int = await connection.scalar(text("SELECT count(*) FROM authors"))
        return count

    assert asyncio.run(act()) == 11
    raise CannotRollBack("nothing")


def under_rollback(act: Callable[[str], None], url: str, told: Path) -> None:
    Rollback(told).install()
    try:
        act(url)
    except CannotRollBack as error:
        sys.exit(0 if not told.exists() or told.read_text() == f"{error}\n" else 2)
    sys.exit(1)


def under_read_only(url: str) -> None:
    forbid_writing()
    with create_engine(url).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM authors")) == 10
        try:
            connection.execute(text("INSERT INTO authors VALUES (77)"))
        except DBAPIError as error:
            sys.exit(0 if "read-only" in str(error) or "readonly" in str(error) else 2)
    sys.exit(1)


def test_what_an_outer_transaction_cannot_hold_stops_the_program(server: Server, tmp_path: Path) -> None:
    """Each in a forked process, since the dialects are changed for good."""
    server.create_database("proof_refused")
    url = server.url("proof_refused", "app")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE authors (id int PRIMARY KEY)"))
        connection.execute(text("INSERT INTO authors SELECT generate_series(1, 10)"))
    engine.dispose()
    fork = multiprocessing.get_context("fork")
    acts = (
        two_connections,
        commit_as_text,
        commit_behind_a_statement,
        raw_connection,
        two_phases,
        two_engines,
        two_async_engines,
        savepoints,
        asynchronous,
    )
    reasons = {}
    for act in acts:
        told = tmp_path / act.__name__
        process = fork.Process(target=under_rollback, args=(act, url, told))
        process.start()
        process.join()
        assert process.exitcode == 0, act.__name__
        reasons[act.__name__] = told.read_text() if told.exists() else ""
    assert [name for name, reason in reasons.items() if not reason.startswith("the program uses ") and not reason.startswith("the program ends ")] == ["savepoints", "asynchronous"]  # fmt: skip
    reader = fork.Process(target=under_read_only, args=(url,))
    reader.start()
    reader.join()
    assert reader.exitcode == 0
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM authors")) == 10
    engine.dispose()
