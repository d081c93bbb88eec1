"""Engine and sessions; DATABASE_URL names the database."""

import os
from collections.abc import AsyncIterator

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from .models import Author, Base, Book, Review

engine = create_async_engine(os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///bookshop.db"))
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with sessions() as session:
        yield session


async def create(authors: int = 20) -> None:
    """The tables, empty or filled with `authors` authors of three books with two reviews each."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
        if authors:
            books = range(1, authors * 3 + 1)
            await connection.execute(insert(Author), [{"id": n, "name": f"Author {n}"} for n in range(1, authors + 1)])
            await connection.execute(
                insert(Book), [{"id": n, "author_id": (n - 1) // 3 + 1, "title": f"Book {n}"} for n in books]
            )
            await connection.execute(
                insert(Review),
                [{"book_id": (n - 1) // 2 + 1, "stars": n % 5 + 1} for n in range(1, len(books) * 2 + 1)],
            )
