"""The same in asyncio: awaitable attributes, run_sync, gather, streams; and the clean twins."""

import asyncio

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, defer, joinedload, selectinload, undefer

from .labels import clean, faulty
from .models import Author, Book, Entry, Job, Publisher

NUMBERS = (1, 2, 3, 4, 5, 6)


@faulty("n-plus-one", "selectinload(Author.books)")
async def awaited_collection(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author)):  # origin
        len(await author.awaitable_attrs.books)


@faulty("n-plus-one", "joinedload(Book.author)")
async def awaited_scalar(session: AsyncSession) -> None:
    books = (await session.scalars(select(Book))).all()  # origin
    for book in books:
        print((await book.awaitable_attrs.author).name)


@faulty("n-plus-one", "selectinload(Author.books).selectinload(Book.tags)")
async def awaited_two_levels(session: AsyncSession) -> None:
    for author in (await session.scalars(select(Author))).all():  # origin
        for book in await author.awaitable_attrs.books:
            len(await book.awaitable_attrs.tags)


@faulty("n-plus-one", "joinedload(Author.profile)")
async def awaited_of_execute(session: AsyncSession) -> None:
    result = await session.execute(select(Author).order_by(Author.id))  # origin
    for author in result.scalars():
        await author.awaitable_attrs.profile


@faulty("n-plus-one", "selectinload(Author.awards)")
async def inside_run_sync(session: AsyncSession) -> None:
    def work(inner: Session) -> int:
        return sum(len(author.awards) for author in inner.scalars(select(Author)))  # origin

    print(await session.run_sync(work))


@faulty("n-plus-one", "selectinload(Author.books)")
async def while_streaming_rows(session: AsyncSession) -> None:
    stream = await session.stream_scalars(select(Author))  # origin
    authors = [author async for author in stream]
    for author in authors:
        await author.awaitable_attrs.books


@faulty("n-plus-one", "selectinload(Publisher.authors)")
async def in_an_async_helper(session: AsyncSession) -> None:
    async def publishers() -> list[Publisher]:
        return list(await session.scalars(select(Publisher)))  # origin

    for publisher in await publishers():
        await publisher.awaitable_attrs.authors


@faulty("n-plus-one", "joinedload(Author.books).selectinload(Book.reviews)")
async def below_a_joined_collection(session: AsyncSession) -> None:
    query = select(Author).options(joinedload(Author.books))
    for author in (await session.scalars(query)).unique():  # origin
        for book in author.books:
            await book.awaitable_attrs.reviews


@faulty("n-plus-one", "selectinload(Author.books)", marked=False)
async def without_an_async_scope(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author)):  # origin
        await author.awaitable_attrs.books


@faulty("column-load-in-loop", "selectinload(Author.books)")
async def refreshed_for_a_relationship(session: AsyncSession) -> None:
    for author in (await session.scalars(select(Author))).all():
        await session.refresh(author, ["books"])  # origin
        print(len(author.books))


@faulty("column-load-in-loop", "undefer(Author.biography)")
async def awaited_deferred_column(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author)):  # origin
        await author.awaitable_attrs.biography


@faulty("column-load-in-loop", "undefer(Author.notes)")
async def awaited_column_left_out(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(defer(Author.notes))):  # origin
        await author.awaitable_attrs.notes


@faulty("column-load-in-loop")
async def async_refresh_of_each(session: AsyncSession) -> None:
    for author in (await session.scalars(select(Author))).all():
        await session.refresh(author)  # origin


@faulty("repeated-query")
async def async_get_in_a_loop(session: AsyncSession) -> None:
    for number in NUMBERS:
        await session.get(Author, number)  # origin


@faulty("repeated-query")
async def async_select_in_a_loop(session: AsyncSession) -> None:
    for number in NUMBERS:
        (await session.scalars(select(Book.title).where(Book.author_id == number))).all()  # origin


@faulty("repeated-query")
async def async_plain_sql_in_a_loop(session: AsyncSession) -> None:
    for number in NUMBERS:
        await session.execute(text("SELECT name FROM authors WHERE id = :id"), {"id": number})  # origin


@faulty("repeated-query")
async def gathered(session: AsyncSession) -> None:
    async def title(number: int) -> str | None:
        async with AsyncSession(session.bind) as other:
            return await other.scalar(select(Book.title).where(Book.id == number))  # origin

    print(await asyncio.gather(*map(title, NUMBERS)))


@faulty("duplicate-query")
async def async_same_again(session: AsyncSession) -> None:
    for _ in range(4):
        await session.scalar(select(Author.name).where(Author.id == 1))  # origin


@faulty("interleaved-n-plus-one")
async def async_two_in_turn(session: AsyncSession) -> None:
    for number in (1, 2, 3, 4):
        await session.scalar(select(Author.name).where(Author.id == number))  # origin
        (await session.scalars(select(Book.title).where(Book.author_id == number))).all()


@faulty("write-in-loop")
async def async_insert_in_a_loop(session: AsyncSession) -> None:
    for number in range(1_000, 1_006):
        await session.execute(insert(Job).values(id=number))  # origin


@faulty("write-in-loop")
async def async_flush_in_a_loop(session: AsyncSession) -> None:
    for number in range(1_000, 1_006):
        session.add(Job(id=number))
        await session.flush()  # origin


@faulty("commit-in-loop", commits=True)
async def async_commit_in_a_loop(session: AsyncSession) -> None:
    for number in range(1_000, 1_006):
        session.add(Job(id=number))
        await session.commit()  # origin


@faulty("lazy-load-after-commit", commits=True)
async def awaited_after_commit(session: AsyncSession) -> None:
    authors = (await session.scalars(select(Author))).all()
    authors[0].country = "async"
    await session.commit()  # origin
    print([await author.awaitable_attrs.name for author in authors])


@faulty("unused-eager-load", deep=True)
async def async_eager_never_read(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(selectinload(Author.books))):  # origin
        print(author.name, author.notes)


@faulty("unused-columns", "load_only(Entry.id, Entry.label)", deep=True)
async def async_wide_text_never_read(session: AsyncSession) -> None:
    for entry in await session.scalars(select(Entry)):  # origin
        print(entry.label)


@faulty("fetched-but-unused-rows")
async def async_first_without_limit(session: AsyncSession) -> None:
    print((await session.scalars(select(Entry).order_by(Entry.id))).first())  # origin


@faulty("fetched-but-unused-rows")
async def async_counted_in_python(session: AsyncSession) -> None:
    entries = (await session.scalars(select(Entry))).all()  # origin
    print(len(entries))


@faulty("cartesian-eager-load")
async def async_two_joined_collections(session: AsyncSession) -> None:
    query = select(Author).options(joinedload(Author.books), joinedload(Author.awards))
    for author in (await session.scalars(query)).unique():  # origin
        print(len(author.books), len(author.awards))


# --- clean


@clean()
async def async_eager(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(selectinload(Author.books))):
        len(author.books)


@clean()
async def async_eager_and_awaited(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(selectinload(Author.books))):
        len(await author.awaitable_attrs.books)


@clean()
async def async_one_and_one(session: AsyncSession) -> None:
    author = await session.get(Author, 1)
    assert author is not None
    len(await author.awaitable_attrs.books)


@clean()
async def async_undeferred(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(undefer(Author.biography))):
        len(author.biography)


@clean()
async def async_all_in_one(session: AsyncSession) -> None:
    (await session.scalars(select(Book.title).where(Book.author_id.in_(NUMBERS)))).all()


@clean()
async def async_pages(session: AsyncSession) -> None:
    last = 0
    while page := (await session.scalars(select(Entry).where(Entry.id > last).order_by(Entry.id).limit(10))).all():
        last = page[-1].id


@clean()
async def async_polling(session: AsyncSession) -> None:
    for _ in range(4):
        await session.scalar(select(Job.state).where(Job.id == 1))
        await asyncio.sleep(0.06)


@clean(marked=False)
async def tasks_of_different_requests(session: AsyncSession) -> None:
    async def request(number: int) -> None:
        async with AsyncSession(session.bind) as other:
            author = await other.get(Author, number)
            assert author is not None
            len(await author.awaitable_attrs.books)

    await asyncio.gather(*map(request, NUMBERS))


@clean()
async def gathered_differently(session: AsyncSession) -> None:
    async def one(query: str) -> None:
        async with AsyncSession(session.bind) as other:
            await other.execute(text(query))

    await asyncio.gather(*(one(f"SELECT count(*) FROM {table}") for table in ("authors", "books", "tags", "awards")))


@clean()
async def async_stream_in_chunks(session: AsyncSession) -> None:
    query = select(Author).options(selectinload(Author.books)).execution_options(yield_per=2)
    async for author in await session.stream_scalars(query):
        len(author.books)


@clean()
async def async_insert_of_many(session: AsyncSession) -> None:
    await session.execute(insert(Job), [{"id": number} for number in range(1_000, 1_006)])


@clean(commits=True)
async def async_one_commit(session: AsyncSession) -> None:
    session.add_all([Job(id=number) for number in range(1_000, 1_006)])
    await session.commit()


@clean(deep=True)
async def async_eager_read(session: AsyncSession) -> None:
    for author in await session.scalars(select(Author).options(selectinload(Author.awards))):
        print(author.notes, author.name, author.country, [award.name for award in author.awards])


@clean()
async def async_first_with_limit(session: AsyncSession) -> None:
    print((await session.scalars(select(Entry).order_by(Entry.id).limit(1))).first())
