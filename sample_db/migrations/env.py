"""Runs the migrations, one deployment at a time."""

import time

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from queryproof.sample_db.models import Base

LOCK = 1573678
PATIENCE_S = 120.0


def wait_for_lock(connection: Connection) -> None:
    """Poll: a session that waits inside pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that."""
    deadline = time.monotonic() + PATIENCE_S
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
        if time.monotonic() > deadline:
            raise TimeoutError("another deployment is still migrating")
        time.sleep(0.1)


url = make_url(context.config.get_main_option("sqlalchemy.url") or "").set(drivername="postgresql+psycopg2")
engine = create_engine(url)
guard = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
try:
    wait_for_lock(guard)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
finally:
    # Closing the session gives the lock back.
    guard.invalidate()
    guard.close()
    engine.dispose()
