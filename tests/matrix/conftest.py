"""Servers of every supported major. Runs only through `make test-matrix`, which names the directory of the programs.

Tests that take `major_server` or `major_database` run once on each of 13–18.
"""

import importlib.util
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from queryproof.analyzer.postgres.binaries import find_binaries
from queryproof.analyzer.postgres.server import Server

MATRIX = os.environ.get("QUERYPROOF_MATRIX")
# `make test` does not come here.
collect_ignore_glob = [] if MATRIX else ["test_*.py"]

_spec = importlib.util.spec_from_file_location("queryproof_matrix_fetch", Path(__file__).with_name("fetch.py"))
assert _spec is not None
assert _spec.loader is not None
_fetch = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fetch)
MAJORS = tuple(_fetch.VERSIONS)
_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=MAJORS)
def major_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server of one major; pytest groups the tests so that each major is started once."""
    with Server(find_binaries(_fetch.bin_directory(Path(MATRIX or ""), request.param))) as running:
        assert running.binaries.major == request.param
        yield running


@pytest.fixture
def major_database(major_server: Server) -> str:
    """URL of an empty database on it, as its owner `app`."""
    name = f"test_{next(_numbers)}"
    major_server.create_database(name)
    return major_server.url(name, "app")
