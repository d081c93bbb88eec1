"""Tests marked `query_scaling`: judged when the last of their sizes has run, in whatever process each has."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from ..analyzer.errors import QueryproofError
from ..analyzer.record.scaling import SIZES, checked_sizes, fit
from ..analyzer.record.statement_count import CountedStatement, StatementCount

PLACES = 3
"""Places of a statement that travel from a worker."""
STATEMENTS = 50


def marker_sizes(marker: pytest.Mark, test: str) -> tuple[int, ...]:
    """The sizes that the marker names; fails the collection of its test when they show no growth. test: its id."""
    if marker.args or set(marker.kwargs) - {"sizes"}:
        pytest.fail(f"{test}: @pytest.mark.query_scaling takes sizes=(…) alone, such as sizes={SIZES}", pytrace=False)
    try:
        return checked_sizes(marker.kwargs.get("sizes", SIZES))
    except QueryproofError as error:
        pytest.fail(f"{test}: @pytest.mark.query_scaling: {error}", pytrace=False)


def unselected_sizes(items: Iterable[pytest.Item]) -> dict[str, tuple[int, ...]]:
    """Sizes of scaling tests that are not in this run, by the test's name without size: their growth cannot be judged."""
    chosen: dict[str, set[int]] = {}
    wanted: dict[str, tuple[int, ...]] = {}
    for item in items:
        marker = item.get_closest_marker("query_scaling")
        if marker is not None and "size" in parameters(item):
            chosen.setdefault(sizeless(item), set()).add(parameters(item)["size"])
            wanted[sizeless(item)] = marker_sizes(marker, item.nodeid)
    missing = {test: tuple(size for size in sizes if size not in chosen[test]) for test, sizes in wanted.items()}
    return {test: sizes for test, sizes in missing.items() if sizes}


def growth_figures(item: pytest.Item, marker: pytest.Mark, count: StatementCount) -> dict[str, Any]:
    """What the judge has to know of one size, as plain values."""
    statements = [
        [one.text, one.calls, dict(one.places.most_common(PLACES)), one.relationship]
        for one in count.most()[:STATEMENTS]
    ]
    return {
        "test": sizeless(item),
        "size": parameters(item)["size"],
        "sizes": list(marker_sizes(marker, item.nodeid)),
        "queries": count.queries,
        "statements": statements,
    }


class Growth:
    """The sizes that have run so far, by test."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, StatementCount]] = {}

    def add(self, figures: dict[str, Any]) -> str | None:
        """Keep one size; when all are there, what is wrong with the growth, None when nothing is."""
        count = StatementCount(figures["test"])
        count.queries = figures["queries"]
        for text, calls, places, relationship in figures["statements"]:
            count.by_text[text] = CountedStatement(text, calls, places=Counter(places), relationship=relationship)
        counts = self._counts.setdefault(figures["test"], {})
        counts[figures["size"]] = count
        sizes = tuple(figures["sizes"])
        if set(counts) != set(sizes):
            return None
        try:
            fit(sizes, [counts[size] for size in sizes]).assert_constant()
        except AssertionError as error:
            return str(error)
        return None


def parameters(item: pytest.Item) -> dict[str, Any]:
    """The item's parameters by name."""
    found: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return found


def sizeless(item: pytest.Item) -> str:
    """The test's name without its size: one name for all sizes, in whatever process they run."""
    return item.nodeid.replace(size_id(parameters(item).get("size")), "size")


def size_id(size: object) -> str:
    """How a size stands in the name of its test."""
    return f"size-{size}"
