"""What a killed process left behind: directories here, trial indexes on a server."""

import os
import shutil
import stat
from pathlib import Path

OWNER = "owner"
TRIAL_PREFIX = "queryproof_trial_"
"""Names of trial indexes begin with it, and a number follows."""
TRIAL_NAME = rf"{TRIAL_PREFIX}[0-9]+"
"""A regular expression, Python's and PostgreSQL's, by which a leftover of a killed run is recognised."""
ONLY_FOR_TRIAL = "made by queryproof for the time of a trial"
"""Comment of an extension that a trial needed: the same for those."""
LEFT_BEHIND = "a run with --prove measure that could not drop it left it behind: drop it"
"""What is said of such an index."""


def mark_owner(directory: Path) -> None:
    """Write into the directory which process it belongs to: process id and start time, since ids are used again."""
    (directory / OWNER).write_text(f"{os.getpid()} {_started(os.getpid())}\n")


def sweep(place: Path, prefix: str) -> list[Path]:
    """Delete directories of that prefix whose process is gone and whose server no longer runs; returns them.

    Signals nobody. Leaves alone what is not ours: other owners' directories, links, and directories without the mark.
    """
    gone = []
    for directory in place.glob(f"{prefix}*"):
        try:
            about = directory.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid not in _ours():
                continue
            pid, started = (directory / OWNER).read_text().split()
            if _started(int(pid)) == started or _server_runs(directory):
                continue
        except (OSError, ValueError):
            continue
        shutil.rmtree(directory, ignore_errors=True)
        gone.append(directory)
    return gone


def _ours() -> set[int]:
    return {os.geteuid()} if os.geteuid() != 0 else {0, _nobody()}


def _nobody() -> int:
    import pwd

    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, "gone" when there is none, "?" where /proc does not exist."""
    if not Path("/proc/self").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return "gone"
        except PermissionError:
            return "?"
        return "?"
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "gone"


def _server_runs(directory: Path) -> bool:
    try:
        pid = int((directory / "data" / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
    return os.fsencode(directory) in command
