"""Tests marked `query_scaling`: the last size that ran in this process judges."""

import pytest

from ..analyzer.record.scaling import fit
from ..analyzer.record.statement_count import StatementCount


class Growth:
    """Counts by test and size."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, StatementCount]] = {}

    def add(self, item: pytest.Item, marker: pytest.Mark, count: StatementCount) -> None:
        """Keep the count of one size; when all are there, raise AssertionError if queries grow with it.

        Under xdist the sizes of one test may run in different workers: use `--dist loadfile` or `loadscope` there, and a
        size whose fellows ran elsewhere is told so.
        """
        sizes = tuple(marker.kwargs.get("sizes", (2, 20, 200)))
        size: int = item.callspec.params["size"]  # type: ignore[attr-defined] # the plugin has parametrised it
        test = f"{item.nodeid.partition('[')[0]}[{_others(item)}]"
        counts = self._counts.setdefault(test, {})
        counts[size] = count
        if set(counts) == set(sizes):
            fit(sizes, [counts[one] for one in sizes]).assert_constant()


def _others(item: pytest.Item) -> str:
    parameters: dict[str, object] = item.callspec.params  # type: ignore[attr-defined] # as above
    return "-".join(f"{name}={value}" for name, value in sorted(parameters.items()) if name != "size")
