"""A journal is read whatever happened to it."""

import json
import random
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from queryproof import record
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.record.journal import Journal, text_fields
from queryproof.analyzer.record.sealed_line import encode_line
from queryproof.analyzer.record.values import decode_value, encode_value
from queryproof.analyzer.sources.grouping import build_workload, merge
from queryproof.analyzer.sources.journal import read_journal
from queryproof.analyzer.sources.sql_files import read_sql_files


def put(journal: Journal, sql: str, n: int, milliseconds: float) -> None:
    text = None
    if len(sql) <= 64 * 1024:
        text = journal.statements.known.get(sql) or journal.refer(journal.statements, sql, lambda: text_fields(sql))
    text = text or text_fields(sql)
    journal.write(f'{{"t":"q","i":{n},{text},"at":{1.0 + n},"d":{milliseconds},"th":"main"')


def write(directory: Path, count: int = 20, sql: str = "SELECT {n}") -> Path:
    journal = Journal(directory, parameters=True)
    for n in range(count):
        put(journal, sql.format(n=n % 5), n, 2.0)
    return next(directory.glob("*.jsonl"))


def count(directory: Path) -> int:
    try:
        return len(read_journal(directory)[0])
    except SourceError:
        return 0


def test_every_prefix_gives_all_records_before_the_cut(tmp_path: Path) -> None:
    file = write(tmp_path)
    data = file.read_bytes()
    last = 0
    for end in range(0, len(data) + 1, 7):
        file.write_bytes(data[:end])
        found = count(tmp_path)
        assert found >= last
        last = found
    file.write_bytes(data)
    assert count(tmp_path) == 20


def test_damage_costs_only_the_lines_it_hits_and_is_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    data = file.read_bytes()
    random.seed(7)
    for _ in range(150):
        at = random.randrange(len(data))
        file.write_bytes(data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :])
        queries, source = read_journal(tmp_path)
        # At worst a line joined to a statement line: that line and the four executions of the statement.
        assert len(queries) >= 15
        assert len(queries) == 20 or source.notes


def test_a_newer_journal_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(encode_line({"t": "h", "version": 99, "run": "r"}))
    with pytest.raises(SourceError, match="newer queryproof"):
        read_journal(tmp_path)
    assert file.exists()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"garbage", b"\x00\xff" * 100, b'{"t":"q"}\n', b"[" * 5000 + b"\n"])
def test_hostile_content_is_only_data(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.jsonl").write_bytes(data)
    with pytest.raises(SourceError):
        read_journal(tmp_path)


def test_a_statement_of_a_megabyte_is_cut_and_marked(tmp_path: Path) -> None:
    write(tmp_path, 1, "SELECT '" + "x" * 1_000_000 + "'")
    ((query,), source) = read_journal(tmp_path)
    assert query.truncated
    assert len(query.sql) < 64 * 1024
    assert "cut" in source.notes[0]
    assert max(map(len, next(tmp_path.glob("*.jsonl")).read_bytes().splitlines())) <= 64 * 1024
    (group,) = build_workload([query], [source]).groups
    assert group.samples == ()


def test_odd_texts_survive(tmp_path: Path) -> None:
    texts = ["SELECT '\x00'", "SELECT '\ud800'", "SELECT '\u2028</script>'", "SELECT 1 -- \n"]
    journal = Journal(tmp_path, parameters=True)
    for n, text in enumerate(texts):
        put(journal, text, n, 1.0)
    assert [query.sql for query in read_journal(tmp_path)[0]] == texts


def test_values_come_back_with_their_types() -> None:
    import datetime
    import decimal

    values = {
        "a": [1, 2.5, None, True, "x"],
        "b": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        "c": datetime.date(2026, 1, 2),
        "d": decimal.Decimal("1.50"),
        "e": b"\x00\xff",
        "f": datetime.timedelta(days=1, seconds=2),
        "g": (1, {"k": "v"}),
        "h": 2**70,
    }
    back = decode_value(json.loads(json.dumps(encode_value(values))))
    assert back == values
    with pytest.raises(ValueError, match="not kept"):
        decode_value(encode_value(object()))


def test_figures_of_a_group_and_the_merge_of_two_sources(tmp_path: Path) -> None:
    write(tmp_path / "j", 20)
    queries, source = read_journal(tmp_path / "j")
    workload = build_workload(queries, [source])
    (group,) = workload.groups
    assert (group.calls, group.total_ms, group.p95_ms) == (20, 40.0, 2.0)
    (tmp_path / "q.sql").write_text("SELECT 99; SELECT a FROM t;")
    both = merge([workload, read_sql_files([tmp_path / "q.sql"])])
    assert [one.calls for one in both.groups] == [20, 1]
    assert len(both.groups[0].sources) == 2


def test_sql_files_are_split_as_psql_would(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_bytes(
        b"\xef\xbb\xbf\\timing on\nSELECT 1;\nBEGIN;\nCOPY t FROM stdin;\n1\tx;y\n\\.\nSELECT $$;$$ FROM t -- ;\n;\nSELECT '\xff';\n"
    )
    workload = read_sql_files([tmp_path])
    places = sorted((site.line, group.text) for group in workload.groups for site, _ in group.call_sites)
    assert [line for line, _ in places] == [2, 4, 7, 9]
    assert any("UTF-8" in note for note in workload.sources[0].notes)
    for missing in (tmp_path / "none.sql", tmp_path / "empty"):
        missing.parent.mkdir(exist_ok=True)
        with pytest.raises(SourceError):
            read_sql_files([missing])


def test_values_of_sqlite_are_placeholders_to_the_rules(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://")
    with record(engine, tmp_path), engine.connect() as connection:
        connection.execute(sa.text("SELECT 1 FROM sqlite_master WHERE name = :name AND type = :type"), {"name": "a", "type": "b"})  # fmt: skip
    queries, _ = read_journal(tmp_path)
    assert queries[0].sql.endswith("name = $1 AND type = $2")


def test_an_execution_began_before_it_took_its_time(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://")
    with record(engine, tmp_path), engine.connect() as connection:
        connection.connection.driver_connection.create_function("pause", 0, lambda: time.sleep(0.3))  # type: ignore[union-attr] # sqlite3's own connection
        before = time.time()
        connection.exec_driver_sql("SELECT pause()").all()
        after = time.time()
    (query,) = read_journal(tmp_path)[0]
    assert query.duration_ms >= 300
    assert before - 0.1 <= query.started_at <= after - 0.3 + 0.1
