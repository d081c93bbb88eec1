"""The application: `uvicorn bookshop.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from .database import create, engine, get_session
from .models import Author, Book

Session = Annotated[AsyncSession, Depends(get_session)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Fill the database at start, close it at the end."""
    await create()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/authors")
async def list_authors(session: Session) -> list[dict[str, object]]:
    """Every author with the titles of the books: one query per author."""
    authors = await session.scalars(select(Author).order_by(Author.name))
    found: list[dict[str, object]] = []
    for author in authors:
        books = await author.awaitable_attrs.books
        found.append({"name": author.name, "titles": [book.title for book in books]})
    return found


@app.get("/stars")
async def average_stars(session: Session) -> dict[str, float]:
    """Average stars of every author: one query per author, and one per book."""
    authors = (await session.scalars(select(Author))).all()
    averages = {}
    for author in authors:
        stars = []
        for book in await author.awaitable_attrs.books:
            stars += [review.stars for review in await book.awaitable_attrs.reviews]
        averages[author.name] = sum(stars) / len(stars)
    return averages


@app.get("/books")
async def list_books(session: Session) -> list[dict[str, str]]:
    """Every book with its author, as it should be: two queries whatever the number."""
    books = await session.scalars(select(Book).options(selectinload(Book.author)).order_by(Book.id).limit(50))
    return [{"title": book.title, "author": book.author.name} for book in books]
