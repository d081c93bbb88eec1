"""The command line: options in, exit code out. 0 clean, 1 findings that --fail-on names, 2 anything that could not be done."""

from importlib import import_module
from pathlib import Path

import click

from . import __version__

COMMANDS = Path(__file__).parent / "commands"


class Group(click.Group):
    """The commands of the folder commands/: a file `name.py` holds the command `name`, loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(path.stem for path in COMMANDS.glob("*.py") if path.stem not in ("__init__", "command"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(import_module(f".commands.{cmd_name}", __package__), cmd_name)
        return found if isinstance(found, click.Command) else None


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
        queryproof fix
    Choose indexes for a whole workload, within a budget:
        queryproof advise queries.sql --url postgresql://reader@db.example/prod --budget 500MB
    Look at one plan:
        queryproof explain 'SELECT …' --url postgresql://user@localhost/mydb
    Review a server through pg_stat_statements:
        queryproof analyze --pg-stat-statements --url postgresql://reader@db.example/prod
    Gate a CI job (exit code 1 on findings of that severity or worse):
        queryproof analyze --fail-on error
    """
