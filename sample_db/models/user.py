"""A user."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import DateTime, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..core.database import Base, utc_now

if TYPE_CHECKING:
    from .task_ref import TaskRef
    from .user_project import UserProject


class User(Base):
    """Someone who signed in through GitHub."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    github_id: Mapped[int] = mapped_column(Integer, unique=True)
    github_login: Mapped[str] = mapped_column(String(100))
    avatar_url: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)

    task_refs: Mapped[list["TaskRef"]] = relationship(back_populates="creator")
    user_projects: Mapped[list["UserProject"]] = relationship(back_populates="user", cascade="all, delete-orphan")
