"""Processes, threads, greenlets, tasks and the end of the interpreter: rows R5–R10 and R17 of the fault catalogue."""

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from queryproof import propagate, record, scope
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.record.faults import Armed, armed
from queryproof.analyzer.record.launcher import run
from queryproof.analyzer.sources.journal import read_journal

from ..conftest import Faults
from .journey import end_child, start_child

PROGRAM = """
import atexit, os, signal, sys, threading
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool
engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
def query(name):
    with engine.connect() as connection:
        connection.execute(text(f"SELECT '{name}'"))
"""


def program(tmp_path: Path, body: str, before: str = "") -> tuple[int, list[RecordedQuery]]:
    """Run it under the launcher: its exit code and what is recorded."""
    script = tmp_path / "program.py"
    script.write_text(before + PROGRAM + textwrap.dedent(body))
    code = run([sys.executable, str(script)], tmp_path / "journal")
    return code, read_journal(tmp_path / "journal")[0]


def names(queries: list[RecordedQuery]) -> list[str]:
    return sorted(query.sql.removeprefix("SELECT ").strip("'") for query in queries)


def test_r05_a_fork_while_another_thread_holds_our_lock(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=NullPool)

    def query(name: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(f"SELECT '{name}'"))

    with record(engine, tmp_path) as recorder:
        assert recorder.journal is not None
        query("before")
        held, go = threading.Event(), threading.Event()

        def hold() -> None:
            with recorder.journal._opening:  # type: ignore[union-attr] # asserted above
                held.set()
                go.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = start_child(lambda: query("child"))
        try:
            assert end_child(child, 10) == 0
        finally:
            go.set()
            thread.join()
        query("after")
    queries = read_journal(tmp_path)[0]
    assert names(queries) == ["after", "before", "child"]
    assert len({query.process for query in queries}) == 2


def test_r05_every_way_to_start_a_process(tmp_path: Path) -> None:
    body = """
    if __name__ == "__main__":
        import multiprocessing
        query("parent")
        for method in ("fork", "spawn", "forkserver"):
            process = multiprocessing.get_context(method).Process(target=query, args=(method,))
            process.start()
            process.join(60)
            assert process.exitcode == 0
    """
    code, queries = program(tmp_path, body)
    assert code == 0
    assert names(queries) == ["fork", "forkserver", "parent", "spawn"]
    assert len({query.process for query in queries}) == 4


GREENLETS = """
    import gevent
    from queryproof import scope
    def work(n):
        with scope(f"greenlet {n}"):
            gevent.sleep(0)
            query(n)
            gevent.sleep(0)
            query(n)
    # Each yields amid its scope: a thousand are open at once.
    gevent.joinall([gevent.spawn(work, n) for n in range(1000)], raise_error=True)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_r06_a_thousand_greenlets(tmp_path: Path, when: str) -> None:
    patch = "import gevent.monkey; gevent.monkey.patch_all()\n"
    root = Path(__file__).parents[2] / ".typing"
    before = f"import sys; sys.path.insert(0, {str(root)!r})\n" + (patch if when == "before" else "")
    body = textwrap.dedent(GREENLETS)
    code, queries = program(tmp_path, body if when == "before" else patch + body, before)
    assert code == 0
    assert len(queries) == 2_000
    assert {(query.scope.name, query.sql) for query in queries if query.scope} == {
        (f"greenlet {n}", f"SELECT '{n}'") for n in range(1_000)
    }


def _loops() -> list[Any]:
    import uvloop

    return [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("loop", _loops(), ids=["asyncio", "uvloop"])
def test_r07_tasks_cancellation_and_to_thread(loop: Any, database: str, tmp_path: Path) -> None:
    async def work() -> None:
        engine = create_async_engine(database.replace("psycopg2", "asyncpg"))
        plain = create_engine(database)

        async def send(name: str) -> None:
            with scope(name):
                async with engine.connect() as connection:
                    await connection.execute(text(f"SELECT '{name}'"))  # task

        def blocking() -> None:
            with plain.connect() as connection:
                connection.execute(text("SELECT 'thread'"))  # thread

        async def slow() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))  # slow

        async with asyncio.TaskGroup() as group:
            for n in range(5):
                group.create_task(send(f"task {n}"), name=f"task {n}")
        with scope("handed over"):
            await asyncio.to_thread(blocking)
            await asyncio.get_running_loop().run_in_executor(None, propagate(blocking))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await slow()
        await engine.dispose()
        plain.dispose()

    with record(None, tmp_path), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work())
    queries = [query for query in read_journal(tmp_path)[0] if query.sql.startswith(("SELECT '", "SELECT pg_sleep"))]
    lines = Path(__file__).read_text().splitlines()
    for query in queries:
        assert query.call_site is not None
        marker = {"SELECT 'ta": "# task", "SELECT 'th": "# thread", "SELECT pg_": "# slow"}[query.sql[:10]]
        assert lines[query.call_site.line - 1].endswith(marker)
    tasks = [query for query in queries if query.sql.startswith("SELECT 'task")]
    assert {(query.task, query.sql, query.scope.name) for query in tasks if query.scope} == {
        (f"task {n}", f"SELECT 'task {n}'", f"task {n}") for n in range(5)
    }
    threads = [query.scope.name for query in queries if query.sql == "SELECT 'thread'" and query.scope]
    assert threads == ["handed over"] * 2
    assert [query.error for query in queries if "pg_sleep" in query.sql] == ["CancelledError"]


def test_r08_ten_thousand_threads_leave_nothing_behind(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    turn = threading.Lock()

    def work() -> None:
        with turn, engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    def batch(count: int) -> None:
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        del threads

    def remaining() -> int:
        gc.collect()
        return len(gc.get_objects())

    before = threading.stack_size(65536)
    try:
        with record(engine, tmp_path, max_size=100_000):
            batch(100)
            first = remaining()
            for _ in range(99):
                batch(100)
            last = remaining()
    finally:
        threading.stack_size(before)
    assert last - first < 100


@pytest.mark.parametrize("level", [0, 1, 2])
def test_r09_a_block_that_is_still_open_when_the_interpreter_ends(level: int, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent(f"""
        import contextlib
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session
        from queryproof import record
        kept = contextlib.ExitStack()
        kept.enter_context(record(None, "journal", level={level}))
        with Session(create_engine("sqlite://")) as session:
            session.execute(text("SELECT 'main'"))
        """)
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / ".typing")}
    done = subprocess.run(
        [sys.executable, str(script)], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    queries, source = read_journal(tmp_path / "journal")
    assert names(queries) == ["main"]
    assert source.notes == ()


def test_r09_queries_at_the_end_of_the_interpreter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = """
    class Late:
        def __del__(self):
            query("in __del__")
    def daemon():
        while True:
            query("daemon")
    late = Late()
    atexit.register(query, "at exit")
    threading.Thread(target=daemon, daemon=True).start()
    query("main")
    """
    code, queries = program(tmp_path, body)
    assert code == 0
    assert capfd.readouterr().err == ""
    assert {"main", "at exit"} <= set(names(queries))
    assert names(queries).count("at exit") == 1


ENDS: dict[str, Callable[[], object]] = {
    "_exit": lambda: os._exit(0),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exec": lambda: os.execv("/bin/true", ["true"]),
}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_r10_ends_that_run_no_handler_lose_nothing(end: str, tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=NullPool)

    def work() -> None:
        # pytest may have handlers of its own.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with record(engine, tmp_path), engine.connect() as connection:
            for number in range(100):
                connection.exec_driver_sql(f"SELECT {number}")
            ENDS[end]()

    assert end_child(start_child(work)) == (-signal.SIGTERM if end == "SIGTERM" else 0)
    queries, source = read_journal(tmp_path)
    assert len(queries) == 100
    assert source.notes == ()


SUITE = """
import os, pathlib, pytest
from sqlalchemy import create_engine, text
engine = create_engine("sqlite://")

def query():
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))

@pytest.mark.parametrize("n", range(6))
def test_it(n):
    query()
    assert n != 3

def test_that_kills_its_worker():
    flag = pathlib.Path(os.environ["KILLED"])
    query()
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), 9)
"""


def test_r17_a_killed_worker_changes_no_result_and_keeps_the_other_recordings(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    environment = os.environ | {"KILLED": str(tmp_path / "killed")}
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    options = ["--queryproof", "--queryproof-journal", "journal", "test_suite.py"]
    recorded = subprocess.run(
        [*command, *options], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert recorded.returncode == 1
    assert "crashed" in recorded.stdout
    assert "2 failed, 5 passed" in recorded.stdout
    assert re.search(r"queryproof: worker gw\d crashed: what its last test has sent is not counted", recorded.stdout)
    # The killed worker's own statement was acknowledged: it is there as well.
    assert len(read_journal(tmp_path / "journal")[0]) == 7


def test_r17_errors_of_our_own_change_no_result_and_are_told_at_the_end(
    tmp_path: Path, pytester: pytest.Pytester, faults: Faults
) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(SUITE.partition("def test_that_kills")[0])
    armed["recorder.after"] = Armed(ValueError, 1, stays=True)
    try:
        result = pytester.runpytest_inprocess("--assert=plain", "-p", "no:hypothesispytest", "--queryproof")
    finally:
        armed.clear()
    result.assert_outcomes(passed=5, failed=1)
    assert faults.take() == ["ValueError"] * 6
    result.stdout.fnmatch_lines(["queryproof: 6 internal errors of queryproof, which no test has seen*"])
