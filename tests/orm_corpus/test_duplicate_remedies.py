"""What a remedy tells of a statement that is sent again as it was."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, joinedload, selectinload

from . import models
from .labels import Scenario
from .library import Library


def one_with_books(session: Session) -> None:
    for _ in range(4):
        session.scalars(
            select(models.Author).options(selectinload(models.Author.books)).where(models.Author.id == 1)
        ).one()


def entries_again(session: Session) -> None:
    for _ in range(4):
        session.scalars(select(models.Entry).where(models.Entry.amount > 3)).all()


def entries_again_by_exec(session: Session) -> None:
    db = SimpleNamespace(exec=session.scalars)  # as SQLModel's sessions have it
    for _ in range(4):
        db.exec(select(models.Entry).where(models.Entry.amount > 3)).all()


def joined_again(session: Session) -> None:
    for _ in range(4):
        session.scalars(select(models.Author).options(joinedload(models.Author.books))).unique().all()


def legacy_again(session: Session) -> None:
    for _ in range(4):
        session.query(models.Entry).filter(models.Entry.amount > 3).all()


def legacy_counted_again(session: Session) -> None:
    for _ in range(4):
        session.query(models.Entry).count()


def legacy_by_key_again(session: Session) -> None:
    db = session
    for _ in range(4):
        db.query(models.Author).filter(models.Author.id == 1).one()


async def rows_again(session: AsyncSession) -> None:
    for _ in range(4):
        (await session.execute(select(models.Entry.id, models.Entry.label))).all()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (one_with_books, "session.get(Author, key, options=[…])"),
        (joined_again, "rows = session.scalars(query).unique().all()"),
        (legacy_again, "rows = query.all()"),
        (legacy_counted_again, "value = query.count()"),
        (legacy_by_key_again, "db.get(Author, key)"),
        (entries_again_by_exec, "rows = db.exec(query).all()"),
        (entries_again, "rows = session.scalars(query).all()"),
        (rows_again, "rows = (await session.execute(query)).all()"),
    ],
)
def test_the_same_is_asked_for_once_as_it_was_asked_for(
    told: Callable[..., str], run: Callable[[Any], Any], code: str
) -> None:
    assert told(run, "duplicate-query").partition("  #")[0] == code


def asked_for_at_two_places(session: Session) -> None:
    for _ in range(2):
        session.execute(select(models.Entry).where(models.Entry.amount > 3)).all()
        session.scalars(select(models.Entry).where(models.Entry.amount > 3)).all()


def test_of_several_places_the_one_that_is_spoken_of_is_named(library: Library, tmp_path: Path) -> None:
    (finding,) = library.run(
        Scenario(asked_for_at_two_places, "duplicate-query", "", "", False, True, False), "psycopg2", tmp_path
    )
    assert finding.remedy is not None
    (code,) = finding.remedy.code
    line = inspect.getsourcelines(asked_for_at_two_places)[1] + 2
    assert code.label == f"At the first of them, tests/orm_corpus/test_duplicate_remedies.py:{line}"
    assert code.text.startswith("rows = session.execute(query).all()")
