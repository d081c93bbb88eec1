"""The database of the scenarios, filled once."""

from collections.abc import Iterator

import pytest

from queryproof.analyzer.postgres.server import Server

from .library import Library


@pytest.fixture(scope="session")
def library(server: Server) -> Iterator[Library]:
    server.create_database("orm_corpus")
    library = Library(server.url("orm_corpus", "app"))
    yield library
    for engine in library.engines.values():
        engine.dispose()
