"""`queryproof advise` as a whole: each kind of index through clone, candidates and selection; what it hands out really runs."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from queryproof.analysis import read_statement
from queryproof.analyzer.advise.candidate_pool import candidate_pool
from queryproof.analyzer.advise.door import Door, open_door
from queryproof.analyzer.advise.planned_set import plan_today
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import Constraints, Selection, WeightedQuery
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sources.sql_files import read_sql_files

from .conftest import Advisor, shown
from .test_candidates import NOTHING, WRONG

FREE = Constraints()
KINDS = [
    ("SELECT * FROM people WHERE city = 'city5' AND score > 9900", "people (city, score)"),
    ("SELECT * FROM people ORDER BY score DESC NULLS LAST LIMIT 3", "people (score DESC NULLS LAST)"),
    ("SELECT * FROM orders WHERE person_id = 7", "orders (person_id)"),
    ("SELECT * FROM people WHERE status = 'failed' ORDER BY created_at LIMIT 9", "people (created_at) WHERE status = 'failed'"),
    ("SELECT * FROM people WHERE lower(email) = 'user5@example.org'", "people ((lower(email)))"),
    ("SELECT * FROM people WHERE data->>'k' = '77'", "people ((data ->> 'k'))"),
    ("SELECT * FROM people WHERE data @> '{\"k\": 5}'", "people USING gin (data jsonb_path_ops)"),
    ("SELECT * FROM people WHERE tags @> ARRAY['t5']", "people USING gin (tags)"),
    ("SELECT * FROM people WHERE to_tsvector('english', body) @@ to_tsquery('english', 'word5')",
     "people USING gin ((to_tsvector('english', body)))"),
    ("SELECT * FROM people WHERE during @> 500", "people USING gist (during)"),
    ("SELECT * FROM parted WHERE account = 77", "parted (account)"),
    ("SELECT * FROM totals WHERE person_id = 77", "totals (person_id)"),
    ("SELECT * FROM adults WHERE mail = 'user77@example.org'", "people ((lower(email)), age)"),
    ("SELECT * FROM \"Odd Schema\".\"Or\"\"der\" WHERE \"Sel ect\" = 7", "Order (Sel ect)"),
    ("DELETE FROM orders WHERE total = 7", "orders (total)"),
    ("SELECT * FROM people WHERE token = 'zz'", "people USING hash (token)"),
    ("SELECT name FROM people WHERE city = 'city5'", "people (city) INCLUDE (name)"),
    ("SELECT * FROM people WHERE name LIKE 'abcd%'", "people (name text_pattern_ops)"),
    ("SELECT * FROM people WHERE data ? 'flag'", "people USING gin (data jsonb_ops)"),
    ("SELECT * FROM people WHERE body ILIKE '%word777%'", "people USING gin (body gin_trgm_ops)"),
    ("SELECT * FROM people ORDER BY place <-> point(3,3) LIMIT 5", "people USING gist (place)"),
    ("SELECT * FROM people WHERE place <@ box(point(1,1), point(2,2))", "people USING spgist (place)"),
    ("SELECT * FROM people WHERE deleted_at IS NULL ORDER BY score LIMIT 9", "people (score) WHERE deleted_at IS NULL"),
    ("SELECT * FROM people WHERE score = 5 OR email = 'User9@example.org'", "people (score)"),
    ("SELECT max(score) FROM people WHERE city = 'city5'", "people (city, score)"),
    ("WITH w AS (SELECT * FROM orders) SELECT note FROM w WHERE person_id = 7", "orders (person_id)"),
    ("SELECT note FROM (SELECT person_id, note FROM orders UNION ALL SELECT id, name FROM people) u WHERE person_id = 7",
     "orders (person_id)"),
    (("SELECT p.id, l.note FROM people p CROSS JOIN LATERAL (SELECT note FROM orders o WHERE o.person_id = p.id"
      " ORDER BY placed DESC LIMIT 1) l WHERE p.id < 9"), "orders (person_id, placed)"),
    ("UPDATE people SET score = 1 WHERE email = 'User5@example.org'", "people (email)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def source(advisor: Advisor, server: Server) -> str:
    return server.url("advice", "reader")


@pytest.fixture(scope="module")
def door(source: str) -> Iterator[Door]:
    """One hollow clone for all statements."""
    with ExitStack() as stack:
        yield open_door(source, None, stack)


def selected(
    door: Door, statements: list[str], tmp_path: Path, constraints: Constraints = FREE
) -> tuple[Selection, dict[str, str]]:
    """What is chosen for the statements as one workload, and each statement's fingerprint."""
    (tmp_path / "q.sql").write_text(";\n".join(statements) + ";\n")
    workload = read_sql_files([tmp_path / "q.sql"])
    assert door.what_if is not None
    read = {group.fingerprint: read_statement(group, door.schema) for group in workload.groups}
    queries = [WeightedQuery(group.fingerprint, ((group.samples[0].sql, 1.0),), 1.0) for group in workload.groups]
    today, _ = plan_today(door.what_if, queries)
    queries = [query for query in queries if query.fingerprint in today]
    pool = candidate_pool(read, today, door.schema)
    selection = select_indexes(
        queries, pool.indexes, door.what_if, door.schema, constraints, bundles=pool.bundles, drop_existing=False
    )
    return selection, {sample.sql: group.fingerprint for group in workload.groups for sample in group.samples}


@pytest.mark.parametrize(("sql", "expected"), KINDS)
def test_each_kind_is_chosen_where_it_is_right(door: Door, tmp_path: Path, sql: str, expected: str) -> None:
    selection, _ = selected(door, [sql], tmp_path)
    assert expected in [shown(one.index) for one in selection.chosen]
    assert selection.cost_after < selection.cost_before / 1.5


def test_a_brin_is_chosen_where_no_b_tree_fits_and_is_right(door: Door, tmp_path: Path) -> None:
    sql = "SELECT * FROM events WHERE at < '2024-01-01 04:00'"
    selection, _ = selected(door, [sql], tmp_path, Constraints(budget_bytes=200_000))
    (one,) = selection.chosen
    assert shown(one.index) == "events USING brin (at) WITH (pages_per_range = 32)"
    assert selection.cost_after < 0.8 * selection.cost_before


def test_what_tempts_is_never_chosen(door: Door, tmp_path: Path) -> None:
    for reason, sql, tempting in WRONG:
        chosen = [shown(one.index) for one in selected(door, [sql], tmp_path)[0].chosen]
        seen = [one.replace("jsonb_path_ops", "path") if tempting == "jsonb_ops" else one for one in chosen]
        assert not any(tempting in one for one in seen), reason


def test_where_nothing_is_to_be_added_nothing_is(door: Door, tmp_path: Path) -> None:
    assert len(NOTHING) >= 60
    selection, _ = selected(door, [sql for sql, _ in NOTHING], tmp_path)
    assert [shown(one.index) for one in selection.chosen] == []
