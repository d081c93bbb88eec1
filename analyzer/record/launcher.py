"""Runs a program under the recorder, unchanged."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..errors import OutputError, QueryproofError
from .bootstrap import FORBID, JOURNAL, LEVEL, MAX_SIZE, PARAMETERS, ROLLBACK, TRIAL
from .call_site import APPLICATION_PATHS, DIRECTORY
from .handed_on import handed_on

SITE = Path(__file__).resolve().parent / "site"
ROOT = Path(__file__).resolve().parents[2]


class Ended(int):
    """An exit code; `interrupted`: the program was ended from outside, by Ctrl-C or SIGTERM."""

    interrupted = False


def run(
    command: Sequence[str],
    directory: Path,
    *,
    parameters: bool = True,
    level: int = 1,
    max_size: int | None = None,
    application: Sequence[str | Path] = (),
    trial: Path | None = None,
    writing: Path | Literal["forbid"] | None = None,
    quiet: bool = False,
) -> Ended:
    """Run the command to its end and return its exit code (128 + n when signal n killed it).

    directory: where the journal goes. parameters, level, max_size: as for `record`; max_size counts for each process.
    application: directories and packages whose frames count as application code although installed. trial: edits to make on the way (`trial.py`).
    writing: a file: nothing the program writes through SQLAlchemy stays, and the file tells where that cannot be promised;
    `forbid`: it may not write (`rollback.py`). quiet: its output is thrown away.
    Raises QueryproofError when there is no such command, OutputError when the journal's directory cannot be made.
    """
    check_command(command)
    directory = Path(os.path.abspath(directory))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the journal's directory {directory} cannot be made: {error.strerror}") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OutputError(f"the journal's directory {directory} cannot be written to: name another with --output")
    paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "QUERYPROOF_ROOT": str(ROOT),
        JOURNAL: str(directory),
        DIRECTORY: os.getcwd(),
        PARAMETERS: "1" if parameters else "0",
        LEVEL: str(level),
        MAX_SIZE: str(max_size) if max_size is not None else "",
        APPLICATION_PATHS: os.pathsep.join(map(_application, application)),
        TRIAL: str(trial) if trial is not None else "",
        ROLLBACK: (FORBID if writing == "forbid" else os.path.abspath(writing)) if writing is not None else "",
    }
    output = subprocess.DEVNULL if quiet else None
    with handed_on() as hands:
        try:
            process = subprocess.Popen(list(command), env=environment, stdin=output, stdout=output, stderr=output)
        except OSError as error:
            raise QueryproofError(f"{command[0]} cannot be run: {error.strerror}") from None
        hands.to(process)
        code = process.wait()
    ended = Ended(code if code >= 0 else 128 - code)
    ended.interrupted = hands.interrupted
    return ended


def check_command(command: Sequence[str]) -> None:
    """Raises QueryproofError when there is no such command."""
    if shutil.which(command[0]) is None:
        raise QueryproofError(f"there is no command {command[0]!r}: give the program as you would type it, after --")


def _application(name: str | Path) -> str:
    """A directory as an absolute path; a package's name stays, because the program's own Python is to find it."""
    text = str(name)
    if os.path.isdir(text) or os.sep in text:
        return os.path.abspath(text)
    return text
