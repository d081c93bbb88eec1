"""The command line: exit codes, and one clear message for everything that cannot be done."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.record.sealed_line import encode_line
from queryproof.cli import main
from queryproof.commands.command import Command

SETUP = """
CREATE TABLE "Weird Table" (id int PRIMARY KEY, "Odd Column" int, note text);
INSERT INTO "Weird Table" SELECT n, n % 1000, repeat('x', 50) FROM generate_series(1, 20000) n;
ANALYZE "Weird Table";
"""


def queryproof(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In this process, which has imported everything already."""
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit)  # Anything else would be a traceback.
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def from_shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "queryproof", *arguments],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def weird(database: str, run_sql: Callable[..., None]) -> str:
    run_sql(database, SETUP)
    return database


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze"], "queryproof record"),
        (["analyze", "missing.sql"], "does not exist"),
        (["analyze", "empty.sql"], "no statement"),
        (["analyze", "binary.sql"], "binary data"),
        (["analyze", "lines.jsonl"], "is JSON and no SQL"),
        (["analyze", "ok.sql", "--url", ""], "URL is empty"),
        (["analyze", "emptydir"], "holds no recording"),
        (["analyze", "newer"], "newer queryproof"),
        (
            ["analyze", "ok.sql", "--url", "postgresql://u:s3cret@127.0.0.1:1/x"],
            "reached: Connection refused. Remedy: is the server",
        ),
        (["analyze", "ok.sql", "--url", "nonsense"], "not a database URL"),
        (["analyze", "--pg-stat-statements"], "--url"),
        (
            ["analyze", "--pg-stat-statements", "--url", "postgresql://u@127.0.0.1:1/x", "--since", "ok.sql"],
            "is no snapshot",
        ),
        (["analyze", "ok.sql", "--output", "ok.sql/report"], "cannot be written"),
        (["record", "--", "no-such-program"], "there is no command"),
        (["rules", "missing-indx"], "Did you mean missing-index?"),
        (["analyze", "ok.sql", "--since", "lines.jsonl"], "give --pg-stat-statements as well"),
        (
            ["advise", "ok.sql", "--url", "postgresql://nobody@localhost:1/x", "--since", "lines.jsonl"],
            "give --pg-stat-statements as well",
        ),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    (tmp_path / "ok.sql").write_text("SELECT 1 FROM t")
    (tmp_path / "empty.sql").write_text("-- nothing\n")
    (tmp_path / "binary.sql").write_bytes(Path(sys.executable).read_bytes()[:5000])
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n{"b": 2}\n')
    (tmp_path / "emptydir").mkdir()
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "a.jsonl").write_bytes(encode_line({"t": "h", "version": 9}))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)  # Anything else would be a traceback.
    assert message in done.stderr
    assert "s3cret" not in done.output


def test_bad_input_is_the_same_from_a_shell(tmp_path: Path) -> None:
    done = from_shell("analyze", "missing.sql", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "does not exist" in done.stderr
    assert done.stdout == ""


def test_a_gate_fails_on_findings_of_that_severity_only(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT * FROM users WHERE id = 1;")
    assert queryproof("analyze", "q.sql", cwd=tmp_path).returncode == 0
    assert queryproof("analyze", "q.sql", "--fail-on", "error", cwd=tmp_path).returncode == 0
    assert queryproof("analyze", "q.sql", "--fail-on", "warning", cwd=tmp_path).returncode == 1
    (tmp_path / "q.sql").write_text("SELECT name FROM users WHERE id = 1;")
    assert queryproof("analyze", "q.sql", "--fail-on", "info", cwd=tmp_path).returncode == 0
    assert "no database was given" in queryproof("analyze", "q.sql", cwd=tmp_path).stdout


def test_one_bad_statement_never_stops_the_rest(tmp_path: Path, weird: str) -> None:
    hostile = [
        'SELECT id FROM "Weird Table" WHERE "Odd Column" = 7',
        "SELEC nonsense FROM",
        "SELECT '</script><script>alert(1)</script>'",
        "SELECT " + "(" * 400 + "1" + ")" * 400,
        "SELECT 'c4n4ry' || '" + "x" * 1_000_000 + "'",
        "SELECT missing FROM nowhere",
        "SELECT 1 \x00",
        "VACUUM",
    ]
    (tmp_path / "q.sql").write_bytes(";\n".join(hostile).encode() + b";\nSELECT '\xff\xfe';")
    done = queryproof("analyze", "q.sql", "--url", weird, "--prove", "measure", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "queryproof-report" / "report.json").read_text()
    assert r"ON \"public\".\"Weird Table\" (\"Odd Column\")" in report
    assert "42P01" in report
    assert "c4n4ry" not in report
    html = (tmp_path / "queryproof-report" / "report.html").read_text()
    assert "<script>alert" not in html


def test_without_being_asked_nothing_is_built_or_run(tmp_path: Path, weird: str) -> None:
    (tmp_path / "q.sql").write_text('SELECT id FROM "Weird Table" WHERE "Odd Column" = 7')
    done = queryproof("analyze", "q.sql", "--url", weird, cwd=tmp_path)
    assert "planned" in done.stdout
    assert "measured" not in done.stdout.replace("none of them measured", "")
    estimated = queryproof("analyze", "q.sql", "--url", weird, "--prove", "no", cwd=tmp_path)
    assert "estimated" in estimated.stdout
    connection = connect(weird)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'Weird Table'")
        assert cursor.fetchone() == (1,)
    connection.close()


def test_record_then_analyze_names_the_line(tmp_path: Path, weird: str) -> None:
    (tmp_path / "app.py").write_text(
        "import sys\nfrom sqlalchemy import create_engine, text\n"
        f"with create_engine({weird!r}).connect() as c:\n"
        "    c.execute(text('SELECT id FROM \"Weird Table\" WHERE \"Odd Column\" = :x'), {'x': 7})\n"
        "sys.exit(5)\n"
    )
    assert from_shell("record", "--", sys.executable, "app.py", cwd=tmp_path).returncode == 5
    done = queryproof("analyze", "--url", weird, "--prove", "measure", "--fail-on", "info", cwd=tmp_path)
    assert done.returncode == 1
    assert "app.py:4" in done.stdout
    assert "measured" in done.stdout
    again = from_shell("record", "--", sys.executable, "app.py", cwd=tmp_path)
    assert "queryproof-journal-previous" in again.stderr


def test_a_superuser_is_not_used_and_the_rest_still_works(tmp_path: Path, weird: str) -> None:
    (tmp_path / "q.sql").write_text('SELECT * FROM "Weird Table" LIMIT 5')
    done = queryproof("analyze", "q.sql", "--url", weird.replace("//app@", "//postgres@"), cwd=tmp_path)
    assert done.returncode == 0
    assert "superuser" in done.stdout
    assert "select-star" in done.stdout or "Name the columns" in done.stdout


def test_a_role_that_may_read_nothing_is_an_error(tmp_path: Path, weird: str) -> None:
    (tmp_path / "q.sql").write_text('SELECT id FROM "Weird Table" WHERE id = 7')
    owner = connect(weird.replace("//app@", "//postgres@"))
    with owner.cursor() as cursor:
        cursor.execute("CREATE ROLE stranger LOGIN")
    done = queryproof("analyze", "q.sql", "--url", weird.replace("//app@", "//stranger@"), cwd=tmp_path)
    with owner.cursor() as cursor:
        cursor.execute("DROP ROLE stranger")
    owner.close()
    assert done.returncode == 2, done.stdout
    assert "GRANT pg_read_all_data" in done.stderr


def test_help_and_rules_teach(tmp_path: Path) -> None:
    assert "queryproof demo" in from_shell("--help", cwd=tmp_path).stdout
    assert "## Bad" in queryproof("rules", "IDX001", cwd=tmp_path).stdout
    assert queryproof("rules", cwd=tmp_path).stdout.count("\n") >= 5


def test_interval_snapshots_work_end_to_end(tmp_path: Path, weird: str, run_sql: Callable[..., None]) -> None:
    assert queryproof("snapshot", "before.json", "--url", weird, cwd=tmp_path).returncode == 0
    run_sql(weird, 'SELECT note FROM "Weird Table" WHERE "Odd Column" = 3')
    done = queryproof("analyze", "--pg-stat-statements", "--since", "before.json", "--url", weird, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Odd Column" in (tmp_path / "queryproof-report" / "report.json").read_text()


def test_sigterm_ends_a_command_on_the_way_that_cleans_up() -> None:
    steps = []

    @click.command(cls=Command)
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("went on")
        finally:
            steps.append("cleaned up")

    before = signal.getsignal(signal.SIGTERM)
    assert CliRunner().invoke(work).exit_code == 143
    assert steps == ["cleaned up"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("command", [("advise", "x.sql"), ("explain", "SELECT 1")])
def test_what_is_no_number_is_no_limit(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*command, "--max-seconds", "nan"])
    assert done.exit_code == 2
    assert "'nan' is not a number" in done.output
