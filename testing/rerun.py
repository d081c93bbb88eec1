"""`--queryproof-prove`: a test that loads row by row is run again, fixtures and all, without and with the options."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from ..analyzer.query import CallSite, RecordedQuery
from ..analyzer.record import orm
from ..analyzer.record.recorder import Recorder
from ..analyzer.record.scope import whole_process
from ..analyzer.record.statement_count import StatementCount
from ..analyzer.record.trial import Trial, TrialEdit
from ..analyzer.sources.journal import Recording
from ..orm_edits import edits_by_kind, tried
from ..orm_proof import commits_writes, figures_at
from ..reports.numbers import duration
from .orm_check import OrmCheck

ROUNDS = 3
SHORT_S = 2.0
"""A test whose two sides take no longer is run three times on each, in turn, and the median times count."""

_Queries = list[RecordedQuery]


class Rerun:
    """Watches one test after the other. proofs: a line for each proof or refusal so far; running: a second run is under way."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.proofs: list[str] = []
        self.running = False
        self.count = StatementCount("", "test")
        """What the run under way sends: a test may ask for it."""
        self._kinds: list[tuple[TrialEdit, ...]] = []
        self._first: Recording | None = None
        self._check: OrmCheck | None = None
        self._trial = Trial(())
        self._again: _Queries | None = None

    def watch(self, check: OrmCheck, body: Recording | None) -> bool:
        """The body is over; True: it has loaded something row by row, and `check` goes on for the ends of its transactions."""
        self._kinds = edits_by_kind(body.queries) if body is not None else []
        self._first, self._check = body, check
        return bool(self._kinds)

    def prove(self, item: pytest.Item, nextitem: pytest.Item | None, passed: bool) -> None:
        """Run the test again on both sides when there is something to prove; only the proof tells of these runs."""
        kinds, first, check = self._kinds, self._first, self._check
        self._kinds, self._first, self._check = [], None, None
        if not kinds or check is None or first is None:
            return
        whole = check.recording() or first
        check.close()
        refusal = _refusal(item, passed, replace(first, events=whole.events))
        if refusal is not None:
            self.proofs.append(f"{item.nodeid}: no proof: {refusal}")
            return
        # Each kind of edit has runs of its own: what the one saves is not counted for the other.
        trials = [Trial(edits) for edits in kinds]
        befores: list[_Queries | None] = []
        afters: list[list[_Queries | None]] = [[] for _ in kinds]
        start = time.monotonic()
        while len(befores) < ROUNDS and (not befores or time.monotonic() - start < SHORT_S * len(befores)):
            befores.append(self._run(item, nextitem, Trial(())))
            for trial, side in zip(trials, afters, strict=True):
                side.append(self._run(item, nextitem, trial) if befores[-1] is not None else None)
            if any(side[-1] is None for side in afters):
                break
        for edits, trial, side in zip(kinds, trials, afters, strict=True):
            self.proofs += [f"{item.nodeid}: {_line(edit, first.queries, befores, side, trial)}" for edit in edits]

    @contextmanager
    def body(self) -> Iterator[None]:
        """The body of a second run, with the options of its trial."""
        check = OrmCheck()
        orm.trial = self._trial
        self.count.begin(None)
        try:
            with whole_process(self.count):
                yield
            recording = check.recording()
            self._again = recording.queries if recording is not None else []
        finally:
            orm.trial = None
            check.close()

    def _run(self, item: Any, nextitem: pytest.Item | None, trial: Trial) -> _Queries | None:
        """What the body sends now; None when the test does not pass."""
        self._trial, self._again = trial, None
        self.count = StatementCount(item.nodeid, "test")
        self.running = True
        self._recorder.remove()  # The recording of the run holds each test once.
        try:
            item._initrequest()  # As whoever runs a test twice does: its fixtures are made anew.
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            self._recorder.install()
            self._recorder.install_orm()
            self.running = False
        # What a second call is reported as does not count: limits are not checked, and an expected failure may be none.
        return self._again if all(report.passed for report in reports if report.when != "call") else None


def _refusal(item: pytest.Item, passed: bool, body: Recording) -> str | None:
    if not passed:
        return "the test did not pass"
    if not hasattr(item, "_initrequest"):
        return "a test of this kind cannot be run twice"
    if commits_writes(body):
        return "it commits what it writes, and a second run would write it again"
    return None


def _line(
    edit: TrialEdit, first: _Queries, befores: list[_Queries | None], afters: list[_Queries | None], trial: Trial
) -> str:
    place = CallSite(edit.file, edit.line, edit.function)
    start = f"query at {edit.file}:{edit.line}"
    loaded = tried(edit.paths, edit.columns)
    problem = trial.problems.get(((edit.file, edit.line, edit.function), edit.root))
    if befores[-1] is None:
        return f"{start}: no proof: run again as it is, the test did not pass"
    if problem is not None:
        return f"{start}: no proof: the option could not be added: {problem}"
    if afters[-1] is None:
        return f"{start}: no proof: run again with the option, the test did not pass"
    recorded = figures_at(first, place, edit.root)
    without = [figures_at(one, place, edit.root) for one in befores if one is not None]
    with_ = [figures_at(one, place, edit.root) for one in afters if one is not None]
    other = next((one for one in without if one[:2] != recorded[:2]), None)
    if other is not None:
        return (
            f"{start}: no proof: run again as it is, it sends {other.queries} queries instead of {recorded.queries}: "
            "a fixture of wider scope may keep what was loaded"
        )
    if {one[:2] for one in with_} != {(recorded.runs, with_[0].queries)}:
        return f"{start}: no proof: with the option it does not send the same queries each time it runs"
    if with_[0].queries >= recorded.queries:
        return f"{start}: no proof: with {loaded}, {with_[0].queries} queries instead of {recorded.queries}"
    times = [duration(median(one.ms for one in side)) for side in (without, with_)]
    return (
        f"{start} with {loaded}: {recorded.queries} queries → {with_[0].queries}, "
        f"{times[0]} → {times[1]} (measured{f', median of {len(with_)} runs each way' if len(with_) > 1 else ''})"
    )
