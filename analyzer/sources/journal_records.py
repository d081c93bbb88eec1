"""One segment of a journal, line by line, and what its records say. Versions 1 and 2."""

import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from ..errors import SourceError
from ..query import (
    CallSite,
    EntityUse,
    EventKind,
    LoadKind,
    OptionCheck,
    OrmLoad,
    Parameters,
    RecordedQuery,
    Scope,
    SessionEvent,
)
from ..record.journal import MAX_RECORD, VERSION
from ..record.values import decode_value
from ..sql.placeholders import number_question_marks

CHUNK = 256 * 1024
MAX_LINE = 2 * MAX_RECORD
"""Bytes; no line of ours is longer, and a hostile one must not fill the memory."""
MARKED = frozenset(("pysqlite", "aiosqlite", "pysqlcipher"))
"""Drivers that write `?` for a value."""
MAX_WAITING = 10_000
"""Executions held back because what they refer to has not come yet: its first copy is damaged."""

HEADER = b'{"t":"h",'
"""What a segment begins with."""

_CRC = b',"crc":"'


@dataclass(slots=True)
class Losses:
    """What could not be read, or was not written."""

    damaged: int = 0
    nameless: int = 0
    cut: int = 0
    dropped: int = 0
    rotated: int = 0
    faults: int = 0
    off: bool = False
    reasons: set[str] = field(default_factory=set)
    empty: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of loss, for people."""
        found = []
        if self.damaged:
            found.append(f"{self.damaged} damaged line{'s were' if self.damaged > 1 else ' was'} left out")
        if self.nameless:
            found.append(f"{self.nameless} executions were left out because the text of their statement is damaged")
        if self.cut:
            found.append(
                f"{self.cut} statement{'s were' if self.cut > 1 else ' was'} longer than 40 kB and cut: grouped but not explained"
            )
        if self.dropped:
            found.append(f"{self.dropped} executions could not be written: {', '.join(sorted(self.reasons))}")
        if self.rotated:
            found.append(
                f"{self.rotated} older segments are gone: they made place for newer ones (--max-size) or were deleted"
            )
        if self.faults:
            found.append(f"{self.faults} internal errors of the recorder: statements may be missing")
        if self.off:
            found.append("the recorder has switched itself off before the program ended")
        if self.empty:
            found.append(f"{len(self.empty)} empty segments")
        if self.refused:
            found.append(f"{len(self.refused)} files are not segments of ours and were not opened")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as it was when it was found: what is written later is not read. file: its device and number."""

    path: Path
    file: tuple[int, int]
    size: int
    run: str
    part: int


def is_segment(path: Path) -> bool:
    """Whether the file is certainly one that the recorder has written: it begins with its header, or is one begun in vain."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            first = file.readline(MAX_LINE).rstrip(b"\n")
    except OSError:
        return False
    named = bool(re.fullmatch(r"[0-9a-f]{16}-\d+(-\d+)?\.jsonl", path.name))
    header = decode_line(first)
    if header is None:
        # A kill or a full disk amid the header leaves nothing, or the beginning of a line.
        return named and (not first or HEADER.startswith(first) or first.startswith(HEADER))
    return header.get("t") == "h" and "run" in header


def open_segment(path: Path, losses: Losses) -> Segment | None:
    """The segment of that name; None when it is none of ours. Raises SourceError when it is newer or unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            losses.refused.append(path.name)
            return None
        header = decode_line(file.readline(MAX_LINE).rstrip(b"\n")) or {}
    run, part = path.stem, 0
    if header.get("t") == "h":
        _check_version(path, header)
        run = str(header.get("run", run))
        part = header["part"] if type(header.get("part")) is int else 0
    else:
        # Its name says as much: RUN-PID or RUN-PID-PART.
        names = path.stem.split("-")
        if len(names) > 1:
            run = names[0]
            part = int(names[2]) if len(names) > 2 and names[2].isdigit() and len(names[2]) < 9 else 0
    return Segment(path, (status.st_dev, status.st_ino), status.st_size, run, part)


def decode_line(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None when the line is damaged or not ours."""
    body, mark, crc = line.rpartition(_CRC)
    if not mark or crc[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


Members = tuple[tuple[str, int, bool], ...]


class Records:
    """Reads runs one after the other; keeps what belongs to the whole recording (events, uses, roots, losses)."""

    def __init__(self, losses: Losses) -> None:
        self.losses = losses
        self.events: dict[tuple[str, int], SessionEvent] = {}
        self._uses: dict[tuple[object, ...], tuple[int, EntityUse]] = {}
        self._sites: dict[tuple[object, ...], CallSite] = {}
        self._scopes: dict[tuple[object, ...], Scope] = {}

    def entity_uses(self) -> tuple[EntityUse, ...]:
        """The last word of each process on each origin, entity and path."""
        uses = [use for _, use in self._uses.values()]
        return tuple(sorted(uses, key=lambda use: (use.process, use.origin, use.path, use.entity)))

    def read_run(self, segments: list[Segment]) -> Iterator[RecordedQuery]:
        """The executions of one recording process. A segment of which there are two states is read as their union."""
        parts = [segment.part for segment in segments]
        self.losses.rotated += min(parts)
        self._tables: dict[str, dict[int, Any]] = {"s": {}, "k": {}, "o": {}}
        self._roots: dict[int, tuple[int, Members]] = {}
        self._waiting: list[dict[str, Any]] = []
        held: dict[int, RecordedQuery] = {}
        seen: set[int] | None = set() if len(set(parts)) < len(parts) else None
        run = segments[0].run
        for segment in segments:
            for record in self._records(segment):
                query = self._take(record, run)
                if query is None:
                    continue
                if seen is not None:
                    if query.sequence in seen:
                        continue
                    seen.add(query.sequence)
                if query.orm is not None and query.orm.kind == "query" and query.orm.roots is None:
                    # The count of its roots comes in one of the next records.
                    held[query.sequence] = query
                    if len(held) > 100:
                        yield held.pop(next(iter(held)))
                else:
                    yield query
                for sequence in self._roots.keys() & held.keys():
                    yield self._rooted(held.pop(sequence))
        for query in held.values():
            yield self._rooted(query)
        for record in self._waiting:
            query = self._query(record, run, last=True)
            if query is not None and (seen is None or query.sequence not in seen):
                yield query

    def _rooted(self, query: RecordedQuery) -> RecordedQuery:
        count, members = self._roots.pop(query.sequence, (0, ()))
        if query.orm is None or not count:
            return query
        return replace(query, orm=replace(query.orm, roots=count, members=members))

    def _records(self, segment: Segment) -> Iterator[dict[str, Any]]:
        seen = False
        for line in _lines(segment):
            seen = True
            record = decode_line(line)
            if record is None:
                self.losses.damaged += 1
            else:
                yield record
        if not seen:
            self.losses.empty.append(segment.path.name)

    def _take(self, record: dict[str, Any], run: str) -> RecordedQuery | None:
        try:
            match record.get("t"):
                case "q":
                    return self._query(record, run)
                case "s":
                    cut = "length" in record
                    self.losses.cut += cut and record["id"] not in self._tables["s"]
                    self._tables["s"][int(record["id"])] = (str(record["sql"]), cut)
                case "k":
                    self._tables["k"][int(record["id"])] = self._stack(record["st"])
                case "o":
                    self._tables["o"][int(record["id"])] = self._orm(record)
                case "r":
                    self._roots[int(record["i"])] = int(record["r"]), _members(record.get("c"))
                case "e":
                    event = self._event(record, run)
                    self.events[run, event.sequence] = event
                case "u":
                    self._take_use(record, run)
                case "x":
                    self.losses.dropped += _count(record["n"])
                    self.losses.reasons.add(str(record["why"])[:200])
                case "f":
                    self.losses.faults += 1
                    self.losses.off |= bool(record.get("off"))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            self.losses.damaged += 1
        return None

    def _query(self, record: dict[str, Any], run: str, last: bool = False) -> RecordedQuery | None:
        found = self._found(record, "s")
        text = (str(record["sql"]), "length" in record) if "sql" in record else found
        missing = any(self._lacks(record, kind) for kind in ("s", "k", "o"))
        if missing and not last and len(self._waiting) < MAX_WAITING:
            self._waiting.append(record)
            return None
        if text is None:
            self.losses.nameless += 1
            return None
        if "sql" in record:
            self.losses.cut += text[1]
        stack = self._stack_of(record)
        shape = record.get("o")
        orm = self._orm(shape) if isinstance(shape, dict) else self._found(record, "o")
        if orm is not None and any(name in record for name in ("pa", "os", "f", "fx")):
            orm = replace(
                orm,
                parent=_text(record.get("pa")),
                origin_sequence=_number(record.get("os")),
                flush=_number(record.get("f")),
                check=_check(record["fx"]) if record.get("fx") else None,
            )
        rows = record.get("n")
        driver = str(record.get("dr", ""))
        return RecordedQuery(
            sql=number_question_marks(text[0]) if driver in MARKED else text[0],
            parameters=_parameters(record),
            duration_ms=_duration(record["d"]),
            rows=int(rows) if rows is not None else None,
            started_at=_moment(record["at"]),
            process=run,
            sequence=int(record["i"]),
            thread=str(record.get("th", "")),
            task=_text(record.get("ta")),
            transaction=_number(record.get("tx")),
            executemany=record.get("m") is not None,
            error=_text(record.get("e")),
            driver=driver,
            call_site=stack[0] if stack else None,
            stack=stack,
            orm=orm,
            truncated=text[1],
            scope=self._scope(record),
        )

    def _lacks(self, record: dict[str, Any], kind: str) -> bool:
        number = record.get(kind)
        return type(number) is int and number not in self._tables[kind]

    def _found(self, record: dict[str, Any], kind: str) -> Any:
        number = record.get(kind)
        return self._tables[kind].get(number) if type(number) is int else None

    def _stack_of(self, record: dict[str, Any]) -> tuple[CallSite, ...]:
        return self._stack(record["st"]) if record.get("st") else self._found(record, "k") or ()

    def _stack(self, value: Any) -> tuple[CallSite, ...]:
        return tuple(self._site(site) for site in value)

    def _site(self, value: Any) -> CallSite:
        file, line, function = value
        key = (file, line, function)
        known = self._sites.get(key)
        if known is None:
            known = CallSite(str(file), int(line), str(function))
            if len(self._sites) < MAX_WAITING:
                self._sites[key] = known
        return known

    def _scope(self, record: dict[str, Any]) -> Scope | None:
        value = record.get("u")
        if value is None:
            return None
        kind, name, number = value
        key = (kind, name, number)
        known = self._scopes.get(key)
        if known is None:
            if len(self._scopes) >= MAX_WAITING:
                self._scopes.clear()
            known = self._scopes[key] = Scope(str(kind), str(name), int(number))
        return known

    def _orm(self, value: dict[str, Any]) -> OrmLoad:
        kind = value["k"]
        if kind not in get_args(LoadKind):
            raise ValueError("unknown kind of load")
        origin = value.get("o")
        cause = value.get("c")
        return OrmLoad(
            kind=kind,
            entity=_text(value.get("e")),
            path=tuple(str(name) for name in value.get("path") or ()),
            to_many=tuple(bool(many) for many in value.get("many") or ()),
            parent=_text(value.get("pa")),
            origin=self._site(origin) if origin else None,
            root=_text(value.get("root")),
            aliased=bool(value.get("al")),
            streamed=bool(value.get("yp")),
            options=tuple(str(option) for option in value.get("op") or ()),
            cause=cause if cause in ("deferred", "expired") else None,
            check=_check(value["fx"]) if value.get("fx") else None,
        )

    def _event(self, record: dict[str, Any], run: str) -> SessionEvent:
        kind = record["e"]
        if kind not in get_args(EventKind):
            raise ValueError("unknown kind of event")
        stack = self._stack_of(record)
        return SessionEvent(
            kind=kind,
            process=run,
            sequence=int(record["i"]),
            thread=str(record.get("th", "")),
            task=_text(record.get("ta")),
            transaction=_number(record.get("tx")),
            call_site=stack[0] if stack else None,
            scope=self._scope(record),
            stack=stack,
        )

    def _take_use(self, record: dict[str, Any], run: str) -> None:
        use = EntityUse(
            process=run,
            origin=self._site(record["o"]),
            entity=str(record["e"]),
            path=tuple(str(name) for name in record["path"]),
            executions=int(record["x"]),
            instances=int(record["n"]),
            touched=int(record["to"]),
            loaded=tuple(str(name) for name in record["lo"]),
            read=tuple(str(name) for name in record["re"]),
            relationships=tuple((str(name), int(loaded), int(read)) for name, loaded, read in record["rel"]),
        )
        key = (run, use.origin, use.entity, use.path)
        known = self._uses.get(key)
        version = int(record["v"])
        if known is None or known[0] <= version:
            self._uses[key] = (version, use)


def _lines(segment: Segment) -> Iterator[bytes]:
    """Lines that are not empty, up to the size at opening; holes of a sparse file are skipped, overlong lines cut short."""
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        rest = b""
        at = 0
        while at < segment.size:
            at = _data(descriptor, at, segment.size)
            file.seek(at)
            chunk = file.read(min(CHUNK, segment.size - at))
            if not chunk:
                break
            at += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                # No record of ours: its beginning stands for it, and its end will be one damaged line more at most.
                rest = rest[:MAX_LINE]
            for line in lines:
                stripped = line.strip(b"\0")
                if stripped:
                    yield stripped
        rest = rest.strip(b"\0")
        if rest:
            yield rest


def _data(descriptor: int, at: int, size: int) -> int:
    """Where the next data stands: a hole of gigabytes takes no time."""
    if not hasattr(os, "SEEK_DATA"):
        return at
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError:
        # ENXIO: only a hole is left. Others: this file system cannot tell.
        return at if size - at < CHUNK or os.fstat(descriptor).st_blocks else size


def _check_version(path: Path, header: dict[str, Any]) -> None:
    version = header.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise SourceError(
            f"{path} was written by a newer queryproof (journal version {version}, this one reads up to {VERSION}): "
            "upgrade queryproof"
        )


def _check(value: dict[str, Any]) -> OptionCheck:
    problem = None if value.get("ok") else str(value.get("why") or "it does not compile")
    return OptionCheck(
        str(value["opt"]), problem, tuple(map(str, value.get("orm") or ())), _pairs(value.get("cls")),
        _pairs(value.get("rep")), bool(value.get("al")),
    )  # fmt: skip


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(one), str(other)) for one, other in value or ())


def _members(value: Any) -> Members:
    return tuple((str(name), int(count), bool(own)) for name, count, own in value or ())


def _duration(value: Any) -> float:
    """Milliseconds: whole nanoseconds, and in version 1 milliseconds with a point."""
    return _finite(value / 1e6 if type(value) is int else value)


def _moment(value: Any) -> float:
    """Seconds since the epoch: whole microseconds, and in version 1 seconds with a point."""
    return _finite(value / 1e6 if type(value) is int else value)


def _finite(value: Any) -> float:
    """JSON lets NaN and infinity through, and a forged time could be below zero: figures would be nonsense."""
    if type(value) is not float or not 0 <= value < math.inf:
        raise ValueError("not a time")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def _text(value: Any) -> str | None:
    return value if value is None else str(value)


def _number(value: Any) -> int | None:
    return value if value is None else int(value)


def _parameters(record: dict[str, Any]) -> Parameters | None:
    if record.get("p") is None:
        return None
    try:
        value = decode_value(record["p"])
    except ValueError:
        return None
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, (dict, tuple)) else None
