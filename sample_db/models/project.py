"""A project."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..core.database import Base, utc_now

if TYPE_CHECKING:
    from .task_ref import TaskRef
    from .user_project import UserProject


class Project(Base):
    """A project, at a path of its own."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    path: Mapped[str] = mapped_column(String(500), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)

    task_refs: Mapped[list["TaskRef"]] = relationship(back_populates="project", cascade="all, delete-orphan")
    user_projects: Mapped[list["UserProject"]] = relationship(back_populates="project", cascade="all, delete-orphan")
