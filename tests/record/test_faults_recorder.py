"""Faults in the recorder itself, and exceptions that end a program: rows R1 and R2 of the fault catalogue."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

import queryproof.analyzer.record
from queryproof import record
from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.record import faults as points
from queryproof.analyzer.record.faults import POINTS, Armed
from queryproof.analyzer.record.recorder import MAX_FAULTS
from queryproof.analyzer.sources.journal import read_journal

from ..conftest import Faults
from .journey import journey, memory_engine

MAX_HITS = 5
"""A point that the journey passes more often is armed at its first passages."""


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Armed]]:
    monkeypatch.setattr("queryproof.analyzer.record.journal.RETRY_SECONDS", 0.0)
    yield points.armed
    points.armed.clear()


def notes(directory: Path) -> tuple[str, ...]:
    try:
        return read_journal(directory)[1].notes
    except SourceError as error:
        return (str(error),)


def test_r01_the_list_of_points_is_complete() -> None:
    folder = Path(queryproof.analyzer.record.__path__[0])
    found = {name for file in folder.glob("*.py") for name in re.findall(r'\breach\("(\w+\.\w+)"\)', file.read_text())}
    assert found == POINTS


@pytest.mark.parametrize("point", sorted(POINTS))
def test_r01_a_fault_at_any_point_never_reaches_the_application_and_never_goes_unnoticed(
    point: str, tmp_path: Path, armed: dict[str, Armed], faults: Faults, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = journey(None)
    plan = [(ValueError, 1, True), (OSError, 1, True), (OSError, 1, False), (MemoryError, 1, False)]
    plan += [(RecursionError, 1, False), *((ValueError, hit, False) for hit in range(1, MAX_HITS))]
    # The place of a scope, and the deletion of an old segment: nothing is missing without them.
    told_of = point not in ("journal.rotate", "call_site.walk")
    for error, hit, stays in plan:
        armed[point] = Armed(error, hit, stays)
        directory = tmp_path / f"{error.__name__}-{hit}-{stays}"
        assert journey(directory) == expected
        fired = armed.pop(point).fired
        told = capfd.readouterr().err
        assert fired or hit > 1, f"the journey does not pass {point}"
        # What the disk refuses is a loss that is counted, not an error of ours.
        noticed = bool(faults.take()) or (error is OSError and point.startswith("journal."))
        assert noticed or not fired
        if fired and told_of:
            assert "queryproof: " in told
            assert told.count("switched off") <= 1
            # A journal that stays broken cannot say so itself.
            assert notes(directory) or stays


def test_r01_after_ten_faults_the_recorder_takes_itself_out(
    tmp_path: Path, armed: dict[str, Armed], faults: Faults
) -> None:
    armed["recorder.after"] = Armed(ValueError, 1, stays=True)
    engine = create_engine("sqlite://")
    with record(engine, tmp_path) as recorder, engine.connect() as connection:
        for _ in range(MAX_FAULTS + 20):
            assert connection.execute(text("SELECT 1")).scalar() == 1
    assert recorder.faults == MAX_FAULTS
    assert armed["recorder.after"].fired == MAX_FAULTS
    assert faults.take() == ["ValueError"] * MAX_FAULTS


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_r02_what_ends_a_program_passes_and_leaves_the_recording_whole(
    error: type[BaseException], tmp_path: Path, armed: dict[str, Armed]
) -> None:
    for point in sorted(POINTS) if error is KeyboardInterrupt else ("recorder.after", "journal.append"):
        armed[point] = Armed(error, 1)
        with pytest.raises(error):
            journey(tmp_path / point)
        memory_engine.cache_clear()
        armed.clear()
        journey(tmp_path / point)
        queries, source = read_journal(tmp_path / point)
        assert len([query for query in queries if query.sql == "SELECT 19"]) == 1
        assert not [note for note in source.notes if "damaged" in note]


async def test_r02_a_cancelled_task_ends(tmp_path: Path, database: str) -> None:
    engine = create_async_engine(database.replace("psycopg2", "asyncpg"))
    began = asyncio.Event()

    async def work() -> None:
        async with engine.connect() as connection:
            began.set()
            await connection.execute(text("SELECT pg_sleep(60)"))

    with record(engine, tmp_path):
        task = asyncio.create_task(work())
        await began.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await engine.dispose()
    assert [query.error for query in read_journal(tmp_path)[0] if "pg_sleep" in query.sql] == ["CancelledError"]
