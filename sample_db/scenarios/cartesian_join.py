"""cartesian-join."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from .scenario import pair


def roles_and_names(session: Session) -> None:
    """The condition between memberships and projects was forgotten."""
    sql = """
        SELECT count(m.role || p.name) FROM user_projects m, projects p
        WHERE m.user_id IN (SELECT id FROM users WHERE github_id < 100) AND p.path < '/srv/projects/12'
    """
    session.execute(text(sql)).all()


def roles_and_names_joined(session: Session) -> None:
    """Joined."""
    sql = """
        SELECT m.role, p.name FROM user_projects m JOIN projects p ON p.id = m.project_id
        WHERE m.user_id IN (SELECT id FROM users WHERE github_id < 10) LIMIT 50
    """
    session.execute(text(sql)).all()


async def days_and_projects(session: AsyncSession) -> None:
    """A product that is meant, and says so."""
    sql = "SELECT d, p.name FROM generate_series(1, 7) d CROSS JOIN (SELECT name FROM projects ORDER BY path LIMIT 5) p"
    await session.execute(text(sql))


SCENARIOS = (
    *pair("cartesian-join", roles_and_names, roles_and_names_joined),
    *pair("cartesian-join", roles_and_names, days_and_projects)[1:],
)
