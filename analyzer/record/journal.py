"""The journal's writer: JSON Lines, one segment per process, one `os.write` per record.

A line is a JSON object whose last field is the CRC-32 of what stands before it. Kinds (`t`): `h` header, `q` one execution,
`e` a transaction's event, `u` use of loaded instances, `r` root entities of an execution, `f` a fault of the recorder, `x` a
loss; and what others refer to by number: `s` a statement's text, `k` a call stack, `o` what the ORM was doing.

Nothing is buffered: a record is acknowledged when `write` has returned, and what is acknowledged survives a kill -9.
"""

import errno
import itertools
import os
import secrets
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path
from zlib import crc32

from .faults import armed, reach, swallow
from .references import References
from .sealed_line import sealed_line
from .warn import warn

VERSION = 3
MAX_RECORD = 64 * 1024
"""Bytes. Parameters that do not fit are left out; a statement that does not fit is cut and marked."""
EXECUTION = '{"t":"q"'
MAX_REFERENCES = 10_000
"""Texts, stacks and the like that are referred to by number; later ones are written out with every execution."""
MAX_REFERENCE_BYTES = 8 * 1024 * 1024
RETRY_SECONDS = 0.1
"""Pause between attempts while the journal cannot be written."""
CHECK_SECONDS = 1.0
"""How often it is looked whether the segment is still where it was created."""
HIGH_DESCRIPTOR = 200
"""The segment's descriptor is moved up: a program that closes all of them and opens its own must not get our number back."""

_journals: "weakref.WeakSet[Journal]" = weakref.WeakSet()


class Journal:
    """Segments in `directory`, the first created at the first record. Never raises: what cannot be written is counted.

    parameters: whether bound values are to be kept. max_size: bytes that this process's segments may take, the oldest
    half making place for new records; None: no limit. dropped: executions that could not be written so far.
    """

    def __init__(self, directory: Path, *, parameters: bool, max_size: int | None = None) -> None:
        self.directory = Path(os.path.abspath(directory))
        self.parameters = parameters
        self.dropped = 0
        self.generation = 0
        """Counts how often the numbers of texts and stacks have begun anew: a record must not refer to earlier ones."""
        self.statements = References("s", "")
        self.stacks = References("k", ",")
        self.shapes = References("o", ",")
        self._half = max(max_size // 2, 1) if max_size is not None else None
        self._file: int | None = None
        self._begin()
        _journals.add(self)

    def _begin(self) -> None:
        self._file = None
        # Re-entrant: a finaliser may send a statement while we open. A child gets a new one: the old may be held for ever.
        self._opening = threading.RLock()
        self._numbers = itertools.count(1)
        self._torn = False
        self._failing = False
        self._warned = False
        self._retry_at = 0.0
        self._check_at = 0.0
        self._written = 0
        self._part = 0
        self._lost = 0
        self._reason = ""
        self._identity = (0, 0)
        self._parts: list[Path] = []
        self._forget()
        self.run = secrets.token_hex(8)

    def _forget(self) -> None:
        self.generation += 1
        for references in (self.statements, self.stacks, self.shapes):
            references.clear()

    def refer(self, references: References, key: object, body: Callable[[], str]) -> str | None:
        """The field that refers to `body()`, the inside of a JSON object, by its number; None when there are too many.

        Writes it before its number is given to anyone: a record never refers to what a kill could still prevent.
        """
        if armed:
            reach("journal.define")
        while True:
            generation = self.generation
            number = references.once.get(key)
            if number is None and len(references.known) + len(references.once) >= MAX_REFERENCES:
                return None
            inside = body()
            if number is None and references.bytes + len(inside) > MAX_REFERENCE_BYTES:
                return None
            again = number is not None
            number = number or next(self._numbers)
            if not self.write(f'{{"t":"{references.kind}","id":{number},{inside}'):
                return None
            if generation == self.generation:
                break
        references.bytes += len(inside)
        field = f'{references.comma}"{references.kind}":{number}'
        if again:
            references.known[key] = field
            references.once.pop(key, None)
        else:
            references.once[key] = number
        return field

    def write(self, record: str, generation: int = 0) -> bool | None:
        """Append one record: a JSON object in ASCII without its closing brace. True when it has reached the file.

        generation: that of the numbers the record refers to; None when they are no longer those of this segment, and nothing
        was written: the record is to be built anew.
        """
        if self._failing and time.monotonic() < self._retry_at:
            self._lose(record)
            return False
        try:
            if armed:
                reach("journal.write")
            file = self._file
            if file is None or self._failing or time.monotonic() >= self._check_at:
                file = self._ready()
            if generation and generation != self.generation:
                return None
            line = sealed_line(record)
            if armed or self._torn:
                self._append(file, line)
            else:
                try:
                    written = os.write(file, line)
                except (InterruptedError, BlockingIOError):
                    self._append(file, line)
                else:
                    if written == len(line):
                        self._written += written
                    else:
                        self._complete(file, line, written)
        except OSError as error:
            self._fail(error)
            self._lose(record)
            return False
        if self._half is not None and self._written >= self._half:
            self._rotate()
        return True

    def close(self) -> None:
        """Close the segment, its losses told; a later record would open another."""
        if self._failing:
            try:
                self._ready()
            except OSError as error:
                self._reason = error.strerror or type(error).__name__
            except Exception as error:  # noqa: BLE001 - the program ends, or leaves a block of its own: it hears nothing
                swallow(error)
        file, self._file = self._file, None
        if file is not None:
            self._part += 1
            self._forget()
            if _is(file, self._identity):
                os.close(file)
        if self._lost:
            warn(f"{self._lost} statements could not be written to the journal: {self._reason}")

    def _ready(self) -> int:
        """The segment's descriptor, opened once whichever thread comes first; the header stands before any record."""
        if armed:
            reach("journal.start")
        with self._opening:
            self._check_at = time.monotonic() + CHECK_SECONDS
            if self._file is not None and not _is(self._file, self._identity):
                # Somebody has closed our descriptor or deleted the file: go on in a new one.
                self._file = None
                self._part += 1
                self._forget()
            if self._file is None:
                file = self._open()
                self._written = 0
                self._torn = False
                try:
                    self._append(file, self._header())
                except BaseException:  # The segment without a header is given up; raised again, the recorder counts it.
                    os.close(file)
                    self._part += 1
                    raise
                self._file = file
            if self._failing:
                if armed:
                    reach("journal.resume")
                self._append(self._file, sealed_line(f'{{"t":"x","n":{self._lost},"why":{quote(self._reason)}'))
                self._failing = False
                self._lost = 0
            return self._file

    def _append(self, file: int, line: bytes) -> None:
        if armed:
            reach("journal.append")
        if self._torn:
            # End the damaged line, so that the reader loses that one alone.
            line = b"\n" + line
        try:
            written = os.write(file, line)
        except (InterruptedError, BlockingIOError):
            written = os.write(file, line)
        self._complete(file, line, written)

    def _complete(self, file: int, line: bytes, written: int) -> None:
        """A line has been written that far: write the rest, or leave it torn."""
        if written < len(line):
            self._torn = True
            rest = line[written:]
            more = os.write(file, rest)
            if more < len(rest):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = False
        self._written += len(line)

    def _open(self) -> int:
        if armed:
            reach("journal.open")
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        mode = os.stat(self.directory).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(errno.EPERM, "its directory can be written to by everyone")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
        suffix = f"-{self._part}" if self._part else ""
        path = self.directory / f"{self.run}-{os.getpid()}{suffix}.jsonl"
        try:
            file = os.open(path, flags, 0o600)
        except FileExistsError:
            # Somebody else's file, a link or a pipe stands there: take a name that nobody knew.
            self.run = secrets.token_hex(8)
            path = self.directory / f"{self.run}-{os.getpid()}{suffix}.jsonl"
            file = os.open(path, flags, 0o600)
        file = _moved_up(file)
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(file)
            raise PermissionError(errno.EPERM, "its segment is not a file of its own")
        self._identity = (status.st_dev, status.st_ino)
        self._parts.append(path)
        return file

    def _header(self) -> bytes:
        if armed:
            reach("journal.header")
        try:
            here = os.getcwd()
        except OSError:
            here = ""
        return sealed_line(
            f'{{"t":"h","version":{VERSION},"run":"{self.run}","part":{self._part},"pid":{os.getpid()},'
            f'"at":{time.time():.6f},"python":"{sys.version.split()[0]}","cwd":{quote(here[:4096])},'
            f'"parameters":{"true" if self.parameters else "false"}'
        )

    def _rotate(self) -> None:
        """Half of the limit is full: begin a new segment and delete the one before the last."""
        try:
            if armed:
                reach("journal.rotate")
            with self._opening:
                if self._file is None or self._half is None or self._written < self._half:
                    return
                file, self._file = self._file, None
                self._part += 1
                self._forget()
                os.close(file)
                while len(self._parts) > 1:
                    self._parts.pop(0).unlink(missing_ok=True)
        except OSError as error:
            swallow(error)

    def _fail(self, error: OSError) -> None:
        """Forget all numbers, since their texts may be lost, and try again a little later."""
        self._reason = error.strerror or type(error).__name__
        self._failing = True
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._forget()
        if error.errno in (errno.EBADF, errno.EIO, errno.ESTALE, errno.ENODEV):
            self._file = None
            self._part += 1
        if not self._warned:
            self._warned = True
            warn(f"recording pauses, the journal cannot be written: {self._reason}")

    def _lose(self, record: str) -> None:
        if record.startswith(EXECUTION):
            self.dropped += 1
            self._lost += 1

    def begin_in_child(self) -> None:
        """A child must not write into its parent's segment: it gets a run and segments of its own."""
        file, identity = self._file, self._identity
        self._begin()
        self.dropped = 0
        if file is not None and _is(file, identity):
            os.close(file)


def text_fields(sql: str) -> str:
    """The statement's text as fields of a record; a long one is cut, with its length and a digest of the whole."""
    limit = MAX_RECORD // 8 if not sql.isascii() else MAX_RECORD * 5 // 8
    # Six bytes a character at worst once escaped; the rest of the record is small.
    if len(sql) > limit or (len(sql) > MAX_RECORD // 8 and len(quote(sql)) > MAX_RECORD * 3 // 4):
        digest = crc32(sql.encode("utf-8", "surrogatepass"))
        return f'"sql":{quote(sql[: min(limit, MAX_RECORD // 8)])},"length":{len(sql)},"digest":"{digest:08x}"'
    return f'"sql":{quote(sql)}'


def _moved_up(file: int) -> int:
    try:
        import fcntl

        high = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR)
    except (ImportError, OSError):
        return file
    os.close(file)
    return high


def _is(file: int, identity: tuple[int, int]) -> bool:
    """Whether the descriptor still is the file of that identity, and the file still has a name."""
    try:
        status = os.fstat(file)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity and status.st_nlink > 0


def _after_fork() -> None:
    for journal in list(_journals):
        journal.begin_in_child()


os.register_at_fork(after_in_child=_after_fork)
