"""A real PostgreSQL for the whole run, and a fresh database for each test that asks for one."""

import itertools
from collections.abc import Iterator

import pytest

from queryproof.analyzer.postgres.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    """URL of an empty database, as its owner `app`."""
    name = f"test_{next(_numbers)}"
    server.create_database(name)
    return server.url(name, "app")
