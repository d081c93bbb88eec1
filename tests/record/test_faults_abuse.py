"""What an application may do to the recorder without meaning it: rows R3, R4 and R11–R16 of the fault catalogue."""

import gc
import io
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any, ClassVar

import psycopg2.extras
import pytest
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from queryproof import record
from queryproof.analyzer.sources.grouping import build_workload
from queryproof.analyzer.sources.journal import read_journal

from .journey import Base, Item, Shelf


class Hostile:
    """Every question asked of it is a trap."""

    called: ClassVar[list[str]] = []

    def _trap(self, *arguments: object) -> Any:
        self.called.append("called")
        time.sleep(1)
        raise RuntimeError("never ask me")

    __repr__ = __str__ = __len__ = __eq__ = __bool__ = __iter__ = __getattr__ = __reduce__ = _trap
    __hash__ = None  # type: ignore[assignment] # cannot even be hashed


def test_r03_hostile_parameters_are_never_asked_anything(tmp_path: Path) -> None:
    import sqlite3

    sqlite3.register_adapter(Hostile, lambda value: "adapted")
    engine = create_engine("sqlite://")
    with record(engine, tmp_path), engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT ?", (Hostile(),)).scalar() == "adapted"
        assert connection.exec_driver_sql("SELECT ?, ?", (Hostile(), 1)).one() == ("adapted", 1)
    assert not Hostile.called
    assert [query.parameters for query in read_journal(tmp_path)[0]] == [None, None]


def test_r04_a_finaliser_that_queries_amid_our_work_neither_blocks_nor_is_recorded_twice(tmp_path: Path) -> None:
    outer = create_engine("sqlite://", poolclass=StaticPool)
    inner = create_engine("sqlite://", poolclass=StaticPool)
    done: list[int] = []

    class Finaliser:
        def __init__(self, number: int) -> None:
            self.number = number
            self.me = self  # a cycle: only the collector ends it, wherever that may be

        def __del__(self) -> None:
            with inner.connect() as connection:
                connection.execute(text(f"SELECT 'inner {self.number}'"))
            done.append(self.number)

    def work() -> None:
        before = gc.get_threshold()
        gc.set_threshold(1)
        try:
            with outer.connect() as connection:
                for number in range(60):
                    Finaliser(number)
                    connection.execute(text(f"SELECT 'outer {number}'"))
        finally:
            gc.set_threshold(*before)
            gc.collect()

    with record(None, tmp_path):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    assert len(done) == 60
    texts = [query.sql for query in read_journal(tmp_path)[0]]
    assert len(texts) == len(set(texts)) == 120


def test_r11_a_clock_that_jumps_back_makes_no_negative_time_and_no_other_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    shift = 0
    for module in [one for name, one in sys.modules.items() if name.startswith("queryproof.analyzer.record.")]:
        if hasattr(module, "_time_ns"):
            monkeypatch.setattr(module, "_time_ns", lambda: real() + shift)
    engine = create_engine("sqlite://")
    with record(engine, tmp_path), engine.connect() as connection:
        for number in range(20):
            shift = -3_600_000_000_000 if 5 <= number < 10 else 0
            connection.execute(text(f"SELECT {number}"))
    queries, source = read_journal(tmp_path)
    assert [query.sql for query in queries] == [f"SELECT {number}" for number in range(20)]
    assert all(query.duration_ms >= 0 for query in queries)
    workload = build_workload(queries, (source,))
    assert workload.started_at is not None
    assert workload.ended_at is not None
    assert workload.started_at <= workload.ended_at


def test_r12_twice_installed_is_once_and_engines_come_and_go(tmp_path: Path) -> None:
    alive: weakref.WeakSet[Engine] = weakref.WeakSet()

    def come_and_go(count: int) -> int:
        """Objects that are there afterwards."""
        for number in range(count):
            engine = create_engine("sqlite://")
            alive.add(engine)
            if number % 10 == 0:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
            engine.dispose()
        del engine, connection
        gc.collect()
        return len(gc.get_objects())

    with record(None, tmp_path) as recorder:
        recorder.install()
        recorder.install_orm()
        first = come_and_go(100)
        assert come_and_go(1_000) - first < 100
        assert not alive
    for target, name, listener in recorder._executions.listeners:
        assert not event.contains(target, name, listener)
    assert not hasattr(Connection._commit_impl, "__wrapped__")
    assert len(read_journal(tmp_path)[0]) == 110


def test_r13_drivers_keep_their_own_connections_and_cursors(database: str, tmp_path: Path) -> None:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
    from psycopg2.extensions import quote_ident

    engine = create_engine(database)
    with record(None, tmp_path), engine.begin() as connection:
        raw: Any = connection.connection.dbapi_connection
        assert type(raw) is Connection
        psycopg2.extras.register_default_jsonb(raw)
        psycopg2.extras.register_uuid(conn_or_curs=raw)  # type: ignore[no-untyped-call] # of psycopg2
        assert quote_ident('a"b', raw) == '"a""b"'
        connection.execute(text("CREATE TEMP TABLE t (n int, j jsonb)"))
        with raw.cursor() as cursor:
            assert type(cursor) is Cursor
            psycopg2.extras.execute_values(cursor, "INSERT INTO t (n) VALUES %s", [(1,), (2,)])
            cursor.copy_expert("COPY t (n) FROM STDIN", io.StringIO("3\n4\n"))
            cursor.execute("LISTEN here; NOTIFY here, 'x'")
        streamed = connection.execution_options(stream_results=True).execute(text("SELECT n FROM t ORDER BY n"))
        assert streamed.scalars().all() == [1, 2, 3, 4]
    engine.dispose()
    assert {query.sql.split()[0] for query in read_journal(tmp_path)[0]} == {"CREATE", "SELECT"}


def test_r14_the_server_gets_the_same_bytes(database: str, tmp_path: Path) -> None:
    engine = create_engine(database)
    Base.metadata.create_all(engine)

    def sent() -> list[str]:
        found = []
        with Session(engine) as session:
            session.add(Shelf(id=1, name="%s %(x)s $1 -- /* */"))
            session.flush()
            statement = select(Shelf.name, text("current_query()")).where(Shelf.id == 1)
            found += [row[1] for row in session.execute(statement)]
            found.append(str(session.scalar(text("SELECT current_query() /* 100%% */ WHERE :n = 5").bindparams(n=5))))
            session.rollback()
        with engine.connect() as connection:
            found.append(str(connection.exec_driver_sql("SELECT current_query(), '%%'").scalar()))
        return found

    plain = sent()
    for level in (0, 1, 2):
        with record(None, tmp_path / str(level), level=level):
            assert sent() == plain
    engine.dispose()


def test_r14_compiled_statements_stay_in_sqlalchemys_cache(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    misses: list[bool] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        misses.append(context.cache_hit.name == "CACHE_HIT")

    with record(engine, tmp_path):
        event.listen(engine, "after_cursor_execute", note)
        for number in range(5):
            with Session(engine) as session:
                session.scalars(select(Item).where(Item.id == number)).all()
    assert misses == [False, True, True, True, True]


def test_r15_enormous_statements_and_parameters_are_cut_to_a_record(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    cyclic: list[object] = [1]
    cyclic.append(cyclic)
    with record(engine, tmp_path), engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 -- " + "x" * 50_000_000)
        connection.exec_driver_sql("CREATE TABLE t (n int)")
        connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(1,)] * 1_000_000)
        with pytest.raises(Exception):  # noqa: B017, PT011 - the driver's own, whatever it is
            connection.exec_driver_sql("SELECT ?", (cyclic,))
        connection.rollback()
    (segment,) = tmp_path.glob("*.jsonl")
    assert max(map(len, segment.read_bytes().splitlines())) <= 64 * 1024
    first, _, third, fourth = read_journal(tmp_path)[0]
    assert first.truncated
    assert third.executemany
    assert fourth.error is not None


def test_r16_a_deep_stack_is_walked_in_bounds_and_no_local_is_touched(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    def deep(left: int) -> None:
        trap = Hostile()
        if left:
            deep(left - 1)
        else:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        del trap

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5_000)
    try:
        with record(engine, tmp_path):
            deep(900)
    finally:
        sys.setrecursionlimit(limit)
    assert not Hostile.called
    (query,) = read_journal(tmp_path)[0]
    assert len(query.stack) == 5
    assert {site.function.rpartition(".")[2] for site in query.stack} == {"deep"}
