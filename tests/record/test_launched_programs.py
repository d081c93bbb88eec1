"""Programs that run unchanged under the launcher: children, kills, full disks, pytest, another sitecustomize."""

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.record.launcher import run
from queryproof.analyzer.sources.journal import read_journal


def recorded(directory: Path) -> list[RecordedQuery]:
    return read_journal(directory)[0]


PROGRAM = """
import os, sys, subprocess
from sqlalchemy import create_engine, text
engine = create_engine("sqlite://")
def query(n):
    with engine.connect() as connection:
        connection.execute(text(f"SELECT {{n}}"))
{body}
"""


def launch(tmp_path: Path, body: str, **options: Any) -> int:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(body=textwrap.dedent(body)))
    return run([sys.executable, str(script)], tmp_path / "journal", **options)


def test_the_launcher_records_an_unchanged_program_and_keeps_its_exit_code(tmp_path: Path) -> None:
    assert launch(tmp_path, "query(1); query(2); sys.exit(3)") == 3
    assert len(recorded(tmp_path / "journal")) == 2


def test_forked_and_started_children_write_segments_of_their_own(tmp_path: Path) -> None:
    body = """
    query(1)
    if os.fork() == 0:
        query(2)
        os._exit(0)
    os.wait()
    if len(sys.argv) == 1:
        subprocess.run([sys.executable, __file__, "child"], check=True)
    """
    assert launch(tmp_path, body) == 0
    queries = recorded(tmp_path / "journal")
    assert sorted(query.sql for query in queries) == ["SELECT 1"] * 2 + ["SELECT 2"] * 2
    assert len({query.process for query in queries}) == 4


def test_kill_9_loses_no_statement_that_had_returned(tmp_path: Path) -> None:
    body = """
    import signal
    for n in range(500):
        query(n)
        print(n, flush=True)
        if n == 400:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert launch(tmp_path, body) == 128 + 9
    queries, source = read_journal(tmp_path / "journal")
    assert len(queries) == 401
    assert source.notes == ()


def test_a_full_disk_pauses_recording_with_one_warning_and_not_the_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    for n in range(200):
        query(n)
    print("finished", flush=True)
    """
    assert launch(tmp_path, body) == 0
    output = capfd.readouterr()
    assert "finished" in output.out
    assert output.err.count("recording pauses") == 1
    assert recorded(tmp_path / "journal")


def test_pytest_runs_under_the_launcher(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(
        "from sqlalchemy import create_engine, text\n"
        "def test_it():\n    with create_engine('sqlite://').connect() as c:\n        c.execute(text('SELECT 5'))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(test)]
    assert run(command, tmp_path / "journal") == 0
    assert [query.sql for query in recorded(tmp_path / "journal")] == ["SELECT 5"]


def test_another_sitecustomize_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['OTHER_RAN'] = 'yes'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert launch(tmp_path, "query(1); sys.exit(0 if os.environ.get('OTHER_RAN') == 'yes' else 9)") == 0


def test_a_program_without_queryproof_installed_is_recorded(tmp_path: Path) -> None:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in os.listdir(packages):
        if name.lower().startswith(("sqlalchemy", "typing_extensions", "greenlet")):
            (bare / name).symlink_to(Path(packages) / name)
    script = tmp_path / "program.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(bare)!r})" + PROGRAM.format(body="query(1)"))
    assert (
        run(
            [sys.executable, "-S", "-c", f"import sitecustomize; exec(open({str(script)!r}).read())"],
            tmp_path / "journal",
        )
        == 0
    )
    assert len(recorded(tmp_path / "journal")) == 1


def test_places_are_told_from_where_the_recording_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = """
    os.mkdir("elsewhere"); os.chdir("elsewhere")
    query(1)
    if len(sys.argv) == 1:
        os.chdir(".."); os.rmdir("elsewhere")
        subprocess.run([sys.executable, __file__, "child"], check=True)
    """
    assert launch(tmp_path, body) == 0
    places = [query.call_site and query.call_site.file for query in recorded(tmp_path / "journal")]
    assert places == ["program.py", "program.py"]
