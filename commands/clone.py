"""`queryproof clone`."""

from pathlib import Path

import click

from .command import Command, fail

SHOWN = 20


@click.command(cls=Command)
@click.argument("url")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: DATABASE.qpclone]",
)
@click.option(
    "--no-values",
    is_flag=True,
    help="Take no value of the data along: no most common values, no histograms. Conditions on skewed columns and ranges "
    "are then estimated without knowledge of the data.",
)
@click.option(
    "--no-min-max", is_flag=True, help="Do not look up the present ends of indexed columns (one row at each end)."
)
@click.option("--role", help="Plan with the settings of this role (ALTER ROLE … SET), the application's.")
def clone(url: str, output: Path | None, no_values: bool, no_min_max: bool, role: str | None) -> None:
    """Save what the planner knows of the database at URL, so that it can be analysed without it.

    Schema, statistics, sizes and settings go into one file, no rows. The login needs pg_read_all_data, and pg_monitor to see
    every setting. Nothing is written there, and nobody waits: reading gives up when a table is locked for a second, and stops
    when somebody queues behind it.

    \b
        queryproof clone postgresql://reader@db/prod -o prod.qpclone
        queryproof analyze queries.sql --clone prod.qpclone

    Unless --no-values is given, the file holds values of the data (the most common ones, and some in between): keep it as
    you keep the data. It is readable by you alone.
    """
    from ..analyzer.postgres.clone_source import read_source
    from ..analyzer.replaceable import replaceable
    from ..reports.numbers import plural, size

    if output is not None and not output.parent.is_dir():
        fail(f"{output.parent} is no directory: the clone cannot be written there")
    if output is not None:
        replaceable(output)
    taken = read_source(url, values=not no_values, min_max=not no_min_max, role=role)
    manifest = taken.manifest
    output = output or Path(f"{manifest.database.replace('/', '_')}.qpclone")
    taken.save(output)
    tables = sum(relation.kind in "rpm" for relation in manifest.relations)
    indexes = sum(relation.kind in "iI" for relation in manifest.relations)
    bytes_ = sum(relation.blocks for relation in manifest.relations) * 8192
    click.echo(
        f"{output}: PostgreSQL {manifest.version}, {plural(tables, 'table')} and {plural(indexes, 'index', 'indexes')} "
        f"of {size(bytes_)}, "
        f"{len(taken.statistics.columns)} columns' statistics, in {size(output.stat().st_size)}. {manifest.notice}"
    )
    for note in manifest.left_out[:SHOWN]:
        click.echo(f"Left out: {_printable(note.what)}: {_printable(note.reason)}", err=True)
    if len(manifest.left_out) > SHOWN:
        click.echo(f"Left out: {len(manifest.left_out) - SHOWN} more; the file lists them", err=True)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
