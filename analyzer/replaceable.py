"""Whether a file may be put in a path's place."""

from pathlib import Path

from .errors import OutputError


def replaceable(path: Path) -> Path:
    """The path, when nothing but a file stands there. Raises OutputError for a device or a pipe, such as /dev/null: a file in its
    place would take it away from everybody."""
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file: it is not replaced by one. Remedy: name another path")
    return path
