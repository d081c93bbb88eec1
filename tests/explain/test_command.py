"""`queryproof explain`: the tree and the JSON of statements and of plan files; bad input is one message and exit code 2."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.cli import main
from queryproof.reports.explain.plan_json import plans_schema

SETUP = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 500) n;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text, note text);
INSERT INTO orders SELECT n, 1 + n % 500, CASE WHEN n % 1000 = 0 THEN 'c4n4ry' ELSE 'ok' END, repeat('x', 60)
FROM generate_series(1, 60000) n;
CREATE INDEX orders_status ON orders (status);
ANALYZE;
CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(60); RETURN 1; END $$;
CREATE ROLE lonely LOGIN;
"""
SLOW = "SELECT c.name, o.note FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.customer_id = 42 AND o.note <> 'c4n4ry'"


@pytest.fixture(scope="module")
def url(server: Server, run_sql: Callable[..., None]) -> Iterator[str]:
    server.create_database("explained")
    name = server.url("explained", "app")
    run_sql(name, SETUP.replace("CREATE ROLE lonely LOGIN;", ""))
    run_sql(server.url("explained", "postgres"), "CREATE ROLE lonely LOGIN")
    yield name
    run_sql(server.url("explained", "postgres"), "DROP ROLE lonely")


@pytest.fixture(scope="module")
def plan(url: str) -> str:
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SLOW}")
        ((document,),) = cursor.fetchall()
    connection.close()
    return json.dumps(document)


def run(*arguments: str, data: str | bytes | None = None, columns: int = 120) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], input=data, env={"COLUMNS": str(columns)})


def test_the_tree_tells_times_rows_blocks_and_findings_on_their_nodes(url: str) -> None:
    done = run(SLOW, "--url", url, "--analyze")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert re.match(r"[\d.]+ ms of execution; [\d.]+ ms of planning; \d+ nodes; \S+ blocks", lines[0])
    scan = next(n for n, line in enumerate(lines) if "Seq Scan on orders o" in line)
    below = "\n".join(lines[scan : scan + 20])
    assert "█" in lines[scan]
    assert re.search(r"120 rows came, 1\d\d expected", below)
    assert "59\u202f880 by the filter" in below
    assert "seq-scan-high-filter" in below
    assert 'CREATE INDEX CONCURRENTLY ON "orders" ("customer_id");' in below
    assert "c4n4ry" not in done.output
    assert "(note <> ?::text)" in done.output
    assert "'c4n4ry'::text" in run(SLOW, "--url", url, "--parameters").output


@pytest.mark.parametrize("columns", [40, 76, 200])
def test_no_line_is_wider_than_the_terminal(url: str, columns: int) -> None:
    done = run(SLOW, "--url", url, "--analyze", columns=columns)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= columns
    assert "\x1b" not in done.output


def test_json_has_every_key_and_agrees_with_its_schema(url: str) -> None:
    done = run(SLOW, "--url", url, "--analyze", "--format", "json")
    document = json.loads(done.output)
    jsonschema.validate(document, plans_schema())
    assert document["schema_version"] == 1
    (shown,) = document["plans"]
    keys = {"id", "type", "relation", "self_ms", "total_ms", "rows", "loops", "buffers", "findings"}
    assert all(keys <= node.keys() for node in shown["nodes"])
    assert [node["id"] for node in shown["nodes"]] == list(range(1, len(shown["nodes"]) + 1))
    scan = next(node for node in shown["nodes"] if node["relation"] == "orders")
    assert (scan["type"], scan["rows"], scan["loops"], scan["rows_removed"]) == ("Seq Scan", 120, 1, 59880)
    assert scan["findings"][0]["rule"] == "seq-scan-high-filter"
    assert shown["findings"][0]["node"] == scan["id"]
    assert [one["rank"] for one in shown["findings"]] == list(range(1, len(shown["findings"]) + 1))
    total = shown["self_ms_sum"] + shown["after_plan_ms"] + shown["overhead_ms"]
    assert total == pytest.approx(shown["execution_ms"], rel=0.01, abs=0.1)
    assert "c4n4ry" not in done.output


def test_nothing_is_run_unless_asked_for(url: str) -> None:
    done = run("SELECT * FROM orders", "--url", url)
    assert done.exit_code == 0
    assert "Planned, not run" in done.output
    assert "--analyze" in done.output
    done = run("DELETE FROM orders", "--url", url, "--analyze")
    assert "Planned, not run" in done.output
    assert "--analyze-writes" in done.output
    done = run("SELECT count(*) FROM orders", "--url", url, "--analyze", "--max-cost", "10")
    assert "above the limit of 10" in done.output
    done = run("DELETE FROM orders", "--url", url, "--analyze-writes")
    assert "rolled back" in done.output
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
        assert cursor.fetchone() == (60000,)
    connection.close()


def test_plans_of_other_values_are_shown_with_the_values_origin(url: str) -> None:
    document = json.loads(run("SELECT note FROM orders WHERE status = $1", "--url", url, "--format", "json").output)
    assert len(document["plans"]) > 1
    assert len({one["shape"] for one in document["plans"]}) == len(document["plans"])
    assert "no values in particular" in document["plans"][0]["parameters_origin"]
    assert "pg_stats" in document["plans"][1]["parameters_origin"]


@pytest.mark.parametrize(
    ("sql", "origin"),
    [
        ("SELECT note FROM orders WHERE status = $1", "the most common values in pg_stats were taken"),
        ("SELECT note FROM orders WHERE status = $1 LIMIT $2", "common values in pg_stats (made up for $2) were taken"),
        ("SELECT $1::int", "made-up values were taken"),
    ],
)
def test_values_that_come_from_no_statistics_are_called_made_up(url: str, sql: str, origin: str) -> None:
    assert origin in run(sql, "--url", url, "--analyze", columns=250).output


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE TABLE copy AS SELECT * FROM orders", "CREATE … AS"),
        ("CREATE MATERIALIZED VIEW copy AS SELECT * FROM orders", "CREATE … AS"),
        ("PREPARE it AS SELECT * FROM orders", "PREPARE"),
        ("EXPLAIN (ANALYZE) SELECT * FROM orders", "EXPLAIN"),
        ("DECLARE c CURSOR FOR SELECT * FROM orders", "DECLARE CURSOR"),
    ],
)
def test_what_is_explained_in_a_statements_place_is_told(url: str, sql: str, what: str) -> None:
    for options in ((), ("--analyze",)):
        shown = run(sql, "--url", url, *options, columns=200)
        assert shown.exit_code == 0, shown.output
        assert f"what was explained is the query inside {what}" in shown.output
    document = json.loads(run(sql, "--url", url, "--format", "json").output)
    assert f"the query inside {what}" in document["plans"][0]["note"]


def test_our_own_settings_are_not_shown_as_the_users(url: str) -> None:
    document = json.loads(run("SELECT note FROM orders WHERE status = $1", "--url", url, "--format", "json").output)
    assert len(document["plans"]) > 1
    assert all("plan_cache_mode" not in one["settings"] for one in document["plans"])
    assert "plan_cache_mode" not in run("SELECT note FROM orders WHERE status = $1", "--url", url, "--analyze").output


def test_rows_of_several_loops_are_whole() -> None:
    """PostgreSQL 18 tells averages of loops with two decimals."""
    text = (
        "Nested Loop  (cost=0.00..30.00 rows=3 width=4) (actual time=0.010..0.090 rows=1.00 loops=1)\n"
        "  ->  Seq Scan on a  (cost=0.00..9.00 rows=3 width=4) (actual time=0.001..0.009 rows=3.00 loops=1)\n"
        "  ->  Seq Scan on b  (cost=0.00..7.00 rows=1 width=4) (actual time=0.001..0.002 rows=0.33 loops=3)\n"
        "        Filter: (x = 1)\n        Rows Removed by Filter: 4\n"
    )
    assert "1 row came in 3 loops, 0.33 in each" in run("--plan-file", "-", data=text).output
    nodes = json.loads(run("--plan-file", "-", "--format", "json", data=text).output)["plans"][0]["nodes"]
    assert [node["rows"] for node in nodes] == [1, 3, 1]


def test_statements_and_plans_come_from_files_and_standard_input(url: str, plan: str, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(f"-- a note\n{SLOW};\n")
    (tmp_path / "plan.json").write_text(plan)
    (tmp_path / "utf16.json").write_text(plan, encoding="utf-16")
    shown = [
        run("--sql-file", str(tmp_path / "q.sql"), "--url", url),
        run("-", "--url", url, data=SLOW),
        run("--sql-file", "-", "--url", url, data=SLOW),
        run("--plan-file", str(tmp_path / "plan.json")),
        run("--plan-file", str(tmp_path / "utf16.json")),
        run("--plan-file", "-", data=plan),
    ]
    for done in shown:
        assert done.exit_code == 0, done.output
        assert "Seq Scan on orders o" in done.output
    several = json.loads(run("--plan-file", "-", "--format", "json", data=f"[{plan[1:-1]}, {plan[1:-1]}]").output)
    assert [one["source"] for one in several["plans"]] == [
        "standard input, plan 1 of 2", "standard input, plan 2 of 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        ([], None, "nothing to explain"),
        (["SELECT 1"], None, "--url"),
        (["SELECT 1", "--url", ""], None, "URL is empty"),
        (["SELECT 1", "--url", "URL", "--plan-file", "-"], None, "name one of"),
        (["SELECT 1; SELECT 2", "--url", "URL"], None, "2 statements"),
        (["SELEC 1", "--url", "URL"], None, "there is no plan"),
        (["VACUUM", "--url", "URL"], None, "VACUUM"),
        (["SELECT * FROM absent", "--url", "URL"], None, "42P01"),
        ([" ", "--url", "URL"], None, "is empty"),
        (["EXISTING", "--url", "URL"], None, "--sql-file"),
        (["SELECT 1", "--url", "URL", "--clone", "nowhere"], None, "nowhere"),
        (["--sql-file", "-", "--url", "URL"], "", "is empty"),
        (["--sql-file", "-", "--url", "URL"], b"\x7fELF\0\1", "binary"),
        (["--plan-file", "absent.json"], None, "cannot be read"),
        (["--plan-file", "-"], "", "is empty"),
        (["--plan-file", "-"], b"\x1f\x8b\x08\0\xff\xfe", "binary"),
        (["--plan-file", "-"], "SELECT 1", "no plan"),
        (["--plan-file", "-"], '[{"Plan": {"Node Type": "Resu', "JSON"),
        (["--plan-file", "-"], '{"a": 1}', "no plan"),
        (["--plan-file", "-"], "[" * 5000, "nested"),
        (["--plan-file", "-", "--analyze"], "x", "as they are"),
        (["--compare", "absent", "absent"], None, "cannot be read"),
        (["--compare", "-", "-"], None, "standard input"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    url: str, tmp_path: Path, arguments: list[str], data: str | bytes | None, message: str
) -> None:
    (tmp_path / "file").write_text("SELECT 1")
    place = {"URL": url, "EXISTING": str(tmp_path / "file")}
    done = run(*(place.get(one, one) for one in arguments), data=data)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_role_without_rights_is_told_what_it_lacks(server: Server, url: str) -> None:
    done = run("SELECT * FROM orders", "--url", server.url("explained", "lonely"), "--analyze")
    assert done.exit_code == 2
    assert "42501" in done.output
    assert "GRANT" in done.output
    done = run("SELECT 1", "--url", server.url("explained", "postgres"))
    assert done.exit_code == 2
    assert "CREATE ROLE" in done.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_cancels_on_the_server(url: str, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "queryproof", "explain", "SELECT stubborn()", "--url", url, "--analyze"]
    watcher = connect(url)
    with watcher.cursor() as cursor:

        def busy() -> int:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'queryproof' AND state = 'active'"
                " AND wait_event = 'PgSleep'"
            )
            ((count,),) = cursor.fetchall()
            return int(count)

        program = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}, text=True
        )
        until = time.monotonic() + 60
        while not busy() and time.monotonic() < until and program.poll() is None:
            time.sleep(0.05)
        program.send_signal(number)
        output, errors = program.communicate(timeout=60)
        assert program.returncode == code, (output, errors)
        assert "Traceback" not in errors
        assert busy() == 0
    watcher.close()


def test_a_reader_that_goes_away_is_no_error(plan: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan)
    for form in ("text", "json"):
        command = f"{shlex.quote(sys.executable)} -m queryproof explain --plan-file plan.json --format {form} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
