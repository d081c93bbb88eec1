"""n-plus-one: lazy loads and loops of queries."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, joinedload, load_only, selectinload

from ..models import Project, TaskRef, User, UserProject
from .scenario import pair

SLIM = load_only(TaskRef.id, TaskRef.project_id, TaskRef.title)


def members_of_projects(session: Session) -> None:
    """A lazy load for each project."""
    for project in session.scalars(select(Project).order_by(Project.path).limit(30)):
        len(project.user_projects)


def members_of_projects_eagerly(session: Session) -> None:
    """Loaded together."""
    query = select(Project).order_by(Project.path).limit(30).options(selectinload(Project.user_projects))
    for project in session.scalars(query):
        len(project.user_projects)


def logins_of_members(session: Session) -> None:
    """Two levels, each lazy."""
    for project in session.scalars(select(Project).order_by(Project.path.desc()).limit(8)):
        for membership in project.user_projects:
            membership.user.github_login.upper()


def logins_of_members_eagerly(session: Session) -> None:
    """Two levels, loaded together."""
    together = selectinload(Project.user_projects).joinedload(UserProject.user)
    for project in session.scalars(select(Project).order_by(Project.path.desc()).limit(8).options(together)):
        for membership in project.user_projects:
            membership.user.github_login.upper()


async def projects_of_users(session: AsyncSession) -> None:
    """Lazy in async code: awaitable attributes in a loop."""
    users = await session.scalars(select(User).order_by(User.github_id).limit(20))
    for user in users:
        await user.awaitable_attrs.user_projects


async def projects_of_users_eagerly(session: AsyncSession) -> None:
    """Loaded together."""
    query = select(User).order_by(User.github_id).limit(20).options(selectinload(User.user_projects))
    for user in await session.scalars(query):
        len(user.user_projects)


def names_one_by_one(session: Session) -> None:
    """No ORM relationship at all: a query in a loop."""
    paths = [f"/srv/projects/{number}" for number in range(1, 26)]
    for path in paths:
        session.execute(select(Project.name).where(Project.path == path)).scalar()


def names_at_once(session: Session) -> None:
    """One query for all."""
    paths = [f"/srv/projects/{number}" for number in range(1, 26)]
    session.execute(select(Project.name).where(Project.path.in_(paths))).all()


def project_of_task(session: Session) -> None:
    """To-one, lazy."""
    tasks = session.scalars(select(TaskRef).order_by(TaskRef.id).limit(12).options(SLIM))
    for task in tasks:
        task.project.name.upper()


def project_of_one_task(session: Session) -> None:
    """One parent, one lazy load: 1+1 is no pattern."""
    task = session.scalars(select(TaskRef).order_by(TaskRef.id.desc()).limit(1).options(SLIM)).one()
    task.project.name.upper()


def pages_of_users(session: Session) -> None:
    """Keyset pages: many alike queries, and right so."""
    last = 0
    for _ in range(8):
        page = session.execute(
            select(User.github_id, User.github_login).where(User.github_id > last).order_by(User.github_id).limit(50)
        ).all()
        last = page[-1].github_id


def project_of_task_joined(session: Session) -> None:
    """To-one, joined."""
    query = select(TaskRef).order_by(TaskRef.id).limit(12).options(SLIM, joinedload(TaskRef.project))
    for task in session.scalars(query):
        task.project.name.upper()


SCENARIOS = (
    *pair("n-plus-one", members_of_projects, members_of_projects_eagerly),
    *pair("n-plus-one", logins_of_members, logins_of_members_eagerly),
    *pair("n-plus-one", projects_of_users, projects_of_users_eagerly),
    *pair("repeated-query", names_one_by_one, names_at_once),
    *pair("n-plus-one", project_of_task, project_of_task_joined),
    *pair("n-plus-one", project_of_task, project_of_one_task)[1:],
    *pair("repeated-query", names_one_by_one, pages_of_users)[1:],
)
