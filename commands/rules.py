"""`queryproof rules`."""

import click

from .command import Command, fail


@click.command(cls=Command)
@click.argument("name", required=False)
def rules(name: str | None) -> None:
    """List the rules, or print the page of the rule NAME (its name or its code)."""
    from ..rules.rule import all_rules

    if name is None:
        for rule in all_rules():
            click.echo(f"{rule.code}  {rule.name:<20}  {rule.summary}")
        return
    wanted = next((rule for rule in all_rules() if name.lower() in (rule.name, rule.code.lower())), None)
    if wanted is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [rule.name for rule in all_rules()], 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        fail(f"there is no rule {name!r}.{hint} `queryproof rules` lists them")
    click.echo(f"# {wanted.name} ({wanted.code})\n\n{wanted.page}")
