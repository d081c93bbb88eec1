"""`queryproof record`."""

import re
import sys
from pathlib import Path

import click

from .command import DEFAULT_JOURNAL, Command

UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
MIN_SIZE = 256_000


def size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Bytes of a number with an optional unit, kB, MB or GB."""
    if value is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,9})\s*([kMG]?)i?B?\s*", value, re.IGNORECASE)
    number = int(found[1]) * UNITS[found[2].lower()] if found else 0
    if number < MIN_SIZE:
        raise click.BadParameter(f"{value!r} is not a size of at least 256 kB, such as 500MB", context, parameter)
    return number


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
@click.option(
    "--level",
    type=click.IntRange(0, 2),
    default=1,
    show_default=True,
    help="0: time, rows, place and transactions, for staging. 1: what the ORM was doing, too. 2: which attributes are read, too.",
)
@click.option(
    "--deep", is_flag=True, help="The same as --level 2: finds columns and relationships that are loaded unused."
)
@click.option(
    "--max-size",
    callback=size,
    default=None,
    metavar="SIZE",
    help="Limit of the journal of each process, such as 500MB; the oldest records make place. No limit unless given.",
)
@click.option(
    "--prove",
    is_flag=True,
    help="Run the program again with the option for each N+1, and for deferred columns read in a loop, added at its query, and "
    "keep queries and time before and after. What a program writes is then rolled back.",
)
@click.option(
    "--application",
    multiple=True,
    metavar="PACKAGE_OR_PATH",
    help="Count this package or directory as your application although it is installed in site-packages; may be repeated.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def record(
    output: Path,
    append: bool,
    no_parameters: bool,
    level: int,
    deep: bool,
    max_size: int | None,
    prove: bool,
    application: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Run COMMAND and record every SQL statement that SQLAlchemy sends in it.

    Any Python program, test run or web server, unchanged, with its child processes. The exit code is the program's own.
    Bound values stay in the journal, readable by you alone; a report shows them only on request.

    \b
        queryproof record -- python app.py
        queryproof record -- pytest tests/
        queryproof record --output /tmp/journal -- uvicorn shop.main:app
        queryproof record --prove -- python report.py
    """
    from ..analyzer.record.isolated import isolating_flag
    from ..analyzer.record.launcher import check_command, run
    from ..analyzer.sources.journal import has_call_sites, has_recording, set_aside

    check_command(command)
    flag = isolating_flag(command)
    if flag is not None:
        click.echo(
            f"queryproof: Python started with {flag} does not find the recorder: leave {flag} out, or record in the code with "
            "queryproof.record(…)",
            err=True,
        )
    if has_recording(output) and not append:
        previous = set_aside(output)
        click.echo(f"queryproof: the earlier recording is now {previous}", err=True)
    code = run(
        command,
        output,
        parameters=not no_parameters,
        level=2 if deep else level,
        max_size=max_size,
        application=application,
    )
    if has_recording(output) and prove and code.interrupted:
        click.echo(
            "queryproof: nothing is proven: the program was ended from outside, so it cannot be run again in the same way; "
            "prove with a program that ends by itself, such as a test run",
            err=True,
        )
    elif has_recording(output) and prove:
        show_proofs(command, output, code, application)
    if has_recording(output) and not has_call_sites(output):
        click.echo(
            "queryproof: no statement has a place in your code: where the application is installed in site-packages, name "
            "its package with --application",
            err=True,
        )
    if has_recording(output):
        click.echo(f"queryproof: recorded to {output}; next: queryproof analyze {output} [--url URL]", err=True)
    else:
        click.echo(
            "queryproof: nothing was recorded: "
            + (
                f"the program ended with exit code {int(code)} before it sent a statement, or it "
                if code
                else "the program "
            )
            + "did not use SQLAlchemy, it did not run on Python, or its Python was started with -E, -I or -S",
            err=True,
        )
    sys.exit(code)


def show_proofs(command: tuple[str, ...], output: Path, code: int, application: tuple[str, ...]) -> None:
    """Prove the edits of a recording and tell what came of each."""
    from ..orm_edits import tried
    from ..orm_proof import prove_orm_edits
    from ..reports.numbers import duration

    def say(line: str) -> None:
        click.echo(f"queryproof: {line}", err=True)

    proofs = prove_orm_edits(command, output, code, say, application)
    if not proofs:
        say(
            "nothing to prove: no relationship and no deferred column was loaded one by one, and no other remedy is measured"
        )
    for proof in proofs:
        loaded = tried(proof.paths, proof.columns)
        place = f"{proof.origin.file}:{proof.origin.line}"
        if proof.queries_after is None or proof.ms_after is None:
            say(f"{place}: no proof with {loaded}: {proof.refused}")
        else:
            times = f"{duration(proof.ms_before)} → {duration(proof.ms_after)}"
            say(f"{place}: {proof.queries_before} queries → {proof.queries_after}, {times}, measured with {loaded}")
