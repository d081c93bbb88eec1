"""Servers of every supported major. Runs only through `make test-matrix`, which names the directory of the programs.

Tests that take `major_server` or `major_database` run once on each of 13–18.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from queryproof.analyzer.postgres.binaries import find_binaries
from queryproof.analyzer.postgres.server import Server

from .fetch import VERSIONS, bin_directory

MATRIX = os.environ.get("QUERYPROOF_MATRIX")
# `make test` does not come here.
collect_ignore_glob = [] if MATRIX else ["test_*.py"]

MAJORS = tuple(VERSIONS)
_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=MAJORS)
def major_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server of one major; pytest groups the tests so that each major is started once."""
    with Server(find_binaries(bin_directory(Path(MATRIX or ""), request.param))) as running:
        assert running.binaries.major == request.param
        yield running


@pytest.fixture
def major_database(major_server: Server) -> str:
    """URL of an empty database on it, as its owner `app`."""
    name = f"test_{next(_numbers)}"
    major_server.create_database(name)
    return major_server.url(name, "app")
