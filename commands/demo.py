"""`queryproof demo`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import DEFAULT_REPORT, Command, progress, show

if TYPE_CHECKING:
    from ..sample_db.seed import Size


@click.command(cls=Command)
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
    from ..demo import run_demo

    report = run_demo(size, output, progress, lambda line: click.echo(line, err=True))
    show(report, output)
