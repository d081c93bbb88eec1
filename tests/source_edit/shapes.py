"""Queries in every shape people write them in, each with an N+1 that one option mends; run, edited and run again by a test."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    lazyload,
    selectin_polymorphic,
    with_polymorphic,
)

from . import models
from .models import Author, Book, Node, Person, Student, Teacher
from .models import Author as Writer


def titles(authors: Any) -> list[list[int]]:
    return [[book.id for book in author.books] for author in authors]


def directly_iterated(session: Session) -> object:
    return titles(list(session.scalars(select(Author).order_by(Author.id))))


def with_all(session: Session) -> object:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    return titles(authors)


def executed(session: Session) -> object:
    rows = session.execute(sa.select(models.Author).order_by(models.Author.id)).scalars().all()
    return titles(rows)


def other_name(session: Session) -> object:
    return titles(session.scalars(select(Writer).order_by(Writer.id)).all())


def legacy(session: Session) -> object:
    return titles(session.query(Author).order_by(Author.id).all())


def legacy_over_lines(session: Session) -> object:
    return titles(
        session.query(Author)
        .filter(Author.id > 0)  # all of them
        .order_by(Author.id)
        .all()
    )


def legacy_in_a_loop(session: Session) -> object:
    found = []
    for author in session.query(Author).order_by(Author.id):
        found.append([book.id for book in author.books])
    return found


def legacy_in_a_variable(session: Session) -> object:
    query = session.query(Author)
    if session.is_active:
        query = query.order_by(Author.id)
    return titles(query.all())


def comprehension(session: Session) -> object:
    return [[book.id for book in author.books] for author in session.scalars(select(Author).order_by(Author.id))]


def variable(session: Session) -> object:
    statement = select(Author)
    statement = statement.order_by(Author.id)
    return titles(session.scalars(statement).all())


def counted_too(session: Session) -> object:
    statement = select(Author).order_by(Author.id)
    count = session.scalar(select(sa.func.count()).select_from(statement.subquery()))
    return count, titles(session.scalars(statement).all())


def one_a_line(session: Session) -> object:
    statement = (
        select(Author)
        .where(Author.id > 0)
        .order_by(Author.id)
    )  # fmt: skip
    return titles(session.scalars(statement).all())


def all_authors() -> Any:
    return select(Author).order_by(Author.id)


def from_a_helper(session: Session) -> object:
    return titles(session.scalars(all_authors().limit(50)).all())


class Repository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def _statement(self) -> Any:
        return select(Author).order_by(Author.id)

    def authors(self) -> Any:
        return self.session.scalars(self._statement()).all()


def from_a_method(session: Session) -> object:
    return titles(Repository(session).authors())


def nested(session: Session) -> object:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    return [[[tag.id for tag in book.tags] for book in author.books] for author in authors]


def to_one(session: Session) -> object:
    books = session.scalars(select(Book).order_by(Book.id).limit(10)).all()
    return [book.publisher.id for book in books]


def option_in_the_way(session: Session) -> object:
    authors = session.scalars(select(Author).options(lazyload(Author.books)).order_by(Author.id)).all()
    return titles(authors)


def joined_by_hand(session: Session) -> object:
    books = session.scalars(
        select(Book).join(Book.author).options(contains_eager(Book.author)).where(Author.id > 0).order_by(Book.id)
    ).all()  # fmt: skip
    return titles(dict.fromkeys(book.author for book in books))


def option_beside(session: Session) -> object:
    books = session.scalars(
        select(Book).options(sa.orm.joinedload(Book.author)).order_by(Book.id).limit(10)
    ).all()  # fmt: skip
    return [(book.author.id, book.publisher.id) for book in books]


def option_to_go_on_from(session: Session) -> object:
    books = session.scalars(
        select(Author)
        .options(
            sa.orm.selectinload(Author.books),  # for the titles
        )
        .order_by(Author.id)
    ).all()  # fmt: skip
    return [[[tag.id for tag in book.tags] for book in author.books] for author in books]


def alias_as_root(session: Session) -> object:
    writer = aliased(Author)
    return titles(session.scalars(select(writer).order_by(writer.id)).all())


def several_entities(session: Session) -> object:
    rows = session.execute(select(Book, Author).join(Book.author).order_by(Book.id)).all()
    return [(book.publisher.id, author.id) for book, author in rows]


def got(session: Session) -> object:
    author = session.get(Author, 1)
    assert author is not None
    return [[tag.id for tag in book.tags] for book in author.books]


def got_over_lines(session: Session) -> object:
    author = session.get_one(
        Author,
        2,
    )
    return [[tag.id for tag in book.tags] for book in author.books]


def recursive(session: Session) -> object:
    def walk(node: Node) -> list[object]:
        return [node.id, [walk(child) for child in node.children]]

    return [walk(node) for node in session.scalars(select(Node).where(Node.parent_id.is_(None))).all()]


def chained(session: Session) -> object:
    authors = session.scalars(select(Author).order_by(Author.id)).fetchmany(3)
    return titles(authors)


def compared(session: Session) -> object:
    inner = select(Author.id).where(Author.id > 0)
    authors = session.scalars(select(Author).where(Author.id.in_(inner)).where(Author.id.in_(select(Author.id)))).all()
    return sorted(titles(authors))


def of_a_subclass(session: Session) -> object:
    people = session.scalars(select(Person).order_by(Person.id))
    return [[lesson.id for lesson in person.lessons] for person in people if isinstance(person, Teacher)]


def of_two_subclasses(session: Session) -> object:
    found: list[list[int]] = []
    for person in session.scalars(select(Person).order_by(Person.id)):
        if isinstance(person, Teacher):
            found.append([lesson.id for lesson in person.lessons])
        elif isinstance(person, Student):
            found.append([exam.id for exam in person.exams])
    return found


def another_subclass_beside(session: Session) -> object:
    people = session.scalars(select(Person).options(selectin_polymorphic(Person, [Teacher])).order_by(Person.id))
    return [[exam.id for exam in person.exams] for person in people if isinstance(person, Student)]


def of_the_base(session: Session) -> object:
    return [[note.id for note in teacher.notes] for teacher in session.scalars(select(Teacher).order_by(Teacher.id))]


def with_polymorphic_root(session: Session) -> object:
    everyone = with_polymorphic(Person, [Teacher])
    people = session.scalars(select(everyone).order_by(everyone.id))
    return [[lesson.id for lesson in person.lessons] for person in people if isinstance(person, Teacher)]


async def awaited(session: AsyncSession) -> object:
    authors = (await session.scalars(select(Author).order_by(Author.id))).all()
    return [[book.id for book in await author.awaitable_attrs.books] for author in authors]


async def awaited_over_lines(session: AsyncSession) -> object:
    authors = await session.scalars(
        select(Author).where(Author.id > 0).order_by(Author.id),
    )
    return [[book.id for book in await author.awaitable_attrs.books] for author in authors]  # fmt: skip


async def awaited_variable(session: AsyncSession) -> object:
    statement = select(Author).order_by(Author.id)
    result = await session.execute(statement)
    return [[book.id for book in await author.awaitable_attrs.books] for author in result.scalars()]


async def run_sync(session: AsyncSession) -> object:
    return await session.run_sync(lambda inner: titles(inner.scalars(select(Author).order_by(Author.id)).all()))


async def streamed(session: AsyncSession) -> object:
    found = []
    async for author in await session.stream_scalars(select(Author).order_by(Author.id)):
        found.append([book.id for book in await author.awaitable_attrs.books])
    return found
