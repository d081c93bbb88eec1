"""What a remedy tells of writes and commits in loops."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from . import models
from .labels import Scenario
from .library import Library


def inserted_unless_there(session: Session) -> None:
    for number in range(1_000, 1_006):
        statement = insert(models.Job).values(id=number).on_conflict_do_nothing()
        session.execute(statement)


def test_a_statement_that_says_more_than_insert_is_kept(told: Callable[..., str]) -> None:
    assert told(inserted_unless_there, "write-in-loop").startswith("session.execute(statement, rows)  # ")


def flushed_for_its_key(session: Session) -> None:
    for number in range(1_000, 1_006):
        job = models.Job(id=number)
        session.add(job)
        session.flush()
        print(job.id)


def test_new_keys_are_said_to_be_known_after_the_one_flush(library: Library, tmp_path: Path) -> None:
    scenario = Scenario(flushed_for_its_key, "write-in-loop", "", "", False, False, False)
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    assert finding.remedy.reason.endswith("what needs one is linked by a relationship, or made after it.")


async def flushed_in_run_sync(session: AsyncSession) -> None:
    def work(inner: Session) -> None:
        for number in range(1_000, 1_006):
            inner.add(models.Job(id=number))
            inner.flush()

    await session.run_sync(work)


def test_a_plain_function_below_a_task_is_told_to_await_nothing(told: Callable[..., str]) -> None:
    assert (
        told(flushed_in_run_sync, "write-in-loop") == "inner.add_all(instances)\ninner.flush()  # once, after the loop"
    )


def committed_by_blocks(session: Session) -> None:
    maker = sessionmaker(session.get_bind())
    for number in range(2_000, 2_006):
        with maker.begin() as inner:
            inner.add(models.Job(id=number))


def test_a_block_that_commits_is_told_to_hold_a_batch(told: Callable[..., str]) -> None:
    assert told(committed_by_blocks, "commit-in-loop", marked=True, commits=True) == (
        "for start in range(0, len(items), 1_000):\n"
        "    with maker.begin() as inner:\n"
        "        for item in items[start : start + 1_000]:\n"
        "            …"
    )


def committed_by_sessions_of_their_own(session: Session) -> None:
    maker = sessionmaker(session.get_bind())
    for number in range(2_000, 2_006):
        with maker() as inner:
            if number:
                inner.add(models.Job(id=number))
                inner.commit()


def test_a_session_of_each_round_is_told_to_stand_around_the_loop(told: Callable[..., str]) -> None:
    assert told(committed_by_sessions_of_their_own, "commit-in-loop", marked=True, commits=True) == (
        "with maker() as inner:\n"
        "    for number, item in enumerate(items, 1):\n"
        "        …\n"
        "        if number % 1_000 == 0:\n"
        "            inner.commit()\n"
        "    inner.commit()"
    )
