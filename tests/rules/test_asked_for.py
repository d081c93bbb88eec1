"""How a repeated query could ask for all of its values at once."""

from unittest.mock import Mock

import pytest

from queryproof.analyzer.sql.parse import analyse
from queryproof.rules.asked_for import at_once


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM t WHERE owner = $1", "WHERE owner = ANY(:values)"),
        ("SELECT id FROM t WHERE owner = $1 LIMIT 1", "WHERE owner = ANY(:values)"),
        ("SELECT count(*) FROM t WHERE owner = $1", "GROUP BY owner"),
        ("SELECT id FROM t WHERE owner = $1 ORDER BY made DESC LIMIT 1", "CROSS JOIN LATERAL (SELECT … WHERE owner = wanted.value"),
    ],
)  # fmt: skip
def test_first_rows_are_asked_for_value_by_value(sql: str, expected: str) -> None:
    (code,) = at_once(analyse(sql), [Mock(orm=None)], [])
    assert expected in code.text
