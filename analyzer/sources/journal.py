"""Reads a journal: all segments of a directory, whatever state a crash has left them in. Content is data, never code."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceError
from ..query import EntityUse, RecordedQuery, SessionEvent
from ..workload import Source
from .journal_records import Losses, Records, Segment, open_segment


@dataclass(frozen=True, slots=True)
class Recording:
    """What one or more journals hold, each execution once, in recorded order; `source` names what was lost.

    Order is exact inside a process; across processes it follows their clocks.
    """

    queries: list[RecordedQuery]
    events: tuple[SessionEvent, ...]
    uses: tuple[EntityUse, ...]
    source: Source


def has_recording(directory: Path) -> bool:
    """Whether the directory holds any segment."""
    return any(_paths(directory))


def set_aside(directory: Path) -> Path:
    """Rename a recording to `DIRECTORY-previous`, replacing an older one; returns the new name."""
    previous = directory.with_name(directory.name + "-previous")
    if previous.is_dir() and has_recording(previous):
        shutil.rmtree(previous)
    os.replace(directory, previous)
    return previous


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
