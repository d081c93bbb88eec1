"""What all commands share: expected errors are one message and exit code 2; progress; showing a report."""

import math
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..analyzer.errors import QueryproofError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from ..analyzer.sources.pg_stat_statements import Snapshot
    from ..reports.report import Report

DEFAULT_JOURNAL = Path("queryproof-journal")
DEFAULT_REPORT = Path("queryproof-report")
INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended."""


class Amount(click.FloatRange):
    """A number within limits: `nan` is none, though it is below and above nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Fails as click's own types do."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


# Options that several commands share.
since_option = click.option(
    "--since",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Snapshot of pg_stat_statements (see `queryproof snapshot`): count only what came after it.",
)
allow_superuser_option = click.option(
    "--allow-superuser", is_flag=True, help="Explain although the role is a superuser (rights are lowered first)."
)
parameters_option = click.option("--parameters", is_flag=True, help="Show parameter values and literals in the report.")
max_seconds_option = click.option(
    "--max-seconds",
    type=Amount(min=0.01, max=86400),
    default=20.0,
    show_default=True,
    help="A statement that takes longer is stopped and shown with its plain plan.",
)


class Command(click.Command):
    """A command whose expected errors are one message and exit code 2, and Ctrl-C one of 130; never a traceback. SIGTERM ends it
    as Ctrl-C does, on the way that takes away what was built and cancels what runs."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        before = signal.signal(signal.SIGTERM, _terminated)
        ctx.call_on_close(lambda: signal.signal(signal.SIGTERM, before))
        try:
            return super().invoke(ctx)
        except QueryproofError as error:
            fail(str(error))
        except KeyboardInterrupt:
            click.echo("queryproof: interrupted", err=True)
            sys.exit(INTERRUPTED)


def _terminated(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def fail(message: str) -> NoReturn:
    """One message on standard error, exit code 2."""
    click.echo(f"queryproof: {message}", err=True)
    sys.exit(2)


def show(report: "Report", output: Path) -> None:
    """Write the report's files and print the summary."""
    from rich.console import Console

    from ..reports.terminal import print_report
    from ..reports.write import write_reports

    paths = write_reports(report, output)
    print_report(report, Console(), paths)


def load_report(path: Path) -> "Report":
    """The report of a directory or a report.json. Raises SourceError when there is none, or it cannot be read."""
    from ..analyzer.errors import SourceError
    from ..reports.json_report import from_json

    file = path / "report.json" if path.is_dir() else path
    try:
        return from_json(file.read_bytes())
    except FileNotFoundError:
        raise SourceError(f"there is no report {path}: write one with `queryproof analyze`") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None


def progress(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    """A progress bar on standard error; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal or not items:
        yield from items
        return
    yield from track(items, description=f"{stage:<20}", console=console, transient=True)


class Counting:
    """A progress bar on standard error for stages that tell how far they are; nothing where that is no terminal. Close it."""

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show the stage, and how much of it is done."""
        from rich.progress import Progress

        if not self._console.is_terminal:
            return
        if self._bar is None or self._task is None or stage != self._stage:
            self.close()
            self._stage, self._bar = stage, Progress(console=self._console, transient=True)
            self._task = self._bar.add_task(f"{stage:<20}", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def read_since(since: Path | None, counted: bool) -> "Snapshot | None":
    """The snapshot of --since. counted: pg_stat_statements is a source. Fails where it is not, for nothing would be counted from
    it."""
    from ..analyzer.sources.pg_stat_statements import read_snapshot

    if since is None:
        return None
    if not counted:
        fail("--since counts what pg_stat_statements has seen after a snapshot: give --pg-stat-statements as well")
    return read_snapshot(since)


def split_inputs(inputs: tuple[Path, ...], pg_stat_statements: bool) -> tuple[Path | None, tuple[Path, ...]]:
    """(journal, .sql files and directories of them). Without inputs the default journal, unless another source is named."""
    from ..analyzer.sources.journal import has_recording

    if not inputs and not pg_stat_statements:
        inputs = (DEFAULT_JOURNAL,)
    journals = [path for path in inputs if path.is_dir() and (has_recording(path) or not any(path.rglob("*.sql")))]
    if not journals and inputs == (DEFAULT_JOURNAL,):
        journals = [DEFAULT_JOURNAL]
    if len(journals) > 1:
        fail(f"one journal at a time, please: {', '.join(map(str, journals))}")
    return (journals[0] if journals else None), tuple(path for path in inputs if path not in journals)
