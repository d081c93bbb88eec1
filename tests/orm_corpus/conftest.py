"""The database of the scenarios, filled once."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queryproof.analyzer.postgres.server import Server

from .labels import Scenario
from .library import Library


@pytest.fixture(scope="session")
def library(server: Server) -> Iterator[Library]:
    server.create_database("orm_corpus")
    library = Library(server.url("orm_corpus", "app"))
    yield library
    for engine in library.engines.values():
        engine.dispose()


@pytest.fixture
def told(library: Library, tmp_path: Path) -> Callable[..., str]:
    """(run, rule, marked, commits): the code of the one finding that the function gives."""

    def tell(run: Callable[[Any], Any], rule: str, *, marked: bool = False, commits: bool = False) -> str:
        scenario = Scenario(run, rule, "", "", False, marked, commits)
        (finding,) = library.run(scenario, "asyncpg" if inspect.iscoroutinefunction(run) else "psycopg2", tmp_path)
        assert finding.remedy is not None
        return finding.remedy.code[0].text

    return tell
