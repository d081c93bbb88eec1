"""What documents are made of, from a sample of them."""

import json

import pytest
from hypothesis import given, strategies

from queryproof.analyzer.advise.document_elements import document_elements

DOCUMENTS = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=5),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def sample(*documents: object) -> tuple[str, ...]:
    return tuple(json.dumps(one) for one in documents)


def test_values_that_recur_are_few_and_those_that_do_not_grow_with_the_table() -> None:
    documents = sample(*({"kind": f"k{n % 4}", "number": n} for n in range(100)))
    (kind, number), names = document_elements(documents, (), 0.0, 1_000_000, 1_000_000)
    assert kind.distinct == pytest.approx(4)
    assert kind.per_row == pytest.approx(1)
    assert 100_000 < number.distinct < 1_000_000
    assert [one.distinct for one in names] == [1, 1]


def test_no_path_has_more_values_than_there_are_documents() -> None:
    documents = sample(*({"number": n} for n in range(100)))
    ((few,), _), ((many,), _) = (document_elements(documents, (), 0.0, 1_000_000, one) for one in (200, 1_000_000))
    assert few.distinct <= 200 < many.distinct


def test_common_documents_count_by_their_frequency() -> None:
    bounds = sample(*({"kind": f"k{n % 4}"} for n in range(100)))
    common = ((json.dumps({"kind": "rare", "flag": True}), 0.2),)
    values, _ = document_elements(bounds, common, 0.3, 1_000, 1_000)
    flag, kind = values
    assert (flag.per_row, flag.distinct) == pytest.approx((0.2, 1))
    assert (kind.per_row, kind.distinct) == pytest.approx((0.7, 5))


def test_names_made_of_numbers_are_counted_together() -> None:
    documents = sample(*({f"user {n}": True} for n in range(100)))
    values, names = document_elements(documents, (), 0.0, 50_000, 50_000)
    assert len(values) == len(names) == 1
    assert names[0].distinct > 10_000


def test_an_element_that_stands_several_times_in_a_row_counts_once() -> None:
    (group,), _ = document_elements(sample(*({"tags": ["a", "a", "b"]} for _ in range(10))), (), 0.0, 100, 100)
    assert (group.per_row, group.distinct) == pytest.approx((2, 2))


def test_what_is_no_document_or_too_deep_is_left_out() -> None:
    assert document_elements(("{", "[" * 100_000), (), 0.0, 100, 100) == ((), ())
    assert document_elements((), (), 1.0, 0.0, 0.0) == ((), ())


@given(
    bounds=strategies.lists(DOCUMENTS, max_size=12),
    common=strategies.lists(DOCUMENTS, max_size=3),
    rows=strategies.integers(0, 10**9),
)
def test_estimates_stay_within_what_is_possible(bounds: list[object], common: list[object], rows: int) -> None:
    parts = tuple((json.dumps(one), 0.1) for one in common)
    for groups in document_elements(sample(*bounds), parts, 0.1, rows, rows):
        for one in groups:
            assert 0 < one.distinct <= one.per_row * max(rows, 1) * (1 + 1e-9)
            assert one.bytes >= 0
