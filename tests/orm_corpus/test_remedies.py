"""What a remedy tells to write in the place of the code: in its own names, of the same rows."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, cast, func, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, aliased, joinedload, selectinload, sessionmaker

from . import models
from .labels import Scenario
from .library import Library
from .scenarios import ALL


@pytest.fixture
def told(library: Library, tmp_path: Path) -> Callable[..., str]:
    """(run, rule, marked, commits): the code of the one finding that the function gives."""

    def tell(run: Callable[[Any], Any], rule: str, *, marked: bool = False, commits: bool = False) -> str:
        scenario = Scenario(run, rule, "", "", False, marked, commits)
        (finding,) = library.run(scenario, "asyncpg" if inspect.iscoroutinefunction(run) else "psycopg2", tmp_path)
        assert finding.remedy is not None
        return finding.remedy.code[0].text

    return tell


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


class Exec:
    """A session with the method that SQLModel gives its own."""

    def __init__(self, session: Session) -> None:
        self.exec = session.scalars


def counted_by_exec(session: Session) -> None:
    db = Exec(session)
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


def one_with_books(session: Session) -> None:
    for _ in range(4):
        session.scalars(
            select(models.Author).options(selectinload(models.Author.books)).where(models.Author.id == 1)
        ).one()


def entries_again(session: Session) -> None:
    for _ in range(4):
        session.scalars(select(models.Entry).where(models.Entry.amount > 3)).all()


def entries_again_by_exec(session: Session) -> None:
    db = Exec(session)
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
    assert code.label == f"At the first of them, tests/orm_corpus/test_remedies.py:{line}"
    assert code.text.startswith("rows = session.execute(query).all()")


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
