"""select-star."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from .scenario import pair


def whole_user(session: Session) -> None:
    """Every column, for one of them."""
    for number in range(1, 5):
        session.execute(text("SELECT * FROM users WHERE github_id = :number"), {"number": number}).one()
        session.commit()


def user_by_columns(session: Session) -> None:
    """The columns that are used."""
    for number in range(1, 5):
        session.execute(
            text("SELECT github_login, avatar_url FROM users WHERE github_id = :number"), {"number": number}
        ).one()
        session.commit()


async def whole_rows_of_join(session: AsyncSession) -> None:
    """Every column of one side of a join."""
    sql = "SELECT p.* FROM projects p JOIN user_projects m ON m.project_id = p.id WHERE p.path = :path LIMIT 10"
    await session.execute(text(sql), {"path": "/srv/projects/5"})


async def count_and_exists(session: AsyncSession) -> None:
    """Stars that ask for no column."""
    await session.execute(text("SELECT count(*) FROM projects WHERE EXISTS (SELECT * FROM users WHERE github_id = 1)"))


SCENARIOS = (
    *pair("select-star", whole_user, user_by_columns),
    *pair("select-star", whole_rows_of_join, count_and_exists),
)
