"""The plugin at work in a process that runs tests: counts each test's queries and checks what its markers ask for."""

import functools
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ..analyzer.record.journal import Journal
from ..analyzer.record.recorder import Recorder
from ..analyzer.record.scope import scope, whole_process
from ..analyzer.record.statement_count import StatementCount
from ..analyzer.sources.journal import Recording, has_recording, set_aside
from .body import around_body
from .budgets import stale_budgets, test_id
from .checks import check_limits
from .figures import FIGURES, TestFigures
from .growth import growth_figures, sizeless, unselected_sizes
from .orm_check import OrmCheck, n_plus_one_messages
from .queries import Queries
from .rerun import Rerun
from .totals import Totals

_count = pytest.StashKey[StatementCount]()
_passed = pytest.StashKey[bool]()
"""Whether the body ended without an error: only a limit can have failed the test."""


_here = pytest.StashKey[bool]()
"""The test was begun in this process, not in a child that was forked for it."""


class _RuleCheck:
    """The rules on one test's body, where its marker or a proof wants them."""

    def __init__(self, item: pytest.Item, rerun: Rerun | None) -> None:
        self._marked = item.get_closest_marker("no_n_plus_one") is not None
        self._rerun = rerun
        self._check: OrmCheck | None = None
        self._recording: Recording | None = None

    def __enter__(self) -> None:
        self._check = OrmCheck() if self._marked or self._rerun is not None else None

    def __exit__(self, *_: object) -> None:
        self._recording = self._check.recording() if self._check is not None else None

    def fail_on_loops(self) -> None:
        """Fail a test marked no_n_plus_one that has loaded row by row."""
        messages = n_plus_one_messages(self._recording) if self._marked else []
        if messages:
            pytest.fail("the test loads row by row:\n" + "\n".join(messages), pytrace=False)

    def close(self) -> None:
        """The body has been judged; a proof may still want to see how its transactions end."""
        if self._check is not None and not (self._rerun and self._rerun.watch(self._check, self._recording)):
            self._check.close()


class Session:
    """One test run in one process; under xdist each worker has its own, and the controller sums up."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.totals = Totals(config)
        self._inside = False
        self._process = os.getpid()
        self._forked = 0
        self._budgets: dict[str, int] = {}
        self._unselected: dict[str, tuple[int, ...]] = {}
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(self.totals)
        if config.getoption("queryproof_budgets") == "check":
            self._budgets = self.totals.budgets
        journal = _journal(config)
        self._recorder = Recorder(Journal(journal, parameters=True) if journal is not None else None)
        self._recorder.install()
        self._recorder.install_orm()
        self._rerun = Rerun(self._recorder) if config.getoption("queryproof_prove") else None
        config.add_cleanup(self._recorder.remove)

    def queries(self, item: pytest.Item) -> Queries:
        """What the fixture `queries` of this test gives."""
        if self._rerun is not None and self._rerun.running:
            return Queries(self._rerun.count)
        return Queries(self._statements(item))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """All that was collected, before anything is deselected: budgets of other tests may be stale."""
        collected = {test_id(item) for item in items}
        self.totals.stale = stale_budgets(self.totals.budgets, collected, self.config)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Sizes that were deselected leave nothing to judge."""
        self._unselected = unselected_sizes(session.items)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """With --queryproof-prove, a test that loads row by row is run again."""
        result = yield
        if self._rerun is not None and not item.stash.get(_here, False):
            self._forked += 1
        elif self._rerun is not None:
            self._rerun.prove(item, nextitem, item.stash.get(_passed, False))
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """In the journal, what fixtures send belongs to no test."""
        __tracebackhide__ = True
        item.stash[_here] = True
        with _fixtures(item, "setup"):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """As for the setup."""
        __tracebackhide__ = True
        with _fixtures(item, "teardown"):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Count the test's own queries, those of its fixtures not; then check."""
        if self._rerun is not None and self._rerun.running:
            with around_body(item, self._rerun.body):
                return (yield)
        missing = self._unselected.get(sizeless(item))
        if missing is not None and item.get_closest_marker("query_scaling") is not None:
            pytest.fail(
                f"its growth cannot be judged: the sizes {', '.join(map(str, missing))} are not in this run; "
                "run all sizes of a test of query_scaling together",
                pytrace=False,
            )
        # In a child forked for this test alone nothing can be run again, and nobody would clean up.
        check = _RuleCheck(item, self._rerun if os.getpid() == self._process else None)
        try:
            with around_body(item, functools.partial(self._counted, item, check)):
                result = yield
            check_limits(item, self._statements(item), self._budgets.get(test_id(item)))
            check.fail_on_loops()
        finally:
            check.close()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Send the figures along with the report."""
        report = yield
        # Subtests report while the body runs.
        if call.when == "call" and not self._inside and not (self._rerun is not None and self._rerun.running):
            count = self._statements(item)
            marker = item.get_closest_marker("query_scaling")
            growth = growth_figures(item, marker, count) if marker is not None and report.passed else None
            figures = TestFigures(
                test_id(item), count.queries, round(count.milliseconds, 3), count.duplicates, report.passed, growth
            )
            setattr(report, FIGURES, asdict(figures))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Hand over what is not on any report."""
        if self._rerun is not None:
            self.totals.proofs += self._rerun.proofs
            if self._forked:
                self.totals.proofs.append(f"no proof of {self._forked} tests: each has run in a process forked for it")
        self.totals.faults += self._recorder.faults
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[FIGURES] = {
                "proofs": self.totals.proofs, "stale": self.totals.stale, "faults": self.totals.faults
            }  # fmt: skip

    @contextmanager
    def _counted(self, item: pytest.Item, check: _RuleCheck) -> Iterator[None]:
        count = self._statements(item)
        count.begin(None)
        item.stash[_passed] = False
        self._inside = True
        try:
            with check, whole_process(count):
                yield
            item.stash[_passed] = True
        finally:
            self._inside = False

    def _statements(self, item: pytest.Item) -> StatementCount:
        if _count not in item.stash:
            item.stash[_count] = StatementCount(test_id(item), "test")
        return item.stash[_count]


@contextmanager
def _fixtures(item: pytest.Item, phase: str) -> Iterator[None]:
    own = scope(f"{phase} of {test_id(item)}", "fixture")
    own.begin(None)
    with whole_process(own):
        yield


def _journal(config: pytest.Config) -> Path | None:
    """Where to record; a recording that is there already makes place. Raises UsageError when nothing can be written there."""
    name: str | None = config.getoption("queryproof_journal")
    if name is None:
        return None
    directory: Path = config.invocation_params.dir / name
    if not hasattr(config, "workerinput"):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if has_recording(directory):
                set_aside(directory)
        except OSError as error:
            raise pytest.UsageError(
                f"queryproof: the journal's directory {directory} cannot be written: {error.strerror}; name another"
            ) from None
    return directory
