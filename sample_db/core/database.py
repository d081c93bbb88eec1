"""The one Base, the engines, and the session of a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(AsyncAttrs, DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


def utc_now() -> datetime:
    """Now, with its time zone."""
    return datetime.now(UTC)


def async_engine(url: str) -> AsyncEngine:
    """The application's engine, with a pool; `url` may name any PostgreSQL driver."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=5,
        max_overflow=10,
        pool_recycle=3600,
        pool_pre_ping=True,
    )


def sync_engine(url: str) -> Engine:
    """An engine over psycopg2, for scripts and migrations."""
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"), pool_size=5, pool_recycle=3600, pool_pre_ping=True
    )


@asynccontextmanager
async def request_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """The session of one request: commits when the request succeeds, rolls back and re-raises when it fails."""
    async with async_sessionmaker(engine, expire_on_commit=False)() as session:
        try:
            yield session
            await session.commit()
        except BaseException:  # A cancelled request must not commit either; raised again.
            await session.rollback()
            raise
