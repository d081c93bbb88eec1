"""Which of a statement's recorded values stand for all of them."""

import pytest

from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.sources.grouping import build_workload


def sampled(*calls: tuple[object, float]) -> list[object]:
    queries = [
        RecordedQuery("SELECT * FROM bills WHERE tenant = %s", (value,), ms, 1, 0.0, "run", number, "main")
        for number, (value, ms) in enumerate(calls)
    ]
    (group,) = build_workload(queries, []).groups
    assert [sample.duration_ms for sample in group.samples] == sorted(
        (sample.duration_ms or 0.0 for sample in group.samples), reverse=True
    )
    return [sample.values[0] for sample in group.samples if isinstance(sample.values, tuple)]


def test_a_few_large_customers_do_not_stand_for_all() -> None:
    large = [(number, 100.0 - number) for number in range(5)]
    small = [(number, 10.0 - number / 10) for number in range(5, 60)]
    assert sampled(*large, *small) == [0, 30, 50]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([(1, 5.0)] * 40, [1]),
        ([(1, 5.0)] * 40 + [(2, 9.0)], [2, 1]),
        ([(1, 9.0), (2, 8.0), (3, 7.0)] + [(4, 1.0)] * 60, [1, 2, 4]),
        ([(1, 9.0), (2, 1.0)], [1, 2]),
    ],
)
def test_values_are_different_and_the_slowest_come_in_where_there_are_few(
    calls: list[tuple[object, float]], expected: list[object]
) -> None:
    assert sampled(*calls) == expected
