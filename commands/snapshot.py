"""`queryproof snapshot`."""

from pathlib import Path

import click

from .command import Command


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--url", required=True, help="Server whose pg_stat_statements is read.")
def snapshot(file: Path, url: str) -> None:
    """Save the counters of pg_stat_statements to FILE, as the start of an interval for `analyze --since FILE`."""
    from ..analyzer.postgres.connect import connect
    from ..analyzer.sources.pg_stat_statements import snapshot as take
    from ..analyzer.sources.pg_stat_statements import write_snapshot

    connection = connect(url)
    try:
        taken = take(connection)
    finally:
        connection.close()
    write_snapshot(taken, file)
    if taken.hidden:
        click.echo(
            f"queryproof: {taken.hidden} entries of other roles were not readable. Remedy: GRANT pg_read_all_stats TO the role "
            "of --url",
            err=True,
        )
    click.echo(f"Saved {len(taken.entries)} statements' counters to {file}")
