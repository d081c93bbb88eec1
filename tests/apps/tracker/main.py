"""The application: `flask --app tracker.main run`."""

import os

from flask import Flask, render_template
from sqlalchemy import create_engine, insert, select
from sqlalchemy.orm import Session

from .models import Base, Issue, Person, Project

engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///tracker.db"))
app = Flask(__name__)


def create(projects: int = 20) -> None:
    """The tables, empty or filled with `projects` projects of three issues each."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        if projects:
            issues = range(1, projects * 3 + 1)
            connection.execute(insert(Person), [{"id": n, "name": f"Person {n}"} for n in range(1, projects + 1)])
            connection.execute(insert(Project), [{"id": n, "name": f"Project {n}"} for n in range(1, projects + 1)])
            connection.execute(
                insert(Issue),
                [
                    {"project_id": (n - 1) // 3 + 1, "assignee_id": n % projects + 1, "title": f"Issue {n}"}
                    for n in issues
                ],
            )


@app.get("/")
def overview() -> str:
    """All projects; the template reads their issues, and of each issue the assignee."""
    with Session(engine) as session:
        projects = session.scalars(select(Project).order_by(Project.name)).all()
        return render_template("overview.html", projects=projects)


@app.get("/issues")
def issues() -> list[str]:
    """All issues with their assignee, asked for one by one."""
    with Session(engine) as session:
        found = session.query(Issue).order_by(Issue.id).all()
        return [f"{issue.title}: {session.get(Person, issue.assignee_id).name}" for issue in found]  # type: ignore[union-attr] # the key is NOT NULL


@app.get("/first/<int:project_id>")
def first(project_id: int) -> list[str]:
    """One project with its issues: two queries, as it should be."""
    with Session(engine) as session:
        project = session.get_one(Project, project_id)
        return [issue.title for issue in project.issues]
