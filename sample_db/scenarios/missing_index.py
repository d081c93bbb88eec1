"""missing-index: one function for each kind of index that is missing on purpose."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ..models import Project, TaskRef, User, UserProject
from .scenario import pair

START = datetime(2025, 3, 1, tzinfo=UTC)


def task_by_number(session: Session) -> None:
    """B-tree, equality."""
    for number in (17, 4711, 9000):
        session.execute(select(TaskRef.id, TaskRef.title).where(TaskRef.number == number)).all()
        session.commit()


def task_by_id(session: Session) -> None:
    """The primary key serves it."""
    first = session.scalar(select(TaskRef.id).order_by(TaskRef.id).limit(1))
    session.execute(select(TaskRef.title).where(TaskRef.id == first)).all()


async def tasks_due_in_hour(session: AsyncSession) -> None:
    """B-tree, range."""
    for day in range(3):
        begin = START + timedelta(days=day)
        query = select(TaskRef.id, TaskRef.title).where(
            TaskRef.due_at >= begin, TaskRef.due_at < begin + timedelta(hours=1)
        )
        await session.execute(query)


async def tasks_due_at_all(session: AsyncSession) -> None:
    """Nearly every row meets the condition: a sequential scan is right."""
    await session.execute(select(func.count()).where(TaskRef.due_at >= START - timedelta(days=50)))


def best_scores(session: Session) -> None:
    """B-tree, sort."""
    session.execute(select(TaskRef.id, TaskRef.score).order_by(TaskRef.score.desc()).limit(20)).all()


def first_ids(session: Session) -> None:
    """The primary key gives the order."""
    session.execute(select(TaskRef.id, TaskRef.score).order_by(TaskRef.id).limit(20)).all()


def tasks_of_conversation(session: Session) -> None:
    """Hash: long values, equality only."""
    for number in (5, 500, 5000):
        key = session.scalar(
            text("SELECT 'conversation/' || md5('c' || :n) || '/' || md5('d' || :n) || '/' || md5('e' || :n)"),
            {"n": str(number)},
        )
        session.execute(select(TaskRef.id, TaskRef.title).where(TaskRef.conversation_id == key)).all()
        session.commit()


def project_at_path(session: Session) -> None:
    """Long values with a unique index."""
    session.execute(select(Project.id, Project.name).where(Project.path == "/srv/projects/7")).all()


async def tasks_labelled(session: AsyncSession) -> None:
    """GIN on an array."""
    for label in ("hotfix", "none-such"):
        await session.execute(select(TaskRef.id, TaskRef.title).where(TaskRef.labels.contains([label])))


async def tasks_with_common_label(session: AsyncSession) -> None:
    """Every row carries this label: no index would help."""
    await session.execute(select(func.count()).where(TaskRef.labels.contains(["all"])))


def tasks_of_customer(session: Session) -> None:
    """GIN on jsonb, containment."""
    for number in (12, 1200):
        query = select(TaskRef.id, TaskRef.title).where(TaskRef.payload.contains({"customer": f"customer-{number}"}))
        session.execute(query).all()


def tasks_of_kind(session: Session) -> None:
    """Every document contains it."""
    session.execute(select(func.count()).where(TaskRef.payload.contains({"kind": "task"}))).all()


def tasks_about(session: Session) -> None:
    """GIN, full text."""
    document = func.to_tsvector(literal_column("'english'"), TaskRef.body)
    query = func.plainto_tsquery(literal_column("'english'"), "quasar")
    session.execute(select(TaskRef.id, TaskRef.title).where(document.op("@@")(query))).all()


def tasks_about_everything(session: Session) -> None:
    """Every text has this word."""
    document = func.to_tsvector(literal_column("'english'"), TaskRef.body)
    query = func.plainto_tsquery(literal_column("'english'"), "build")
    session.execute(select(func.count()).where(document.op("@@")(query))).all()


def tasks_titled_like(session: Session) -> None:
    """GIN, trigrams."""
    for part in ("zephyr-1", "zephyr-3"):
        session.execute(select(TaskRef.id, TaskRef.title).where(TaskRef.title.ilike(f"%{part}%"))).all()


def tasks_titled_task(session: Session) -> None:
    """Every title matches."""
    session.execute(select(func.count()).where(TaskRef.title.ilike("%task%"))).all()


async def latest_failures(session: AsyncSession) -> None:
    """Partial: a rare constant, in order of time."""
    failed = TaskRef.status == literal_column("'failed'")
    for page in (50, 49, 48):
        await session.execute(
            select(TaskRef.id, TaskRef.updated_at).where(failed).order_by(TaskRef.updated_at.desc()).limit(page)
        )


async def open_tasks(session: AsyncSession) -> None:
    """The constant is the common one."""
    await session.execute(select(func.count()).where(TaskRef.status == literal_column("'open'")))


def latest_of_session(session: Session) -> None:
    """Composite: equality, then order."""
    for number in (3, 33):
        mine = TaskRef.session_id == f"session-{number}"
        session.execute(
            select(TaskRef.id, TaskRef.created_at).where(mine).order_by(TaskRef.created_at.desc()).limit(20)
        ).all()


def latest_of_project(session: Session) -> None:
    """A composite index for it exists."""
    project = session.scalar(select(Project.id).where(Project.path == "/srv/projects/3"))
    mine = TaskRef.project_id == project
    session.execute(
        select(TaskRef.id, TaskRef.created_at).where(mine).order_by(TaskRef.created_at.desc()).limit(20)
    ).all()


def effort_of_author(session: Session) -> None:
    """Covering: the index on created_by leads to many rows of which one more column is read."""
    for number in (1, 2):
        author = session.scalar(select(User.id).where(User.github_id == number))
        session.execute(select(func.sum(TaskRef.estimate)).where(TaskRef.created_by == author)).all()
        session.commit()


def roles_of_user(session: Session) -> None:
    """Few rows: fetching them costs nothing."""
    user = session.scalar(select(User.id).where(User.github_id == 9))
    session.execute(select(UserProject.role).where(UserProject.user_id == user)).all()


SCENARIOS = (
    *pair("missing-index", task_by_number, task_by_id, "single column", 2),
    *pair("missing-index", tasks_due_in_hour, tasks_due_at_all, "single column"),
    *pair("missing-index", best_scores, first_ids, "sort", 2),
    *pair("missing-index", tasks_of_conversation, project_at_path, "hash"),
    *pair("missing-index", tasks_labelled, tasks_with_common_label, "GIN on an array"),
    *pair("missing-index", tasks_of_customer, tasks_of_kind, "GIN on jsonb"),
    *pair("missing-index", tasks_about, tasks_about_everything, "GIN full text"),
    *pair("missing-index", tasks_titled_like, tasks_titled_task, "GIN trigram"),
    *pair("missing-index", latest_failures, open_tasks, "partial"),
    *pair("missing-index", latest_of_session, latest_of_project, "composite"),
    *pair("missing-index", effort_of_author, roles_of_user, "covering"),
)
