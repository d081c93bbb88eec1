"""missing-pagination."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ..models import Project, TaskRef, User
from .scenario import pair


def all_titles(session: Session) -> None:
    """The whole table, for a page that shows the first lines."""
    session.execute(select(TaskRef.id, TaskRef.number).order_by(TaskRef.id)).all()


def a_page_of_titles(session: Session) -> None:
    """A page."""
    session.execute(select(TaskRef.id, TaskRef.number).order_by(TaskRef.id).limit(50)).all()


async def all_users(session: AsyncSession) -> None:
    """Every user."""
    await session.execute(select(User.id, User.github_login))


async def tasks_by_status(session: AsyncSession) -> None:
    """A handful of groups."""
    await session.execute(select(TaskRef.status, func.count()).group_by(TaskRef.status))


def number_of_projects(session: Session) -> None:
    """One row."""
    session.execute(select(func.count()).select_from(Project)).all()


SCENARIOS = (
    *pair("missing-pagination", all_titles, a_page_of_titles),
    *pair("missing-pagination", all_users, tasks_by_status),
    *pair("missing-pagination", all_titles, number_of_projects)[1:],
)
