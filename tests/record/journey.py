"""A program that makes the recorder pass all its points, in a few milliseconds; and children to try things in."""

import itertools
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, ForeignKey, create_engine, delete, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from queryproof import record, scope
from queryproof.analyzer.record.journal import Journal


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    items: Mapped[list["Item"]] = relationship(back_populates="shelf")


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="items")


_fresh = itertools.count(1)


def journey(directory: Path | None) -> list[object]:
    """What the application sees of all it does; recorded to `directory` at level 2, None: not recorded."""
    # New code each time, so that its place has to be learnt.
    inside: dict[str, Any] = {}
    exec(compile("def send(c, q): return c.execute(q)", f"fresh_{next(_fresh)}.py", "exec"), inside)
    engine = memory_engine()
    with Session(engine) as session:
        session.execute(delete(Item))
        session.execute(delete(Shelf))
        session.commit()
    seen: list[object] = []
    with ExitStack() as stack:
        recorder = None
        if directory is not None:
            recorder = stack.enter_context(record(engine, directory, level=2, max_size=6_000))
        with scope("journey"), Session(engine) as session:
            session.add_all([Shelf(id=n, name=f"s{n}", items=[Item(id=n)]) for n in (1, 2)])
            session.commit()
            for shelf in session.scalars(select(Shelf).order_by(Shelf.id)):
                seen.append((shelf.name, len(shelf.items)))
            session.expunge_all()
            joined = session.scalars(select(Shelf).options(joinedload(Shelf.items))).unique().all()
            seen.append(sorted((shelf.id, [item.id for item in shelf.items]) for shelf in joined))
        with engine.connect() as connection:
            seen.append(inside["send"](connection, text("SELECT :n").bindparams(n=7)).scalar())
            try:
                connection.execute(text("SELECT nonsense"))
            except DBAPIError as error:
                seen.append(type(error.orig).__name__)
            if recorder is not None and recorder.journal is not None:
                _without_space(recorder.journal, lambda: connection.execute(text("SELECT 0")).scalar())
            for n in range(20):
                seen.append(connection.execute(text(f"SELECT {n}")).scalar())
    return seen


@cache
def memory_engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    return engine


def _without_space(journal: Journal, work: Callable[[], object]) -> None:
    """Run it while no file of this process may grow beyond what the journal's segment has."""
    if journal._file is None:
        # A segment has just been full. The next must be there, or standard error could not be written to either.
        work()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = os.fstat(journal._file).st_size if journal._file is not None else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def start_child(work: Callable[[], object]) -> int:
    """Fork; the child does the work and ends without a trace of pytest. Its pid."""
    with warnings.catch_warnings():
        # The test process has threads; the child uses none of their locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 70
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as a second pytest
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def end_child(child: int, seconds: float = 30.0) -> int:
    """Its exit code, -n for a signal. A child that takes longer is killed, and that is an error."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"the child hung for {seconds} s")
