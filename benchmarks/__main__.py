"""`python -m benchmarks`: what recording costs, and how the parts scale."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from queryproof.analyzer.record.recorder import record
from queryproof.analyzer.sql.fingerprint import fingerprint
from queryproof.analyzer.sql.parse import analyse

ROUNDS, BATCH = 40, 250


class Base(DeclarativeBase):
    """Base of the benchmark's only model."""


class Item(Base):
    """A row to look up."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def recording() -> None:
    """CPU microseconds a query over bare, alternating in one process; medians of rounds."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Item(id=n, name=str(n)) for n in range(1, BATCH + 1)])
        session.commit()

    def empty(*arguments: object) -> None:
        return

    class Listening:
        def __enter__(self) -> None:
            event.listen(Engine, "before_cursor_execute", empty)
            event.listen(Engine, "after_cursor_execute", empty)
            event.listen(Session, "do_orm_execute", empty)

        def __exit__(self, *arguments: object) -> None:
            event.remove(Engine, "before_cursor_execute", empty)
            event.remove(Engine, "after_cursor_execute", empty)
            event.remove(Session, "do_orm_execute", empty)

    with tempfile.TemporaryDirectory() as place:
        variants: dict[str, Callable[[], object]] = {
            "bare": nullcontext,
            "empty listeners": Listening,
            "queryproof": lambda: record(engine, Path(place) / "j"),
        }
        times: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(ROUNDS):
            for name, variant in variants.items():
                with variant(), Session(engine) as session:  # type: ignore[attr-defined] # all are context managers
                    start = time.process_time()
                    for n in range(1, BATCH + 1):
                        session.scalars(select(Item).where(Item.id == n)).first()
                    times[name].append((time.process_time() - start) / BATCH * 1e6)
    bare = statistics.median(times["bare"])
    for name, values in times.items():
        print(
            f"{name:<18} {statistics.median(values):7.1f} µs a query, {statistics.median(values) - bare:+6.1f} over bare"
        )


def texts() -> None:
    """Statements a second for fingerprint and analysis of distinct texts, and how cost grows with length."""
    for length in (5, 50, 500):
        columns = ", ".join(f"t.c{n}" for n in range(length))
        sqls = [f"SELECT {columns} FROM t{n} AS t WHERE t.id = %(x)s AND t.a IN (1, 2, 3)" for n in range(200)]
        for name, function in (("fingerprint", fingerprint), ("analyse", analyse)):
            start = time.process_time()
            for sql in sqls:
                function(sql)
            print(f"{name:<12} {length:>4} columns: {200 / (time.process_time() - start):8.0f} statements/s")


def startup() -> None:
    """Seconds for the command's help, and for importing the package over a bare interpreter; medians of seven."""
    for name, code in (("python", ""), ("import", "import queryproof"), ("--help", None)):
        runs = []
        for _ in range(7):
            start = time.perf_counter()
            command = (
                [sys.executable, "-c", code] if code is not None else [sys.executable, "-m", "queryproof", "--help"]
            )
            subprocess.run(command, check=True, capture_output=True)
            runs.append(time.perf_counter() - start)
        print(f"{name:<10} {statistics.median(runs) * 1000:6.0f} ms")


if __name__ == "__main__":
    recording()
    texts()
    startup()
