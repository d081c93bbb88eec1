"""Reads a journal: all segments of a directory, whatever state a crash has left them in. Content is data, never code."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError, SourceError
from ..query import EntityUse, RecordedQuery, SessionEvent
from ..workload import Source
from .journal_records import Records
from .losses import Losses
from .segment import CHUNK, Segment, is_segment, open_segment


@dataclass(frozen=True, slots=True)
class Recording:
    """What one or more journals hold, each execution once, in recorded order; `source` names what was lost.

    Order is exact inside a process; across processes it follows their clocks.
    """

    queries: list[RecordedQuery]
    events: tuple[SessionEvent, ...]
    uses: tuple[EntityUse, ...]
    source: Source


CALL_SITE = b'{"t":"k"'
"""What the record of a call stack begins with."""

BESIDE = frozenset(("proof.json",))
"""What else a recording's directory may hold: the proofs of its edits."""


def has_recording(directory: Path) -> bool:
    """Whether the directory holds any segment; files of others with the same ending are none."""
    return any(map(is_segment, _paths(directory)))


def has_call_sites(directory: Path) -> bool:
    """Whether any statement has a place in the application's code: the first of them stand near a segment's beginning."""
    for path in _paths(directory):
        with path.open("rb") as file:
            if CALL_SITE in file.read(CHUNK):
                return True
    return False


def set_aside(directory: Path) -> Path:
    """Rename a recording to `DIRECTORY-previous`, replacing an older one; returns the new name.

    Raises OutputError, nothing touched, when either directory holds anything that is not a recording's.
    """
    directory = directory.resolve()
    previous = directory.with_name(directory.name + "-previous")
    here = Path(os.path.abspath("."))
    if directory == here or directory in here.parents:
        raise OutputError(
            f"{directory} is where you are, and holds an earlier recording: name another directory with --output, or --append"
        )
    _refuse_foreign(directory, f"move what is not a recording out of {directory}, name another --output, or --append")
    try:
        if os.path.lexists(previous):
            _refuse_foreign(previous, f"move {previous} away, or name another directory with --output")
            for path in previous.iterdir():
                path.unlink()
            previous.rmdir()
        os.replace(directory, previous)
    except OSError as error:
        raise OutputError(
            f"the earlier recording {directory} cannot be kept as {previous.name}: {error.strerror}: "
            "name another directory with --output, or add to it with --append"
        ) from None
    return previous


def _refuse_foreign(directory: Path, remedy: str) -> None:
    """Raise OutputError unless the directory is a real one that holds nothing but a recording."""
    if directory.is_symlink() or not directory.is_dir():
        raise OutputError(f"{directory} is not a directory of a recording: {remedy}")
    foreign = sorted(path.name for path in directory.iterdir() if path.name not in BESIDE and not is_segment(path))
    if foreign:
        raise OutputError(f"{directory} holds {foreign[0]}, which is not part of a recording: {remedy}")


def read_journal(directory: Path) -> tuple[list[RecordedQuery], Source]:
    """The executions of `read_recording` and its source."""
    recording = read_recording(directory)
    return recording.queries, recording.source


def read_recording(*directories: Path) -> Recording:
    """All executions, events and uses of the directories' segments; the order of directories does not matter.

    Raises SourceError when there is no recording, when it is empty, or when a newer queryproof has written it.
    """
    losses = Losses()
    records = Records(losses)
    queries = list(iterate(directories, records))
    if not queries:
        listed = ", ".join(map(str, directories))
        raise SourceError(
            f"the journal {listed} holds no statement ({', '.join(losses.notes()) or 'the program sent none'})"
        )
    queries = _ordered(queries)
    events = sorted(records.events.values(), key=lambda event: (event.process, event.sequence))
    total = sum(query.duration_ms for query in queries)
    # An absolute name says more about this machine than about the recording, and changes from run to run.
    name = ", ".join(sorted(one.name if one.is_absolute() else str(one) for one in set(directories)))
    return Recording(
        queries, tuple(events), records.entity_uses(), Source("journal", name, len(queries), total, losses.notes())
    )


def _ordered(queries: list[RecordedQuery]) -> list[RecordedQuery]:
    """Each process in its own order, even where its clock was set back; processes among each other by their clocks."""
    queries.sort(key=lambda query: (query.process, query.sequence))
    keyed: list[tuple[float, int]] = []
    process, latest = "", 0.0
    for number, query in enumerate(queries):
        latest = max(latest, query.started_at) if query.process == process else query.started_at
        process = query.process
        keyed.append((latest, number))
    return [queries[number] for _, number in sorted(keyed)]


def iterate(directories: Sequence[Path], records: Records) -> Iterator[RecordedQuery]:
    """Executions segment by segment, in memory that does not grow with the journal."""
    for run in _runs(directories, records.losses):
        yield from records.read_run(run)


def _runs(directories: Sequence[Path], losses: Losses) -> list[list[Segment]]:
    """The segments of each recording process, in order; a file that is listed or linked twice is taken once."""
    found: dict[tuple[int, int], Segment] = {}
    for directory in directories:
        if not directory.is_dir():
            raise SourceError(f"there is no journal {directory}: record one with `queryproof record -- COMMAND`")
        paths = list(_paths(directory))
        if not paths:
            raise SourceError(f"{directory} holds no recording: record one with `queryproof record -- COMMAND`")
        for path in paths:
            segment = open_segment(path, losses)
            if segment is not None:
                found.setdefault(segment.file, segment)
    runs: dict[str, list[Segment]] = {}
    for segment in sorted(found.values(), key=lambda one: (one.run, one.part, one.size, one.path.name)):
        runs.setdefault(segment.run, []).append(segment)
    return list(runs.values())


def _paths(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from sorted(path for path in directory.glob("*.jsonl") if path.is_file() and not path.is_symlink())
