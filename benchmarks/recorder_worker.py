"""One contender in a process of its own: takes a turn for each line it reads and answers with CPU microseconds per query."""

import contextlib
import functools
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, ForeignKey, create_engine, event, literal_column, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

ROWS = 20
GROUPS = 5
"""Runs of the workload in one turn; the first, which finds cold caches, does not count."""


class Base(DeclarativeBase):
    """Base of the two models."""


class Parent(Base):
    """A row to look up, with a collection to load lazily."""

    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    children: Mapped[list["Child"]] = relationship()


class Child(Base):
    """One for each parent."""

    __tablename__ = "children"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))


def selects(session: Session) -> None:
    """One ORM select by key for each row."""
    for number in range(1, ROWS + 1):
        session.scalars(select(Parent).where(Parent.id == number)).first()


def lazy_loads(session: Session) -> None:
    """One query, then one lazy load for each row."""
    for parent in session.scalars(select(Parent)).all():
        _ = parent.children


def core(session: Session) -> None:
    """One Core select for each row: no ORM event, so that what only hears the ORM pays nothing."""
    connection = session.connection()
    for number in range(1, ROWS + 1):
        connection.execute(select(Parent.name).where(Parent.id == number)).first()


WORKLOADS: dict[str, Callable[[Session], None]] = {"select": selects, "lazy": lazy_loads, "core": core}
OPEN = contextlib.ExitStack()
IN_MEMORY: list[Any] = []
Contender = Callable[[Engine], contextlib.AbstractContextManager[Any]]


def _listeners(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    def empty(*arguments: object) -> None:
        return

    event.listen(Engine, "before_cursor_execute", empty)
    event.listen(Engine, "after_cursor_execute", empty)
    event.listen(Session, "do_orm_execute", empty)
    return contextlib.nullcontext()


def _cursor_listeners(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    def empty(*arguments: object) -> None:
        return

    event.listen(Engine, "before_cursor_execute", empty)
    event.listen(Engine, "after_cursor_execute", empty)
    return contextlib.nullcontext()


def _queryproof(level: int) -> Contender:
    def start(engine: Engine) -> contextlib.AbstractContextManager[Any]:
        from queryproof import record

        # Entered once, as `queryproof record` does: the journal stays open.
        place = Path(tempfile.mkdtemp(prefix="bench-recorder-"))
        OPEN.enter_context(record(None, place, level=level))
        return contextlib.nullcontext()

    return start


def _in_memory(level: int) -> Contender:
    @contextlib.contextmanager
    def start(engine: Engine) -> Iterator[None]:
        from queryproof.analyzer.record.recorder import Recorder
        from queryproof.analyzer.record.scope import whole_process
        from queryproof.analyzer.record.statement_count import StatementCount

        # As the pytest plugin does: one recorder for the whole run, one count for each test.
        if not IN_MEMORY:
            recorder = Recorder(None, level=level)
            recorder.install()
            recorder.install_orm()
            IN_MEMORY.append(recorder)
        count = StatementCount("test", "test")
        count.begin(None)
        with whole_process(count):
            yield

    return start


def _queryguard(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    from pytest_queryguard import record_queries

    return record_queries()


@contextlib.contextmanager
def _queryguard_written(engine: Engine) -> Iterator[None]:
    """The same with each record on disk before the application goes on, as queryproof's are: a JSON line, one `write`."""
    with _queryguard(engine) as log:
        IN_MEMORY[:] = [log]
        # Once, and after its own listener, which fills the record in.
        if not event.contains(Engine, "after_cursor_execute", _write_last):
            event.listen(Engine, "after_cursor_execute", _write_last)
        yield


def _write_last(*arguments: object) -> None:
    one = IN_MEMORY[0]._collector.statements[-1]
    site = one.callsite
    place = [site.filename, site.lineno, site.function] if site is not None else None
    record = [one.sql, place, one.relationship, one.duration, one.parameters, one.scope, one.flush]
    os.write(_written_file(), json.dumps(record, default=str).encode() + b"\n")


@functools.cache
def _written_file() -> int:
    place = Path(tempfile.mkdtemp(prefix="bench-recorder-"))
    return os.open(place / "records.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _queryspy(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    import queryspy

    return queryspy.record()


@contextlib.contextmanager
def _querycount(engine: Engine) -> Iterator[None]:
    from pytest_querycount import backends
    from pytest_querycount.backends import sqlalchemy as backend
    from pytest_querycount.recorder import Recorder

    backend.install()
    recorder = Recorder()
    backends.push(recorder)
    try:
        yield
    finally:
        backends.pop(recorder)


def _easy_profile(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    from easy_profile import SessionProfiler

    return SessionProfiler(engine)


def _sqltap(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    import sqltap

    return sqltap.ProfilingSession(engine)


def _opentelemetry(engine: Engine) -> contextlib.AbstractContextManager[Any]:
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=provider, skip_dep_check=True)
    return contextlib.nullcontext()


ONCE: dict[str, Contender] = {
    "bare": lambda engine: contextlib.nullcontext(),
    "bare again": lambda engine: contextlib.nullcontext(),
    "floor: cursor listeners": _cursor_listeners,
    "floor: cursor and ORM listeners": _listeners,
    "queryproof level 0": _queryproof(0),
    "queryproof level 1": _queryproof(1),
    "queryproof level 2": _queryproof(2),
    "opentelemetry": _opentelemetry,
}
"""Set up once; the others are entered anew for each batch, outside the measured time, so that their lists stay short."""
EACH: dict[str, Contender] = {
    "queryproof level 0 in memory": _in_memory(0),
    "queryproof level 1 in memory": _in_memory(1),
    "pytest-queryguard": _queryguard,
    "pytest-queryguard, written": _queryguard_written,
    "queryspy": _queryspy,
    "pytest-querycount": _querycount,
    "sqlalchemy-easy-profile": _easy_profile,
    "sqltap": _sqltap,
}


def prepare(name: str) -> Engine:
    """An engine with rows to look up, recorded by the contender where it is set up once."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Parent(id=n, name=str(n), children=[Child(id=n)]) for n in range(1, ROWS + 1)])
        session.commit()
    if name in ONCE:
        ONCE[name](engine)
    return engine


def turn(engine: Engine, name: str, workload: Callable[[Session], None], groups: int) -> float:
    """CPU seconds of the fastest run of the workload but the first."""
    times = []
    with EACH[name](engine) if name in EACH else contextlib.nullcontext():
        for _ in range(groups):
            with Session(engine) as session:
                session.connection()
                start = time.process_time()
                workload(session)
                times.append(time.process_time() - start)
    return min(times[1:] or times)


def serve(name: str) -> None:
    """Answer lines until the input ends."""
    engine = prepare(name)
    for line in sys.stdin:
        used = turn(engine, name, WORKLOADS[line.strip()], GROUPS)
        sys.stdout.write(f"{used / ROWS * 1e6:.3f}\n")
        sys.stdout.flush()


def count(name: str, workloads: list[str]) -> None:
    """Run each workload in two children, in one more often: {workload: [a child, the longer one, queries it has run more]}."""
    engine = prepare(name)
    gc.collect()
    gc.freeze()
    found = {}
    for workload in workloads:
        children = []
        for turns in (2, 6):
            child = os.fork()
            if not child:
                for _ in range(turns):
                    turn(engine, name, WORKLOADS[workload], GROUPS)
                os._exit(0)
            os.waitpid(child, 0)
            children.append(child)
        found[workload] = [*children, 4 * GROUPS * ROWS]
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


def remember(executions: int, kind: str, directory: str) -> None:
    """Peak resident megabytes before and after that many executions: of 300 texts, or half of them of ever new texts."""
    from queryproof import record

    engine = prepare("bare")
    statements = [
        select(Parent, literal_column(str(number)).label(f"column_{number}")).where(Parent.id == number % ROWS)
        for number in range(300)
    ]
    recorded: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
    if kind != "unrecorded":
        limit = 50_000_000 if kind == "of ever new texts" else None
        recorded = record(None, Path(directory), max_size=limit)
    with recorded:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(executions // 300):
            with Session(engine) as session:
                if kind == "of ever new texts":
                    connection = session.connection()
                    for other in range(150):
                        connection.exec_driver_sql(f"SELECT {number * 150 + other}")
                for statement in statements[: 150 if kind == "of ever new texts" else 300]:
                    session.execute(statement).first()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{before / 1024:.1f} MB before, at most {after / 1024:.1f}\n")


if __name__ == "__main__":
    if sys.argv[1] == "memory":
        remember(int(sys.argv[2]), sys.argv[3], sys.argv[4])
    elif sys.argv[1] == "count":
        count(sys.argv[2], sys.argv[3:])
    else:
        serve(sys.argv[1])
