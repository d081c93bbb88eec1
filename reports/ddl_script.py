"""The index plan as a script for psql."""

import re

from ..analyzer.advise.partition_recipe import LONG
from ..analyzer.recommendation import Recommendation
from .numbers import duration, plural, size, visible
from .report import Report

HEAD = """\
-- Indexes chosen by queryproof {version}. Run it with:  psql -X -f THIS_FILE "postgresql://owner@host/database"
-- It can be run again: what is there already is left alone, and an invalid leftover of a failed build is built anew.
-- Every statement runs by itself, outside a transaction, as CONCURRENTLY needs.
\\set ON_ERROR_STOP on
\\encoding UTF8
-- A lock timeout would end a build that waits for an old transaction, and leave an invalid index behind.
SET lock_timeout = 0;
SET statement_timeout = 0;
"""
NO_TIMEOUT = "SET lock_timeout = 0"
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*["]""")
_NAME = re.compile(r'INDEX (?:CONCURRENTLY )?("(?:[^"]|"")+") ON (ONLY )?("(?:[^"]|"")+")\.')


def ddl_script(report: Report) -> str:
    """psql's own text: comments never hold a line break, so that a hostile name cannot end one."""
    plan = report.index_plan
    actions = {action.id: action for action in report.recommendations}
    parts = [HEAD.format(version=report.tool_version)]
    known = plan is not None
    for one in plan.indexes if plan is not None else ():
        about = f"{one.definition}: ≈ {size(one.size_bytes)}, ≈ {duration(one.build_ms)} to build, serves {plural(len(one.serves), 'query', 'queries')}"
        parts.append(_build(actions[one.recommendation], about))
    if not known:
        parts += [_build(action, action.title) for action in report.recommendations if action.kind == "index"]
    for gone in plan.dropped if plan is not None else ():
        action = actions[gone.recommendation]
        parts.append(
            f"-- {_comment(action.title)}: {_comment(gone.reason)}. Not run: take the dashes away once you are sure that nothing "
            f"else needs it.\n" + "\n".join(f"-- {_comment(line)}" for line in action.code[0].text.splitlines()) + "\n"
        )
    if len(parts) == 1:
        parts.append("-- Nothing to add.\n")
    return "\n".join(parts)


def _build(action: Recommendation, about: str) -> str:
    lines = [f"-- {_comment(about)}", f"\\echo {_quoted(action.title)}"]
    for statement in _statements(action.code[0].text):
        named = _NAME.search(statement)
        if named is not None and not named[2]:
            lines.append(_drop_invalid(named[3], named[1]))
        lines.append(f"{_again(statement)};")
    return "\n".join(lines) + "\n"


def _statements(ddl: str) -> list[str]:
    """Statements that each end with `;` at a line's end; an identifier may hold both, but only inside quotes."""
    found, current = [], ""
    for line in ddl.split("\n"):
        current += line
        if line.endswith(";") and not {'"', "'"} & set(_QUOTED.sub("", current)):
            found.append(current[:-1])
            current = ""
        else:
            current += "\n"
    return found


def _again(statement: str) -> str:
    """The statement so that a second run leaves alone what is there."""
    if statement == LONG:
        return NO_TIMEOUT
    return re.sub(r"^(CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?)(?=\")", r"\1IF NOT EXISTS ", statement)


def _drop_invalid(schema: str, name: str) -> str:
    """Takes an invalid leftover away: psql runs what the query gives, which is nothing when there is none."""
    qualified = f"{schema}.{name}".replace("'", "''")
    return (
        f"SELECT 'DROP INDEX CONCURRENTLY {qualified}' FROM pg_catalog.pg_index\n"  # noqa: S608 - quoted
        f"  WHERE indexrelid = pg_catalog.to_regclass('{qualified}') AND NOT indisvalid \\gexec"
    )


def _comment(text: str) -> str:
    return visible(" ".join(text.split())).replace("\\", "/")


def _quoted(text: str) -> str:
    """An argument of a psql command."""
    return "'" + _comment(text).replace("'", "''").replace(":", " ") + "'"
