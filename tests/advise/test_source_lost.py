"""The source's server is killed in the middle of a run: while it is dumped, and once the clone stands."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import psycopg2
import pytest
from rich.console import Console

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.selection_types import Constraints
from queryproof.analyzer.errors import ServerError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.commands.command import Counting

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, filler text NOT NULL);
INSERT INTO t SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 8000) n;
CREATE INDEX t_filler ON t (filler);
ANALYZE t;
DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE crowd_%s (id int PRIMARY KEY, a int, b text)', n); END LOOP; END $$;
"""


def kill(server: Server) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGQUIT)


def test_a_source_that_dies_ends_in_one_message_or_is_not_needed_any_more(
    tmp_path: Path, run_sql: Callable[..., None]
) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT * FROM t WHERE a = 7;\nSELECT count(*) FROM t;\n")
    with Server() as server:
        server.create_database("lost")
        url = server.url("lost", "app")
        run_sql(url, SETUP)
        request = AdviceRequest(files=(file,), url=url, constraints=Constraints(budget_bytes=5_000_000))
        stages: list[str] = []

        def counted(stage: str, done: int, total: int) -> None:
            if not stages:
                kill(server)
            stages.append(stage)
            assert 0 < done <= total

        plan = advise(request, count=counted).index_plan
        assert plan is not None
        assert [one.definition for one in plan.indexes] == ["B-tree on t (a)"]
        assert 5_000_000 in [point.budget_bytes for point in plan.curve]
        assert {"Trying indexes", "Planning queries"} <= set(stages)

        server.restart()
        watched = threading.Thread(target=kill_while_dumped, args=(server, url))
        watched.start()
        with pytest.raises(ServerError) as caught:
            advise(request)
        watched.join()
        assert "\n" not in str(caught.value).strip()


def kill_while_dumped(server: Server, url: str) -> None:
    connection = connect(url)
    for _ in range(3000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'queryproof-%'")
            if cursor.fetchall() != [(0,)]:
                break
        time.sleep(0.005)
    kill(server)
    with contextlib.suppress(psycopg2.Error):
        connection.close()


def test_progress_is_shown_on_a_terminal_and_nowhere_else() -> None:
    for terminal in (True, False):
        shown = StringIO()
        count = Counting(Console(file=shown, force_terminal=terminal))
        for done in range(1, 4):
            count("Trying indexes", done, 9)
        count("Comparing plans", 1, 2)
        count.close()
        assert all((stage in shown.getvalue()) is terminal for stage in ("Trying indexes", "Comparing plans"))
