"""The sample application is a real one: migrations both ways, drift noticed, the same rows every time."""

import logging
import threading

import pytest
from sqlalchemy import DateTime, inspect, text

from queryproof.sample_db.core.database import sync_engine
from queryproof.sample_db.core.drift import warn_of_drift
from queryproof.sample_db.migrate import downgrade, upgrade
from queryproof.sample_db.models import Base
from queryproof.sample_db.seed import seed


def tables(url: str) -> set[str]:
    engine = sync_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_migrations_go_up_and_down_and_leave_nothing(database: str) -> None:
    upgrade(database)
    assert tables(database) == {"projects", "task_refs", "user_projects", "users"}
    downgrade(database)
    assert tables(database) == set()


def test_two_deployments_migrate_one_after_the_other(database: str) -> None:
    errors: list[Exception] = []

    def deploy() -> None:
        try:
            upgrade(database)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    engine = sync_engine(database)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(1573678)"))
        thread = threading.Thread(target=deploy)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert tables(database) == set()
    engine.dispose()
    thread.join(30)
    assert errors == []
    assert "task_refs" in tables(database)


def test_drift_between_models_and_database_is_logged(database: str, caplog: pytest.LogCaptureFixture) -> None:
    upgrade(database)
    engine = sync_engine(database)
    assert warn_of_drift(engine) == []
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_task_refs_created_by"))
        connection.execute(text("ALTER TABLE users ADD COLUMN stray int"))
    with caplog.at_level(logging.WARNING):
        assert len(warn_of_drift(engine)) == 2
    assert "ix_task_refs_created_by" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        # At start-up, too, without being asked.
        upgrade(database)
    assert "ix_task_refs_created_by" in caplog.text
    engine.dispose()


def test_seeding_gives_the_same_rows_every_time(database: str) -> None:
    sums = []
    for _ in range(2):
        upgrade(database)
        seed(database, "small")
        engine = sync_engine(database)
        with engine.connect() as connection:
            sums.append(
                [
                    connection.scalar(text(f"SELECT md5(string_agg(t::text, '' ORDER BY id)) FROM {name} t"))
                    for name in tables(database)
                ]
            )
        engine.dispose()
        downgrade(database)
    assert sorted(map(str, sums[0])) == sorted(map(str, sums[1]))


def test_the_conventions_hold() -> None:
    for table in Base.metadata.tables.values():
        assert [column.name for column in table.primary_key] == ["id"]
        for key in table.foreign_keys:
            assert key.ondelete in ("CASCADE", "SET NULL")
        for column in table.columns:
            if isinstance(column.type, DateTime):
                assert column.type.timezone
        for index in table.indexes:
            assert index.name == f"ix_{table.name}_{'_'.join(column.name for column in index.columns)}"
