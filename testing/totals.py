"""Sums up a test run: judges growth, writes budgets, and prints what was counted, proven and missing."""

from dataclasses import replace
from typing import Any

import pytest

from ..analyzer.errors import QueryproofError
from .budgets import read_budgets, write_budgets
from .figures import FIGURES, TestFigures
from .growth import Growth
from .summary import missing_lines, print_budgets, print_proofs, print_table


class Totals:
    """What all tests of the run have sent, whatever process ran them.

    budgets: those in the file when the run began. stale: ids in it that no test bears any more. proofs: a line each.
    faults: errors of ours, which no test has seen. crashed: workers that ended before their last test did.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.figures: dict[str, TestFigures] = {}
        self.budgets: dict[str, int] = {}
        self.stale: list[str] = []
        self.proofs: list[str] = []
        self.faults = 0
        self.crashed: list[str] = []
        self._growth = Growth()
        self._mode: str | None = config.getoption("queryproof_budgets")
        self._file = config.rootpath / config.getoption("queryproof_budgets_file")
        self._problem: str | None = None
        if self._mode == "check" or (self._mode == "update" and self._file.exists()):
            try:
                self.budgets = read_budgets(self._file)
            except QueryproofError as error:
                raise pytest.UsageError(f"queryproof: {error}") from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the figures from the report, under xdist from those that the workers send."""
        self.add(report)

    def add(self, report: pytest.TestReport) -> None:
        """Keep the figures; the report of the last size of a test that grows becomes a failure, before anybody counts it."""
        sent: dict[str, Any] | None = getattr(report, FIGURES, None)
        if sent is None:
            return
        figures = TestFigures(**sent)
        problem = self._growth.add(figures.growth) if figures.growth is not None else None
        if problem is not None:
            report.outcome = "failed"
            report.longrepr = problem
        self.figures[figures.test] = replace(figures, passed=figures.passed and problem is None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker has ended; one that crashed leaves nothing but what it had sent with its reports."""
        if error is not None:
            self.crashed.append(node.gateway.id)
        told: dict[str, Any] = getattr(node, "workeroutput", {}).get(FIGURES, {})
        self.proofs += told.get("proofs", ())
        self.stale = sorted({*self.stale, *told.get("stale", ())})
        self.faults += told.get("faults", 0)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the budgets: those of passed tests anew, those of tests that did not run as they were."""
        if self._mode == "update":
            kept = {test: budget for test, budget in self.budgets.items() if test not in self.stale}
            try:
                write_budgets(self._file, kept | self._passed())
            except QueryproofError as error:
                self._problem = str(error)
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, the budgets, the proofs, and where the recording is."""
        write = terminalreporter
        if self.config.getoption("queryproof"):
            print_table(write, list(self.figures.values()), whole=self.config.option.verbose > 0)
        if self._problem is not None:
            write.write_line(f"queryproof: {self._problem}", red=True)
        elif self._mode is not None:
            print_budgets(write, self._mode, self._file.name, self.budgets, self._passed(), self.stale, self._over())
        if self.config.getoption("queryproof_prove"):
            print_proofs(write, sorted(self.proofs))
        for line in missing_lines(self.crashed, self.faults):
            write.write_line(f"queryproof: {line}", yellow=True)
        journal = self.config.getoption("queryproof_journal")
        if journal:
            write.write_line(f"queryproof: recorded to {journal}; next: queryproof analyze {journal}")

    def _over(self) -> list[str]:
        return sorted(test for test, one in self.figures.items() if one.queries > self.budgets.get(test, one.queries))

    def _passed(self) -> dict[str, int]:
        return {test: one.queries for test, one in self.figures.items() if one.passed}
