"""Which outputs of a statement are columns by themselves, and what is no query at all."""

import pytest

from queryproof.analyzer.sql.parse import NO_QUERY, analyse


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT a, t."B c", s.t.d AS e FROM t', (("", "a"), ("t", "B c"), ("t", "d"))),
        ("SELECT t.*, a + 1, $1, (SELECT 1) FROM t", (None, None, None, None)),
        ("SELECT a FROM t UNION SELECT b FROM u", ()),
        ("WITH w AS (SELECT b FROM u) SELECT w.a FROM w", (("w", "a"),)),
        ("INSERT INTO t (a) SELECT b FROM u", ()),
        ("SELECT FROM t", ()),
    ],
)
def test_columns_by_themselves_are_told_from_anything_else(
    sql: str, expected: tuple[tuple[str, str] | None, ...]
) -> None:
    assert analyse(sql).outputs == expected


@pytest.mark.parametrize(
    "sql", ['PRAGMA main.table_info("x")', "pragma foreign_keys=ON", "DESCRIBE `t`", "CREATE TABLE t ()"]
)
def test_what_other_servers_are_told_is_no_query(sql: str) -> None:
    assert (analyse(sql).problem or "").endswith(NO_QUERY)
