"""The journal under faults: rows J1–J12 of the fault catalogue."""

import errno
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from queryproof import record
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.record.journal import VERSION, Journal, text_fields
from queryproof.analyzer.record.sealed_line import encode_line
from queryproof.analyzer.sources.journal import read_journal

from .journey import end_child, start_child

JOURNALS = Path(__file__).parent / "journals"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before the next attempt: the tests would have to wait."""
    monkeypatch.setattr("queryproof.analyzer.record.journal.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("queryproof.analyzer.record.journal.CHECK_SECONDS", 0.0)


def put(journal: Journal, number: int, sql: str = "SELECT 1") -> bool:
    known = journal.statements.known.get(sql) or journal.refer(journal.statements, sql, lambda: text_fields(sql))
    return bool(journal.write(f'{{"t":"q","i":{number},{known or text_fields(sql)},"at":{number},"d":1000,"th":"main"'))


def numbers(directory: Path) -> list[int]:
    try:
        return sorted(query.sequence for query in read_journal(directory)[0])
    except SourceError:
        return []


def notes(directory: Path) -> str:
    return " ".join(read_journal(directory)[1].notes)


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


def segment_of(directory: Path, count: int = 60) -> Path:
    journal = Journal(directory, parameters=False)
    for number in range(count):
        put(journal, number, f"SELECT {number % 3}")
    journal.close()
    (segment,) = directory.glob("*.jsonl")
    return segment


def test_j04_every_prefix_is_read_up_to_its_last_whole_record(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, 30)
    data = segment.read_bytes()
    # (end of the line without its newline, sequence) of each execution
    ends, at = [], 0
    for line in data.splitlines(keepends=True):
        at += len(line)
        if line.startswith(b'{"t":"q"'):
            ends.append((at - 1, json.loads(line)["i"]))
    edges = {end + step for end, _ in ends for step in (-1, 0, 1)}
    random.seed(4)
    for cut in sorted(edges | set(random.sample(range(len(data)), 150))):
        segment.write_bytes(data[:cut])
        assert numbers(tmp_path) == [number for end, number in ends if end <= cut]


def test_j04_flipped_bits_and_a_zeroed_page_cost_the_records_they_hit(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, 200)
    data = segment.read_bytes()
    random.seed(4)
    for _ in range(60):
        at = random.randrange(len(data))
        segment.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :])
        found = numbers(tmp_path)
        # A hit newline joins two lines; statements stand in the journal twice.
        assert len(found) >= 198
        assert len(found) == 200 or "damaged" in notes(tmp_path)
    page = 4096
    assert len(data) > 3 * page
    segment.write_bytes(data[:page] + bytes(page) + data[2 * page :])
    found = numbers(tmp_path)
    lines = data[page : 2 * page].count(b"\n") + 2
    assert 200 - lines <= len(found) < 200
    assert found[0] == 0
    assert found[-1] == 199
    assert "damaged" in notes(tmp_path)


def test_j05_power_loss_in_any_order_of_blocks_never_makes_a_record_of_two(tmp_path: Path) -> None:
    """Without a sync the file system may have kept any of the blocks: what is read is true, and is not mixed."""
    segment = segment_of(tmp_path, 200)
    data = segment.read_bytes()
    true = {(query.sequence, query.sql) for query in read_journal(tmp_path)[0]}
    random.seed(5)
    for block in (512, 4096):
        blocks = [data[at : at + block] for at in range(0, len(data), block)]
        for _ in range(40):
            kept = [one if random.random() < 0.7 else bytes(len(one)) for one in blocks]
            # The length may be from before the last blocks.
            cut = random.randrange(1, len(kept) + 1)
            segment.write_bytes(b"".join(kept[:cut]))
            try:
                queries, source = read_journal(tmp_path)
            except SourceError:
                continue
            assert {(query.sequence, query.sql) for query in queries} <= true
            assert len(queries) == 200 or source.notes or cut < len(kept)


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


def test_j08_older_journals_are_read_and_newer_ones_refused(tmp_path: Path) -> None:
    for number in range(1, VERSION):
        assert (JOURNALS / f"version-{number}.jsonl").exists()
    for file in JOURNALS.glob("*.jsonl"):
        directory = tmp_path / file.stem
        directory.mkdir()
        shutil.copy(file, directory)
        assert read_journal(directory)[0]
    segment = segment_of(tmp_path / "new")
    header = json.loads(segment.read_bytes().splitlines()[0])
    del header["crc"]
    with segment.open("ab") as out:
        out.write(encode_line({"t": "q", "i": 99, "sql": "SELECT 9", "at": 1, "d": 1, "colour": {"new": [1]}}))
        out.write(encode_line({"t": "something new", "value": 1}))
    assert numbers(tmp_path / "new")[-1] == 99
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "x.jsonl").write_bytes(encode_line(header | {"version": VERSION + 1}))
    with pytest.raises(SourceError, match=f"journal version {VERSION + 1}.*upgrade queryproof"):
        read_journal(tmp_path / "newer")


def test_j09_forged_lines_are_refused_in_little_memory(tmp_path: Path) -> None:
    segment = segment_of(tmp_path)
    forged = [
        b'{"t":"q","i":1000,"sql":"SELECT 1","at":1,"d":1,"crc":"00000000"}\n',
        sealed('{"t":"q","i":-1,"sql":"SELECT 1","at":1,"d":"NaN"'),
        sealed('{"t":"q","i":1e400,"sql":"SELECT 1","at":1,"d":1'),
        sealed('{"t":"q","i":' + "9" * 5000 + ',"sql":"SELECT 1","at":1,"d":1'),
        sealed('{"t":"s","id":-99999999999999999999,"sql":7'),
        sealed('{"t":"x","n":-5,"why":"less than nothing"'),
        b"[" * 100_000 + b"\n",
        sealed('{"t":"q","i":' + "[" * 50_000),
    ]
    with segment.open("ab") as out:
        out.writelines(forged)
        out.write(b'{"t":"q","sql":"')
        for _ in range(64):
            out.write(b"x" * 1_000_000)
    tracemalloc.start()
    queries, source = read_journal(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
    assert {query.sequence for query in queries} >= set(range(60))
    assert all(query.duration_ms == query.duration_ms and query.duration_ms >= 0 for query in queries)
    assert "damaged" in source.notes[0]
    assert not [note for note in source.notes if "-5" in note]


def sealed(body: str) -> bytes:
    return f'{body},"crc":"{zlib.crc32(body.encode()):08x}"}}\n'.encode()


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
