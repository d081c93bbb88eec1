"""Writes a report's files: whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from ..analyzer.errors import OutputError
from ..analyzer.replaceable import replaceable
from .html.html import to_html
from .json_report import to_json
from .report import Report


def check_writable(directory: Path) -> None:
    """Create the directory and try it. Raises OutputError naming cause and remedy."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(
            f"the report cannot be written to {directory}: {error.strerror}. Remedy: name another directory with --output"
        ) from None


def write_reports(report: Report, directory: Path) -> list[Path]:
    """report.html and report.json. Each replaces an older file in one step. Raises OutputError."""
    check_writable(directory)
    files = {"report.html": to_html(report).encode("utf-8", "replace"), "report.json": to_json(report)}
    return [_write(directory / name, data) for name, data in files.items()]


def write_text(path: Path, text: str) -> Path:
    """One file of text, replacing an older one in one step. Raises OutputError."""
    return _write(path, text.encode("utf-8", "replace"))


def _write(path: Path, data: bytes) -> Path:
    if path.is_symlink():
        raise OutputError(f"{path} is a link: it is not followed. Remove it, or name another directory with --output")
    name = None
    try:
        handle, name = tempfile.mkstemp(dir=replaceable(path).parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _umask() -> int:
    """What the user withholds from others; the system tells it only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
