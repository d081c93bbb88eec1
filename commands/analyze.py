"""`queryproof analyze`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import (
    DEFAULT_REPORT,
    Amount,
    Command,
    allow_superuser_option,
    max_seconds_option,
    parameters_option,
    progress,
    read_since,
    show,
    since_option,
    split_inputs,
)

if TYPE_CHECKING:
    from ..analysis import AnalysisRequest
    from ..reports.report import Report

SEVERITIES = ("error", "warning", "info")


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--url", help="Database that explains the statements. Nothing is run on it, locked or written unless asked for."
)
@click.option(
    "--clone",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of `queryproof clone` that plans the statements in the database's place.",
)
@click.option("--pg-stat-statements", is_flag=True, help="Take the workload of that server as well.")
@since_option
@click.option(
    "--analyze",
    "run_selects",
    is_flag=True,
    help="Run the recorded SELECTs again with EXPLAIN ANALYZE, read-only, each under a timeout.",
)
@click.option(
    "--analyze-writes",
    is_flag=True,
    help="Run INSERT, UPDATE, DELETE and MERGE too, and roll each back; sequences, dead rows and WAL stay.",
)
@click.option(
    "--max-cost",
    type=Amount(min=0),
    default=1e8,
    show_default=True,
    help="Statements that the planner estimates above this cost are not run.",
)
@max_seconds_option
@click.option(
    "--connections",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Connections used at the same time, for plain EXPLAIN only.",
)
@click.option(
    "--prove",
    type=click.Choice(["auto", "measure", "no"]),
    default="auto",
    show_default=True,
    help="`measure`: build candidate indexes on the --url database, measure, and drop them again. `auto`: plan them on a "
    "hollow clone of it. `no`: estimate.",
)
@allow_superuser_option
@parameters_option
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
    clone: Path | None,
    pg_stat_statements: bool,
    since: Path | None,
    run_selects: bool,
    analyze_writes: bool,
    max_cost: float,
    max_seconds: float,
    connections: int,
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
    from ..analysis import AnalysisRequest

    journal, files = split_inputs(inputs, pg_stat_statements)
    request = AnalysisRequest(
        journal=journal,
        files=files,
        url=url,
        clone=clone,
        pg_stat_statements=pg_stat_statements,
        since=read_since(since, pg_stat_statements),
        analyze=run_selects,
        analyze_writes=analyze_writes,
        max_cost=max_cost,
        max_seconds=max_seconds,
        connections=connections,
        prove=prove,  # type: ignore[arg-type] # click.Choice has checked it
        allow_superuser=allow_superuser,
        show_parameters=parameters,
    )
    report = run_analysis(request, output)
    sys.exit(verdict(report, fail_on))


def run_analysis(request: "AnalysisRequest", output: Path) -> "Report":
    """Analyse, write the report, show the summary. An output that cannot be written is noticed before the work starts."""
    from ..analysis import analyze as run
    from ..reports.write import check_writable

    check_writable(output)
    report = run(request, progress)
    show(report, output)
    return report


def verdict(report: "Report", fail_on: str | None) -> int:
    """1 when a finding is as severe as `fail_on` or worse, else 0."""
    if fail_on is None:
        return 0
    from ..reports.numbers import plural

    bar = SEVERITIES.index(fail_on)
    grave = [finding for finding in report.findings if finding.severity.rank <= bar]
    if grave:
        number = plural(len(grave), "finding")
        click.echo(f"queryproof: {number} of severity {fail_on} or worse (--fail-on {fail_on})", err=True)
    return 1 if grave else 0
