"""A Python source file of the working directory: read with its encoding, compared, written back whole."""

import difflib
import os
import tempfile
import tokenize
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from .cannot_edit import CannotEdit

MAX_BYTES = 4_000_000
"""Larger files are generated ones."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text as it is, line ends included. name: its path from the working directory, with slashes."""

    path: Path
    name: str
    text: str
    encoding: str
    bom: bool


def read_source(file: str, directory: Path) -> Source:
    """The file that a call site names. Raises CannotEdit when it is not there, lies outside the directory, or cannot be read."""
    if not file.endswith((".py", ".pyw")):
        raise CannotEdit(f"{file} is not a Python source file")
    here = directory.resolve()
    path = (here / file).resolve()
    if not path.is_relative_to(here):
        raise CannotEdit(f"{file} lies outside {here}: run queryproof in the directory where the program was recorded")
    if not path.is_file():
        raise CannotEdit(f"there is no file {file} in {here}: run queryproof where the program was recorded")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CannotEdit(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise CannotEdit(f"{file} has more than {MAX_BYTES // 1_000_000} MB")
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        bom = data.startswith(BOM)
        text = data.removeprefix(BOM).decode("utf-8" if bom else encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise CannotEdit(f"{file} cannot be decoded: {error}") from None
    return Source(path, path.relative_to(here).as_posix(), text, "utf-8" if bom else encoding, bom)


def encoded(source: Source, text: str) -> bytes:
    """The bytes of an edited text. Raises CannotEdit when the file's encoding has no code for a character of it."""
    try:
        return (BOM if source.bom else b"") + text.encode(source.encoding)
    except UnicodeEncodeError as error:
        raise CannotEdit(f"{source.name} is in {source.encoding}, which cannot hold the edit: {error.reason}") from None


def unified_diff(source: Source, text: str) -> str:
    """What turns the file into the text, for `git apply` or `patch -p1`; empty when nothing does."""
    before, after = _lines(source.text), _lines(text)
    lines = []
    for line in difflib.unified_diff(before, after, f"a/{source.name}", f"b/{source.name}"):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def check_writable(source: Source) -> None:
    """Raises CannotEdit when the file may not be written: one that is read-only is so on purpose."""
    mode = source.path.stat().st_mode
    if not mode & 0o222 or not os.access(source.path, os.W_OK):
        raise CannotEdit(f"{source.name} is read-only: nothing is written")
    if not os.access(source.path.parent, os.W_OK):
        raise CannotEdit(f"the directory of {source.name} is read-only: nothing is written")


def write_source(source: Source, text: str) -> None:
    """Put the text in the file's place: whole or not at all, with the file's mode. Raises CannotEdit when it cannot be written."""
    data = encoded(source, text)
    temporary = None
    try:
        mode = source.path.stat().st_mode
        with tempfile.NamedTemporaryFile(dir=source.path.parent, prefix=".queryproof-", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode & 0o7777)
        os.replace(temporary, source.path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        raise CannotEdit(f"{source.name} cannot be written: {error.strerror}") from None


def _lines(text: str) -> list[str]:
    """Lines as `patch` knows them: a form feed or a lone carriage return ends none."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *lines[-1:]] if lines[-1] else [f"{line}\n" for line in lines[:-1]]
