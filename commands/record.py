"""`queryproof record`."""

import sys
from pathlib import Path

import click

from .command import DEFAULT_JOURNAL, Command


@click.command(cls=Command, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
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
    from ..analyzer.record.launcher import run
    from ..analyzer.sources.journal import has_recording, set_aside

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
