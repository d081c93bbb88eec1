"""Scopes inside each other, entered again, and seen by several recorders."""

from pathlib import Path

from sqlalchemy import create_engine, text

from queryproof import record, scope
from queryproof.analyzer.record.scope import whole, whole_process
from queryproof.analyzer.record.statement_count import counting


def test_a_scope_entered_again_inside_itself_goes_on_counting() -> None:
    engine = create_engine("sqlite://")
    outer, inner = scope("outer"), scope("inner")
    with counting("all") as everything, engine.connect() as connection:
        with outer, inner, outer, inner:
            connection.execute(text("SELECT 1"))
        with inner, outer:
            connection.execute(text("SELECT 2"))
    assert (outer.queries, inner.queries, everything.queries) == (1, 1, 2)


def test_each_statement_is_counted_once_whatever_number_of_recorders_sees_it(tmp_path: Path) -> None:
    seen, other = create_engine("sqlite://"), create_engine("sqlite://")
    with record(seen, tmp_path / "one"), counting("all") as count, record(None, tmp_path / "all"), scope("s") as inner:
        for engine in (seen, other):
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                connection.execute(text("CREATE TABLE t (a)"))
                connection.execute(text("INSERT INTO t VALUES (:a)"), [{"a": 1}, {"a": 2}])
    assert (count.queries, inner.queries) == (6, 6)


def test_blocks_for_the_whole_process_leave_nothing_behind_in_whatever_order_they_end() -> None:
    outside = whole.scope
    blocks = [whole_process(scope(name)) for name in ("first", "second", "third")]
    for block in blocks:
        block.__enter__()
    for block in blocks:
        assert whole.scope is not outside
        block.__exit__(None, None, None)
    assert whole.scope is outside
