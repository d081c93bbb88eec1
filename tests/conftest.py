"""A real PostgreSQL for the whole run, and a fresh database for each test that asks for one."""

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.record.faults import FAULT_LOG, swallowed

pytest_plugins = ["pytester"]  # pytest takes it from the topmost conftest only

MEMORY = Path("/dev/shm")
ENOUGH = 8_000_000_000
"""Bytes; the servers of all tests that run at once take less than a fifth."""

_numbers = itertools.count(1)


def pytest_configure() -> None:
    """Servers' files in memory where there is plenty: making and deleting them takes a fifth of the whole run on a disk. SIGINT as
    in the foreground: what a shell starts in the background ignores it, and so would the programs under test."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        # What tests write themselves stays on the disk, where the last runs' can be looked at.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


class Faults:
    """Errors that the recorder has swallowed so far, in this process and in its children."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def take(self) -> list[str]:
        """Their class names; from now on they count as expected."""
        here = [type(error).__name__ for error in swallowed]
        swallowed.clear()
        text = self._log.read_text() if self._log.exists() else ""
        self._log.unlink(missing_ok=True)
        # A fault of this process stands in both: what the file has more of is the children's.
        lines = [line.partition(":")[0] for line in text.splitlines() if line and not line[0].isspace()]
        logged = [name for name in lines if not name.startswith(("Traceback", "During", "The above"))]
        return logged if len(logged) > len(here) else here


@pytest.fixture(scope="session")
def fault_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("faults") / "log"
    os.environ[FAULT_LOG] = str(path)
    yield path
    del os.environ[FAULT_LOG]


@pytest.fixture(autouse=True)
def faults(fault_log: Path) -> Iterator[Faults]:
    """No test passes with a fault of the recorder that it has not expected: what must not disturb users must disturb us."""
    found = Faults(fault_log)
    yield found
    left = found.take()
    assert not left, f"the recorder has swallowed {left}"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def run_sql() -> Callable[..., None]:
    """(url, *statements): sends them over a connection of their own, where each commits by itself."""

    def run(url: str, *statements: str) -> None:
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return run


@pytest.fixture(scope="session")
def fill(server: Server, run_sql: Callable[..., None]) -> Callable[[str, str], None]:
    """(name, statements): makes a database of that name, runs the statements as its owner, and gathers statistics."""

    def make(name: str, statements: str) -> None:
        server.create_database(name)
        run_sql(server.url(name, "app"), statements, "VACUUM (ANALYZE)")

    return make


@pytest.fixture
def database(server: Server) -> str:
    """URL of an empty database, as its owner `app`."""
    name = f"test_{next(_numbers)}"
    server.create_database(name)
    return server.url(name, "app")
