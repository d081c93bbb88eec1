"""How statements are run: without timing where that would cost more than they do, and on several connections."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.explain_workload import explain_workload
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.workload import Workload

from .hostile import group

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n % 7 FROM generate_series(1, 500) n; ANALYZE;
CREATE FUNCTION few() RETURNS SETOF int LANGUAGE plpgsql STABLE ROWS 5000000 AS $$ BEGIN RETURN QUERY SELECT 1; END $$;
CREATE FUNCTION meet() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  PERFORM pg_advisory_xact_lock_shared(271);
  FOR n IN 1..300 LOOP
    IF (SELECT count(*) >= 3 FROM pg_locks WHERE locktype = 'advisory' AND objid = 271) THEN
      PERFORM pg_sleep(0.3);
      RETURN true;
    END IF;
    PERFORM pg_sleep(0.02);
  END LOOP;
  RETURN false;
END $$;
"""


@pytest.fixture(scope="module")
def url(server: Server, run_sql: Callable[..., None]) -> str:
    server.create_database("safe_run")
    made = server.url("safe_run", "app")
    run_sql(made, SETUP)
    return made


def test_many_expected_node_calls_are_not_timed_and_few_are(url: str) -> None:
    connection = connect(url)
    explainer = Explainer(connection, analyze=True)
    many = explainer.explain(group("SELECT count(*) FROM t, few() f WHERE t.id = f"))
    assert many.plan is not None
    assert many.plan.analyzed
    assert many.plan.root.rows == 1
    assert many.plan.root.total_ms is None
    assert "without timing its nodes" in many.note
    few = explainer.explain(group("SELECT count(*) FROM t WHERE v = 3"))
    assert few.plan is not None
    assert few.plan.root.total_ms is not None
    assert "without timing" not in few.note
    connection.close()


@pytest.mark.parametrize("runs", [False, True])
def test_plain_plans_are_made_on_several_connections_and_runs_on_one(url: str, runs: bool) -> None:
    opened: list[Connection] = []

    def reconnect() -> Connection:
        opened.append(connect(url))
        return opened[-1]

    explainer = Explainer(connect(url), analyze=runs, reconnect=reconnect)
    texts = [f"SELECT id FROM t WHERE meet() AND id < {n}" for n in (2, 3, 4)]
    if runs:
        texts = [f"SELECT id FROM t WHERE id < {n}" for n in (2, 3, 4)]
    groups = tuple(replace(group(sql), fingerprint=f"f{n}") for n, sql in enumerate(texts))
    answers = explain_workload(Workload(groups, (), ()), explainer, lambda _, items: iter(items), 3)
    assert list(answers) == ["f0", "f1", "f2"]
    plans = [answer.plan for answer in answers.values()]
    assert all(plan is not None and plan.analyzed is runs for plan in plans), [one.note for one in answers.values()]
    # Planning folds meet(): it is true, and leaves no condition, where three sessions planned at the same time.
    assert [plan.root.one_time_filter for plan in plans if plan is not None] == [None] * 3
    assert len(opened) == (0 if runs else 2)
    assert all(one.closed for one in opened)
    explainer.close()
