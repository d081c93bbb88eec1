"""Create users, projects and memberships."""

import sqlalchemy as sa
from alembic import op

revision = "8f3a1c52d7e9"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "users",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("github_id", sa.Integer(), nullable=False),
        sa.Column("github_login", sa.String(100), nullable=False),
        sa.Column("avatar_url", sa.String(500)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("github_id", name="uq_users_github_id"),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("path", name="uq_projects_path"),
    )
    op.create_table(
        "user_projects",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_projects"),
        sa.UniqueConstraint("user_id", "project_id", name="uq_user_projects_user_id_project_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_projects_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_user_projects_project_id_projects", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_user_projects_user_id", "user_projects", ["user_id"])
    op.create_index("ix_user_projects_project_id", "user_projects", ["project_id"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("user_projects")
    op.drop_table("projects")
    op.drop_table("users")
