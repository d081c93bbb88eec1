"""The launcher: signals reach the program, and a program that cannot be recorded is told so in one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from queryproof.analyzer.record.launcher import run
from queryproof.analyzer.sources.journal import read_journal

PROGRAM = """
import sys, time
from sqlalchemy import create_engine, text
with create_engine("sqlite://").connect() as connection:
    connection.execute(text("SELECT 'before'"))
    print("ready", flush=True)
    try:
        time.sleep(60)
    finally:
        connection.execute(text("SELECT 'after'"))
"""


@pytest.mark.parametrize(("number", "code", "last"), [(signal.SIGINT, 130, "after"), (signal.SIGTERM, 143, "before")])
def test_a_signal_to_the_recorder_alone_reaches_the_program_and_its_exit_code_is_kept(
    number: signal.Signals, code: int, last: str, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [sys.executable, "-m", "queryproof", "record", "--output", str(tmp_path / "j"), "--"]
    process = subprocess.Popen(
        [*command, sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    # The program's own traceback is its own; ours would name the launcher.
    assert b"launcher.py" not in told
    queries, source = read_journal(tmp_path / "j")
    assert queries[-1].sql == f"SELECT '{last}'"
    assert source.notes == ()


def test_an_old_sqlalchemy_is_named_with_the_remedy_and_the_program_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Nothing but the version is asked of it.
    (tmp_path / "sqlalchemy").mkdir()
    (tmp_path / "sqlalchemy" / "__init__.py").write_text('__version__ = "1.4.54"\n')
    (tmp_path / "sqlalchemy" / "orm.py").touch()
    script = tmp_path / "program.py"
    script.write_text("import sqlalchemy.orm\nprint('ran')\n")
    assert run([sys.executable, str(script)], tmp_path / "j") == 0
    told = capfd.readouterr()
    assert told.out == "ran\n"
    (line,) = told.err.splitlines()
    assert "SQLAlchemy 1.4.54" in line
    assert "2.0.20" in line
    assert "Remedy" in line
