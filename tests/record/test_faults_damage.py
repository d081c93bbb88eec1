"""What has become of a journal by the time it is read: rows J4, J5, J8 and J9 of the fault catalogue."""

import json
import random
import shutil
import tracemalloc
import zlib
from pathlib import Path

import pytest

from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.record.journal import VERSION
from queryproof.analyzer.record.sealed_line import encode_line
from queryproof.analyzer.sources.journal import read_journal

from .segments import notes, numbers, segment_of

JOURNALS = Path(__file__).parent / "journals"


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
