"""Runs an Alembic revision that queryproof wrote."""

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations


def migrate(engine: sa.Engine, revision: str, direction: str) -> None:
    """Run one direction of a revision as Alembic's env.py does, in a transaction of its own."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        functions: dict[str, object] = {"op": Operations(context), "sa": sa}
        exec(compile(revision, "revision.py", "exec"), functions)
        with context.begin_transaction(_per_migration=True):
            functions[direction]()  # type: ignore[operator] # defined by the revision
