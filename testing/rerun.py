"""`--queryproof-prove`: a test that loads row by row is run again, fixtures and all, with the options added at their queries."""

from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from ..analyzer.query import CallSite
from ..analyzer.record import orm
from ..analyzer.record.trial import Trial, TrialEdit
from ..analyzer.sources.journal import Recording
from ..orm_proof import commits_writes, figures_at, lazy_edits
from ..reports.numbers import duration
from .orm_check import OrmCheck, orm_check


class Rerun:
    """The test to run again after its first run, and a line for each proof or refusal."""

    def __init__(self) -> None:
        self.proofs: list[str] = []
        self.running = False
        self._edits: tuple[TrialEdit, ...] = ()
        self._before: Recording | None = None
        self._check: OrmCheck | None = None
        self._trial = Trial(())

    def plan(self, item: pytest.Item, recording: Recording) -> None:
        """Note what is to be tried, once the test has passed; a test that commits what it writes is refused."""
        edits = lazy_edits(recording.queries)
        if edits and commits_writes(recording):
            self.proofs.append(
                f"{item.nodeid}: no proof: it commits what it writes, and a second run would write it again"
            )
        elif edits:
            self._edits, self._before = edits, recording

    def prove(self, item: Any, nextitem: pytest.Item | None) -> None:
        """Run the test again when something was planned; its reports go nowhere but into the proof."""
        edits, before = self._edits, self._before
        self._edits, self._before = (), None
        if not edits or before is None:
            return
        self._trial = Trial(edits)
        self.running = True
        try:
            item._initrequest()  # As for any second run: fixtures are made anew.
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            self.running = False
        passed = all(report.passed for report in reports)
        after = self._check.recording if self._check is not None else None
        self.proofs += [self._line(item.nodeid, edit, before, after, passed) for edit in edits]

    def call(self) -> Iterator[None]:
        """The body of the second run, with the options added."""
        orm.trial = self._trial
        try:
            with orm_check() as self._check:
                return (yield)
        finally:
            orm.trial = None

    def _line(self, test: str, edit: TrialEdit, before: Recording, after: Recording | None, passed: bool) -> str:
        place = CallSite(edit.file, edit.line, edit.function)
        start = f"{test}: {edit.file}:{edit.line}"
        if not passed:
            return f"{start}: no proof: run again with the option, the test did not pass"
        problem = self._trial.problems.get((edit.file, edit.line, edit.function))
        if problem is not None:
            return f"{start}: no proof: the option could not be added: {problem}"
        first = figures_at(before.queries, place)
        second = figures_at(after.queries if after is not None else (), place)
        if second.queries >= first.queries or second.runs != first.runs:
            return f"{start}: no proof: {first.queries} queries, run again with the option {second.queries}"
        times = f"{duration(first.ms)} → {duration(second.ms)}"
        return f"{start}: {first.queries} queries → {second.queries}, {times}, measured"
