"""The journal's writer: JSON Lines, one segment per process, one `os.write` per record.

A line is a JSON object whose last field is the CRC-32 of what stands before it. Kinds (`t`): `h` header, `s` a statement's
text with its number, `q` one execution. Nothing is buffered: what `write` has returned from survives a kill -9.
"""

import itertools
import json
import os
import secrets
import sys
import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

VERSION = 1
MAX_RECORD = 64 * 1024
"""Bytes. Parameters that do not fit are left out; a statement that does not fit is cut and marked."""
MAX_STATEMENTS = 10_000
"""Distinct texts that are kept in memory; the text of later ones is written with every execution."""


class Journal:
    """A segment in `directory`, created at the first record. Never raises: when writing fails, it warns once and stops."""

    def __init__(self, directory: Path, *, parameters: bool) -> None:
        self.directory = Path(os.path.abspath(directory))
        self.parameters = parameters
        self.stopped = False
        self.dropped = 0
        self._begin()
        # A child must not write into its parent's segment.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._file: int | None = None
        # Re-entrant: a finaliser may send a statement while we open. A child gets a new one: the old may be held for ever.
        self._opening = threading.RLock()
        self._torn = False
        self._numbers = itertools.count(1)
        self._statements: dict[str, int] = {}
        self.run = secrets.token_hex(8)

    def statement(self, sql: str) -> dict[str, object]:
        """The fields that name the statement in an execution's record; writes its text when it is new."""
        number = self._statements.get(sql)
        if number is not None:
            return {"s": number}
        if len(self._statements) >= MAX_STATEMENTS:
            return _text_fields(sql)
        number = self._statements.setdefault(sql, next(self._numbers))
        self.write({"t": "s", "id": number, **_text_fields(sql)})
        return {"s": number}

    def write(self, record: Mapping[str, object]) -> None:
        """Append one record."""
        if self.stopped:
            self.dropped += 1
            return
        try:
            file = self._file if self._file is not None else self._start()
            line = encode_line(record)
            if len(line) > MAX_RECORD and "p" in record:
                line = encode_line({**record, "p": None, "cut": True})
            self._append(file, line)
        except OSError as error:
            self._stop(error)

    def _start(self) -> int:
        """Open the segment once, whichever thread comes first; the header stands before any record."""
        with self._opening:
            if self._file is None:
                file = self._open()
                self._append(file, self._header())
                self._file = file
            return self._file

    def _append(self, file: int, line: bytes) -> None:
        if self._torn:
            # End the damaged line, so that the reader loses that one alone.
            line = b"\n" + line
        written = os.write(file, line)
        self._torn = written < len(line)
        if self._torn:
            rest = line[written:]
            self._torn = os.write(file, rest) < len(rest)

    def _open(self) -> int:
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
        return os.open(self.directory / f"{self.run}-{os.getpid()}.jsonl", flags, 0o600)

    def _header(self) -> bytes:
        return encode_line(
            {
                "t": "h",
                "version": VERSION,
                "run": self.run,
                "pid": os.getpid(),
                "at": time.time(),
                "python": sys.version.split()[0],
                "cwd": os.getcwd(),
                "parameters": self.parameters,
            }
        )

    def _stop(self, error: OSError) -> None:
        if self.stopped:
            return
        self.stopped = True
        self.dropped += 1
        warn(f"recording is switched off, the journal cannot be written: {error.strerror or type(error).__name__}")


def encode_line(record: Mapping[str, object]) -> bytes:
    """One line of the journal."""
    body = json.dumps(record, separators=(",", ":"))[:-1]
    return f'{body},"crc":"{zlib.crc32(body.encode()):08x}"}}\n'.encode()


def warn(message: str) -> None:
    """One line on standard error; the application's output is not ours."""
    try:
        sys.stderr.write(f"queryproof: {message}\n")
    except (OSError, ValueError, AttributeError):
        # Standard error may be closed or gone at shutdown: there is nowhere left to say it.
        return


def _text_fields(sql: str) -> dict[str, object]:
    if len(sql) <= MAX_RECORD // 8:
        return {"sql": sql}
    # Six bytes a character at worst once escaped; the rest of the record is small.
    limit = MAX_RECORD // 8 if not sql.isascii() else MAX_RECORD * 3 // 4
    return {"sql": sql} if len(sql) <= limit else {"sql": sql[:limit], "length": len(sql)}
