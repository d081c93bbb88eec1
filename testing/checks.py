"""What a test's markers and its budget ask for, checked when its body is over."""

from collections.abc import Callable

import pytest

from ..analyzer.record.statement_count import StatementCount
from .queries import Queries


def check_limits(item: pytest.Item, count: StatementCount, budget: int | None) -> None:
    """Fail the test with its statements when it has sent more than a marker or its budget allows."""
    queries = Queries(count)
    checks: list[tuple[Callable[[int], None], int]] = []
    for name, check in (
        ("max_queries", queries.assert_at_most),
        ("max_duplicate_queries", queries.assert_duplicates_at_most),
    ):
        marker = item.get_closest_marker(name)
        if marker is not None:
            checks.append((check, _limit(marker, name)))
    if budget is not None:
        checks.append((lambda limit: queries.assert_within(limit, f"its budget of {limit}"), budget))
    problem = next(filter(None, (_problem(check, limit) for check, limit in checks)), None)
    if problem is not None:
        pytest.fail(problem, pytrace=False)


def _problem(check: Callable[[int], None], limit: int) -> str | None:
    try:
        check(limit)
    except AssertionError as error:
        return str(error)
    return None


def _limit(marker: pytest.Mark, name: str) -> int:
    values = (*marker.args, *marker.kwargs.values())
    if len(values) != 1 or type(values[0]) is not int or values[0] < 0 or set(marker.kwargs) - {"n"}:
        pytest.fail(f"@pytest.mark.{name}(n) takes one whole number that is not negative", pytrace=False)
    return int(values[0])
