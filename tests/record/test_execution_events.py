"""Standing around the driver's call: other listeners keep their say, other recorders and engines their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from queryproof import record, scope
from queryproof.analyzer.sources.journal import read_recording

from .journey import memory_engine


def texts(directory: Path) -> list[str]:
    return [one.sql for one in read_recording(directory).queries]


def ends(directory: Path) -> list[str]:
    return [one.kind for one in read_recording(directory).events]


class Handler:
    """An application's own listener to `do_execute`."""

    def __init__(self, *, handles: bool) -> None:
        self.handles = handles
        self.heard: list[str] = []

    def __call__(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        self.heard.append(statement)
        if self.handles:
            cursor.execute(statement, parameters)
        return self.handles


@pytest.fixture(params=[True, False], ids=["handles", "passes on"])
def handler(request: pytest.FixtureRequest) -> Iterator[Handler]:
    handler = Handler(handles=request.param)
    event.listen(Engine, "do_execute", handler)
    yield handler
    event.remove(Engine, "do_execute", handler)


def test_an_applications_own_listener_is_asked_and_what_it_sends_is_recorded_once(
    handler: Handler, tmp_path: Path
) -> None:
    engine = memory_engine()
    with record(engine, tmp_path), scope("mine") as mine, engine.connect() as connection:
        handler.heard.clear()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert handler.heard == texts(tmp_path) == ["SELECT 1"]
    assert mine.queries == 1


def test_each_of_two_recorders_writes_a_statement_once_and_its_scope_counts_it_once(tmp_path: Path) -> None:
    engine = memory_engine()
    with record(None, tmp_path / "a"), record(engine, tmp_path / "b"), scope("mine") as mine, engine.connect() as one:
        one.execute(text("SELECT 1"))
        with pytest.raises(DBAPIError):
            one.execute(text("SELECT nonsense"))
        one.execute(text("SELECT 3"))
    assert texts(tmp_path / "a") == texts(tmp_path / "b") == ["SELECT 1", "SELECT nonsense", "SELECT 3"]
    assert mine.queries == 3


def test_a_recorder_of_one_engine_hears_no_other(tmp_path: Path) -> None:
    engine, other = memory_engine(), create_engine("sqlite://")
    with record(engine, tmp_path):
        for each, sql in (
            (engine, "SELECT 1"),
            (other, "SELECT 2"),
            (engine.execution_options(made="from it"), "SELECT 3"),
        ):
            with each.begin() as connection:
                connection.execute(text(sql))
    assert texts(tmp_path) == ["SELECT 1", "SELECT 3"]
    assert ends(tmp_path) == ["commit", "commit"]


def test_what_sqlalchemy_asks_at_the_first_connection_is_not_recorded(database: str, tmp_path: Path) -> None:
    engine = create_engine(database)
    with record(None, tmp_path), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    assert texts(tmp_path) == ["SELECT 1"]


def test_statements_sent_without_parameters_have_none(database: str, tmp_path: Path) -> None:
    engine = create_engine(database)
    with record(None, tmp_path), engine.connect() as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql("SELECT '%'")
    engine.dispose()
    (one,) = read_recording(tmp_path).queries
    assert (one.sql, one.parameters) == ("SELECT '%'", None)


def test_engines_that_nobody_else_listens_to_stay_without_engine_events(tmp_path: Path) -> None:
    engine = memory_engine()
    with record(None, tmp_path, level=0), engine.begin() as connection:
        assert not connection._has_events
        assert not engine._has_events
        connection.execute(text("SELECT 1"))
    assert ends(tmp_path) == ["commit"]


def test_a_wrapper_around_ours_stays_and_is_not_wrapped_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Connection._commit_impl
    seen = []

    def count(conn: Connection) -> None:
        seen.append(conn)
        inner(conn)

    with record(None, tmp_path / "a"):
        inner = Connection._commit_impl
        monkeypatch.setattr(Connection, "_commit_impl", count)
    engine = memory_engine()
    with record(None, tmp_path / "b"), engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    assert len(seen) == 1
    assert ends(tmp_path / "b") == ["commit"]
    monkeypatch.undo()
    with record(None, tmp_path / "c"):
        pass
    assert Connection._commit_impl is plain
