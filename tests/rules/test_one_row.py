"""The code's `.one()` says something of the table only where the statement itself does not make one row of many."""

import pytest

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.sql.parse import analyse
from queryproof.analyzer.workload import QueryGroup
from queryproof.rules import one_row

PLACE = CallSite("shop.py", 1, "find")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id, email FROM t WHERE email = $1", True),
        ("SELECT upper(email) FROM t WHERE email = $1", True),
        ("UPDATE t SET seen = true WHERE email = $1 RETURNING id", True),
        ("SELECT count(*) FROM t WHERE email = $1", False),
        ("SELECT coalesce(sum(total), 0) FROM t WHERE email = $1", False),
        ("SELECT jsonb_agg(name) FROM t WHERE email = $1", False),
        ("SELECT DISTINCT name FROM t WHERE email = $1", False),
        ("SELECT name, count(*) FROM t WHERE email = $1 GROUP BY name", False),
        ("SELECT id FROM t WHERE email = $1 ORDER BY id LIMIT 1", False),
        ("SELECT id FROM t WHERE email = $1 FETCH FIRST ROW ONLY", False),
        ("SELECT EXISTS (SELECT * FROM t WHERE email = $1)", False),
    ],
)
def test_one_row_of_many_says_nothing_of_the_table(sql: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "row_use", lambda place: "one")
    group = QueryGroup("f", sql, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, ((PLACE, 1),), (), ())
    (scan,) = one_row.with_one_row(analyse(sql), group).scans
    assert scan.one_row is expected
