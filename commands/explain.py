"""`queryproof explain`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Amount, Command, allow_superuser_option, fail, max_seconds_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..explanation import ExplainRequest

STDIN = Path("-")
MOST_SQL_BYTES = 1 << 20
MOST_PLAN_BYTES = 200 << 20
PIPED_COLUMNS = 100


@click.command(cls=Command)
@click.argument("statement", required=False)
@click.option(
    "--url", help="Database that plans the statement. Nothing is run on it, locked or written unless asked for."
)
@click.option(
    "--clone",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of `queryproof clone` that plans the statement in the database's place.",
)
@click.option(
    "--sql-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File with the statement; - is standard input.",
)
@click.option(
    "--plan-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Output of EXPLAIN in any format, or a log of auto_explain; - is standard input.",
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Two plan files, or with a statement two URLs: both plans side by side, what moved and why.",
)
@click.option(
    "--analyze", "run_it", is_flag=True, help="Run a SELECT with EXPLAIN ANALYZE, read-only, under a timeout."
)
@click.option(
    "--analyze-writes",
    is_flag=True,
    help="Run INSERT, UPDATE, DELETE and MERGE too, and roll them back; sequences, dead rows and WAL stay.",
)
@click.option(
    "--max-cost",
    type=Amount(min=0),
    default=1e8,
    show_default=True,
    help="A statement that the planner estimates above this cost is not run.",
)
@max_seconds_option
@allow_superuser_option
@click.option("--parameters", is_flag=True, help="Show the literals in conditions; they are ? otherwise.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(
    statement: str | None,
    url: str | None,
    clone: Path | None,
    sql_file: Path | None,
    plan_file: Path | None,
    compare: tuple[str, str] | None,
    run_it: bool,
    analyze_writes: bool,
    max_cost: float,
    max_seconds: float,
    allow_superuser: bool,
    parameters: bool,
    form: str,
) -> None:
    """Show and judge the plan of one STATEMENT, or plans from a file.

    The tree tells each node's own time, the rows that came and those that were expected, its blocks, and the findings with
    their remedies on the node at fault. Without --analyze the plan is the planner's alone, and bars show cost. A statement
    with $1 is planned for no values in particular, and for values from pg_stats where these lead to other plans.

    --url takes the application's own URL, whatever driver it names (postgresql+asyncpg://…): queryproof connects by psycopg2.
    Recorded statements may be in the style of psycopg2, psycopg, asyncpg or pg8000.

    \b
        queryproof explain 'SELECT * FROM orders WHERE id = 7' --url postgresql://me@localhost/dev --analyze
        queryproof explain --sql-file slow.sql --clone prod.qpclone
        psql -XqAt -c 'EXPLAIN (ANALYZE, BUFFERS) SELECT …' | queryproof explain --plan-file -
        queryproof explain --compare before.json after.json
        queryproof explain --sql-file slow.sql --compare postgresql://…/staging postgresql://…/prod

    STATEMENT - reads the statement from standard input. Exit codes: 0 a plan is shown (two, with --compare, whatever they
    are), 2 there is none and the message says why, 130 interrupted.
    """
    from ..explanation import ExplainRequest, explain_statement, judge_plans

    sources = [one for one in (statement, sql_file, plan_file) if one is not None]
    if len(sources) > 1:
        fail("name one of STATEMENT, --sql-file and --plan-file")
    if not sources and compare is None:
        fail("nothing to explain: give a statement, --sql-file FILE, --plan-file FILE, or --compare A B")
    if plan_file is not None and (compare or clone or run_it or analyze_writes):
        fail(
            "--plan-file shows plans as they are: it goes with --url (for the catalog), --parameters and --format alone"
        )
    request = ExplainRequest(
        url=url, clone=clone, analyze=run_it, analyze_writes=analyze_writes, max_cost=max_cost, max_seconds=max_seconds,
        allow_superuser=allow_superuser, show_parameters=parameters,
    )  # fmt: skip
    if compare is not None:
        _compare(compare, statement, sql_file, request, form)
        return
    if plan_file is not None:
        judged = judge_plans(_plan_text(plan_file), _name(plan_file), request)
    else:
        judged = explain_statement(_sql(statement, sql_file), request)
    if form == "json":
        from ..reports.explain.plan_json import plans_json

        output(plans_json(judged))
    else:
        from ..reports.explain.plan_terminal import print_plans

        print_plans(judged, terminal())


def terminal() -> "Console":
    """Standard output; where it is no terminal 100 columns wide, unless COLUMNS says otherwise."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            _drop_output()
            sys.exit(0)

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_COLUMNS
    return Output(width=wide, highlight=False, emoji=False, markup=False)


def output(data: bytes) -> None:
    """Bytes on standard output; a reader that has gone away is no error."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _drop_output()


def _drop_output() -> None:
    """So that Python's own flush at exit finds somebody who reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _compare(
    pair: tuple[str, str], statement: str | None, sql_file: Path | None, request: "ExplainRequest", form: str
) -> None:
    from ..analyzer.postgres.plan_comparison import compare_plans
    from ..explanation import compare_files, compare_servers

    if statement is None and sql_file is None:
        if pair.count("-") > 1:
            fail("only one of the two plans can come from standard input")
        texts = [(_name(path), _plan_text(path)) for path in map(Path, pair)]
        before, after = compare_files(texts[0], texts[1], request)
    else:
        before, after = compare_servers(_sql(statement, sql_file), pair, request)
    comparison = compare_plans(before.plan, after.plan)
    if form == "json":
        from ..reports.explain.comparison_json import comparison_json

        output(comparison_json(comparison, before, after))
    else:
        from ..reports.explain.comparison_terminal import print_comparison

        print_comparison(comparison, before, after, terminal())


def _plan_text(path: Path) -> str:
    from ..explanation import read_text

    return read_text(path, sys.stdin.buffer.read, "the output of EXPLAIN", MOST_PLAN_BYTES)


def _sql(statement: str | None, sql_file: Path | None) -> str:
    from ..explanation import read_text

    if statement is not None and statement != "-":
        if not any(letter.isspace() for letter in statement.strip()) and Path(statement).is_file():
            fail(
                f"{statement} is a file: --sql-file {statement} reads a statement from it, --plan-file {statement} a plan"
            )
        if not statement.strip():
            fail("the statement is empty")
        return statement
    return read_text(sql_file or STDIN, sys.stdin.buffer.read, "one SQL statement", MOST_SQL_BYTES)


def _name(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
