"""The command line: options in, exit code out. 0 clean, 1 findings that --fail-on names, 2 anything that could not be done."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__
from .analyzer.errors import QueryproofError

if TYPE_CHECKING:
    from .analysis import AnalysisRequest
    from .reports.report import Report
    from .sample_db.seed import Size

DEFAULT_JOURNAL = Path("queryproof-journal")
DEFAULT_REPORT = Path("queryproof-report")
SEVERITIES = ("error", "warning", "info")


class Command(click.Command):
    """A command whose expected errors are one message and exit code 2, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except QueryproofError as error:
            fail(str(error))


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def fail(message: str) -> NoReturn:
    """One message on standard error, exit code 2."""
    click.echo(f"queryproof: {message}", err=True)
    sys.exit(2)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="queryproof")
def main() -> None:
    """Find what makes PostgreSQL slow under your application, and prove what makes it fast.

    \b
    See it at work on a sample application and a throw-away server:
        queryproof demo
    Profile your own program, then read the report:
        queryproof record -- pytest
        queryproof analyze --url postgresql://user@localhost/mydb
    Review a server through pg_stat_statements:
        queryproof analyze --pg-stat-statements --url postgresql://reader@db.example/prod
    Gate a CI job (exit code 1 on findings of that severity or worse):
        queryproof analyze --fail-on error
    """


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_JOURNAL,
    show_default=True,
    help="Directory of the journal. An earlier recording there is kept as DIR-previous.",
)
@click.option("--append", is_flag=True, help="Add to the recording that is there instead of setting it aside.")
@click.option("--no-parameters", is_flag=True, help="Leave bound values out; plans then use generic ones.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def record(output: Path, append: bool, no_parameters: bool, command: tuple[str, ...]) -> None:
    """Run COMMAND and record every SQL statement that SQLAlchemy sends in it.

    Any Python program, test run or web server, unchanged, with its child processes. The exit code is the program's own.
    Bound values stay in the journal, readable by you alone; a report shows them only on request.

    \b
        queryproof record -- python app.py
        queryproof record -- pytest tests/
        queryproof record --output /tmp/journal -- uvicorn shop.main:app
    """
    from .analyzer.record.launcher import run
    from .analyzer.sources.journal import has_recording, set_aside

    if has_recording(output) and not append:
        previous = set_aside(output)
        click.echo(f"queryproof: the earlier recording is now {previous}", err=True)
    code = run(command, output, parameters=not no_parameters)
    if has_recording(output):
        click.echo(f"queryproof: recorded to {output}; next: queryproof analyze {output} [--url URL]", err=True)
    else:
        click.echo(
            "queryproof: nothing was recorded: the program did not use SQLAlchemy, or it did not run on Python",
            err=True,
        )
    sys.exit(code)


@main.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--url", help="Database that explains the statements. Nothing is run on it, locked or written unless asked for."
)
@click.option("--pg-stat-statements", is_flag=True, help="Take the workload of that server as well.")
@click.option(
    "--since",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Snapshot of pg_stat_statements (see `queryproof snapshot`): count only what came after it.",
)
@click.option(
    "--analyze",
    "run_selects",
    is_flag=True,
    help="Run the recorded SELECTs again with EXPLAIN ANALYZE, read-only, each under a timeout.",
)
@click.option(
    "--prove",
    type=click.Choice(["auto", "measure", "no"]),
    default="auto",
    show_default=True,
    help="`measure`: build candidate indexes on the --url database, measure, and drop them again.",
)
@click.option(
    "--allow-superuser", is_flag=True, help="Explain although the role is a superuser (rights are lowered first)."
)
@click.option("--parameters", is_flag=True, help="Show parameter values and literals in the report.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_REPORT,
    show_default=True,
    help="Directory for report.html and report.json.",
)
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 1 when a finding is that severe or worse.")
def analyze(
    inputs: tuple[Path, ...],
    url: str | None,
    pg_stat_statements: bool,
    since: Path | None,
    run_selects: bool,
    prove: str,
    allow_superuser: bool,
    parameters: bool,
    output: Path,
    fail_on: str | None,
) -> None:
    """Judge a workload and write the report.

    INPUTS are a journal directory, .sql files, or directories of .sql files; without any, and without
    --pg-stat-statements, the journal in queryproof-journal.

    \b
        queryproof analyze
        queryproof analyze queryproof-journal --url postgresql://me@localhost/dev --prove measure
        queryproof analyze queries.sql --url postgresql://reader@db/prod
        queryproof analyze --pg-stat-statements --url postgresql://reader@db/prod --fail-on warning
    """
    from .analysis import AnalysisRequest
    from .analyzer.sources.journal import has_recording
    from .analyzer.sources.pg_stat_statements import read_snapshot

    if not inputs and not pg_stat_statements:
        inputs = (DEFAULT_JOURNAL,)
    journals = [path for path in inputs if path.is_dir() and (has_recording(path) or not any(path.rglob("*.sql")))]
    if not journals and inputs == (DEFAULT_JOURNAL,):
        journals = [DEFAULT_JOURNAL]
    if len(journals) > 1:
        fail(f"one journal at a time, please: {', '.join(map(str, journals))}")
    request = AnalysisRequest(
        journal=journals[0] if journals else None,
        files=tuple(path for path in inputs if path not in journals),
        url=url,
        pg_stat_statements=pg_stat_statements,
        since=read_snapshot(since) if since else None,
        analyze=run_selects,
        prove=prove,  # type: ignore[arg-type] # click.Choice has checked it
        allow_superuser=allow_superuser,
        show_parameters=parameters,
    )
    report = run_analysis(request, output)
    sys.exit(verdict(report, fail_on))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--url", required=True, help="Server whose pg_stat_statements is read.")
def snapshot(file: Path, url: str) -> None:
    """Save the counters of pg_stat_statements to FILE, as the start of an interval for `analyze --since FILE`."""
    from .analyzer.postgres.connect import connect
    from .analyzer.sources.pg_stat_statements import snapshot as take
    from .analyzer.sources.pg_stat_statements import write_snapshot

    connection = connect(url)
    try:
        taken = take(connection)
    finally:
        connection.close()
    write_snapshot(taken, file)
    click.echo(f"Saved {len(taken.entries)} statements' counters to {file}")


@main.command()
@click.option(
    "--size",
    type=click.Choice(["small", "medium", "large"]),
    default="medium",
    show_default=True,
    help="Rows to seed: about 20 thousand, 300 thousand, 5 million.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_REPORT,
    show_default=True,
    help="Directory for report.html and report.json.",
)
def demo(size: "Size", output: Path) -> None:
    """See the whole of queryproof at work on a sample application and a throw-away PostgreSQL.

    Starts a server that listens on no network, migrates and seeds a database, runs an application with known faults under
    the recorder, analyses what was recorded together with pg_stat_statements, builds and measures every index it
    recommends, and writes the report. Leaves nothing behind but the report.
    """
    from .demo import run_demo

    report = run_demo(size, output, progress, lambda line: click.echo(line, err=True))
    show(report, output)


@main.command()
@click.argument("name", required=False)
def rules(name: str | None) -> None:
    """List the rules, or print the page of the rule NAME (its name or its code)."""
    from .rules.rule import all_rules

    if name is None:
        for rule in all_rules():
            click.echo(f"{rule.code}  {rule.name:<20}  {rule.summary}")
        return
    wanted = next((rule for rule in all_rules() if name.lower() in (rule.name, rule.code.lower())), None)
    if wanted is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [rule.name for rule in all_rules()], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        fail(f"there is no rule {name!r}{hint} `queryproof rules` lists them")
    click.echo(f"# {wanted.name} ({wanted.code})\n\n{wanted.page}")


def run_analysis(request: "AnalysisRequest", output: Path) -> "Report":
    """Analyse, write the report, show the summary. An output that cannot be written is noticed before the work starts."""
    from .analysis import analyze as run
    from .reports.write import check_writable

    check_writable(output)
    report = run(request, progress)
    show(report, output)
    return report


def show(report: "Report", output: Path) -> None:
    """Write the report's files and print the summary."""
    from rich.console import Console

    from .reports.terminal import print_report
    from .reports.write import write_reports

    paths = write_reports(report, output)
    print_report(report, Console(), paths)


def verdict(report: "Report", fail_on: str | None) -> int:
    """1 when a finding is as severe as `fail_on` or worse, else 0."""
    if fail_on is None:
        return 0
    bar = SEVERITIES.index(fail_on)
    grave = [finding for finding in report.findings if finding.severity.rank <= bar]
    if grave:
        click.echo(f"queryproof: {len(grave)} findings of severity {fail_on} or worse (--fail-on {fail_on})", err=True)
    return 1 if grave else 0


def progress(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    """A progress bar on standard error; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal or not items:
        yield from items
        return
    yield from track(items, description=f"{stage:<20}", console=console, transient=True)
