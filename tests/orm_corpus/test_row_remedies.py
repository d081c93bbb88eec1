"""What a remedy tells of rows that are fetched and hardly used."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, aliased

from . import models
from .labels import Scenario
from .library import Library


def counted_by_exec(session: Session) -> None:
    db = SimpleNamespace(exec=session.scalars)  # as SQLModel's sessions have it
    print(len(db.exec(select(models.Entry)).all()))


def last_of_all(session: Session) -> None:
    print(session.scalars(select(models.Entry).order_by(models.Entry.id)).all()[-1].id)


def first_and_number(session: Session) -> None:
    entries = session.scalars(select(models.Entry).order_by(models.Entry.id)).all()
    print(len(entries), entries[0].id)


def slice_and_number(session: Session) -> None:
    entries = session.scalars(select(models.Entry)).all()
    print(len(entries), entries[10:20])


def any_and_first(session: Session) -> None:
    entries = session.scalars(select(models.Entry)).all()
    if entries:
        print(entries[0].id)


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (last_of_all, ".limit(1)  # in the opposite order: .order_by(….desc())"),
        (first_and_number, ".limit(1)  # the number of rows by a query of its own"),
        (slice_and_number, ".order_by(…).limit(size).offset(start)  # or a condition on the last key of the page before; the number of rows by a query of its own"),
        (any_and_first, ".limit(1)  # with .order_by(…), so that it is always the same one"),
    ],
)  # fmt: skip
def test_what_is_told_of_rows_serves_all_that_is_done_with_them(
    told: Callable[..., str], run: Callable[[Session], None], code: str
) -> None:
    assert told(run, "fetched-but-unused-rows") == code


def second_of_all(session: Session) -> None:
    print(session.scalars(select(models.Entry).order_by(models.Entry.id)).all()[1].id)


def first_and_last(session: Session) -> None:
    entries = session.scalars(select(models.Entry).order_by(models.Entry.id)).all()
    print(entries[0].id, entries[-1].id)


def kept_for_others(session: Session) -> None:
    global kept
    kept = session.scalars(select(models.Entry)).all()
    print(len(kept))


kept: Any = []


def handed_on_by_their_names(session: Session) -> dict[str, Any]:
    entries = session.scalars(select(models.Entry)).all()
    print(len(entries))
    return locals()


@pytest.mark.parametrize("run", [second_of_all, first_and_last, kept_for_others, handed_on_by_their_names])
def test_rows_that_are_used_otherwise_are_left_alone(
    library: Library, run: Callable[[Session], None], tmp_path: Path
) -> None:
    assert library.run(Scenario(run, "", "", "", False, False, False), "psycopg2", tmp_path) == []


async def counted_in_a_lambda(session: AsyncSession) -> None:
    await session.run_sync(lambda inner: len(inner.scalars(select(models.Entry)).all()))


def different_labels(session: Session) -> None:
    print(len(session.scalars(select(models.Entry.id, models.Entry.label).distinct()).all()))


def labels_in_groups(session: Session) -> None:
    print(len(session.scalars(select(models.Entry.id).group_by(models.Entry.id)).all()))


def entries_under_an_alias(session: Session) -> None:
    row = aliased(models.Entry)
    print(len(session.scalars(select(row).where(row.amount > 3)).all()))


def labels_of_a_subquery(session: Session) -> None:
    inner = select(models.Entry.id, models.Entry.label).distinct().subquery()
    print(len(session.scalars(select(inner.c.label)).all()))


def entries_twice(session: Session) -> None:
    both = union_all(select(models.Entry.id), select(models.Entry.id))
    print(bool(session.execute(both).all()))


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (counted_by_exec, "db.scalar(select(func.count()).select_from(Entry))"),
        (counted_in_a_lambda, "inner.scalar(select(func.count()).select_from(Entry))"),
        (different_labels, "session.scalar(select(func.count()).select_from(query.subquery()))"),
        (labels_in_groups, "session.scalar(select(func.count()).select_from(query.subquery()))"),
        (entries_under_an_alias, "session.scalar(select(func.count()).select_from(query.subquery()))"),
        (labels_of_a_subquery, "session.scalar(select(func.count()).select_from(query.subquery()))"),
        (entries_twice, "session.scalar(select(query.exists()))"),
    ],
)
def test_rows_are_counted_where_the_query_finds_them(
    told: Callable[..., str], run: Callable[[Any], Any], code: str
) -> None:
    assert told(run, "fetched-but-unused-rows") == code


def authors_made_unique(session: Session) -> None:
    print(len(session.scalars(select(models.Author).join(models.Author.books)).unique().all()))


def authors_made_unique_by_name(session: Session) -> None:
    found = session.scalars(select(models.Author).join(models.Author.books)).unique().all()
    print(len(found))


def authors_of_all_rows(session: Session) -> None:
    print(len(session.scalars(select(models.Author).join(models.Author.books)).all()))
    print(session.scalars(select(models.Author).limit(1)).unique().all())


@pytest.mark.parametrize(
    ("run", "query"),
    [
        (authors_made_unique, "query.order_by(None).distinct()"),
        (authors_made_unique_by_name, "query.order_by(None).distinct()"),
        (authors_of_all_rows, "query"),
    ],
)
def test_unique_rows_are_counted_once(
    told: Callable[..., str], library: Library, run: Callable[[Session], None], query: str
) -> None:
    code = told(run, "fetched-but-unused-rows").partition("  #")[0]
    assert code == f"session.scalar(select(func.count()).select_from({query}.subquery()))"
    asked = select(models.Author).join(models.Author.books).order_by(models.Book.id)
    with Session(library.engines["psycopg2"]) as session:
        rows = session.scalars(asked)
        expected = len(rows.all() if query == "query" else rows.unique().all())
        assert eval(code, {"session": session, "select": select, "func": func, "query": asked}) == expected


def test_what_a_legacy_query_is_told_counts_what_its_length_is(library: Library) -> None:
    with Session(library.engines["psycopg2"]) as session:
        query = session.query(models.Author).join(models.Author.books).order_by(models.Book.id)
        assert query.order_by(None).distinct().count() == len(query.all()) < query.count()
