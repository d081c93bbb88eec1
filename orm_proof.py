"""Proves ORM edits: the same program again with the option at the query line, counted and timed beside the run without it."""

import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from .analyzer.errors import SourceError
from .analyzer.query import CallSite, OrmLoad, RecordedQuery
from .analyzer.record.launcher import run
from .analyzer.record.trial import TrialEdit, told_file, write_trial
from .analyzer.sources.journal import Recording, read_journal, read_recording
from .analyzer.sql.tokens import significant
from .orm_edits import edits_by_kind

FILE = "proof.json"
VERSION = 2
READABLE = (1, VERSION)
"""Version 1 knows of no columns."""
LOADS = ("lazy", "eager")
ROUNDS = 3
SHORT_S = 5.0
"""A program that ends sooner is run three times on each side, in turn, and the median times count."""
READS = frozenset("select with values table show explain pragma savepoint release rollback set".split())
WRITES = frozenset("insert update delete merge".split())
"""Words that make a statement that begins like a reading one a writing one."""
LOCKS = frozenset(("update", "share"))


@dataclass(frozen=True, slots=True)
class OrmProof:
    """What adding eager loading (paths) or undeferred columns (columns) at one query line did; both as in `TrialEdit`, one of
    them empty. Queries and milliseconds are those of the line's own query and of all loads of its instances' relationships and
    deferred columns; milliseconds are medians over `rounds` runs. refused: why there is no proof; the figures after are then None."""

    origin: CallSite
    root: str
    paths: tuple[tuple[str, ...], ...]
    ms_recorded: float
    queries_before: int
    ms_before: float
    queries_after: int | None = None
    ms_after: float | None = None
    rounds: int = 0
    rolled_back: bool = False
    refused: str | None = None
    columns: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    code: int
    queries: list[RecordedQuery]
    problems: dict[tuple[CallSite, str], str]
    seconds: float
    refusal: str | None = None


def prove_orm_edits(
    command: Sequence[str],
    journal: Path,
    code: int,
    say: Callable[[str], None],
    application: Sequence[str] = (),
    *,
    rounds: int = ROUNDS,
) -> tuple[OrmProof, ...]:
    """Run the command again, once for all edits of one kind, and keep what came of it beside the journal. code: its exit code before.
    application: as it was recorded with (`launcher.run`). rounds: runs on each side of a program that ends within seconds; a longer one is run once.

    Eager loading and deferred columns have runs of their own: what the one saves is never counted for the other.
    A program that writes is run twice more, with and without the edits, inside a transaction that is rolled back, so that both
    begin with the same data; one that does not may not write when it is run again. Whatever cannot be compared is refused with
    the reason.
    """
    recording = read_recording(journal)
    queries = list(recording.queries)
    kinds = edits_by_kind(queries)
    number = sum(map(len, kinds))
    if not kinds:
        _write_proofs((), journal)
        return ()
    writes = any(_writes(sql, locks=True) for sql in {one.sql for one in queries})
    say(
        f"proving {number} edit{'s' if number > 1 else ''}: running the program again{', rolling back what it writes' if writes else ''} …"
    )
    recorded = _Run(code, queries, {}, 0.0)
    befores = [] if writes else [recorded]
    afters: list[list[_Run]] = [[] for _ in kinds]
    while len(afters[0]) < rounds and all(not side or side[0].seconds < SHORT_S for side in afters):
        if len(befores) == len(afters[0]):
            befores.append(_run(command, (), roll_back=writes, application=application))
        for edits, side in zip(kinds, afters, strict=True):
            as_before = befores[-1].code == code
            side.append(_run(command, edits, roll_back=writes, application=application) if as_before else befores[-1])
        if any(side[-1].code != code for side in afters):
            break
    proofs = tuple(
        _proof(edit, recorded, befores, side, writes)
        for edits, side in zip(kinds, afters, strict=True)
        for edit in edits
    )
    _write_proofs(proofs, journal)
    return proofs


def _write_proofs(proofs: tuple[OrmProof, ...], journal: Path) -> None:
    (journal / FILE).write_bytes(msgspec.json.encode({"version": VERSION, "proofs": proofs}))


def read_proofs(journal: Path) -> tuple[OrmProof, ...] | None:
    """The proofs kept beside a journal, None when nobody has asked for any. Raises SourceError when the file is damaged or newer."""
    path = journal / FILE
    if not path.is_file():
        return None
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except (OSError, msgspec.MsgspecError) as error:
        raise SourceError(f"{path} cannot be read ({error}): delete it, or record with --prove again") from None
    if document.version not in READABLE:
        raise SourceError(f"{path} was written by another queryproof (version {document.version}): record again")
    return document.proofs


@dataclass(frozen=True, slots=True)
class _Document:
    version: int
    proofs: tuple[OrmProof, ...]


def _run(command: Sequence[str], edits: tuple[TrialEdit, ...], *, roll_back: bool, application: Sequence[str]) -> _Run:
    with tempfile.TemporaryDirectory(prefix="queryproof-") as place:
        directory, trial = Path(place) / "journal", Path(place) / "trial.json"
        write_trial(edits, trial)
        start = time.monotonic()
        refusals = Path(place) / "refused"
        writing: Path | Literal["forbid"] = refusals if roll_back else "forbid"
        code = run(
            command, directory, parameters=False, trial=trial, writing=writing, quiet=True, application=application
        )
        refusal = refusals.read_text(encoding="utf-8").partition("\n")[0] if refusals.is_file() else None
        problems = {}
        if told_file(trial).is_file():
            for line in told_file(trial).read_bytes().splitlines():
                file, number, function, root, problem = msgspec.json.decode(line)
                problems[CallSite(file, number, function), root] = problem
        try:
            queries = read_journal(directory)[0]
        except SourceError:
            queries = []
        return _Run(code, queries, problems, time.monotonic() - start, refusal)


def _proof(
    edit: TrialEdit, recorded: _Run, befores: Sequence[_Run], afters: Sequence[_Run], rolled_back: bool
) -> OrmProof:
    origin = CallSite(edit.file, edit.line, edit.function)
    figures = [figures_at(one.queries, origin, edit.root) for one in befores]
    figures_after = [figures_at(one.queries, origin, edit.root) for one in afters]
    proof = OrmProof(
        origin=origin,
        root=edit.root,
        paths=edit.paths,
        columns=edit.columns,
        ms_recorded=figures_at(recorded.queries, origin, edit.root).ms,
        queries_before=figures[0].queries,
        ms_before=median(one.ms for one in figures),
        rolled_back=rolled_back,
    )
    code = recorded.code
    counts, counts_after = {one.queries for one in figures}, {one.queries for one in figures_after}
    runs, runs_after = {one.runs for one in figures}, {one.runs for one in figures_after}
    wrong = next((one.code for one in befores if one.code != code), None)
    wrong_after = next((one.code for one in afters if one.code != code), None)
    refusal = next((one.refusal for one in (*befores, *afters) if one.refusal is not None), None)
    problem = next((one.problems[origin, edit.root] for one in afters if (origin, edit.root) in one.problems), None)
    if refusal is not None:
        why = refusal
    elif wrong is not None:
        how = "with its writes rolled back" if rolled_back else "run again without the right to write"
        why = f"{how}, the program ended with exit code {wrong} instead of {code}{_no_input()}"
    elif wrong_after is not None:
        why = f"with the option{'' if rolled_back else ' and without the right to write'}, the program ended with exit code {wrong_after} instead of {code}{_no_input()}"
    elif problem is not None:
        why = f"the option could not be added: {problem}"
    elif runs != runs_after or len(counts) > 1 or len(counts_after) > 1:
        why = f"the program does not send the same queries each time it runs: two runs cannot be compared{_no_input()}"
    elif min(counts_after) >= min(counts):
        why = f"with the option there were {min(counts_after)} queries instead of {min(counts)}"
    else:
        after = median(one.ms for one in figures_after)
        return replace(proof, queries_after=min(counts_after), ms_after=after, rounds=len(afters))
    return replace(proof, refused=why)


def _no_input() -> str:
    """A remark for a program that was given something to read."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return ""
    given = stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
    return "; its standard input can be read only once, and was empty when it ran again" if given else ""


class Figures(NamedTuple):
    """Runs of the origin query; statements and milliseconds of it and of all loads that hang on it."""

    runs: int
    queries: int
    ms: float


def figures_at(queries: Sequence[RecordedQuery], origin: CallSite, root: str) -> Figures:
    """What the query of this root at one line and the loads of its instances' relationships and deferred columns took in a
    run. A line of a generic repository sends queries of many roots."""
    own = [one for one in queries if one.call_site == origin and one.orm is not None and not _hangs_on_a_query(one.orm)]
    # A query of several entities is known by its first; the loads know whose instances they are of.
    own = [one for one in own if one.orm is not None and one.orm.root == root] or own
    loads = [
        one for one in queries
        if one.orm is not None and _hangs_on_a_query(one.orm) and one.orm.origin == origin and one.orm.root == root
    ]  # fmt: skip
    return Figures(len(own), len(own) + len(loads), sum(one.duration_ms for one in (*own, *loads)))


def _hangs_on_a_query(load: OrmLoad) -> bool:
    """Whether it is sent for instances that a query has loaded."""
    return load.kind in LOADS or load.deferred


def commits_writes(recording: Recording) -> bool:
    """Whether the recorded run kept anything it wrote. A transaction whose end is not known counts as kept."""
    writing = {(one.process, one.transaction) for one in recording.queries if _writes(one.sql)}
    undone = {(one.process, one.transaction) for one in recording.events if one.kind == "rollback"}
    return bool(writing - undone)


def _writes(sql: str, *, locks: bool = False) -> bool:
    """Whether it may write, a CTE that does so included. locks: count FOR UPDATE and the like, which read-only forbids, too."""
    words = [token.word for token in significant(sql)]
    if not words or words[0] not in READS:
        return bool(words)
    pairs = list(zip(["", *words], words, strict=False))
    written = any(word in WRITES and before not in ("for", "key") for before, word in pairs)
    return written or (locks and any(before in ("for", "key") and word in LOCKS for before, word in pairs))
