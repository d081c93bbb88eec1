"""`queryproof advise`."""

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import (
    DEFAULT_REPORT,
    Amount,
    Command,
    Counting,
    fail,
    parameters_option,
    progress,
    read_since,
    since_option,
    split_inputs,
)

if TYPE_CHECKING:
    from ..reports.report import Report

FORMATS = ("html", "json", "terminal")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(k|m|g|t)?(?:i?b)?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Size(click.ParamType[int]):
    """`500MB`, `2 GB`, `1048576`: bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or say what is wrong with it."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no size: write it as 500MB or 2GB", param, ctx)
        return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--url", help="Database to advise. A hollow clone of it plans; nothing is run on it, locked or written.")
@click.option(
    "--clone",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of `queryproof clone` that plans in the database's place.",
)
@click.option("--pg-stat-statements", is_flag=True, help="Take the workload of the --url server.")
@since_option
@click.option(
    "--budget", type=Size(), help="Disk space for all new indexes together, such as 500MB.  [default: no limit]"
)
@click.option("--max-indexes", type=click.IntRange(min=1), help="Number of new indexes.")
@click.option("--max-per-table", type=click.IntRange(min=1), help="Number of new indexes on one table.")
@click.option("--max-width", type=click.IntRange(min=1), help="Key and INCLUDE columns of one index.")
@click.option(
    "--max-seconds",
    type=Amount(min=0.1),
    default=60.0,
    show_default=True,
    help="Time for the search: the best set found by then is given.",
)
@click.option(
    "--prove",
    type=click.Choice(["planned", "measure"]),
    default="planned",
    show_default=True,
    help="`measure`: build the chosen set on the --url database, measure, drop it again, leave out what does not help, and choose others in its place.",
)
@click.option(
    "--allow-superuser", is_flag=True, help="Plan although the role is a superuser (rights are lowered first)."
)
@parameters_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_REPORT,
    show_default=True,
    help="Directory for report.html and report.json.",
)
@click.option(
    "--ddl", type=click.Path(path_type=Path, dir_okay=False), help="Write a psql script that builds the indexes."
)
@click.option(
    "--format",
    "shown",
    type=click.Choice(FORMATS),
    default="terminal",
    show_default=True,
    help="What is printed: the summary, or the whole report as JSON or HTML.",
)
def advise(
    inputs: tuple[Path, ...],
    url: str | None,
    clone: Path | None,
    pg_stat_statements: bool,
    since: Path | None,
    budget: int | None,
    max_indexes: int | None,
    max_per_table: int | None,
    max_width: int | None,
    max_seconds: float,
    prove: str,
    allow_superuser: bool,
    parameters: bool,
    output: Path,
    ddl: Path | None,
    shown: str,
) -> None:
    """Choose the best set of indexes for a whole workload, within a budget, with proof.

    INPUTS are a journal directory, .sql files, or directories of .sql files; without any, and without
    --pg-stat-statements, the journal in queryproof-journal.

    \b
        queryproof advise queries.sql --url postgresql://reader@db/prod --budget 500MB
        queryproof advise --pg-stat-statements --url postgresql://reader@db/prod --ddl indexes.sql
        queryproof advise queries/ --clone prod.qpclone
        queryproof advise queryproof-journal --url postgresql://me@localhost/dev --prove measure
    """
    from ..advising import LEFT_BEHIND, AdviceRequest
    from ..advising import advise as run
    from ..analyzer.advise.selection_types import Constraints
    from ..analyzer.replaceable import replaceable
    from ..reports.ddl_script import ddl_script
    from ..reports.write import check_writable, write_reports, write_text

    check_writable(output)
    if ddl is not None and not ddl.parent.is_dir():
        fail(f"{ddl.parent} is no directory: the script cannot be written there")
    if ddl is not None:
        replaceable(ddl)
    journal, files = split_inputs(inputs, pg_stat_statements)
    request = AdviceRequest(
        journal=journal,
        files=files,
        pg_stat_statements=pg_stat_statements,
        since=read_since(since, pg_stat_statements),
        url=url,
        clone=clone,
        constraints=Constraints(budget, max_indexes, max_per_table, max_width, max_seconds=max_seconds),
        prove=prove,  # type: ignore[arg-type] # click.Choice has checked it
        allow_superuser=allow_superuser,
        show_parameters=parameters,
    )
    with closing(Counting()) as count:
        report = run(request, progress, count)
    paths = write_reports(report, output)
    if ddl is not None:
        paths.append(write_text(ddl, ddl_script(report)))
    _print(report, shown, paths)
    if report.skipped and report.skipped[0].subject == LEFT_BEHIND:
        fail(report.skipped[0].reason)
    if report.index_plan is not None and not report.index_plan.queries:
        fail("no statement could be planned, so nothing was advised; the reasons stand in the report")


def _print(report: "Report", shown: str, paths: list[Path]) -> None:
    """What was asked for on standard output; with JSON and HTML nothing else."""
    from rich.console import Console

    from ..reports.advice_terminal import print_advice
    from ..reports.html.html import to_html
    from ..reports.json_report import to_json

    if shown == "json":
        click.echo(to_json(report), nl=False)
    elif shown == "html":
        click.echo(to_html(report).encode("utf-8", "replace"), nl=False)
    else:
        print_advice(report, Console(), paths)
