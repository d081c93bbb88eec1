"""What a remedy tells to write in the place of the code: in its own names, of the same rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, cast, func, select, union_all
from sqlalchemy.orm import Session, aliased

from . import models
from .labels import Scenario
from .library import Library
from .scenarios import ALL


def towns(session: Session) -> None:
    for number in range(6):
        session.scalars(select(models.Publisher).where(models.Publisher.city == f"town {number}")).all()


def streets(session: Session) -> None:
    for number in range(6):
        session.scalars(select(models.Publisher.city).where(models.Publisher.name == f"name {number}")).all()


def other_towns(session: Session) -> None:
    house = aliased(models.Publisher)
    for number in range(6):
        session.scalars(select(house).where(house.city == f"town {number}", house.city != "")).all()


def upper_towns(session: Session) -> None:
    for number in range(6):
        session.scalars(
            select(func.upper(models.Publisher.city)).where(models.Publisher.name == f"name {number}")
        ).all()


def towns_and_more(session: Session) -> None:
    for number in range(6):
        session.execute(select(models.Publisher, 1).where(models.Publisher.city == f"town {number}")).all()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (other_towns, "select(house).where(house.city.in_(values))  # its other conditions stay"),
        (upper_towns, "select(Publisher.name, …).where(Publisher.name.in_(values))"),
        (towns_and_more, "select(Publisher.city, …).where(Publisher.city.in_(values))"),
        (towns, "select(Publisher).where(Publisher.city.in_(values))"),
        (streets, "select(Publisher.name, Publisher.city).where(Publisher.name.in_(values))"),
    ],
)
def test_a_column_is_called_by_its_attribute(
    told: Callable[..., str], run: Callable[[Session], None], code: str
) -> None:
    assert told(run, "repeated-query") == code


def orders_again(session: Session) -> None:
    for order in session.scalars(select(models.Order)).all():
        session.refresh(order)


def test_rows_of_several_keys_are_read_again_by_all_of_them(told: Callable[..., str]) -> None:
    assert "tuple_(Order.shop, Order.number).in_(ids)" in told(orders_again, "column-load-in-loop")


def books_of_texts(session: Session) -> None:
    for number in range(6):
        session.scalars(select(models.Book).where(cast(models.Book.id, String) == str(number))).all()


def one_book_by_its_text(session: Session) -> None:
    for _ in range(4):
        session.scalars(select(models.Book).where(cast(models.Book.id, String) == "1")).all()


def authors_of_tagged_books(session: Session) -> None:
    print(len(session.query(models.Author).join(models.Author.books).filter(models.Book.id > 0).all()))


@pytest.mark.parametrize(
    ("run", "rule", "code"),
    [
        (books_of_texts, "repeated-query", "WHERE id::varchar = ANY(:values)"),
        (one_book_by_its_text, "duplicate-query", "rows = session.scalars(query).all()"),
        (authors_of_tagged_books, "fetched-but-unused-rows", "query.order_by(None).distinct().count()"),
    ],
)
def test_a_cast_stays_and_a_legacy_query_counts_each_instance_once(
    told: Callable[..., str], run: Callable[[Any], Any], rule: str, code: str
) -> None:
    assert told(run, rule).partition("  #")[0] == code


def books_of_parts(session: Session) -> None:
    for number in range(6):
        first = select(models.Book.id).where(models.Book.id == number)
        session.execute(union_all(first, select(models.Tag.id).where(models.Tag.id == number))).all()


def test_nothing_is_promised_where_no_query_for_all_values_is_told(library: Library, tmp_path: Path) -> None:
    (finding,) = library.run(
        Scenario(books_of_parts, "repeated-query", "", "", False, False, False), "psycopg2", tmp_path
    )
    assert finding.remedy is not None
    assert finding.message.endswith("each time with other values: 6 queries.")
    assert (finding.remedy.code, finding.remedy.evidence.queries, finding.remedy.saves_ms) == ((), (), None)


def one_part_and_one_more(session: Session) -> None:
    for number in range(6):
        first = select(models.Book.id).where(models.Book.id == number)
        session.execute(union_all(first, select(models.Tag.id).where(models.Tag.id == number))).all()
        session.execute(select(models.Book.title).where(models.Book.author_id == number)).all()


def test_rounds_of_which_one_part_stays_are_counted_so(library: Library, tmp_path: Path) -> None:
    scenario = Scenario(one_part_and_one_more, "interleaved-n-plus-one", "", "", False, False, False)
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    assert finding.message.endswith("each round with other values: 12 queries.")
    assert finding.remedy.title == "Ask for one of them once, before the loop"
    (code,) = finding.remedy.code
    assert code.text == "select(Book.author_id, Book.title).where(Book.author_id.in_(values))"
    (evidence,) = finding.remedy.evidence.queries
    assert (evidence.before.queries, evidence.after.queries) == (12, 7)


def entries_locked_again(session: Session) -> None:
    for entry in session.scalars(select(models.Entry).limit(6)).all():
        session.refresh(entry, with_for_update=True)


def test_rows_that_are_locked_are_locked_by_the_one_query(told: Callable[..., str]) -> None:
    assert "in_(ids)).order_by(…).with_for_update()," in told(entries_locked_again, "column-load-in-loop")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("any_asked_in_python", "session.scalar(select(exists().where(…)))"),
        ("async_counted_in_python", "await session.scalar(select(func.count()).select_from(Entry))"),
        ("length_of_a_legacy_query", "session.scalar(select(func.count()).select_from(Book).where(…))"),
        ("first_without_limit", ".limit(1)"),
        ("commit_by_core", "        connection.commit()\nconnection.commit()"),
        ("awaited_after_commit", "async_sessionmaker(engine, expire_on_commit=False)"),
        ("flush_of_each_change", "session.flush()  # once, after the loop"),
        ("insert_by_core", "session.execute(insert(table), rows)"),
        ("delete_by_key", "connection.execute(statement, rows)"),
        ("the_same_in_a_loop", "session.get(Author, key)"),
        ("the_same_from_two_helpers", "rows = session.execute(query).all()"),
        ("async_same_again", "value = await session.scalar(query)"),
    ],
)
def test_a_remedy_speaks_of_the_code_at_hand(library: Library, name: str, code: str, tmp_path: Path) -> None:
    scenario = next(one for one in ALL if one.name == name)
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    text = finding.remedy.code[0].text
    assert text.startswith(code) or text.endswith(code)
