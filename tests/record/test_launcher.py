"""The launcher: signals reach the program, and a program that cannot be recorded is told so in one line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from queryproof.analyzer.record.handed_on import handed_on
from queryproof.analyzer.record.isolated import isolating_flag
from queryproof.analyzer.record.launcher import run
from queryproof.analyzer.sources.journal import read_journal
from queryproof.cli import main

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


COUNTS = """
import signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
print("ready", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(1)
sys.exit(10 * len(got) + got[0])
"""


def _to_us_alone(process: "subprocess.Popen[bytes]", number: int) -> None:
    process.send_signal(number)


def _to_the_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    os.killpg(process.pid, number)


def _as_timeout_does(process: "subprocess.Popen[bytes]", number: int) -> None:
    process.send_signal(number)
    os.killpg(process.pid, number)


@pytest.mark.parametrize("send", [_to_us_alone, _to_the_group, _as_timeout_does])
def test_a_signal_reaches_the_program_once_whoever_it_was_sent_to(
    send: Callable[["subprocess.Popen[bytes]", int], None], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(COUNTS)
    command = [sys.executable, "-m", "queryproof", "record", "--output", str(tmp_path / "j"), "--"]
    both = {
        number: subprocess.Popen(
            [*command, sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for number in (signal.SIGINT, signal.SIGTERM)
    }  # fmt: skip
    for number, process in both.items():
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        send(process, number)
    for number, process in both.items():
        process.communicate(timeout=60)
        assert process.returncode == 10 + number


def test_a_signal_from_before_the_program_has_started_reaches_it() -> None:
    with handed_on() as hands:
        os.kill(os.getpid(), signal.SIGTERM)
        process = subprocess.Popen(["sleep", "60"])
        hands.to(process)
        assert process.wait(30) == -signal.SIGTERM
    assert hands.interrupted


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not list its processes in /proc")
def test_nobody_who_waits_for_signals_stays_when_the_recorder_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(COUNTS)
    process = subprocess.Popen(
        [sys.executable, "-m", "queryproof", "record", "--output", str(tmp_path / "j"), "--", sys.executable, str(script)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait(60)
    process.stdout.close()
    # Only the program itself is left in the group; when it ends, nobody is.
    os.killpg(process.pid, signal.SIGTERM)
    end = time.monotonic() + 60
    while living(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not living(process.pid)


def living(group: int) -> list[str]:
    """The processes of a group, those left out that nobody has taken leave of yet."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = file.read_text()
            state, _, of_group = text.rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(text)
    return found


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("python app.py", None), ("python -I app.py", "-I"), ("/usr/bin/python3.12 -uE -m shop", "-E"), ("python3 -sS app.py", "-S"),
        ("python -m shop -E", None), ("python -c pass -I", None), ("python -W error -I app.py", "-I"), ("python -Xdev -E x.py", "-E"),
        ("python -WE app.py", None), ("python --check-hash-based-pycs always -S x.py", "-S"), ("python - -E", None),
        ("python -X importtime app.py -I", None), ("env A=1 python -I x.py", "-I"), ("grep -E x", None), ("pypy3 -E x.py", "-E"),
    ],
)  # fmt: skip
def test_python_that_does_not_look_at_its_environment_is_recognised(words: str, flag: str | None) -> None:
    assert isolating_flag(words.split()) == flag


def test_a_program_that_cannot_be_recorded_is_told_so_before_it_runs(tmp_path: Path) -> None:
    # No blank may stand in the first line of a script.
    (tmp_path / "env").symlink_to(sys.prefix)
    script = tmp_path / "program"
    script.write_text(f"#!{tmp_path}/env/bin/python -Es\nimport sqlalchemy\nprint('ran')\n")
    script.chmod(0o755)
    result = CliRunner().invoke(main, ["record", "--output", str(tmp_path / "j"), "--", str(script)])
    assert result.exit_code == 0
    first, last = result.stderr.splitlines()
    assert "Python started with -E does not find the recorder" in first
    assert "nothing was recorded" in last
    assert isolating_flag([str(tmp_path / "none")]) is None


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


def test_a_program_that_fails_before_its_first_statement_is_told_with_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit(7)\n")
    command = ["record", "--output", str(tmp_path / "j"), "--", sys.executable, str(tmp_path / "app.py")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 7
    assert (
        "the program ended with exit code 7 before it sent a statement, or it did not use SQLAlchemy" in result.stderr
    )
