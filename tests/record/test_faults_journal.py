"""The journal under faults while it is written: rows J1–J3, J6, J7 and J10–J12 of the fault catalogue."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from queryproof import record
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.record.journal import Journal
from queryproof.analyzer.sources.journal import read_journal

from .journey import end_child, start_child
from .segments import notes, numbers, put


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before the next attempt: the tests would have to wait."""
    monkeypatch.setattr("queryproof.analyzer.record.journal.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("queryproof.analyzer.record.journal.CHECK_SECONDS", 0.0)


def test_j01_a_full_disk_is_counted_exactly_and_recording_resumes_by_itself(tmp_path: Path) -> None:
    script = tmp_path / "fill.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import os\n"
        "from pathlib import Path\n"
        "from queryproof.analyzer.record import journal as module\n"
        "module.RETRY_SECONDS = 0.0\n"
        "journal = module.Journal(Path('/mnt/j'), parameters=False)\n"
        'def put(n): return journal.write(f\'{{"t":"q","i":{n},"sql":"SELECT 1","at":1,"d":1\')\n'
        "assert put(0)\n"
        "filler = open('/mnt/filler', 'wb', buffering=0)\n"
        "try:\n"
        "    while True: filler.write(b'x' * 4096)\n"
        "except OSError: pass\n"
        "n, kept = 1, [0]\n"
        "while journal.dropped < 50:\n"
        "    kept += [n] * put(n); n += 1\n"
        "dropped = journal.dropped\n"
        "filler.truncate(0)\n"
        "for n in range(n, n + 10): kept += [n] * put(n)\n"
        "journal.close()\n"
        "os.system(f'cp -r /mnt/j {sys.argv[2]}')\n"
        "print(dropped, *kept)\n"
    )
    root = Path(__file__).parents[2] / ".typing"
    inside = f'mount -t tmpfs -o size=1m none /mnt && exec "{sys.executable}" "{script}" "{root}" "{tmp_path / "out"}"'
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", inside], check=False, capture_output=True, text=True)
    if done.returncode and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    dropped, *kept = map(int, done.stdout.split())
    assert dropped == 50
    assert numbers(tmp_path / "out") == kept
    assert "50 executions could not be written: No space left on device" in notes(tmp_path / "out")
    assert done.stderr.count("recording pauses") == 1


def test_j02_a_short_write_hides_no_later_record(tmp_path: Path) -> None:
    def work() -> None:
        journal = Journal(tmp_path, parameters=False)
        for number in range(10):
            put(journal, number)
        (segment,) = tmp_path.glob("*.jsonl")
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Half a record fits.
        resource.setrlimit(resource.RLIMIT_FSIZE, (segment.stat().st_size + 40, hard))
        assert not put(journal, 10)
        assert segment.stat().st_size % 40 or segment.read_bytes()[-1:] != b"\n"
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for number in range(11, 20):
            assert put(journal, number)
        journal.close()

    assert end_child(start_child(work)) == 0
    assert numbers(tmp_path) == [number for number in range(20) if number != 10]
    assert "1 damaged" in notes(tmp_path)
    assert "1 execution could not be written" in notes(tmp_path)


def test_j03_two_hundred_kills_lose_no_acknowledged_record(tmp_path: Path) -> None:
    kills = 200
    script = Path(__file__).parent / "kills.py"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / ".typing")}
    command = [sys.executable, str(script), str(tmp_path), str(kills)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    acknowledged = list(map(int, done.stdout.split()))
    assert len(acknowledged) == kills
    assert sum(acknowledged) > kills
    for kill, told in enumerate(acknowledged):
        found = [query.sequence for query in read_journal(tmp_path / str(kill))[0]]
        # The last one may have been written and not yet told.
        assert found == list(range(1, len(found) + 1))
        assert told <= len(found) <= told + 1


@pytest.mark.parametrize("code", [errno.EINTR, errno.EAGAIN, errno.EIO, errno.EDQUOT, errno.EROFS, errno.ENOSPC])
def test_j06_errors_of_the_system_are_counted_and_got_over(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real: Callable[[int, bytes], int] = os.write
    failing = False

    def write(file: int, data: bytes) -> int:
        if failing and file > 2:
            raise OSError(code, os.strerror(code))
        return real(file, data)

    monkeypatch.setattr("queryproof.analyzer.record.journal.os.write", write)
    journal = Journal(tmp_path, parameters=False)
    assert put(journal, 0)
    failing = True
    assert not put(journal, 1)
    assert not put(journal, 2)
    failing = False
    assert put(journal, 3)
    journal.close()
    assert numbers(tmp_path) == [0, 3]
    assert "2 executions could not be written" in notes(tmp_path)
    assert capfd.readouterr().err.count("recording pauses") == 1


@pytest.mark.parametrize("code", [errno.EINTR, errno.EAGAIN])
def test_j06_what_the_system_asks_to_try_again_is_tried_again(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real: Callable[[int, bytes], int] = os.write
    refusals = [False, True, False, True]

    def write(file: int, data: bytes) -> int:
        if file > 2 and refusals and refusals.pop():
            raise OSError(code, os.strerror(code))
        return real(file, data)

    journal = Journal(tmp_path, parameters=False)
    assert put(journal, 0)
    monkeypatch.setattr("queryproof.analyzer.record.journal.os.write", write)
    assert put(journal, 1)
    assert put(journal, 2)
    journal.close()
    assert not refusals
    assert numbers(tmp_path) == [0, 1, 2]
    assert notes(tmp_path) == ""
    assert capfd.readouterr().err == ""


def test_j06_a_directory_that_disappears_is_made_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", parameters=False)
    assert put(journal, 0)
    shutil.rmtree(tmp_path / "j")
    assert put(journal, 1)
    journal.close()
    assert numbers(tmp_path / "j") == [1]


def test_j06_the_first_record_of_a_new_segment_brings_its_text(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with record(engine, tmp_path / "j"), engine.connect() as connection:
        for number in range(6):
            if number == 3:
                shutil.rmtree(tmp_path / "j")
            connection.exec_driver_sql("SELECT 1")
    queries, source = read_journal(tmp_path / "j")
    assert [query.sequence for query in queries] == [4, 5, 6]
    assert all(query.call_site is not None for query in queries)
    assert source.notes == ("1 older segments are gone: they made place for newer ones (--max-size) or were deleted",)


def test_j07_two_writers_never_share_a_file(tmp_path: Path) -> None:
    one, two = Journal(tmp_path, parameters=False), Journal(tmp_path, parameters=False)
    for number in range(50):
        assert put(one, number)
        assert put(two, number)
    two.run = one.run  # even if chance gave both the same name
    two.close()
    assert put(two, 50)
    assert len(list(tmp_path.glob("*.jsonl"))) == 3
    queries, source = read_journal(tmp_path)
    assert len(queries) == 101
    assert source.notes == ()


PLANTS: dict[str, Callable[[Path, Path], Any]] = {
    "link": lambda name, other: name.symlink_to(other),
    "pipe": lambda name, other: os.mkfifo(name),
    "hard link": lambda name, other: name.hardlink_to(other),
    "device": lambda name, other: name.symlink_to("/dev/full"),
}


@pytest.mark.parametrize("kind", sorted(PLANTS))
def test_j10_what_stands_where_our_segment_should_is_not_touched(kind: str, tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.write_text("precious")
    directory = tmp_path / "j"
    directory.mkdir(mode=0o700)
    journal = Journal(directory, parameters=False)
    PLANTS[kind](directory / f"{journal.run}-{os.getpid()}.jsonl", other)
    assert put(journal, 0)
    journal.close()
    assert other.read_text() == "precious"
    queries = [path for path in directory.glob("*.jsonl") if path.is_file() and path.stat().st_nlink == 1]
    written = [path for path in queries if not path.is_symlink()]
    assert len(written) == 1
    assert written[0].stat().st_mode & 0o777 == 0o600


def test_j10_a_directory_open_to_everyone_is_refused_and_the_program_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o777)
    engine = create_engine("sqlite://")
    with record(engine, directory), engine.connect() as connection:
        assert connection.execute(text("SELECT 7")).scalar() == 7
    assert list(directory.iterdir()) == []
    assert "its directory can be written to by everyone" in capfd.readouterr().err


def test_j11_a_limit_holds_and_the_newest_records_stay(tmp_path: Path) -> None:
    limit = 100_000
    journal = Journal(tmp_path, parameters=False, max_size=limit)
    largest = 0
    for number in range(20_000):
        put(journal, number, f"SELECT {number % 10} AS {'x' * 50}")
        if number % 100 == 0:
            largest = max(largest, sum(path.stat().st_size for path in tmp_path.iterdir()))
    journal.close()
    assert largest <= limit + 64 * 1024
    found = numbers(tmp_path)
    assert found[-1] == 19_999
    assert found == list(range(found[0], 20_000))
    assert "made place for newer ones" in notes(tmp_path)


def test_j11_no_record_refers_to_a_text_that_has_made_place(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with record(engine, tmp_path, max_size=9_000), engine.connect() as connection:
        for number in range(1_500):
            connection.exec_driver_sql(f"SELECT {number % 3}")
    queries, source = read_journal(tmp_path)
    found = [query.sequence for query in queries]
    assert found == list(range(found[0], 1_501))
    assert all(query.call_site is not None for query in queries)
    assert [note for note in source.notes if "made place" not in note] == []


def test_j12_without_values_none_is_at_rest_and_with_them_only_in_the_journal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = "c4n4ry"
    engine = create_engine("sqlite://")
    for keep in (False, True):
        with record(engine, tmp_path / str(keep), parameters=keep), engine.connect() as connection:
            connection.execute(text("SELECT :a, :b").bindparams(a=canary, b=canary.encode()))
            connection.exec_driver_sql("SELECT ?", [(canary,)])
    at_rest = b"".join(path.read_bytes() for path in (tmp_path / "False").iterdir())
    assert canary.encode() not in at_rest
    assert b"YzRuNHJ5" not in at_rest  # base64
    kept: list[RecordedQuery] = read_journal(tmp_path / "True")[0]
    assert kept[0].parameters == (canary, canary.encode())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "True").iterdir()} == {0o600}
    told = capfd.readouterr()
    assert canary not in told.out + told.err
