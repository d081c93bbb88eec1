"""Runs the corpus under one peer, in the peer's own environment: `peers_worker.py PEER URL`, a JSON line for each scenario.

The scenarios need SQLAlchemy, and one of them `queryproof.propagate`. Every detector of a peer that its documentation names is on.
"""

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tests.orm_corpus.labels import UNDO, Scenario
from tests.orm_corpus.scenarios import ALL

Watch = Callable[[list[str]], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def queryguard(told: list[str]) -> Iterator[None]:
    """Adds what the peer says when the block is over."""
    from pytest_queryguard.api import NPlusOneDetected, record_queries

    with record_queries() as log:
        yield
    try:
        log.assert_no_nplusone(small_repeat_threshold=2, write_loop_threshold=5)
    except NPlusOneDetected as error:
        told.append(str(error))


@contextlib.contextmanager
def queryspy(told: list[str]) -> Iterator[None]:
    """As above."""
    import queryspy

    with queryspy.record() as recorder:
        yield
    told += [queryspy.render_finding(one) for one in recorder.findings()]


@contextlib.contextmanager
def querycount(told: list[str]) -> Iterator[None]:
    """As above."""
    from pytest_querycount import backends
    from pytest_querycount.backends import sqlalchemy as backend
    from pytest_querycount.recorder import Recorder

    backend.install()
    recorder = Recorder()
    backends.push(recorder)
    try:
        yield
    finally:
        backends.pop(recorder)
    kinds = ("select", "insert", "update", "delete")
    told += [f"{one.sample.sql}\n{dict(one.locations)}" for one in recorder.duplicates(kinds=kinds)]


PEERS: dict[str, Watch] = {
    "pytest-queryguard": queryguard,
    "queryspy": queryspy,
    "pytest-querycount": querycount,
}


async def run_async(url: str, scenario: Scenario, watch: Watch, told: list[str]) -> None:
    """One scenario on asyncpg."""
    engine = create_async_engine(url.replace("psycopg2", "asyncpg"), poolclass=NullPool)
    async with AsyncSession(engine) as session:
        with watch(told):
            await scenario.run(session)
    await engine.dispose()


def run(peer: str, url: str) -> None:
    """All scenarios, and what was said of each."""
    engine = create_engine(url)
    for scenario in ALL:
        told: list[str] = []
        failed = None
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                if scenario.is_async:
                    asyncio.run(run_async(url, scenario, PEERS[peer], told))
                else:
                    with Session(engine) as session, PEERS[peer](told):
                        scenario.run(session)
        except Exception as error:  # noqa: BLE001 - the scenario runs without the peer: what fails with it is counted
            failed = f"{type(error).__name__}: {error}"[:300]
        if scenario.commits:
            with engine.begin() as connection:
                connection.execute(text(UNDO))
        line: dict[str, Any] = {"name": scenario.name, "told": told, "failed": failed}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
