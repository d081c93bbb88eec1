"""Reads a journal: all segments of a directory, whatever state a crash has left them in. Content is data, never code."""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ..errors import SourceError
from ..query import CallSite, LoadKind, OptionCheck, OrmLoad, Parameters, RecordedQuery
from ..record.journal import VERSION
from ..record.values import decode_value
from ..workload import Source

_CRC = b',"crc":"'


@dataclass(slots=True)
class _Losses:
    damaged: int = 0
    nameless: int = 0
    cut: int = 0
    empty: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        found = []
        if self.damaged:
            found.append(f"{self.damaged} damaged lines were left out")
        if self.nameless:
            found.append(f"{self.nameless} executions were left out because the text of their statement is damaged")
        if self.cut:
            found.append(f"{self.cut} statements were longer than 48 kB and cut: they are grouped but not explained")
        if self.empty:
            found.append(f"{len(self.empty)} empty segments")
        return tuple(found)


def has_recording(directory: Path) -> bool:
    """Whether the directory holds any segment."""
    return any(_segments(directory))


def set_aside(directory: Path) -> Path:
    """Rename a recording to `DIRECTORY-previous`, replacing an older one; returns the new name."""
    previous = directory.with_name(directory.name + "-previous")
    if previous.is_dir() and has_recording(previous):
        shutil.rmtree(previous)
    os.replace(directory, previous)
    return previous


def read_journal(directory: Path) -> tuple[list[RecordedQuery], Source]:
    """All executions in recorded order and the source's description, with what was lost in its notes.

    Raises SourceError when there is no recording, when it is empty, or when a newer queryproof has written it.
    """
    if not directory.is_dir():
        raise SourceError(f"there is no journal {directory}: record one with `queryproof record -- COMMAND`")
    segments = list(_segments(directory))
    if not segments:
        raise SourceError(f"{directory} holds no recording: record one with `queryproof record -- COMMAND`")
    losses = _Losses()
    queries = [query for segment in segments for query in _read_segment(segment, losses)]
    if not queries:
        raise SourceError(
            f"the journal {directory} holds no statement ({', '.join(losses.notes()) or 'the program sent none'})"
        )
    queries.sort(key=lambda query: (query.started_at, query.process, query.sequence))
    total = sum(query.duration_ms for query in queries)
    # An absolute name says more about this machine than about the recording, and changes from run to run.
    name = directory.name if directory.is_absolute() else str(directory)
    return queries, Source("journal", name, len(queries), total, losses.notes())


def _segments(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from sorted(path for path in directory.glob("*.jsonl") if path.is_file() and not path.is_symlink())


def _read_segment(path: Path, losses: _Losses) -> list[RecordedQuery]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    run = path.stem
    texts: dict[int, tuple[str, bool]] = {}
    raw: list[dict[str, Any]] = []
    seen = False
    for line in filter(None, lines):
        seen = True
        record = _decode(line)
        if record is None:
            losses.damaged += 1
        elif record.get("t") == "h":
            _check_version(path, record)
            run = str(record.get("run", run))
        elif record.get("t") == "s":
            cut = "length" in record
            losses.cut += cut
            texts[record.get("id", 0)] = (str(record.get("sql", "")), cut)
        elif record.get("t") == "q":
            raw.append(record)
    if not seen:
        losses.empty.append(path.name)
    queries = []
    for record in raw:
        text = (str(record["sql"]), "length" in record) if "sql" in record else texts.get(record.get("s", 0))
        if text is None:
            losses.nameless += 1
            continue
        try:
            queries.append(_query(record, text, run))
        except (TypeError, ValueError, KeyError, AttributeError):
            losses.damaged += 1
    return queries


def _decode(line: bytes) -> dict[str, Any] | None:
    body, mark, crc = line.rpartition(_CRC)
    if not mark or crc[:8] != f"{zlib.crc32(body):08x}".encode():
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _check_version(path: Path, header: dict[str, Any]) -> None:
    version = header.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise SourceError(
            f"{path} was written by a newer queryproof (journal version {version}, this one reads up to {VERSION}): "
            "upgrade queryproof"
        )


def _query(record: dict[str, Any], text: tuple[str, bool], run: str) -> RecordedQuery:
    stack = tuple(_site(site) for site in record.get("st") or ())
    many = record.get("m") is not None
    return RecordedQuery(
        sql=text[0],
        parameters=_parameters(record),
        duration_ms=float(record["d"]),
        rows=record.get("n"),
        started_at=float(record["at"]),
        process=run,
        sequence=int(record["i"]),
        thread=str(record.get("th", "")),
        task=record.get("ta"),
        transaction=record.get("tx"),
        executemany=many,
        error=record.get("e"),
        driver=str(record.get("dr", "")),
        call_site=stack[0] if stack else None,
        stack=stack,
        orm=_orm(record["o"]) if record.get("o") else None,
        truncated=text[1],
    )


def _site(value: Any) -> CallSite:
    file, line, function = value
    return CallSite(str(file), int(line), str(function))


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


def _orm(value: dict[str, Any]) -> OrmLoad:
    kind = value["k"]
    if kind not in get_args(LoadKind):
        raise ValueError("unknown kind of load")
    origin = value.get("o")
    return OrmLoad(
        kind, value.get("e"), tuple(value.get("path") or ()), tuple(value.get("many") or ()), value.get("pa"),
        _site(origin) if origin else None, check=_check(value["fx"]) if value.get("fx") else None,
    )  # fmt: skip


def _check(value: dict[str, Any]) -> OptionCheck:
    problem = None if value.get("ok") else str(value.get("why") or "it does not compile")
    return OptionCheck(
        str(value["opt"]), problem, tuple(map(str, value.get("orm") or ())), _pairs(value.get("cls")),
        _pairs(value.get("rep")), bool(value.get("al")),
    )  # fmt: skip


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(one), str(other)) for one, other in value or ())
