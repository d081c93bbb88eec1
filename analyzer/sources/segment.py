"""One segment of a journal: whether a file is one, and its lines."""

import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..errors import SourceError
from ..record.journal import MAX_RECORD, VERSION
from .losses import Losses

CHUNK = 256 * 1024
MAX_LINE = 2 * MAX_RECORD
"""Bytes; no line of ours is longer, and a hostile one must not fill the memory."""
HEADER = b'{"t":"h",'
"""What a segment begins with."""

_CRC = b',"crc":"'


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
        record = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        # Half a surrogate pair, which msgspec refuses, may stand in a statement.
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return record if isinstance(record, dict) else None


def segment_lines(segment: Segment) -> Iterator[bytes]:
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
