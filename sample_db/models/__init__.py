"""The reference application's models."""

from ..core.database import Base
from .project import Project
from .task_ref import TaskRef
from .user import User
from .user_project import UserProject

__all__ = ["Base", "Project", "TaskRef", "User", "UserProject"]
