"""The plugin at work: counts each test's queries, checks what its markers ask for, sums up at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..analyzer.errors import QueryproofError
from ..analyzer.record.journal import Journal
from ..analyzer.record.recorder import Recorder
from ..analyzer.record.scope import whole_process
from ..analyzer.record.statement_count import StatementCount
from .budgets import read_budgets, write_budgets
from .growth import Growth
from .orm_check import n_plus_one_messages, orm_check
from .queries import Queries
from .rerun import Rerun
from .summary import TestFigures, print_summary

PROPERTY = "queryproof"


class Session:
    """One test run in one process; under xdist each worker has its own, and the controller sums up."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.figures: dict[str, TestFigures] = {}
        self.growth = Growth()
        self._counts: dict[str, StatementCount] = {}
        self._rerun = Rerun() if config.getoption("queryproof_prove") else None
        self._file = config.rootpath / config.getoption("queryproof_budgets_file")
        self._mode = config.getoption("queryproof_budgets")
        self._worker = hasattr(config, "workerinput")
        self._recorder: Recorder | None = None
        try:
            self._budgets = read_budgets(self._file) if self._mode == "check" else {}
        except QueryproofError as error:
            raise pytest.UsageError(f"queryproof: {error}") from None

    def pytest_sessionstart(self) -> None:
        """Listen from the beginning, so that fixtures of the session are in the journal too."""
        self._listen()

    def _listen(self) -> None:
        if self._recorder is None:
            journal = self.config.getoption("queryproof_journal")
            where = Path(self.config.invocation_params.dir) / journal if journal else None
            self._recorder = Recorder(Journal(where, parameters=True) if where is not None else None)
            self._recorder.install()
            self._recorder.install_orm()

    def pytest_sessionfinish(self) -> None:
        """Stop listening, and write the budgets that were asked for."""
        if self._recorder is not None:
            self._recorder.remove()
        if self._mode == "update" and not self._worker:
            counts = {test: one.queries for test, one in self.figures.items() if one.passed}
            write_budgets(self._file, counts)

    def queries(self, item: Any) -> Queries:
        """What the fixture `queries` of this test gives."""
        return Queries(self._count(item))

    def _count(self, item: Any) -> StatementCount:
        if item.nodeid not in self._counts:
            self._counts[item.nodeid] = StatementCount(item.nodeid, "test")
        return self._counts[item.nodeid]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """With --queryproof-prove, a test that loads row by row is run once more with the options added."""
        result = yield
        self._counts.pop(item.nodeid, None)
        if self._rerun is not None:
            self._rerun.prove(item, nextitem)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Count the test's own queries, those of its fixtures not; then check."""
        if self._rerun is not None and self._rerun.running:
            return (yield from self._rerun.call())
        self._listen()
        count = self._count(item)
        count.reset()
        wants_rules = item.get_closest_marker("no_n_plus_one") is not None or self._rerun is not None
        before = whole_process(count)
        try:
            with count:
                if wants_rules:
                    with orm_check() as check:
                        result = yield
                else:
                    result = yield
        finally:
            whole_process(before)
            item.user_properties.append((PROPERTY, [count.queries, round(count.milliseconds, 3), count.duplicates]))
        self._check(item, count)
        if wants_rules:
            if item.get_closest_marker("no_n_plus_one") is not None:
                messages = n_plus_one_messages(check.recording)
                if messages:
                    pytest.fail("the test loads row by row:\n" + "\n".join(messages), pytrace=False)
            if self._rerun is not None and check.recording is not None:
                self._rerun.plan(item, check.recording)
        return result

    def _check(self, item: pytest.Item, count: StatementCount) -> None:
        queries = Queries(count)
        try:
            for name, check in (
                ("max_queries", queries.assert_at_most),
                ("max_duplicate_queries", queries.assert_duplicates_at_most),
            ):
                marker = item.get_closest_marker(name)
                if marker is not None:
                    check(_limit(marker, name))
            if item.nodeid in self._budgets:
                queries.assert_at_most(self._budgets[item.nodeid])
            marker = item.get_closest_marker("query_scaling")
            if marker is not None:
                self.growth.add(item, marker, count)
        except AssertionError as error:
            pytest.fail(str(error), pytrace=False)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the figures, under xdist those that the workers send."""
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "call":
                self.figures[report.nodeid] = TestFigures(*_figures(value), report.passed)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The table, the proofs, and what the budgets file lacks."""
        if self._worker:
            return
        missing = sorted(set(self.figures) - set(self._budgets)) if self._mode == "check" else []
        whole = self.config.getoption("queryproof")
        print_summary(
            terminalreporter, self.figures if whole else {}, missing, self._rerun.proofs if self._rerun else []
        )
        journal = self.config.getoption("queryproof_journal")
        if journal:
            terminalreporter.write_line(f"queryproof: recorded to {journal}; next: queryproof analyze {journal}")
        if self._mode == "update":
            terminalreporter.write_line(
                f"queryproof: budgets of {len(self.figures)} tests written to {self._file.name}"
            )


def _figures(value: Any) -> tuple[int, float, int]:
    queries, milliseconds, duplicates = value
    return queries, milliseconds, duplicates


def _limit(marker: pytest.Mark, name: str) -> int:
    values = (*marker.args, *marker.kwargs.values())
    if len(values) != 1 or type(values[0]) is not int or values[0] < 0:
        pytest.fail(f"@pytest.mark.{name} takes one number that is not negative", pytrace=False)
    return int(values[0])
