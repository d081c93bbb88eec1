"""Journals of many processes, hosts and hands read as one recording: rows G1–G7 of the fault catalogue."""

import os
import pickle
import random
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from queryproof.analyzer.record.journal import Journal, text_fields
from queryproof.analyzer.record.sealed_line import encode_line
from queryproof.analyzer.sources.journal import iterate, read_recording
from queryproof.analyzer.sources.journal_records import Records
from queryproof.analyzer.sources.losses import Losses


def write(directory: Path, count: int, *, start: float = 1_000.0, name: str = "") -> str:
    """A journal of that many executions, a second apart; its run id."""
    journal = Journal(directory, parameters=False)
    for number in range(count):
        sql = f"SELECT {number}{name}"
        journal.write(
            f'{{"t":"q","i":{number + 1},{text_fields(sql)},"at":{int((start + number) * 1e6)},"d":1000,"th":"main"'
        )
    journal.close()
    return journal.run


def test_g01_a_thousand_segments_merge_to_the_same_in_any_order(tmp_path: Path) -> None:
    random.seed(1)
    places = [tmp_path / name for name in "abc"]
    for number in range(1_000):
        directory = places[number % 3]
        count = random.choice([0, 1, 2])
        if count:
            write(directory, count, start=1_000 + random.random() * 10, name=f" -- {number}")
        else:
            directory.mkdir(exist_ok=True)
            (directory / f"{number:016x}-1.jsonl").touch()
    for path in random.sample(sorted(tmp_path.glob("*/*.jsonl")), 100):
        os.truncate(path, path.stat().st_size * 2 // 3)
    a, b, c = places
    whole = read_recording(a, b, c)
    assert len(whole.queries) > 700
    assert read_recording(c, b, a) == whole
    assert read_recording(a, b, c, b, a) == whole
    for path in c.iterdir():
        path.rename(a / path.name)
    together = read_recording(a, b)
    assert (together.queries, together.source.notes) == (whole.queries, whole.source.notes)


def test_g02_equal_pids_are_different_processes(tmp_path: Path) -> None:
    runs = {write(tmp_path, 3) for _ in range(5)}
    names = {path.name.partition("-")[2] for path in tmp_path.iterdir()}
    assert names == {f"{os.getpid()}.jsonl"}
    queries = read_recording(tmp_path).queries
    assert {query.process for query in queries} == runs
    assert len(queries) == 15


def test_g03_hosts_whose_clocks_differ_keep_the_order_inside_each_process(tmp_path: Path) -> None:
    day = 86_400.0
    for shift in (-day, 0.0, day):
        write(tmp_path, 20, start=10 * day + shift)
    queries = read_recording(tmp_path).queries
    for process in {query.process for query in queries}:
        assert [query.sequence for query in queries if query.process == process] == list(range(1, 21))
    assert [query.started_at for query in queries] == sorted(query.started_at for query in queries)


def test_g04_a_file_listed_or_linked_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a", 10)
    (tmp_path / "b").mkdir()
    (segment,) = (tmp_path / "a").iterdir()
    (tmp_path / "b" / "other-name.jsonl").hardlink_to(segment)
    shutil.copy(segment, tmp_path / "b" / segment.name)
    assert len(read_recording(tmp_path / "a", tmp_path / "a").queries) == 10
    assert len(read_recording(tmp_path / "a", tmp_path / "b").queries) == 10


def test_g05_a_file_that_grows_is_read_as_it_was_when_it_was_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path, parameters=False)

    def put(number: int) -> None:
        journal.write(f'{{"t":"q","i":{number},"sql":"SELECT {number}","at":{number},"d":1')

    for number in range(10):
        put(number)
    records = Records(Losses())
    found = []
    for query in iterate((tmp_path,), records):
        found.append(query.sequence)
        put(100 + len(found))
    assert found == list(range(10))
    assert records.losses.notes() == ()
    assert len(read_recording(tmp_path).queries) == 20


def test_g06_ten_gigabytes_are_read_in_little_memory(tmp_path: Path) -> None:
    write(tmp_path, 5)
    (segment,) = tmp_path.iterdir()
    with segment.open("ab") as file:
        # A hole of ten gigabytes between two records, as a crash of the machine leaves it.
        file.truncate(10_000_000_000)
    with segment.open("ab") as file:
        file.write(b"\n" + encode_line({"t": "q", "i": 99, "sql": "SELECT 99", "at": 1, "d": 1}))
    # And much that is dense: it goes by without staying.
    block = b"".join(encode_line({"t": "e", "e": "commit", "i": 7, "n": number}) for number in range(1_000))
    other = tmp_path / "dense-1.jsonl"
    with other.open("wb") as file:
        for _ in range(8):
            file.write(block)
    tracemalloc.start()
    count = sum(1 for _ in iterate((tmp_path,), Records(Losses())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6
    assert peak < 4_000_000


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.trace}",)


def test_g07_a_journal_from_strangers_is_data_and_opens_no_path(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    directory = tmp_path / "j"
    directory.mkdir()
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(encode_line({"t": "q", "i": 1, "sql": "SELECT 'secret'", "at": 1, "d": 1}))
    os.symlink(secret, directory / "link.jsonl")
    os.mkfifo(directory / "pipe.jsonl")
    (directory / "pickle.jsonl").write_bytes(pickle.dumps(Bomb(trace)) + b"\n")
    stack = [["../../secret.jsonl", 1, "f"], ["/etc/passwd", 2, "__import__('os').system('true')"]]
    lines = [
        {"t": "h", "version": 2, "run": "../../x", "part": 0, "cwd": "/etc"},
        {"t": "q", "i": 1, "sql": "SELECT 1", "at": 1, "d": 1, "st": stack},
        {"t": "q", "i": 2, "sql": "SELECT 2", "at": 1, "d": 1, "p": {"__reduce__": ["os.system", ["true"]]}},
    ]
    (directory / "x.jsonl").write_bytes(b"".join(map(encode_line, lines)))
    # In a process of its own, which tells every file it opens.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from queryproof.analyzer.sources.journal import read_recording\n"
        "opened = []\n"
        "sys.addaudithook(lambda e, a: opened.append(str(a[0])) if e == 'open' else None)\n"
        "found = read_recording(Path(sys.argv[2]))\n"
        "print(len(found.queries), *sorted({name.rpartition('/')[2] for name in opened if name.endswith('.jsonl')}))\n"
    )
    root = Path(__file__).parents[2] / ".typing"
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(directory)], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["2", "pickle.jsonl", "x.jsonl"]
    assert not trace.exists()


@pytest.mark.parametrize("name", ["G", "J", "R"])
def test_every_row_of_the_catalogue_has_a_test(name: str) -> None:
    rows = {"G": 7, "J": 12, "R": 17}[name]
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_faults_*.py"))
    missing = [number for number in range(1, rows + 1) if f"def test_{name.lower()}{number:02}_" not in sources]
    assert not missing
